use std::path::Path;

use files_document::Format;
use files_sops::{Content, EncryptedFile, Layout, Outlined};
use zeroize::Zeroizing;

use crate::session::{Session, Stop};
use crate::tree::{Found, look_into};

/// Shows a file to git. What cannot be shown otherwise is shown as it is: if this failed, git would
/// show no file at all.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let [path] = session.arguments("FILE")?;
    let input = session.read(path)?;
    let text = match look_into(Path::new(path), &input.text) {
        Found::Encrypted(file) => shown(session, Format::of_path(path), &file, &input.text),
        Found::Plain | Found::Broken(_) => None,
    };
    session.write(&input, text.as_deref().unwrap_or(&input.text))?;
    Ok(0)
}

fn shown(
    session: &Session,
    format: Format,
    file: &EncryptedFile,
    text: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let asked = session.setting("values", "STRONGROOM_SHOW_VALUES");
    let wants_values = asked.is_some_and(|word| word != "0");
    if wants_values {
        let plain = session
            .open_to_read(format, text)
            .and_then(|open| Ok(open.plain(format, Layout { indent: || None, anew: false })?));
        match plain {
            Ok(plain) => return Some(Zeroizing::new(plain.text)),
            Err(stop) => session.warn(&stop.text),
        }
    }
    let mut out = Zeroizing::new(String::new());
    for leaf in file.outline().ok()? {
        out.push_str(&line(&leaf));
    }
    for line in file.metadata().summary() {
        out.push_str(&format!("sops: {line}\n"));
    }
    Some(Zeroizing::new(std::mem::take(&mut *out).into_bytes()))
}

fn line(Outlined { path, content, .. }: &Outlined) -> Zeroizing<String> {
    Zeroizing::new(match content {
        Content::Clear { text, .. } => format!("{path}: {:?}\n", text.expose()),
        Content::Comment(text) => format!("{path} #{}\n", text.expose()),
        Content::Sealed { kind, tag } => format!("{path}: {kind} {tag}\n"),
    })
}
