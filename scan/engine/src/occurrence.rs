use scan_rules::filter::Text;

use crate::filter::Place;

/// Where some bytes were found.
#[derive(Clone, Copy)]
pub struct Occurrence<'a> {
    /// With `/` between folders; empty if there is none, as for the standard input.
    pub path: &'a str,
    /// The hash of a commit in hexadecimal.
    pub commit: Option<&'a str>,
    /// What else expressions may ask for.
    pub attributes: Option<&'a dyn Attributes>,
}

/// What is known of a place besides its path and commit, by the names of betterleaks:
/// <https://github.com/betterleaks/betterleaks/blob/main/docs/config.md#data-available-to-expr>.
pub trait Attributes {
    /// The value, or an empty text if there is none.
    fn attribute(&self, name: &str) -> String;
}

impl<'a> Occurrence<'a> {
    /// A file that is in no commit.
    pub fn of(path: &'a str) -> Self {
        Self { path, commit: None, attributes: None }
    }
}

impl Place for Occurrence<'_> {
    fn attribute(&self, name: &str) -> Option<Text> {
        let text = match name {
            "path" => self.path.to_owned(),
            "git.sha" => self.commit.unwrap_or_default().to_owned(),
            other => self.attributes.map(|known| known.attribute(other)).unwrap_or_default(),
        };
        Some(Text::new(text.into_bytes()))
    }
}

/// A place of which the path alone is known yet.
pub(crate) struct PathAlone<'a>(pub(crate) &'a str);

impl Place for PathAlone<'_> {
    fn attribute(&self, name: &str) -> Option<Text> {
        (name == "path").then(|| Text::new(self.0.as_bytes()))
    }
}
