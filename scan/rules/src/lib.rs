//! What the scanner looks for: rules and allow lists, read from the TOML of gitleaks and betterleaks or
//! from the default set that is part of the program.
//!
//! A [`Config`] is complete and checked: what it extends is merged, every expression is syntax that
//! the engine can run in linear time, every rule that another one names exists. Meanings are those
//! of gitleaks 8.30: <https://github.com/gitleaks/gitleaks#configuration>, and of betterleaks where a file is written
//! for it: <https://github.com/betterleaks/betterleaks/blob/main/docs/config.md>.

mod allowlist;
mod config;
mod default;
mod expression;
mod extend;
pub mod filter;
mod grammar;
mod pattern;
mod re2;
mod reader;
mod rule;
mod table;
mod within;

pub use allowlist::{Allowlist, Condition, Target};
pub use config::Config;
pub use filter::Filter;
pub use pattern::Pattern;
pub use rule::{Required, Rule};
pub use within::{Near, Window};
