//! The forms in which values are printed.

pub(crate) mod json;
pub(crate) mod table;
pub(crate) mod yaml;

/// What `-format` asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Format {
    Json,
    Pretty,
    Raw,
    Table,
    Yaml,
}

impl Format {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "json" => Self::Json,
            "pretty" => Self::Pretty,
            "raw" => Self::Raw,
            "" | "table" => Self::Table,
            "yaml" | "yml" => Self::Yaml,
            _ => return None,
        })
    }
}

/// Seconds as Go writes a duration: `1h0m0s`. What request bodies hold.
pub(crate) fn go_duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    format!("{sign}{}", base_types::Ttl::from_seconds(seconds.unsigned_abs()))
}
