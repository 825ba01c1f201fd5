//! Sealed secrets: Kubernetes secrets that are encrypted to a controller in a cluster, so that they
//! can lie in git, with the grammar, the exit codes and the texts of `kubeseal`.
//!
//! `strongroom seal …` and, under the name `kubeseal`, the same. A manifest is the tree that
//! [`files_document`] reads; what is sealed keeps its comments where a file is changed in place.

mod certificate;
mod command;
mod controller;
mod exec;
mod flags;
#[doc(hidden)]
pub mod fuzzing;
mod hybrid;
mod kubeconfig;
mod manifest;
mod merge;
mod output;
mod private_keys;
mod scope;
mod seal;
mod template;
mod unseal;

pub use command::run;
