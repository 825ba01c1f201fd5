//! What the scanner looks for: rules and allow lists, read from the TOML of gitleaks and betterleaks or
//! from the default set that is part of the program.
//!
//! A [`Config`] is complete and checked: what it extends is merged, every expression is syntax that
//! the engine can run in linear time, every rule that another one names exists. Meanings are those
//! of gitleaks 8.30: <https://github.com/gitleaks/gitleaks#configuration>.

mod allowlist;
mod config;
mod default;
mod expression;
mod extend;
mod pattern;
mod re2;
mod reader;
mod rule;
mod table;

pub use allowlist::{Allowlist, Condition, Target};
pub use config::Config;
pub use pattern::Pattern;
pub use rule::{Required, Rule};
