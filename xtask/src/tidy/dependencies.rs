use super::licence;
use super::{Project, text};
use crate::Result;

/// Packages that would bring a second crypto or TLS implementation.
const OTHER_CRYPTO: [&str; 6] =
    ["boring", "mbedtls", "native-tls", "openssl", "openssl-sys", "ring"];

/// The provider, and the crates of ours that may name it.
const PROVIDER: &str = "aws-lc-rs";
const PROVIDER_USERS: [&str; 1] = ["base-crypto"];

pub(super) fn licences(project: &Project) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in &project.packages {
        let (name, expression) = (text(&package["name"]), text(&package["license"]));
        if expression.is_empty() {
            findings.push(format!("{name}: it names no licence; read its files, or do without it"));
        } else if !licence::allowed(expression) {
            findings.push(format!(
                "{name}: '{expression}' is not on the list of licence.rs; find another package, or \
                 add the licence after reading it"
            ));
        }
    }
    Ok(findings)
}

pub(super) fn crypto(project: &Project) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in &project.packages {
        let name = text(&package["name"]);
        if OTHER_CRYPTO.contains(&name) {
            findings.push(format!(
                "{name} is a second crypto provider; find who wants it with `cargo tree -i {name}` \
                 and switch that feature to {PROVIDER}"
            ));
        }
        let own = project.crates.iter().any(|one| one.name == name);
        let uses =
            super::array(&package["dependencies"]).iter().any(|d| text(&d["name"]) == PROVIDER);
        if own && uses && !PROVIDER_USERS.contains(&name) {
            findings.push(format!(
                "{name}: only base-crypto names {PROVIDER}; add what is missing there"
            ));
        }
    }
    Ok(findings)
}
