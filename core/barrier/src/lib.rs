//! The barrier: everything above it sees records, the store below it sees ciphertext.
//!
//! A root key, which only seals ever hold in another form, encrypts the keyring. The keyring holds
//! one key per term; the newest encrypts, all decrypt. A value is bound to the key it is stored
//! at, so that values cannot be exchanged for one another. Whoever needs storage is given a
//! [`View`]: a part of the store that it cannot leave.

mod barrier;
mod change;
mod envelope;
mod keyring;
mod listing;
mod record;
mod rotation;
mod sealed;
mod transaction;
mod turn;
mod view;

pub use barrier::{Barrier, KEYRING, KeyStatus};
pub use record::Record;
pub use rotation::RotationConfig;
pub use sealed::Sealed;
pub use transaction::Tx;
pub use turn::take_turns;
pub use view::View;
