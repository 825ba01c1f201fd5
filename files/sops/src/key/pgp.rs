//! OpenPGP by the `gpg` program, which knows the agent, smart cards and every form of keyring.

use std::io::Write;
use std::process::{Command, Stdio};

use base_types::Secret;
use files_document::{Item, Scalar};
use zeroize::Zeroizing;

use super::{KeySource, Row, Surroundings, failed, field};
use crate::{Failure, FailureKind, Result};

pub(super) struct Pgp;

impl KeySource for Pgp {
    fn row(&self) -> &'static Row {
        &Row {
            metadata: "pgp",
            flag: "pgp",
            letter: Some('p'),
            variable: "SOPS_PGP_FP",
            rule: "pgp",
            group: "pgp",
            order: "pgp",
            options: &[],
        }
    }

    fn name(&self, fields: &[Item]) -> String {
        field(fields, "fp")
    }

    fn fields(&self, name: &str, surroundings: &Surroundings<'_>) -> Result<Vec<Item>> {
        let fingerprint: String = name.chars().filter(|next| !next.is_whitespace()).collect();
        // A name or an address would do for gpg, but could mean another key tomorrow; and what
        // begins with a hyphen would be an option.
        if fingerprint.len() < 8 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Failure::invalid(format!("'{name}' is no fingerprint of a PGP key")));
        }
        Ok(vec![
            Item::member("created_at", Scalar::text(surroundings.now())),
            Item::member("enc", Scalar::text("")),
            Item::member("fp", Scalar::text(fingerprint)),
        ])
    }

    fn wrap(&self, fields: &[Item], secret: &[u8], with: &Surroundings<'_>) -> Result<String> {
        let name = self.name(fields);
        let long_id = name.get(name.len().saturating_sub(16)..).unwrap_or(&name);
        let arguments = [
            "--no-default-recipient",
            "--yes",
            "--encrypt",
            "-a",
            "-r",
            &name,
            "--trusted-key",
            long_id,
            "--no-encrypt-to",
        ];
        let armored = run(with, &arguments, secret)
            .map_err(|text| Failure::new(FailureKind::Unavailable, text))?;
        String::from_utf8(armored.to_vec())
            .map_err(|_| Failure::new(FailureKind::Unavailable, "gpg gave no armored text"))
    }

    fn unwrap(
        &self,
        _: &[Item],
        wrapped: &str,
        with: &Surroundings<'_>,
    ) -> Result<Secret<Vec<u8>>> {
        let mut plain = run(with, &["--use-agent", "-d"], wrapped.as_bytes()).map_err(failed)?;
        Ok(Secret::new(std::mem::take(&mut *plain)))
    }
}

/// As much as a pipe takes before anybody reads (pipe(7)); a wrapped key is far shorter.
const INPUT_MAX: usize = 64 << 10;

/// What `gpg` makes of `input`, or what it complains about.
fn run(
    with: &Surroundings<'_>,
    arguments: &[&str],
    input: &[u8],
) -> Result<Zeroizing<Vec<u8>>, String> {
    if input.len() > INPUT_MAX {
        return Err(format!("what should be a wrapped key is longer than {INPUT_MAX} bytes"));
    }
    let program = with.variable("SOPS_GPG_EXEC").unwrap_or("gpg");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("'{program}' cannot be started: {error}"))?;
    // The input fits into a pipe, so writing it all first cannot block.
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early says why on its standard error.
        let _ = stdin.write_all(input);
    }
    let output = child.wait_with_output().map_err(|error| format!("'{program}': {error}"))?;
    let stdout = Zeroizing::new(output.stdout);
    if output.status.success() {
        return Ok(stdout);
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("'{program}' failed: {}", complaint.trim().replace('\n', "; ")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use base_crypto::SystemRandom;
    use base_types::SystemClock;

    use super::*;
    use crate::key::{Identities, Unwrapped};
    use crate::keyservice::KeyServices;

    /// A file could hold anything, and both programs would wait for each other for ever.
    #[test]
    fn what_fills_a_pipe_is_not_handed_over() {
        let with = Surroundings {
            variables: BTreeMap::from([("SOPS_GPG_EXEC".to_owned(), "true".to_owned())]),
            clock: &SystemClock::default(),
            random: &SystemRandom,
            person: &|_: &str| None,
            services: KeyServices::default(),
            unwrapped: Unwrapped::default(),
            identities: Identities::default(),
        };
        let unwrap = |length| Pgp.unwrap(&[], &"x".repeat(length), &with);
        assert!(unwrap(INPUT_MAX).is_ok());
        let failure = unwrap(INPUT_MAX + 1).err().unwrap();
        assert!(failure.text.contains("longer than 65536 bytes"), "{}", failure.text);
    }
}
