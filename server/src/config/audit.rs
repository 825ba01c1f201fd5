use std::collections::BTreeMap;

use base_hcl::Block;
use base_types::{Error, Result};

use super::keys;
use super::reader::{Place, Reader, Source, pick};

/// An audit device that the configuration declares.
pub struct AuditDevice {
    pub place: Place,
    pub kind: AuditKind,
    /// Its path below `sys/audit`, without slashes at the ends.
    pub name: String,
    pub description: String,
    /// They may hold credentials (headers of the kind `http`), hence no `Debug` on this type.
    pub options: BTreeMap<String, String>,
    pub local: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuditKind {
    File,
    Http,
    Socket,
    Syslog,
}

impl AuditKind {
    const NAMES: [(&str, Self); 4] = [
        ("file", Self::File),
        ("http", Self::Http),
        ("socket", Self::Socket),
        ("syslog", Self::Syslog),
    ];

    /// The name as it stands in the configuration and in `sys/audit`.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Http => "http",
            Self::Socket => "socket",
            Self::Syslog => "syslog",
        }
    }
}

impl AuditDevice {
    pub(super) fn read(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        let kind = pick(block.label(0), &AuditKind::NAMES).map_err(|text| {
            block.labels[0].at.error(format!("the kind of an audit device {text}"))
        })?;
        let name = block.label(1).trim_matches('/').to_owned();
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(block.labels[1].at.error("an audit device needs a name without spaces"));
        }
        let place = source.place(block.at);
        let mut reader = Reader::new(block.body, &keys::AUDIT, source);
        let (mut description, mut local) = (String::new(), false);
        reader.set("description", &mut description)?;
        reader.set("local", &mut local)?;
        let options: BTreeMap<String, String> = reader.string_map("options")?.into_iter().collect();
        let (file, path) = (kind == AuditKind::File, options.get("file_path").map(String::as_str));
        reader.finish()?;
        if file && path.is_none_or(str::is_empty) {
            return Err(block.at.error("\"file_path\" is missing in options: name the file"));
        }
        Ok(Self { place, kind, name, description, options, local })
    }
}

pub(super) fn check(devices: &[AuditDevice], prefix_allowed: bool) -> Result<()> {
    for (index, device) in devices.iter().enumerate() {
        if let Some(first) = devices[..index].iter().find(|other| other.name == device.name) {
            return Err(Error::invalid(format!(
                "{}: the audit device at {} is also called {:?}",
                device.place, first.place, device.name
            )));
        }
        if device.options.contains_key("prefix") && !prefix_allowed {
            return Err(Error::invalid(format!(
                "{}: the option \"prefix\" needs allow_audit_log_prefixing = true: with it a \
                 caller can choose how lines of the file begin",
                device.place
            )));
        }
    }
    Ok(())
}
