use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use base_types::SystemClock;
use files_document::Format;
use files_sops::config::{self, Config, Rule};
use files_sops::keyservice::KeyServices;
use files_sops::{
    DataKey, EncryptedFile, Failure, Identities, KeyGroups, Layout, MasterKey, OpenFile, SOURCES,
    Surroundings, Unwrapped, Written,
};
use zeroize::Zeroizing;

use crate::flags::Flags;
use crate::random::KernelRandom;
use crate::{code, output, prompt};

/// Why a command stops: an exit code and a text for standard error.
pub(crate) struct Stop {
    pub(crate) code: u8,
    pub(crate) text: String,
}

impl Stop {
    pub(crate) fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// The call is wrong.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::new(1, text)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::new(code::of(failure.kind), failure.text)
    }
}

impl From<base_types::Error> for Stop {
    fn from(error: base_types::Error) -> Self {
        Failure::from(error).into()
    }
}

/// One call: its flags and words, and the process it runs in.
pub(crate) struct Session {
    pub(crate) flags: Flags,
    pub(crate) words: Vec<String>,
    pub(crate) surroundings: Surroundings<'static>,
    /// The name of the program and the word under which it is this command line.
    pub(crate) program: String,
    config: OnceLock<Option<Config>>,
}

/// What a command works on.
pub(crate) struct Input {
    /// The name that decides formats and rules.
    pub(crate) name: PathBuf,
    /// Where it came from; nothing for standard input.
    pub(crate) path: Option<PathBuf>,
    pub(crate) text: Zeroizing<Vec<u8>>,
}

/// The sources that are tried first unless something else is said.
const ORDER: &str = "age,pgp";

/// Sources that only other programs can use: what these variables name must not be left out in
/// silence.
const FOREIGN_VARIABLES: [&str; 1] = ["SOPS_HUAWEICLOUD_KMS_IDS"];

impl Session {
    #[allow(clippy::disallowed_methods, reason = "the command line reads the environment")]
    pub(crate) fn of_process(
        program: &str,
        flags: Flags,
        words: Vec<String>,
    ) -> Result<Self, Stop> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let surroundings = Surroundings {
            variables: variables.collect(),
            // One of each for the whole process, which ends after this call.
            clock: Box::leak(Box::new(SystemClock::default())),
            random: Box::leak(Box::new(KernelRandom::default())),
            person: &prompt::passphrase,
            services: KeyServices::default(),
            unwrapped: Unwrapped::default(),
            identities: Identities::default(),
        };
        let program = program.to_owned();
        let config = OnceLock::new();
        let mut session = Self { flags, words, surroundings, program, config };
        session.surroundings.services = session.services()?;
        Ok(session)
    }

    /// The key services that flags and variables name, besides this process itself.
    fn services(&self) -> Result<KeyServices, Stop> {
        let local = self.setting("enable-local-keyservice", "SOPS_ENABLE_LOCAL_KEYSERVICE");
        let given = self.flags.list("keyservice");
        let named = self.surroundings.variable("SOPS_KEYSERVICE").unwrap_or_default();
        let named = if given.is_empty() { named } else { &given };
        let others = named.split(',').map(str::trim).filter(|address| !address.is_empty());
        let others = others.map(str::parse).collect::<Result<_, Failure>>()?;
        Ok(KeyServices { local: !local.is_some_and(crate::flags::is_off), others })
    }

    /// The value of a flag, or of the variable that stands for it.
    pub(crate) fn setting(&self, flag: &str, variable: &str) -> Option<&str> {
        self.flags.value(flag).or_else(|| self.surroundings.variable(variable))
    }

    pub(crate) fn warn(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "warning: {text}");
    }

    /// The words, of which there must be so many; more are left out with a warning, as in sops.
    pub(crate) fn arguments<const N: usize>(&self, usage: &str) -> Result<[&str; N], Stop> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        let Some(first) = words.first_chunk::<N>() else {
            return Err(Stop::new(code::NO_FILE, format!("Error: no file specified ({usage})")));
        };
        if words.len() > N {
            self.warn("more words than the command takes; flags must stand before the file");
        }
        Ok(*first)
    }

    /// Reads the file that the first word names.
    pub(crate) fn read(&self, path: &str) -> Result<Input, Stop> {
        let path = PathBuf::from(path);
        if !path.exists() {
            let text = format!("Error: cannot operate on non-existent file {path:?}");
            return Err(Stop::new(code::NO_FILE, text));
        }
        let text = fs::read(&path).map_err(|error| {
            Stop::new(code::READ, format!("{} cannot be read: {error}", path.display()))
        })?;
        let name = self.flags.value("filename-override").map_or(path.clone(), PathBuf::from);
        Ok(Input { name, path: Some(path), text: Zeroizing::new(text) })
    }

    /// The file that the first word names, or else standard input.
    pub(crate) fn read_or_stdin(&self) -> Result<Input, Stop> {
        if !self.words.is_empty() {
            let [path] = self.arguments("FILE")?;
            return self.read(path);
        }
        if self.flags.on("in-place") {
            return Err(Stop::new(code::CONFLICT, "Error: there is no file to write to in place"));
        }
        let mut text = Zeroizing::new(Vec::new());
        std::io::stdin().lock().read_to_end(&mut text).map_err(|error| {
            Stop::new(code::READ, format!("standard input cannot be read: {error}"))
        })?;
        let name = self.flags.value("filename-override").map(PathBuf::from).unwrap_or_default();
        Ok(Input { name, path: None, text })
    }

    /// The formats of what is read and what is written.
    pub(crate) fn formats(&self, input: &Input) -> Result<(Format, Format), Stop> {
        let by_name = Format::of_path(&input.name.to_string_lossy());
        let format = |flag| self.flags.value(flag).map(Format::of_name).transpose();
        let read = format("input-type")?.unwrap_or(by_name);
        Ok((read, format("output-type")?.unwrap_or(by_name)))
    }

    /// How a file of `format` is laid out: as the flag says, or where there is no layout to keep as
    /// the configuration does.
    pub(crate) fn layout(
        &self,
        format: Format,
    ) -> Result<Layout<impl FnOnce() -> Option<usize>>, Stop> {
        let given = self.flags.count("indent")?.filter(|blanks| *blanks > 0);
        // Reading a file needs no configuration, so what is wrong with it is no matter here.
        let configured = move || self.config().ok().flatten()?.indent(format);
        Ok(Layout { indent: move || given.or_else(configured), anew: given.is_some() })
    }

    /// The text of what was made from the input, with a warning if its layout is another one.
    pub(crate) fn text_of(&self, input: &Input, written: Written) -> Zeroizing<Vec<u8>> {
        if let Some(reason) = written.new_layout {
            let name = input.name.display();
            self.warn(&format!("{name} gets a new layout, since it cannot keep its own: {reason}"));
        }
        Zeroizing::new(written.text)
    }

    /// Writes where the flags say: into the file, another one, or to standard output.
    pub(crate) fn write(&self, input: &Input, bytes: &[u8]) -> Result<(), Stop> {
        let target = match (self.flags.value("output"), &input.path) {
            (Some(path), _) => Some(Path::new(path)),
            (None, Some(path)) if self.flags.on("in-place") => Some(path.as_path()),
            (None, _) => None,
        };
        match target {
            Some(path) => self.write_to(path, bytes),
            None => {
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
                written.map_err(|error| Stop::new(code::WRITE, format!("cannot write: {error}")))
            }
        }
    }

    pub(crate) fn write_to(&self, path: &Path, bytes: &[u8]) -> Result<(), Stop> {
        output::replace(path, bytes).map_err(|error| unwritten(path, &error))
    }

    /// Which sources are tried first.
    fn order(&self) -> Result<Vec<String>, Stop> {
        let text = self.setting("decryption-order", "SOPS_DECRYPTION_ORDER").unwrap_or(ORDER);
        let order: Vec<String> = text.split(',').map(|word| word.trim().to_owned()).collect();
        match order.iter().enumerate().find(|(at, word)| order[..*at].contains(word)) {
            None => Ok(order),
            Some((_, word)) => Err(Stop::new(
                code::DUPLICATE_KIND,
                format!("'{word}' is named twice in the decryption order"),
            )),
        }
    }

    pub(crate) fn data_key(&self, file: &EncryptedFile) -> Result<DataKey, Stop> {
        Ok(file.metadata().groups.unwrap(&self.order()?, &self.surroundings)?)
    }

    /// Reads and decrypts a file that is going to be edited.
    pub(crate) fn open(&self, format: Format, text: &[u8]) -> Result<OpenFile, Stop> {
        self.opened(format, text, EncryptedFile::open)
    }

    /// Reads and decrypts a file that is not going to be edited.
    pub(crate) fn open_to_read(&self, format: Format, text: &[u8]) -> Result<OpenFile, Stop> {
        self.opened(format, text, EncryptedFile::open_to_read)
    }

    fn opened(
        &self,
        format: Format,
        text: &[u8],
        open: fn(EncryptedFile, DataKey, bool) -> files_sops::Result<OpenFile>,
    ) -> Result<OpenFile, Stop> {
        let file = EncryptedFile::parse(format, text)?;
        let key = self.data_key(&file)?;
        let open = open(file, key, self.flags.on("ignore-mac"))?;
        if open.unread_comments > 0 {
            self.warn("the file has comments that are not encrypted with its key; they are kept");
        }
        Ok(open)
    }

    /// The master keys that flags or variables name.
    pub(crate) fn named_keys(&self) -> Result<Vec<MasterKey>, Stop> {
        let foreign =
            FOREIGN_VARIABLES.iter().find(|name| self.surroundings.variable(name).is_some());
        if let Some(name) = foreign {
            return Err(Stop::usage(format!(
                "{name} is set, but this version cannot use what it names; unset it, or use sops"
            )));
        }
        let mut keys = Vec::new();
        for source in SOURCES {
            let row = source.row();
            let given = self.flags.list(row.flag);
            let names = match given.is_empty() {
                true => self.surroundings.variable(row.variable).unwrap_or_default(),
                false => &given,
            };
            keys.extend(self.with_options(MasterKey::list(source, names, &self.surroundings)?)?);
        }
        Ok(keys)
    }

    /// The keys with what flags say of all keys of their source.
    pub(crate) fn with_options(&self, keys: Vec<MasterKey>) -> Result<Vec<MasterKey>, Stop> {
        let with_flags = |key: MasterKey| {
            let mut options = key.source().row().options.iter();
            options
                .try_fold(key, |key, option| key.with_option(option, self.flags.value(option.flag)))
        };
        Ok(keys.into_iter().map(with_flags).collect::<files_sops::Result<_>>()?)
    }

    /// The configuration that counts here, which is read once.
    pub(crate) fn config(&self) -> Result<Option<&Config>, Stop> {
        if let Some(config) = self.config.get() {
            return Ok(config.as_ref());
        }
        let config = self.read_config()?;
        Ok(self.config.get_or_init(|| config).as_ref())
    }

    fn read_config(&self) -> Result<Option<Config>, Stop> {
        let here = here()?;
        let path = match self.setting("config", "SOPS_CONFIG") {
            Some(path) => Some(absolute(&here, Path::new(path))),
            None => config::find(&here),
        };
        let Some(path) = path else { return Ok(None) };
        let text = fs::read(&path)
            .map_err(|error| Stop::usage(format!("{} cannot be read: {error}", path.display())))?;
        Ok(Some(Config::parse(&text, &path)?))
    }

    /// What the configuration says of the file; nothing if there is no configuration.
    pub(crate) fn rule(&self, file: &Path) -> Result<Option<Rule>, Stop> {
        let Some(config) = self.config()? else { return Ok(None) };
        Ok(config.rule(&absolute(&here()?, file), &self.surroundings)?)
    }

    /// As [`Session::rule`], for a file that must have keys.
    pub(crate) fn rule_with_keys(&self, file: &Path) -> Result<Rule, Stop> {
        let rule = self.rule(file)?.filter(|rule| !rule.groups.groups.is_empty());
        rule.ok_or_else(|| Stop::usage(NO_KEYS))
    }

    /// The threshold that a flag names, or else that of `groups`.
    pub(crate) fn with_threshold(&self, groups: KeyGroups) -> Result<KeyGroups, Stop> {
        let given = self.flags.count("shamir-secret-sharing-threshold")?.filter(|count| *count > 0);
        Ok(KeyGroups { threshold: given.unwrap_or(groups.threshold), ..groups })
    }
}

pub(crate) fn unwritten(path: &Path, error: &std::io::Error) -> Stop {
    let text = format!("{} cannot be written and is as it was: {error}", path.display());
    Stop::new(code::WRITE, text)
}

pub(crate) fn here() -> Result<PathBuf, Stop> {
    std::env::current_dir()
        .map_err(|error| Stop::usage(format!("the current folder is unknown: {error}")))
}

/// The path in a folder without links and `..`, so that it can be seen which files are below it. A
/// link itself has the name that rules know.
pub(crate) fn absolute(here: &Path, path: &Path) -> PathBuf {
    let path = here.join(path);
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    match (folder, path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

pub(crate) const NO_KEYS: &str = "config file not found, or has no creation rules, and no keys provided through command line options";
