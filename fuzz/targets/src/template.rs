use base_crypto::SeededRandom;
use base_template::{Source, Template};
use base_types::{ErrorKind, Timestamp};

use crate::{PLANTED, text};

/// Templates of names: what is accepted makes the same name from the same values, no longer than it
/// may be, and no fault repeats a value.
pub fn template(data: &[u8]) {
    let text = text(data);
    let template = match Template::parse(&text, &["DisplayName", "RoleName"]) {
        Ok(template) => template,
        Err(error) => {
            assert!(error.is(ErrorKind::Invalid));
            assert!(error.public().starts_with("template: "), "{}", error.public());
            return;
        }
    };
    let render = || {
        template.render(&Source {
            fields: &[("DisplayName", PLANTED), ("RoleName", "röle-\"'")],
            random: &SeededRandom::new(1),
            now: Timestamp::from_seconds(1_795_318_841),
        })
    };
    match (render(), render()) {
        (Ok(first), Ok(second)) => {
            assert_eq!(first, second);
            assert!(first.len() <= 4096);
        }
        (Err(error), Err(_)) => {
            assert!(error.is(ErrorKind::Invalid));
            assert!(text.contains(PLANTED) || !error.public().contains(PLANTED));
        }
        (first, second) => panic!("{first:?} and then {second:?}"),
    }
}
