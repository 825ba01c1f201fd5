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

/// What `gpg` makes of `input`, or what it complains about.
fn run(
    with: &Surroundings<'_>,
    arguments: &[&str],
    input: &[u8],
) -> Result<Zeroizing<Vec<u8>>, String> {
    let program = with.variable("SOPS_GPG_EXEC").unwrap_or("gpg");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("'{program}' cannot be started: {error}"))?;
    // The input is shorter than a pipe's buffer, so writing it all first cannot block.
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
