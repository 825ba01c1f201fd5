//! What other systems send, and files that other programs wrote.

use files_sops::keyservice::{Question, Verb};

use crate::{PLANTED, text};

/// A question to a key service: whatever it is, its name holds nothing of what is to be wrapped.
pub fn keyservice(data: &[u8]) {
    for verb in [Verb::Decrypt, Verb::Encrypt] {
        if let Some(question) = Question::decode(verb, data) {
            assert!(!question.key().is_empty());
        }
    }
}

/// A stream of manifests with sealed secrets, for which there are no keys: no error repeats what is in them, but for the kind
/// of what is no sealed secret.
pub fn sealed_secret(data: &[u8]) {
    match files_seal::fuzzing::open_manifests(data) {
        Ok(errors) => {
            let is_clean = |error: &String| {
                !error.contains(PLANTED) || error.ends_with("and must be a SealedSecret")
            };
            assert!(errors.iter().all(is_clean), "{errors:?}");
        }
        Err(error) => assert!(!error.public().contains(PLANTED), "{}", error.public()),
    }
}

/// A configuration of kubectl: no error repeats a token.
pub fn kubeconfig(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, data).unwrap();
    if let Err(error) = files_seal::fuzzing::namespace_of_kubeconfig(&path) {
        assert!(!error.public().contains(PLANTED), "{}", error.public());
    }
}

/// A template of LDIF: no value, whatever it holds, adds a record or an attribute.
pub fn ldif(data: &[u8]) {
    let template = text(data);
    let Ok(plain) = engine_ldap::fuzzing::ldif_outline(&template, "1") else { return };
    for value in
        ["\n\ndn: cn=x\nchangetype: delete\n", "\nmail: x", "-\n", " ", ": x", "{{.Password}}"]
    {
        if let Ok(outline) = engine_ldap::fuzzing::ldif_outline(&template, value) {
            assert_eq!(outline, plain, "{value:?}");
        }
    }
}

/// An answer of AWS: no error repeats a word of it.
pub fn aws_answer(data: &[u8]) {
    if let Err(error) = engine_aws::fuzzing::read_answer(data) {
        assert!(!error.public().contains(PLANTED), "{}", error.public());
    }
}
