//! Passwords of accounts that stay, in systems of somebody else: each changes by itself, by a
//! schedule, and whatever the moment of a crash, the server knows the one that is in force.
//!
//! ```text
//! static-role/{name}             one account whose password changes, or two that alternate
//! account/{target}/{hash}        which static role has an account
//! due/{time}/{target}/{name}     which static role wants something done when, in that order
//! ```
//!
//! A change is a sequence of which each step can be taken again: the new password is generated and
//! stored, set in the system, verified by logging in, promoted; with two accounts the one that was
//! given out before is retired when its grace period has ended. An engine says by [`Rotating`] how
//! its system does three of these steps; all else is here. It keeps a [`Rotations`], runs
//! [`rotate_due`] as a job every second, and calls [`rotate`] when somebody asks.

mod due;
mod locks;
mod rotations;
mod schedule;
mod sequence;
mod shown;
mod static_role;
mod wanted;

pub use due::rotate_due;
pub use locks::Locks;
pub use rotations::Rotations;
pub use schedule::{Schedule, Times};
pub use sequence::{certain, check_account, rotate, rotate_first, rotate_on_demand};
pub use shown::{Given, Status};
pub use static_role::{Account, Change, Failure, Own, Purpose, StaticRole, check_name, key};
pub use wanted::Wanted;

use base_types::{Result, Secret};

/// An engine whose accounts have passwords that change. Whatever fails because the system cannot be
/// reached or is not able to work is `Unavailable`; what it refuses to do is anything else.
pub trait Rotating: Send + Sync + Sized + 'static {
    /// What the engine keeps with a role, besides what is needed to change its password.
    type Own: Own;

    /// What errors call the system: "database".
    const SYSTEM: &'static str;

    fn rotations(&self) -> &Rotations;

    /// A new password for the next account of a role. It is stored before anybody is told of it; a
    /// change that was cut short goes on with the one that it began with, and asks for no other.
    fn generate(
        &self,
        role: &StaticRole<Self::Own>,
    ) -> impl Future<Output = Result<Secret<String>>> + Send;

    /// Gives an account a password. Doing it twice is the same as doing it once.
    fn set(
        &self,
        role: &StaticRole<Self::Own>,
        account: &Account,
        password: &Secret<String>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Logs in as an account, on a connection of its own.
    fn check(
        &self,
        role: &StaticRole<Self::Own>,
        account: &Account,
        password: &Secret<String>,
    ) -> impl Future<Output = Result<Login>> + Send;
}

/// What a system says to a name and a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Login {
    Accepted,
    Refused,
}
