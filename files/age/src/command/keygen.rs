use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;

use base_crypto::SystemRandom;
use base_types::{Clock, Secret, SystemClock, Timestamp};
use zeroize::Zeroizing;

use super::flags::Flags;
use super::input;
use super::terminal::Terminal;
use crate::identity_file;
use crate::{Error, HybridIdentity, Result, X25519Identity};

pub(super) fn run(flags: &Flags) -> Result<()> {
    if flags.on("recipients") {
        let path = flags.file.as_deref().unwrap_or("-");
        let text = input::read(path)?;
        let names = identity_file::recipient_texts(&text, path, &Terminal);
        let names = names.map_err(|error| error.at(path))?;
        return write(flags, &(names.join("\n") + "\n"));
    }
    if flags.file.is_some() {
        return Err(Error::invalid("a file is read only with -y; a new one is named with -o"));
    }
    let (recipient, secret): (String, Secret<String>) = match flags.on("pq") {
        true => {
            let identity = HybridIdentity::generate(&SystemRandom);
            (identity.recipient(), identity.text())
        }
        false => {
            let identity = X25519Identity::generate(&SystemRandom);
            (identity.recipient(), identity.text())
        }
    };
    let now = Timestamp::from_seconds(SystemClock::default().now().seconds());
    let text = Zeroizing::new(format!(
        "# created: {now}\n# public key: {recipient}\n{}\n",
        secret.expose()
    ));
    write(flags, &text)?;
    if flags.last("output").is_some() || !io::stdout().is_terminal() {
        let _ = writeln!(io::stderr(), "Public key: {recipient}");
    }
    Ok(())
}

/// To a new file that only its owner reads, or to standard output.
fn write(flags: &Flags, text: &str) -> Result<()> {
    let Some(path) = flags.last("output").filter(|path| *path != "-") else {
        return Ok(io::stdout().write_all(text.as_bytes())?);
    };
    let fault = |error: io::Error| Error::Io(error).at(path);
    // A key that is overwritten is lost, and with it all that was encrypted for it.
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fault)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)
}
