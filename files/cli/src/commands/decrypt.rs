use files_sops::{Path, emit_value};

use crate::session::{Session, Stop};

pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let input = session.read_or_stdin()?;
    let (format, output) = session.formats(&input)?;
    let open = session.open_to_read(format, &input.text)?;
    let path: Option<Path> = session.flags.value("extract").map(str::parse).transpose()?;
    let bytes = match path.filter(|path| !path.is_empty()) {
        None => session.text_of(&input, open.plain(output, session.layout(output)?)?),
        Some(path) => {
            let tree = open.trees().first().map_or(&[][..], Vec::as_slice);
            let value = path.get(tree).map_err(|failure| failure.at("error truncating tree"))?;
            zeroize::Zeroizing::new(emit_value(output, &value, (session.layout(output)?.indent)())?)
        }
    };
    session.write(&input, &bytes)?;
    Ok(0)
}
