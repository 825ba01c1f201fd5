//! What each command does, a file each.

pub(crate) mod decrypt;
pub(crate) mod edit;
pub(crate) mod encrypt;
pub(crate) mod exec;
pub(crate) mod groups;
pub(crate) mod legacy;
pub(crate) mod rotate;
pub(crate) mod set;
pub(crate) mod status;
pub(crate) mod update;
