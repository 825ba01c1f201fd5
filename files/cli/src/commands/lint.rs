use std::path::Path;

use files_sops::{Content, EncryptedFile, KeyGroups, Metadata, Outlined, Selector};

use crate::session::{Session, Stop};
use crate::tree::{Found, files, look};
use crate::{complain, parallel, say};

/// Names what is wrong with the encrypted files of a tree, and with files that should be some, as
/// far as that is seen without any key.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let paths = files(&session.words)?;
    session.config()?;
    let findings = parallel::each(&paths, |path| check(session, path));
    let mut count = 0;
    for (path, findings) in paths.iter().zip(findings) {
        for finding in findings {
            count += 1;
            say(&format!("{}: {finding}\n", path.display()));
        }
    }
    complain(&format!("{} files, {count} findings", paths.len()));
    Ok(u8::from(count > 0))
}

fn check(session: &Session, path: &Path) -> Vec<String> {
    match look(path) {
        Found::Encrypted(file) => {
            let mut findings = Vec::new();
            values(&file, &mut findings);
            selector(file.metadata(), &mut findings);
            mixed(&file.metadata().groups, &mut findings);
            recipients(session, path, file.metadata(), &mut findings);
            findings
        }
        Found::Plain => plain(session, path).into_iter().collect(),
        Found::Broken(stop) => vec![stop.text],
    }
}

/// A rule that names paths fits a file for a reason; one without a path fits all there are.
fn plain(session: &Session, path: &Path) -> Option<String> {
    if path.file_name().is_some_and(|name| name == files_sops::config::FILE_NAME) {
        return None;
    }
    let rule = session.rule(path).ok().flatten()?;
    rule.by_path
        .then(|| "it is not encrypted, and a rule of .sops.yaml says it should be".to_owned())
}

fn values(file: &EncryptedFile, findings: &mut Vec<String>) {
    let Ok(outline) = file.outline() else { return };
    let is_sealed = |leaf: &Outlined| matches!(leaf.content, Content::Sealed { .. });
    if !outline.iter().any(is_sealed) {
        findings.push("none of its values is encrypted".to_owned());
    }
    for Outlined { path, key, content } in &outline {
        let Content::Clear { text, forgotten } = content else { continue };
        if *forgotten {
            findings.push(format!("{path} is in clear where values are encrypted"));
        } else if names_secret(key) && is_secret(text.expose()) {
            findings.push(format!("{path} is in clear, and its name is that of a secret"));
        }
    }
}

/// A number, a truth or a reference to a variable is no secret of its own.
fn is_secret(text: &str) -> bool {
    let is_setting = text.parse::<f64>().is_ok() || ["true", "false"].contains(&text);
    !text.is_empty() && !is_setting && !text.starts_with("${") && !text.starts_with("{{")
}

/// Words with which the names of secrets end.
const SECRET_WORDS: [&str; 10] = [
    "apikey",
    "credential",
    "credentials",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
    "passcode",
];

/// Words that make a key at the end of a name a secret one.
const KEY_WORDS: [&str; 7] =
    ["access", "api", "encryption", "master", "private", "secret", "signing"];

/// Whether a name is that of a secret, and not of something about one, such as `secretName`.
fn names_secret(key: &str) -> bool {
    let words = split(key);
    match words.as_slice() {
        [.., before, last] if last == "key" => KEY_WORDS.contains(&before.as_str()),
        [.., last] => SECRET_WORDS.contains(&last.as_str()),
        [] => false,
    }
}

/// The words of a name in any of the usual spellings, in lower case.
fn split(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for next in key.chars() {
        if !next.is_alphanumeric() || (next.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = next.is_lowercase() || next.is_ascii_digit();
        if next.is_alphanumeric() {
            words.last_mut().expect("there is always one").extend(next.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What leaves values in clear must not fit more of them than somebody thought of.
fn selector(metadata: &Metadata, findings: &mut Vec<String>) {
    let (name, text) = metadata.selector.named();
    let is_loose = match &metadata.selector {
        Selector::UnencryptedRegex(_) => !(text.starts_with('^') && text.ends_with('$')),
        Selector::UnencryptedSuffix(suffix) => suffix.len() < 2,
        Selector::EncryptedComment(_)
        | Selector::EncryptedRegex(_)
        | Selector::EncryptedSuffix(_)
        | Selector::UnencryptedComment(_) => false,
    };
    if is_loose {
        findings.push(format!(
            "{name} '{text}' is weak: it leaves the values of every key in clear that has it \
             somewhere in its name"
        ));
    }
}

/// The name of age's post-quantum recipients begins so.
const POST_QUANTUM: &str = "age1pq1";

/// Who can break one of the keys of a group needs no other.
fn mixed(groups: &KeyGroups, findings: &mut Vec<String>) {
    for group in &groups.groups {
        let names: Vec<String> = group.keys.iter().map(|key| key.name()).collect();
        let quantum = names.iter().filter(|name| name.starts_with(POST_QUANTUM)).count();
        if quantum > 0 && quantum < names.len() {
            findings.push(
                "it has post-quantum and classic keys side by side, so it is as safe as the classic \
                 ones"
                    .to_owned(),
            );
        }
    }
}

/// Who can open the file and should not, and the other way round.
fn recipients(session: &Session, path: &Path, metadata: &Metadata, findings: &mut Vec<String>) {
    let Ok(Some(rule)) = session.rule(path) else { return };
    if rule.groups.groups.is_empty() {
        return;
    }
    let keys = |groups: &KeyGroups| {
        groups.groups.iter().flat_map(|group| group.keys.clone()).collect::<Vec<_>>()
    };
    let (has, wanted) = (keys(&metadata.groups), keys(&rule.groups));
    for key in has.iter().filter(|key| !wanted.iter().any(|other| other.is(key))) {
        findings.push(format!("{} can open it, and .sops.yaml does not name it", key.name()));
    }
    for key in wanted.iter().filter(|key| !has.iter().any(|other| other.is(key))) {
        findings.push(format!("{} cannot open it, and .sops.yaml names it", key.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_about_them() {
        for name in [
            "password",
            "dbPassword",
            "DB_PASSWORD",
            "api-key",
            "apiKey",
            "AWS_SECRET_ACCESS_KEY",
            "client_secret",
            "token",
            "tls.private.key",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in [
            "secretName",
            "tokenTTL",
            "password_unencrypted",
            "key",
            "publicKey",
            "imagePullSecrets",
            "passwordPolicy",
            "",
        ] {
            assert!(!names_secret(name), "{name}");
        }
    }
}
