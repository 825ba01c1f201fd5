use files_sops::is_encrypted;

use crate::say;
use crate::session::{Session, Stop};

pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let [path] = session.arguments("FILE")?;
    let input = session.read(path)?;
    let (format, _) = session.formats(&input)?;
    say(&format!("{{\"encrypted\":{}}}\n", is_encrypted(format, &input.text)?));
    Ok(0)
}
