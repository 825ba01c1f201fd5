use files_document::Format;
use files_sops::{KeyGroup, KeyGroups, OpenFile};

use crate::code;
use crate::session::{Input, Session, Stop};

pub(crate) fn add(session: &Session) -> Result<u8, Stop> {
    let keys = session.named_keys()?;
    if keys.is_empty() {
        return Err(Stop::new(code::CONFLICT, "Error: no keys are named for the new group"));
    }
    let (input, open) = opened(session)?;
    let mut groups = open.metadata().groups.clone();
    groups.groups.push(KeyGroup::new(keys));
    rotated(session, &input, open, groups)
}

pub(crate) fn delete(session: &Session) -> Result<u8, Stop> {
    let [index] = session.arguments("INDEX")?;
    let (input, open) = opened(session)?;
    let mut groups = open.metadata().groups.clone();
    let index = index.parse().ok().filter(|index| *index < groups.groups.len());
    let index: usize = index.ok_or_else(|| Stop::usage("the index must be that of a key group"))?;
    groups.groups.remove(index);
    if groups.threshold > groups.groups.len() {
        groups.threshold = 0;
    }
    rotated(session, &input, open, groups)
}

fn opened(session: &Session) -> Result<(Input, OpenFile), Stop> {
    let path =
        session.flags.value("file").ok_or_else(|| Stop::usage("Error: --file is missing"))?;
    let input = session.read(path)?;
    let format = Format::of_path(&input.name.to_string_lossy());
    let open = session.open(format, &input.text)?;
    Ok((input, open))
}

/// A group that is gone knows the old data key, or a share of it, so there is a new one.
fn rotated(
    session: &Session,
    input: &Input,
    open: OpenFile,
    groups: KeyGroups,
) -> Result<u8, Stop> {
    let groups = session.with_threshold(groups)?;
    let bytes = open.rotate(groups, &session.surroundings)?;
    session.write(input, &bytes)?;
    Ok(0)
}
