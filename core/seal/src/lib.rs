//! Seals keep the root key while nobody needs it.
//!
//! The root key is stored only in wrapped form, once for each seal, in the [seal record](RECORD).
//! Any one of the seals opens it: keys that lie at hand do so at start, shares of a key do so when
//! enough people bring theirs. If there is any of the first kind, the shares are *recovery keys*:
//! they authorise, and they open when everything else is lost.

mod ceremony;
mod generate_root;
mod record;
mod rekey;
mod seal;
mod seals;
mod shamir;
mod static_key;

pub use generate_root::{GenerateRootStatus, GenerateRootStep, decode_token, encode_token};
pub use record::RECORD;
pub use rekey::{
    RekeyOptions, RekeyStatus, RekeyStep, RekeyTarget, RootKeyChange, VerifyStatus, VerifyStep,
};
pub use seal::{RootKey, Seal, Unwrapped};
pub use seals::{InitOutcome, SealStatus, Seals};
pub use shamir::{Share, Split, parse_share, refuse_pgp_keys};
pub use static_key::{StaticKey, parse_key};
