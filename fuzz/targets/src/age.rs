use base_crypto::SeededRandom;
use base_types::Secret;
use files_age::{Form, HybridIdentity, Identity, Person, X25519Identity};

use crate::{PLANTED, text};

/// The identity that seeds were encrypted for, from the specification of age.
const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

/// A file of age. What decrypts comes back when it is encrypted anew, armored or not.
pub fn age_file(data: &[u8]) {
    let identity = X25519Identity::parse(IDENTITY).unwrap();
    let recipients = [files_age::recipient(&identity.recipient()).unwrap()];
    let identities: [Box<dyn Identity>; 1] = [Box::new(identity)];
    let Ok(plain) = files_age::decrypt_bytes(data, &identities) else { return };
    for form in [Form::Armored, Form::Binary] {
        let random = SeededRandom::new(1);
        let file = files_age::encrypt_bytes(&recipients, form, plain.expose(), &random).unwrap();
        assert_eq!(files_age::decrypt_bytes(&file, &identities).unwrap(), plain);
    }
}

/// The texts that name recipients and identities. What is accepted has one spelling, and no error
/// repeats what could be a key.
pub fn age_keys(data: &[u8]) {
    let text = text(data);
    if let Ok(identity) = X25519Identity::parse(&text) {
        assert_eq!(*identity.text().expose(), *text);
        assert!(files_age::recipient(&identity.recipient()).is_ok());
    }
    if let Ok(identity) = HybridIdentity::parse(&text) {
        assert_eq!(*identity.text().expose(), *text);
        assert!(files_age::recipient(&identity.recipient()).is_ok());
    }
    let _ = files_age::recipients(&text);
    if let Err(error) = files_age::identities(text.as_bytes(), "keys", &Nobody) {
        assert!(!error.to_string().contains(PLANTED), "{error}");
    }
}

struct Nobody;

impl Person for Nobody {
    fn secret(&self, _: &str) -> Option<Secret<String>> {
        None
    }
}
