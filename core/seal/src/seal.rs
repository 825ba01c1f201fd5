use base_types::{BoxFuture, Result, Secret};

/// The key that encrypts the keyring.
pub type RootKey = Secret<[u8; 32]>;

/// Something that wraps the root key and unwraps it without a person's help.
pub trait Seal: Send + Sync + 'static {
    /// What tells it from other seals of its kind; it stays the same as long as the seal does.
    fn name(&self) -> &str;

    /// The type in the configuration and in the seal status: `static`.
    fn kind(&self) -> &'static str;

    /// Wraps `root_key`. `context` is not secret; the same must be given to unwrap.
    fn wrap<'a>(
        &'a self,
        root_key: &'a RootKey,
        context: &'a [u8],
    ) -> BoxFuture<'a, Result<Vec<u8>>>;

    fn unwrap<'a>(&'a self, blob: &'a [u8], context: &'a [u8]) -> BoxFuture<'a, Result<Unwrapped>>;
}

/// What a seal gives back.
#[derive(Debug)]
pub struct Unwrapped {
    pub root_key: RootKey,
    /// The blob should be wrapped anew, because the seal has a newer key by now.
    pub is_stale: bool,
}
