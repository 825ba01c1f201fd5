//! Two operations on the text of JSON that leave the values in it as they were written, so that
//! no number loses a digit.

use std::collections::BTreeMap;

use base_types::{Error, Result};
use serde_json::value::RawValue;

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// `target` with `patch` applied as a JSON merge patch.
// https://www.rfc-editor.org/rfc/rfc7396#section-2
pub(crate) fn merge(target: &RawValue, patch: &RawValue) -> Result<Box<RawValue>> {
    let mut out = String::with_capacity(target.get().len() + patch.get().len());
    write_merged(&mut out, Some(target), patch);
    RawValue::from_string(out).map_err(Error::internal)
}

fn write_merged(out: &mut String, target: Option<&RawValue>, patch: &RawValue) {
    let Some(patch) = object(patch) else {
        out.push_str(patch.get());
        return;
    };
    let mut members = Members::open(out);
    let target = target.and_then(object).unwrap_or_default();
    for (name, value) in target.iter().filter(|(name, _)| !patch.contains_key(*name)) {
        members.name(name).push_str(value.get());
    }
    for (name, value) in patch.iter().filter(|(_, value)| value.get() != "null") {
        write_merged(members.name(name), target.get(name).copied(), value);
    }
    members.close();
}

/// `value` with everything that is no object, or lies deeper than `depth` (zero for no limit), as
/// `null`: the names without the values.
pub(crate) fn skeleton(value: &RawValue, depth: u32) -> Result<Box<RawValue>> {
    let mut out = String::new();
    write_skeleton(&mut out, value, depth, 1);
    RawValue::from_string(out).map_err(Error::internal)
}

fn write_skeleton(out: &mut String, value: &RawValue, depth: u32, level: u32) {
    let within = depth == 0 || level <= depth;
    let inner = object(value).filter(|inner| within && (level == 1 || !inner.is_empty()));
    let Some(inner) = inner else {
        out.push_str("null");
        return;
    };
    let mut members = Members::open(out);
    for (name, value) in inner {
        write_skeleton(members.name(&name), value, depth, level + 1);
    }
    members.close();
}

/// The members of an object, the last of the same name; `None` for any other value.
fn object(value: &RawValue) -> Option<Object<'_>> {
    if !value.get().starts_with('{') {
        return None;
    }
    serde_json::from_str(value.get()).ok()
}

/// Writes the members of an object one after the other.
struct Members<'o> {
    out: &'o mut String,
    first: bool,
}

impl<'o> Members<'o> {
    fn open(out: &'o mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    /// Writes a name; its value goes to what is returned.
    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out.push_str(&serde_json::Value::from(name).to_string());
        self.out.push(':');
        self.out
    }

    fn close(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn check_merge(target: &str, patch: &str, expect: &str) {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let merged = merge(&raw(target), &raw(patch)).unwrap();
        let value = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(value(merged.get()), value(expect), "{target} + {patch}");
    }

    /// The cases of RFC 7396, appendix A, whose target is an object.
    #[test]
    fn merges_as_rfc_7396_says() {
        for (target, patch, expect) in [
            (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
            (r#"{"a":"b"}"#, r#"{"a":null}"#, r#"{}"#),
            (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
            (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
            (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
            (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
            (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
            (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
            (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
            (r#"[1,2]"#, r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
            (r#"{}"#, r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        ] {
            check_merge(target, patch, expect);
        }
    }

    #[test]
    fn a_merge_keeps_every_digit_and_escape() {
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let merged = merge(&raw(r#"{"n":1.10,"q\"":1e400}"#), &raw(r#"{"m":"\u00e4"}"#)).unwrap();
        assert_eq!(merged.get(), r#"{"n":1.10,"q\"":1e400,"m":"\u00e4"}"#);
    }

    #[test]
    fn a_skeleton_shows_names_to_the_depth() {
        let raw = RawValue::from_string(
            r#"{"a":{"b":{"c":1,"e":{}},"l":[1,{"x":1}]},"n":null,"s":"hunter2"}"#.into(),
        )
        .unwrap();
        for (depth, expect) in [
            (0, r#"{"a":{"b":{"c":null,"e":null},"l":null},"n":null,"s":null}"#),
            (1, r#"{"a":null,"n":null,"s":null}"#),
            (2, r#"{"a":{"b":null,"l":null},"n":null,"s":null}"#),
        ] {
            assert_eq!(skeleton(&raw, depth).unwrap().get(), expect);
        }
    }
}
