use base_types::Secret;

/// Who is there to be asked while a file is encrypted or decrypted.
pub trait Person: Sync {
    /// A passphrase or a PIN, typed where nobody sees it; nothing if nobody is there.
    fn secret(&self, question: &str) -> Option<Secret<String>>;

    /// Something that may be seen.
    fn text(&self, _question: &str) -> Option<String> {
        None
    }

    /// Whether it is `yes`, or `no` if that is another choice than to go away.
    fn choice(&self, _question: &str, _yes: &str, _no: Option<&str>) -> Option<bool> {
        None
    }

    /// Something to know, such as that a key waits to be touched. Says whether it could be shown.
    fn tell(&self, _message: &str) -> bool {
        false
    }
}

/// Who is asked for passphrases alone.
impl<F: Fn(&str) -> Option<Secret<String>> + Sync> Person for F {
    fn secret(&self, question: &str) -> Option<Secret<String>> {
        self(question)
    }
}
