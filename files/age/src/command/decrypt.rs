use std::io;

use super::flags::Flags;
use super::input;
use super::output::Output;
use super::terminal::Terminal;
use crate::{Error, Identity, Person, PluginIdentity, Result, ScryptIdentity, decrypt, identities};

pub(super) fn run(flags: &Flags) -> Result<()> {
    let identities = all_identities(flags)?;
    let input = input::open(flags.file.as_deref())?;
    let mut plain = decrypt(input, &identities)?;
    let mut output = Output::of(flags.last("output"))?;
    io::copy(&mut plain, &mut output)?;
    Ok(output.finish()?)
}

/// Those that flags name; without any, the passphrase that a file may have been encrypted with.
fn all_identities(flags: &Flags) -> Result<Vec<Box<dyn Identity>>> {
    let mut all: Vec<Box<dyn Identity>> = Vec::new();
    for path in flags.all("identity") {
        let text = input::read(path)?;
        all.extend(identities(&text, path, &Terminal).map_err(|error| error.at(path))?);
    }
    for plugin in flags.all("plugin") {
        all.push(Box::new(PluginIdentity::of_plugin(plugin, &Terminal)?));
    }
    if all.is_empty() {
        all.push(Box::new(Passphrase));
    }
    Ok(all)
}

struct Passphrase;

impl Identity for Passphrase {
    fn unwrap(&self, stanzas: &[crate::Stanza]) -> Result<Option<crate::FileKey>> {
        if !stanzas.iter().any(|stanza| stanza.tag() == "scrypt") {
            return Err(Error::invalid(
                "the file was not encrypted with a passphrase: name identities with -i FILE",
            ));
        }
        let ask = || {
            Terminal.secret("the file").ok_or_else(|| {
                Error::Unavailable("a passphrase is needed, and there is no terminal".to_owned())
            })
        };
        let key = ScryptIdentity::new(ask).unwrap(stanzas)?;
        key.map(Some).ok_or_else(|| Error::invalid("the passphrase is another one"))
    }
}
