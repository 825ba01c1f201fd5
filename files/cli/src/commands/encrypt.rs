use files_sops::config::Rule;
use files_sops::{FailureKind, KeyGroup, KeyGroups, Protection, Selector};

use crate::code;
use crate::session::{Input, NO_KEYS, Session, Stop};

/// The flags that select values and what metadata calls them.
const SELECTORS: [(&str, &str); 6] = [
    ("unencrypted-suffix", "unencrypted_suffix"),
    ("encrypted-suffix", "encrypted_suffix"),
    ("unencrypted-regex", "unencrypted_regex"),
    ("encrypted-regex", "encrypted_regex"),
    ("unencrypted-comment-regex", "unencrypted_comment_regex"),
    ("encrypted-comment-regex", "encrypted_comment_regex"),
];

pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    if session.words.is_empty() && session.flags.value("filename-override").is_none() {
        let text = "Error: must specify --filename-override when reading from stdin";
        return Err(Stop::new(code::CONFLICT, text));
    }
    let input = session.read_or_stdin()?;
    let (format, output) = session.formats(&input)?;
    let protection = protection(session, &input)?;
    let (layout, with) = (session.layout(output)?, &session.surroundings);
    let written = files_sops::encrypt(format, &input.text, output, layout, protection, with)
        .map_err(|failure| match failure.kind {
            // What cannot be read is to sops another matter before it is encrypted than after.
            FailureKind::Unreadable => Stop::new(code::READ, failure.text),
            _ => failure.into(),
        })?;
    let text = session.text_of(&input, written);
    session.write(&input, &text)?;
    Ok(0)
}

/// Who may read the file and what is encrypted in it: by flags and variables, or else by the rule
/// that fits its name.
pub(crate) fn protection(session: &Session, input: &Input) -> Result<Protection, Stop> {
    let given = SELECTORS.map(|(flag, name)| (name, session.flags.value(flag).unwrap_or_default()));
    let selector = Selector::choose(given)
        .map_err(|failure| Stop::new(code::CONFLICT, format!("Error: {}", failure.text)))?;
    let keys = session.named_keys()?;
    let rule = match keys.is_empty() {
        true => Some(session.rule_with_keys(&input.name)?),
        // With keys at hand it does not matter that no rule fits.
        false => session.rule(&input.name).ok().flatten(),
    };
    let no_groups = KeyGroups { groups: Vec::new(), threshold: 0 };
    let (groups, by_rule, mac_only_encrypted) = match rule {
        Some(Rule { groups, selector, mac_only_encrypted, .. }) => {
            (groups, selector, mac_only_encrypted)
        }
        None => (no_groups, None, false),
    };
    let groups = match keys.is_empty() {
        true => groups,
        false => KeyGroups { groups: vec![KeyGroup::new(keys)], threshold: groups.threshold },
    };
    if groups.groups.is_empty() {
        return Err(Stop::usage(NO_KEYS));
    }
    Ok(Protection {
        groups: session.with_threshold(groups)?,
        selector: selector.or(by_rule).unwrap_or_default(),
        mac_only_encrypted: session.flags.on("mac-only-encrypted") || mac_only_encrypted,
    })
}
