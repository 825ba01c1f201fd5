use base_types::Result;

use super::{Config, LogFormat, LogLevel, reader};

/// The variables of the process's environment, or those that a test makes up.
pub struct Environment(Box<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The families of variables, the first winning: ours, OpenBao's, Vault's.
const PREFIXES: [&str; 3] = ["STRONGROOM_", "BAO_", "VAULT_"];

impl Environment {
    #[allow(clippy::disallowed_methods)] // The server's one place that reads the environment.
    pub fn of_process() -> Self {
        Self::from_fn(|name| std::env::var(name).ok())
    }

    pub fn from_fn(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Box::new(lookup))
    }

    /// The variable of exactly this name.
    pub fn exact(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// `STRONGROOM_{name}`, else `BAO_{name}`, else `VAULT_{name}`, if not empty.
    pub fn variable(&self, name: &str) -> Option<(String, String)> {
        PREFIXES.iter().find_map(|prefix| {
            let full = format!("{prefix}{name}");
            let value = self.exact(&full).filter(|value| !value.is_empty())?;
            Some((full, value))
        })
    }

    /// Lets the environment win over the files, for the few keys where Vault does.
    ///
    /// # Errors
    /// `Invalid`, naming the variable.
    pub(super) fn apply(&self, config: &mut Config) -> Result<()> {
        if let Some((_, value)) = self.variable("API_ADDR") {
            config.api_addr = Some(value);
        }
        if let Some((name, value)) = self.variable("LOG_LEVEL") {
            config.log.level = word(&name, &value, &LogLevel::NAMES)?;
        }
        if let Some((name, value)) = self.variable("LOG_FORMAT") {
            config.log.format = word(&name, &value, &LogFormat::NAMES)?;
        }
        if let Some((name, value)) = self.variable("DISABLE_USER_LOCKOUT") {
            let disabled = [("true", true), ("1", true), ("false", false), ("0", false)];
            config.lockouts.disabled = word(&name, &value, &disabled)?;
        }
        Ok(())
    }
}

fn word<T: Copy>(name: &str, value: &str, options: &[(&str, T)]) -> Result<T> {
    reader::pick(value, options).map_err(|text| {
        base_types::Error::invalid(format!("the environment variable {name} {text}"))
    })
}
