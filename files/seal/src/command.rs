use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use base_crypto::{OaepPublicKey, SystemRandom};
use base_types::{Error, Result, SystemClock};
use files_document::{Document, Item};
use zeroize::Zeroizing;

use crate::controller::Controller;
use crate::flags::{self, Flags};
use crate::kubeconfig::Kubeconfig;
use crate::output::Output;
use crate::scope::Scope;
use crate::seal::{Namespace, Sealer};
use crate::{certificate, hybrid, manifest, merge, private_keys, unseal};

/// Runs one command. `program` is the name to show in usage texts; `args` are the words after it.
/// The exit code is 0 if it is done, 2 for a flag that is none, else 1.
pub fn run(program: &str, args: Vec<OsString>) -> ExitCode {
    let args: std::result::Result<Vec<String>, OsString> =
        args.into_iter().map(OsString::into_string).collect();
    let Ok(args) = args else { return fail(2, "an argument is not UTF-8 text") };
    #[allow(clippy::disallowed_methods, reason = "the command line reads the environment")]
    let environment: HashMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let flags = match Flags::parse(&args, &environment) {
        Ok(flags) => flags,
        Err(error) => return fail(2, &format!("{}; see {program} --help", error.public())),
    };
    let call = Call { program, flags: &flags, environment: &environment };
    match call.answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &format!("error: {}", error.public())),
    }
}

fn fail(code: u8, text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(code)
}

/// One call and the process it runs in.
struct Call<'a> {
    program: &'a str,
    flags: &'a Flags,
    environment: &'a HashMap<String, String>,
}

impl Call<'_> {
    fn answer(&self) -> Result<()> {
        let flags = self.flags;
        if flags.on("help") {
            return print(overview(self.program).as_bytes());
        }
        if flags.on("version") {
            return print(format!("kubeseal version: {VERSION}\n").as_bytes());
        }
        if !flags.list("from-file").is_empty() && !flags.on("raw") {
            return Err(Error::invalid("--from-file requires --raw"));
        }
        if flags.on("recovery-unseal") {
            return self.unseal();
        }
        if flags.on("validate") {
            return self.validate();
        }
        if flags.on("re-encrypt") || flags.on("rotate") {
            return self.reseal();
        }
        let certificate = match flags.value("cert") {
            Some(place) => certificate::read(place)?,
            None => self.controller()?.certificate()?,
        };
        if flags.on("fetch-cert") {
            return self.write(&certificate);
        }
        let key = certificate::sealing_key(&certificate, &SystemClock::default())?;
        match flags.value("merge-into") {
            Some(path) => self.merge(&key, path),
            None if flags.on("raw") => self.raw(&key),
            None => self.seal(&key),
        }
    }

    fn seal(&self, key: &OaepPublicKey) -> Result<()> {
        let output = self.output()?;
        let mut text = Vec::new();
        let name = self.flags.value("name");
        for sealed in self.sealed(key, name, None)? {
            text.extend(output.text(&sealed)?);
        }
        self.write(&text)
    }

    /// All secrets of the input, sealed. `instead` is a namespace that counts whatever they say.
    fn sealed(
        &self,
        key: &OaepPublicKey,
        name: Option<&str>,
        instead: Option<&str>,
    ) -> Result<Vec<Vec<Item>>> {
        let input = self.input()?;
        let secrets = manifest::read(&input)?;
        let objects = manifest::objects(&secrets);
        if objects.is_empty() {
            return Err(Error::invalid(
                "no secrets found. Ensure the input is valid and UTF-8 encoded",
            ));
        }
        let default = Kubeconfig::load(self.flags, self.environment)?.namespace();
        let namespace = match (instead, self.flags.value("namespace")) {
            (Some(instead), _) => Namespace::Instead(instead),
            (None, Some(asked)) => Namespace::Asked(asked),
            (None, None) => Namespace::Default(default.as_deref().unwrap_or_default()),
        };
        let sealer = Sealer {
            key,
            random: &SystemRandom,
            scope: self.scope()?,
            allow_empty: self.flags.on("allow-empty-data"),
            name,
            namespace,
        };
        objects.into_iter().map(|(_, secret)| sealer.seal(secret)).collect()
    }

    /// Only the values that are new differ in the file afterwards.
    fn merge(&self, key: &OaepPublicKey, path: &str) -> Result<()> {
        let text = certificate::read_file(path)?;
        let at = |error: Error| error.at(path);
        let mut file = manifest::read(&text).map_err(at)?;
        let (place, old) = merge::only(&file).map_err(at)?;
        let old = old.to_vec();
        let metadata = manifest::map(&old, "metadata");
        let part = |key| manifest::text(metadata, key).unwrap_or_default();
        // What is added has the scope of what is there, so that the controller opens both.
        let scope = self.scope()?.unwrap_or(Scope::of(metadata));
        let call = Call { flags: &self.flags.with("scope", scope.name()), ..*self };
        let mut merged = old.clone();
        for new in call.sealed(key, Some(part("name")), Some(part("namespace")))? {
            merged = merge::into(&merged, &new)?;
        }
        let bytes = self.changed(&mut file, place, merged).map_err(at)?;
        replace(path, &bytes)
    }

    /// The text of a file that is to hold `manifest`: in the layout that it has, unless another
    /// format is asked for.
    fn changed(&self, file: &mut Document, place: usize, manifest: Vec<Item>) -> Result<Vec<u8>> {
        match self.flags.value("format").map(Output::parse).transpose()? {
            Some(output) if output.format() != file.format() => output.text(&manifest),
            _ => {
                let mut trees = file.trees().to_vec();
                trees[place] = manifest;
                file.update(trees)?;
                Ok(file.text().to_vec())
            }
        }
    }

    fn raw(&self, key: &OaepPublicKey) -> Result<()> {
        let scope = self.scope()?.unwrap_or(Scope::Strict);
        let must = |flag: &str| {
            Error::invalid(format!(
                "must provide the --{flag} flag with --raw and --scope {}",
                scope.name()
            ))
        };
        let mut namespace = String::new();
        if scope != Scope::ClusterWide {
            let asked = self.flags.value("namespace").map(str::to_owned);
            namespace = match asked {
                Some(asked) => asked,
                None => Kubeconfig::load(self.flags, self.environment)?
                    .namespace()
                    .ok_or_else(|| must("namespace"))?,
            };
        }
        let name = self.flags.value("name").unwrap_or_default();
        if scope == Scope::Strict && name.is_empty() {
            return Err(must("name"));
        }
        let value = match self.flags.list("from-file").as_slice() {
            [] => read_stdin("(tty detected: expecting a secret to encrypt in stdin)")?,
            [one] => {
                // As in kubectl a name may stand before the file; here it says nothing.
                let path = one.split_once('=').map_or(one.as_str(), |(_, path)| path);
                Zeroizing::new(certificate::read_file(path)?)
            }
            _ => {
                return Err(Error::invalid(
                    "must provide only one --from-file when encrypting a single item with --raw",
                ));
            }
        };
        let sealed = hybrid::seal(key, &scope.label(&namespace, name), &value, &SystemRandom)?;
        self.write(sealed.as_bytes())
    }

    fn unseal(&self) -> Result<()> {
        let paths = self.flags.list("recovery-private-key");
        if paths.is_empty() {
            return Err(Error::invalid("--recovery-unseal needs --recovery-private-key FILE"));
        }
        let keys = private_keys::read(&paths)?;
        let output = self.output()?;
        let mut text = Zeroizing::new(Vec::new());
        for (_, sealed) in manifest::objects(&self.sealed_secrets()?) {
            let secret = unseal::unseal(sealed, &keys)?;
            text.extend(Zeroizing::new(output.text(&secret)?).iter());
        }
        self.write(&text)
    }

    fn validate(&self) -> Result<()> {
        let (input, controller) = (self.sealed_secrets()?, self.controller()?);
        let mut objects = manifest::objects(&input).into_iter();
        objects.try_for_each(|(_, sealed)| controller.verify(sealed))
    }

    fn reseal(&self) -> Result<()> {
        let (input, controller) = (self.sealed_secrets()?, self.controller()?);
        let mut trees = input.trees().to_vec();
        for (at, sealed) in manifest::objects(&input) {
            let values = controller.reseal(sealed)?;
            merge::put(manifest::map_mut(&mut trees[at], "spec"), "encryptedData", &values);
        }
        // A file that is read is also the one that is changed, unless another one is named.
        match (self.flags.value("sealed-secret-file"), self.flags.value("secret-file")) {
            (None, Some(path)) => {
                let mut file = input;
                file.update(trees)?;
                replace(path, file.text())
            }
            _ => {
                let output = self.output()?;
                let mut text = Vec::new();
                for (at, _) in manifest::objects(&input) {
                    text.extend(output.text(&without_status(&trees[at]))?);
                }
                self.write(&text)
            }
        }
    }

    fn sealed_secrets(&self) -> Result<Document> {
        let input = self.input()?;
        let document = manifest::read(&input)?;
        let objects = manifest::objects(&document);
        if objects.is_empty() {
            return Err(Error::invalid("no sealed secrets found in the input"));
        }
        for (_, object) in objects {
            manifest::expect_kind(object, "SealedSecret")?;
        }
        Ok(document)
    }

    fn controller(&self) -> Result<Controller> {
        if let Some(address) = self.flags.value("controller-url") {
            return Ok(Controller::at(address));
        }
        let part = |flag, default| self.flags.value(flag).unwrap_or(default);
        let cluster = Kubeconfig::load(self.flags, self.environment)?.cluster()?;
        let namespace = part("controller-namespace", "kube-system");
        let name = part("controller-name", "sealed-secrets-controller");
        Controller::of_cluster(cluster, namespace, name)
    }

    fn scope(&self) -> Result<Option<Scope>> {
        let scope = self.flags.value("scope").map(Scope::parse).transpose();
        scope.map_err(|error| error.at("invalid argument for --scope"))
    }

    fn output(&self) -> Result<Output> {
        let file = self.flags.value("sealed-secret-file").map(Path::new);
        let end = file.and_then(|path| path.extension()).and_then(|end| end.to_str());
        match end {
            Some("yaml" | "yml") => Ok(Output::Yaml),
            _ => Output::parse(self.flags.value("format").unwrap_or_default()),
        }
    }

    fn input(&self) -> Result<Zeroizing<Vec<u8>>> {
        match self.flags.value("secret-file") {
            Some(path) => std::fs::read(path).map(Zeroizing::new).map_err(|error| {
                Error::invalid(format!(
                    "Could not read file specified with --secret-file: {path}: {error}"
                ))
            }),
            None => read_stdin("(tty detected: expecting json/yaml k8s resource in stdin)"),
        }
    }

    fn write(&self, bytes: &[u8]) -> Result<()> {
        match self.flags.value("sealed-secret-file") {
            Some(path) => replace(path, bytes),
            None => print(bytes),
        }
    }
}

/// The version of kubeseal whose grammar this is.
const VERSION: &str = "0.32.2";

fn without_status(sealed: &[Item]) -> Vec<Item> {
    let mut sealed = sealed.to_vec();
    manifest::remove(&mut sealed, "status");
    if !manifest::map(&sealed, "metadata").is_empty() {
        manifest::strip_server_side(manifest::map_mut(&mut sealed, "metadata"));
    }
    sealed
}

fn read_stdin(hint: &str) -> Result<Zeroizing<Vec<u8>>> {
    if std::io::stdin().is_terminal() {
        let _ = writeln!(std::io::stderr(), "{hint}");
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Error::invalid(format!("standard input cannot be read: {error}")))?;
    Ok(bytes)
}

fn replace(path: &str, bytes: &[u8]) -> Result<()> {
    files_io::replace(Path::new(path), bytes).map_err(|error| {
        Error::unavailable(format!("{path} cannot be written and is as it was: {error}"))
    })
}

fn print(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    written.map_err(|error| Error::unavailable(format!("cannot write: {error}")))
}

fn overview(program: &str) -> String {
    format!(
        "Seals secrets of Kubernetes, so that they can lie in git and only the controller in the \
         cluster opens\nthem.\n\nUsage: {program} [FLAGS] < secret.yaml > sealed.yaml\n\nFlags, each \
         of which can also be a variable SEALED_SECRETS_NAME:\n{}\nExample:\n  {program} --cert \
         controller.pem -o yaml < secret.yaml > sealed.yaml\n",
        flags::help()
    )
}
