use std::collections::HashMap;
use std::path::Path;

use base_types::{Error, Result};
use scan_sources::Leak;

/// Files of gitleaks that name findings by their place: `.gitleaksignore`.
#[derive(Default)]
pub struct Ignored {
    /// Each place and the file and line that names it.
    places: HashMap<String, String>,
    /// What is odd in the files: sentences for the user.
    pub warnings: Vec<String>,
}

impl Ignored {
    /// Reads one more file.
    ///
    /// # Errors
    ///
    /// `Invalid` if it cannot be read.
    pub fn read(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::invalid(format!("cannot read {}: {e}", path.display())))?;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = format!("{}:{}", path.display(), number + 1);
            let mut parts: Vec<String> = line.split(':').map(str::to_owned).collect();
            // Of three parts the first is the path, of four the second.
            match parts.len() {
                3 => parts[0] = parts[0].replace('\\', "/"),
                4 => parts[1] = parts[1].replace('\\', "/"),
                _ => self.warnings.push(format!("{place}: this is not COMMIT:FILE:RULE:LINE")),
            }
            self.places.insert(parts.join(":"), place);
        }
        Ok(())
    }

    /// The line that names a finding, by its place at any commit or at its own.
    pub fn find(&self, leak: &Leak) -> Option<&str> {
        let found = self.places.get(&leak.fingerprint_anywhere());
        found.or_else(|| self.places.get(&leak.fingerprint())).map(String::as_str)
    }
}
