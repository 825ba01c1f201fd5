use std::path::Path;

use crate::session::{Session, Stop, absolute, here};
use crate::{complain, prompt, tree};

/// Writes the values of a file, or of all files in a folder, to a server.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let [path] = session.arguments("FILE")?;
    let path = Path::new(path);
    if !path.is_dir() {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        return publish(session, path, &name).map(|()| 0);
    }
    if !session.flags.on("recursive") {
        return Err(Stop::usage("can't operate on a directory without --recursive flag."));
    }
    for file in tree::files(&[path.to_string_lossy().into_owned()])? {
        let name = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
        publish(session, &file, &name)?;
    }
    Ok(0)
}

/// `name` is what the file is called there.
fn publish(session: &Session, file: &Path, name: &str) -> Result<(), Stop> {
    let shown = absolute(&here()?, file);
    let config = session.config()?.ok_or_else(|| Stop::usage("config file not found"))?;
    let destination = config.destination(&shown, &session.surroundings)?;
    let omits = session.flags.on("omit-extensions") || destination.omit_extensions;
    let name = match (name.rsplit_once('.'), omits) {
        (Some((stem, extension)), true) if !extension.contains('/') => stem,
        _ => name,
    };
    let input = session.read(&file.to_string_lossy())?;
    let (format, _) = session.formats(&input)?;
    let open = session.open_to_read(format, &input.text)?;
    let shown = shown.display();
    if !session.flags.on("yes") {
        let question = format!("uploading {shown} to {} ?", destination.place(name));
        if !prompt::confirmed(&question) {
            return Err(Stop::usage(format!("Publication of {shown} canceled")));
        }
    }
    let tree = open.trees().first().map_or(&[][..], Vec::as_slice);
    if !destination.publish(name, tree, &session.surroundings)? {
        complain(&format!("{} has these values already", destination.place(name)));
    }
    Ok(())
}
