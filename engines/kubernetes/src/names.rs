use base_crypto::{Random, SeededRandom};
use base_template::{Source, Template};
use base_types::{Error, Result, Timestamp};

/// A template for the names of what is made.
pub(crate) struct NameTemplate(Template);

const DEFAULT: &str = r#"{{ printf "v-%s-%s-%s-%s" (.DisplayName | truncate 8) (.RoleName | truncate 8) (unix_time) (random 24) | truncate 62 | lowercase }}"#;
const DISPLAY_NAME: &str = "DisplayName";
const ROLE_NAME: &str = "RoleName";

impl NameTemplate {
    /// An empty text stands for the default.
    ///
    /// # Errors
    /// `Invalid`, with the place of the fault, or if there is nothing random in the names.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = if text.is_empty() { DEFAULT } else { text };
        let parse = Template::parse(text, &[DISPLAY_NAME, ROLE_NAME]).map(Self);
        let template = parse.map_err(|error| error.at("unable to initialize name template"))?;
        template.name("display", "role", &SeededRandom::new(1), Timestamp::from_seconds(0))?;
        Ok(template)
    }

    pub(crate) fn name(
        &self,
        display_name: &str,
        role_name: &str,
        random: &dyn Random,
        now: Timestamp,
    ) -> Result<String> {
        let fields = &[(DISPLAY_NAME, display_name), (ROLE_NAME, role_name)];
        let name = self.0.render_unique(&Source { fields, random, now });
        name.map_err(|error| error.at("failed to generate name"))
    }
}

/// Names become segments of the API's paths; this is the API's own rule for them.
///
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#path-segment-names>
///
/// # Errors
/// `Invalid`, naming the field.
pub(crate) fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || matches!(name, "." | "..") || name.contains(['/', '%']) {
        return Err(Error::invalid(format!("{field} {name:?} cannot be the name of an object")));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_name_of_kubernetes() {
        let (template, random) = (NameTemplate::parse("").unwrap(), SeededRandom::new(1));
        let now = Timestamp::from_seconds(1_767_225_600);
        let name = template.name("Kubernetes-Auth", "Web", &random, now).unwrap();
        assert!(name.starts_with("v-kubernet-web-1767225600-"), "{name}");
        assert_eq!(name.len(), "v-kubernet-web-1767225600-".len() + 24);
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        );
    }

    const SAME: &str = "failed to generate name: template: it gives different things the same name";

    #[test]
    fn a_name_has_something_that_changes() {
        for (text, fault) in [
            ("fixed", SAME),
            ("{{ .DisplayName }}", SAME),
            ("{{ .DisplayName }}-{{ unix_time }}", SAME),
            ("{{.String", "unable to initialize name template: template: 1:"),
            ("{{ .Nope }}", "unable to initialize name template: template: 1:"),
        ] {
            let error = NameTemplate::parse(text).err().unwrap();
            assert!(error.public().starts_with(fault), "{text}: {error:?}");
        }
        assert!(NameTemplate::parse("{{ .RoleName }}-{{ random 8 }}").is_ok());
    }
}
