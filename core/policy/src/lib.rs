//! Who may do what: Vault's ACL policies, and the decision about one request.
//!
//! A [`Policy`] is parsed from HCL or JSON. An [`Acl`] is what all policies of one token come to,
//! compiled once; [`Acl::decide`] then judges a [`Request`] by looking up at most a handful of
//! rules. Everything here is a pure function of its arguments: no clock, no store, no async.
//!
//! One rule decides, never a combination of rules on different paths:
//!
//! 1. Rules with the same path, from all policies, become one: capabilities add up, `deny` beats
//!    them all.
//! 2. A rule without wildcards that equals the path decides. For `list` and `scan` the path is
//!    tried with its trailing slash and then without.
//! 3. Else, of the rules with `*` at the end or `+` segments that match, the most specific one
//!    decides: the one whose first wildcard stands later; then one without `*`; then one with
//!    fewer `+`; then the longer; then the one that sorts later. `list` and `scan` try again
//!    without the trailing slash only if nothing matched with it.
//! 4. If no rule matches, the answer is no.
//!
//! <https://developer.hashicorp.com/vault/docs/concepts/policies> and
//! <https://openbao.org/docs/concepts/policies/> describe the language.

mod acl;
mod builtin;
mod capability;
mod constraints;
mod decision;
mod explain;
mod identity;
mod index;
mod parameters;
mod pattern;
mod policy;
mod template;

pub use acl::Acl;
pub use builtin::{DEFAULT_TEXT, RESPONSE_WRAPPING_TEXT, check_delete, check_write};
pub use capability::{Capabilities, Capability, Operation};
pub use decision::{Decision, Granted, Refusal, Request};
pub use explain::{Candidate, Explanation, Holder, RuleView, Source, Void, who_can};
pub use identity::{Alias, Entity, Group, Identity};
pub use parameters::Parameters;
pub use policy::Policy;
