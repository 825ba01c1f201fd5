//! `operator diagnose`: looks at everything a configuration needs, without starting the server and
//! without changing anything.

mod listener;
mod machine;
mod paths;
mod report;

use std::path::PathBuf;

use base_types::Clock;

use crate::config::{AuditDevice, AuditKind, Config, Environment, KeySource, SealKind};

pub use report::{Check, Report, Status};

/// Runs all checks on the configuration in `paths`.
pub async fn diagnose(paths: &[PathBuf], environment: &Environment, clock: &dyn Clock) -> Report {
    let mut report = Report::default();
    machine::check(&mut report);
    let config = match Config::load(paths, environment) {
        Ok(config) => config,
        Err(error) => {
            report.failure("configuration", error.public(), "correct the file and run this again");
            return report;
        }
    };
    check_configuration(&mut report, &config);
    machine::check_clock(&mut report, &config.files, clock);
    for listener in &config.listeners {
        listener::check(&mut report, listener, clock).await;
    }
    paths::check_storage(&mut report, &config.storage);
    check_seals(&mut report, &config, environment);
    check_audit(&mut report, &config);
    if let Some(path) = &config.log.file {
        let path = crate::logging::file_path(path);
        paths::check_appendable(&mut report, "log file", &path);
    }
    if let Some(path) = &config.pid_file {
        paths::check_appendable(&mut report, "pid file", path);
    }
    report
}

fn check_configuration(report: &mut Report, config: &Config) {
    let files: Vec<String> = config.files.iter().map(|file| file.display().to_string()).collect();
    report.ok("configuration", format!("{} can be used", files.join(", ")));
    for warning in &config.warnings {
        report.warning("configuration", warning.to_string(), "remove the key");
    }
    if config.allow_api_audit_creation {
        report.warning(
            "configuration",
            "unsafe_allow_api_audit_creation lets whoever may write sys/audit write files",
            "turn it off when the device is made, or declare devices by audit stanzas",
        );
    }
}

fn check_seals(report: &mut Report, config: &Config, environment: &Environment) {
    if config.seals.is_empty() {
        report.ok("seal", "shares of a key unseal the server by hand");
    }
    for seal in &config.seals {
        let name = format!("seal {:?}", seal.name);
        let SealKind::Static { current, previous } = &seal.kind else {
            report.ok(name, "shares of a key unseal the server by hand");
            continue;
        };
        for key in std::iter::once(current).chain(previous) {
            match key.source.resolve(environment) {
                Ok(_) => report.ok(&name, format!("the key {:?} is there", key.id)),
                Err(error) => report.failure(
                    &name,
                    format!("{}: {}", seal.place, error.public()),
                    "bring the key back: without it, or shares, nothing can be unsealed",
                ),
            }
            match &key.source {
                KeySource::File(path) => paths::check_private(report, &name, path),
                KeySource::Environment(_) => {}
                KeySource::Literal(_) => report.warning(
                    &name,
                    format!("{}: the key stands in the configuration", seal.place),
                    "move it to a file of its own and write file://…",
                ),
            }
        }
    }
}

fn check_audit(report: &mut Report, config: &Config) {
    if config.audit.is_empty() {
        report.warning(
            "audit",
            "no audit device is declared: unless one was made by API, nothing is recorded",
            "add audit \"file\" \"main\" { options { file_path = \"/var/log/strongroom/audit.log\" } }",
        );
    }
    for AuditDevice { kind, name, options, .. } in &config.audit {
        let check = format!("audit {name:?}");
        let path = options.get("file_path").map_or("", String::as_str);
        match (kind, path) {
            (AuditKind::File, "stdout" | "discard") => {
                report.ok(check, format!("writes to {path}"))
            }
            (AuditKind::File, path) => {
                paths::check_appendable(report, &check, path.as_ref());
            }
            (AuditKind::Http | AuditKind::Socket | AuditKind::Syslog, _) => {
                report.ok(check, format!("of the kind {}, which is not tried here", kind.name()));
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
