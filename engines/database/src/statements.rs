use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The scripts of a role as they were given: a text, or a list of texts. Each is a script in the
/// language of its database, the same in base64, or a JSON list of scripts.
#[derive(Clone, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Statements(pub(crate) Vec<String>);

impl Statements {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(|script| script.trim().is_empty())
    }

    /// The scripts themselves, in order, without those that are empty.
    pub(crate) fn scripts(&self) -> Vec<String> {
        let scripts = self.0.iter().flat_map(|given| {
            let text = decoded(given).unwrap_or_else(|| given.clone());
            serde_json::from_str::<Vec<String>>(&text).unwrap_or_else(|_| vec![text])
        });
        scripts.filter(|script| !script.trim().is_empty()).collect()
    }
}

/// What a script in base64 says. No script that does anything is base64 itself: it has a space, or
/// in the list of an access rule a sign.
fn decoded(given: &str) -> Option<String> {
    let bytes = STANDARD.decode(given.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let is_text = text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace());
    is_text.then_some(text)
}

impl<'de> Deserialize<'de> for Statements {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Scripts;
        impl<'de> Visitor<'de> for Scripts {
            type Value = Statements;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }

            /// A script holds commas, so a text is one of them and not a list.
            fn visit_str<E>(self, text: &str) -> Result<Statements, E> {
                let text = text.trim();
                let one = (!text.is_empty()).then(|| text.to_owned());
                Ok(Statements(one.into_iter().collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statements, A::Error> {
                let mut all = Vec::new();
                while let Some(text) = list.next_element()? {
                    all.push(text);
                }
                Ok(Statements(all))
            }
        }
        deserializer.deserialize_any(Scripts)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn check(json: &str, scripts: &[&str]) {
        let statements: Statements = serde_json::from_str(json).unwrap();
        assert_eq!(statements.scripts(), scripts, "{json}");
    }

    #[test]
    fn all_forms_of_scripts_are_taken() {
        check(r#""GRANT a, b; GRANT c;""#, &["GRANT a, b; GRANT c;"]);
        check(r#"["GRANT a", "", " ", "GRANT b"]"#, &["GRANT a", "GRANT b"]);
        check(r#""[\"GRANT a\", \"GRANT b\"]""#, &["GRANT a", "GRANT b"]);
        check(r#""R1JBTlQgYTs=""#, &["GRANT a;"]);
        check(r#"["WyJHUkFOVCBhIl0="]"#, &["GRANT a"]);
        check(r#""""#, &[]);
        check("[]", &[]);
        assert!(serde_json::from_str::<Statements>("1").is_err());
        assert!(serde_json::from_str::<Statements>("[1]").is_err());
    }
}
