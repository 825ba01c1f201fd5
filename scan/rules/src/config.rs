use std::path::Path;
use std::sync::Arc;

use base_types::{Error, Result};

use crate::reader;
use crate::{Allowlist, Filter, Rule, default};

/// Everything that a scan is told to look for.
#[derive(Clone, Default)]
pub struct Config {
    pub title: String,
    pub description: String,
    /// In the order of the file; sorted by their id where the file extends another.
    pub rules: Vec<Rule>,
    /// For all rules.
    pub allowlists: Vec<Allowlist>,
    /// A text at a place of which one of these is true is not searched.
    pub prefilters: Vec<Arc<Filter>>,
    /// Where one of these is true of a match of any rule, it is none.
    pub filters: Vec<Arc<Filter>>,
    /// What a composite finding is made of is no finding of its own, as in betterleaks.
    pub hides_components: bool,
    /// What is odd, but no reason to refuse: sentences for the user.
    pub warnings: Vec<String>,
}

impl Config {
    /// The rules that come with the program.
    pub fn default_set() -> Self {
        default::set()
    }

    /// The files that the default set is written in, with their names; each rule has examples there.
    pub fn default_files() -> &'static [(&'static str, &'static str)] {
        &default::FILES
    }

    /// Reads a file of gitleaks or betterleaks and what it extends.
    ///
    /// # Errors
    ///
    /// `Invalid` names the file, the line and the rule.
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, &path.display().to_string())
    }

    /// Reads the text of such a file, which messages call `place`. A path in `extend` is relative to the
    /// working directory, as in gitleaks.
    ///
    /// # Errors
    ///
    /// As those of [`Config::open`].
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        Self::parse_with(text, place, &|path| read(Path::new(path)))
    }

    /// As [`Config::parse`], with `load` to read what `extend` names.
    ///
    /// # Errors
    ///
    /// As those of [`Config::open`].
    pub fn parse_with(
        text: &str,
        place: &str,
        load: &dyn Fn(&str) -> Result<String>,
    ) -> Result<Self> {
        reader::read(text, place, load)
    }

    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| {
        Error::invalid(format!("cannot read the configuration {}: {e}", path.display()))
    })
}
