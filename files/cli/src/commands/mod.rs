//! What each command does, a file each.

pub(crate) mod completion;
pub(crate) mod decrypt;
pub(crate) mod edit;
pub(crate) mod encrypt;
pub(crate) mod exec;
pub(crate) mod git_merge;
pub(crate) mod git_setup;
pub(crate) mod git_textconv;
pub(crate) mod groups;
pub(crate) mod keyservice;
pub(crate) mod legacy;
pub(crate) mod lint;
pub(crate) mod publish;
pub(crate) mod rotate;
pub(crate) mod set;
pub(crate) mod status;
pub(crate) mod update;
pub(crate) mod who;
