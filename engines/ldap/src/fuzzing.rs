//! What fuzzing asks of this crate's parsers.

use base_crypto::SeededRandom;
use base_types::{Result, Timestamp};

use crate::ldif::{Action, FIELDS, Ldif};

/// What a template of LDIF says when every field has one value: of each record what is done, and to which attributes.
///
/// # Errors
/// `Invalid` if it is no template, or no LDIF.
pub fn ldif_outline(template: &str, value: &str) -> Result<Vec<Vec<String>>> {
    let fields = FIELDS.map(|field| (field, value));
    let records = Ldif::parse(template, &FIELDS)?.records(
        &fields,
        &SeededRandom::new(1),
        Timestamp::EPOCH,
    )?;
    let outline = |action: &Action| match action {
        Action::Add(attributes) => attributes.iter().map(|it| it.name.clone()).collect(),
        Action::Delete => vec!["delete".to_owned()],
        Action::Modify(changes) => {
            changes.iter().map(|it| format!("{:?} {}", it.kind, it.attribute.name)).collect()
        }
    };
    Ok(records.iter().map(|record| outline(&record.action)).collect())
}
