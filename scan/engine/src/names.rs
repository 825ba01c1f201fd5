//! What a pattern for paths says of the name of a file, where nobody knows the folders yet.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// What a path's last part has if an expression matches the path; it may have that without such a match too. `None` if a
/// match may end in a folder, so that the name says nothing.
pub(crate) fn of(hir: &Hir) -> Option<Hir> {
    hir.properties().look_set_suffix().contains(Look::End).then(|| end(hir))
}

/// The end of an expression, as far as it is certain to be behind the last slash.
fn end(hir: &Hir) -> Hir {
    match hir.kind() {
        _ if !has_slash(hir) => hir.clone(),
        HirKind::Capture(capture) => end(&capture.sub),
        HirKind::Alternation(list) => Hir::alternation(list.iter().map(end).collect()),
        HirKind::Concat(list) => {
            let last = list.iter().rposition(has_slash).unwrap_or(0);
            let mut parts = vec![end(&list[last])];
            parts.extend_from_slice(&list[last + 1..]);
            Hir::concat(parts)
        }
        HirKind::Literal(literal) => match memchr::memrchr(b'/', &literal.0) {
            Some(slash) => {
                let name = Hir::literal(&literal.0[slash + 1..]);
                Hir::concat(vec![Hir::look(Look::Start), name])
            }
            None => hir.clone(),
        },
        HirKind::Class(_) | HirKind::Repetition(_) | HirKind::Empty | HirKind::Look(_) => {
            Hir::empty()
        }
    }
}

/// Whether a match may have a slash.
fn has_slash(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'/'),
        HirKind::Class(class) => has_char(class, '/'),
        HirKind::Capture(capture) => has_slash(&capture.sub),
        HirKind::Repetition(repetition) => has_slash(&repetition.sub),
        HirKind::Concat(list) | HirKind::Alternation(list) => list.iter().any(has_slash),
    }
}

/// Whether a class has a character of ASCII.
pub(crate) fn has_char(class: &Class, ascii: char) -> bool {
    match class {
        Class::Unicode(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&ascii))
        }
        Class::Bytes(class) => {
            class.iter().any(|range| (range.start()..=range.end()).contains(&(ascii as u8)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use scan_rules::Pattern;

    use super::*;
    use crate::matcher::Matcher;

    #[test]
    fn names_are_what_is_behind_the_last_slash() {
        let check = |source: &str, name: &str, matches: bool| {
            let names = Matcher::of_part(of(Pattern::new(source).unwrap().hir()).unwrap());
            assert_eq!(names.is_match(name.as_bytes()), matches, "{source} {name}");
        };
        check(r"(?i)\.p(?:12|fx)$", "store.P12", true);
        check(r"(?i)\.p(?:12|fx)$", "store.p12.txt", false);
        check(r"(?:^|/)\.ssh/id_(?:rsa|dsa)$", "id_rsa", true);
        check(r"(?:^|/)\.ssh/id_(?:rsa|dsa)$", "my_id_rsa", false);
        check(r"(?:^|/)id_rsa$", "id_rsa", true);
        check(r"(?:^|/)id_rsa$", "my_id_rsa", false);
        check(r"config/.*\.ya?ml$", "a.yml", true);
        check(r"config/.*\.ya?ml$", "a.json", false);
        check(r"(?:a/b|c)$", "b", true);
        check(r"(?:a/b|c)$", "xc", true);
        check(r"(?:a/b|c)$", "xb", false);
    }

    #[test]
    fn what_may_end_in_a_folder_has_no_names() {
        let has_names = |source: &str| of(Pattern::new(source).unwrap().hir()).is_some();
        assert!(!has_names("secrets"));
        assert!(!has_names(r"(?:a$|b)"));
        assert!(!has_names(r"^\.ssh/"));
        assert!(has_names(r"(?:a|b/c)$"));
    }
}
