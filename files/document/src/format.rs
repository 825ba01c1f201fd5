use base_types::{Error, Result};

use crate::{Item, Value, toml};

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// Any bytes at all: one member `data` that holds the whole file.
    Binary,
    Dotenv,
    Ini,
    Json,
    Toml,
    Yaml,
}

impl Format {
    /// The format of a file by the end of its name, as sops chooses it; what no format claims is
    /// binary. `.toml` is not known to sops, which takes such a file for binary.
    pub fn of_path(path: &str) -> Self {
        [
            (".yaml", Self::Yaml),
            (".yml", Self::Yaml),
            (".json", Self::Json),
            (".env", Self::Dotenv),
            (".ini", Self::Ini),
            (".toml", Self::Toml),
        ]
        .into_iter()
        .find_map(|(end, format)| path.ends_with(end).then_some(format))
        .unwrap_or(Self::Binary)
    }

    /// The format by the name that `--input-type` and `--output-type` take.
    ///
    /// # Errors
    /// `Invalid` for any other name.
    pub fn of_name(name: &str) -> Result<Self> {
        Ok(match name {
            "binary" => Self::Binary,
            "dotenv" => Self::Dotenv,
            "ini" => Self::Ini,
            "json" => Self::Json,
            "toml" => Self::Toml,
            "yaml" => Self::Yaml,
            _ => {
                return Err(Error::invalid(format!(
                    "'{name}' is no format: use binary, dotenv, ini, json, toml or yaml"
                )));
            }
        })
    }

    /// The name that [`Format::of_name`] takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Json => "json",
            Self::Toml => "toml",
            Self::Yaml => "yaml",
        }
    }

    /// Where among the items of a mapping a new member with this value goes: to the end, but in
    /// TOML a line of a table must stand before the tables below it.
    pub fn place_of_new(self, items: &[Item], value: &Value) -> usize {
        let is_table = |item: &Item| match item {
            Item::Comment(_) => false,
            Item::Member(member) => toml::is_section(&member.value),
        };
        match self {
            Self::Toml if !toml::is_section(value) => {
                items.iter().position(is_table).unwrap_or(items.len())
            }
            Self::Binary | Self::Dotenv | Self::Ini | Self::Json | Self::Toml | Self::Yaml => {
                items.len()
            }
        }
    }
}
