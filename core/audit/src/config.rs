use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base_types::{Clock, Error, Result, Ttl};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::HttpPoster;
use crate::sink::{
    Facility, FileSink, FileTarget, HttpSink, PlainPoster, Sink, SocketKind, SocketSink, SyslogSink,
};

/// The kinds of device. Vault's API calls this `type`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    File,
    Http,
    Socket,
    Syslog,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::File, Self::Http, Self::Socket, Self::Syslog];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Http => "http",
            Self::Socket => "socket",
            Self::Syslog => "syslog",
        }
    }

    /// # Errors
    /// `Invalid`, naming the kinds that exist.
    pub fn parse(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("unknown backend type: {name:?}; there are {known}"))
        })
    }

    /// The options of this kind besides [`COMMON`].
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::File => &["file_path", "mode"],
            Self::Http => &["headers", "uri"],
            Self::Socket => &["address", "socket_type", "write_timeout"],
            Self::Syslog => &["address", "facility", "tag"],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The options that every kind has.
const COMMON: [&str; 6] =
    ["elide_list_responses", "format", "hmac_accessor", "log_raw", "prefix", "skip_test"];

/// An audit device as it is asked for, stored and listed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DeviceConfig {
    /// Its name, with a trailing slash, for example `file/`.
    pub path: String,
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// Only on this node. It is kept and shown, and changes nothing on a single node.
    #[serde(default)]
    pub local: bool,
}

impl DeviceConfig {
    /// Checks everything that can be checked without opening the device.
    ///
    /// `allow_prefix` is the server's switch `allow_audit_log_prefixing`; `https` says whether the
    /// server has a connector for TLS.
    ///
    /// # Errors
    /// `Invalid`, naming the device, the option and what it may be.
    pub fn check(&self, allow_prefix: bool, https: bool) -> Result<()> {
        Settings::parse(self, allow_prefix, https).map(drop)
    }
}

/// A [`DeviceConfig`] that has been understood.
pub(crate) struct Settings {
    pub(crate) log_raw: bool,
    pub(crate) hmac_accessor: bool,
    pub(crate) elide_list_responses: bool,
    pub(crate) prefix: String,
    /// The device is enabled even if it cannot take its first line.
    pub(crate) skip_test: bool,
    target: Target,
}

enum Target {
    File { target: FileTarget, mode: Option<u32> },
    Http { uri: Uri, headers: HeaderMap },
    Socket { kind: SocketKind, address: String, timeout: Option<Duration> },
    Syslog { facility: Facility, tag: String, address: Option<PathBuf> },
}

impl Settings {
    pub(crate) fn parse(config: &DeviceConfig, allow_prefix: bool, https: bool) -> Result<Self> {
        let place = |error: Error| error.at(format!("audit device {}", config.path));
        check_path(&config.path).map_err(place)?;
        let options = Options(&config.options);
        options.check_names(config.kind).map_err(place)?;
        Self::read(&options, config.kind, allow_prefix, https).map_err(place)
    }

    fn read(options: &Options<'_>, kind: Kind, allow_prefix: bool, https: bool) -> Result<Self> {
        match options.text("format") {
            None | Some("json") => {}
            Some(_) => return Err(Error::invalid("format can only be \"json\"")),
        }
        let prefix = options.text("prefix").unwrap_or_default();
        if !prefix.is_empty() && !allow_prefix {
            return Err(Error::invalid(
                "prefix is not allowed: set allow_audit_log_prefixing = true in the server's configuration",
            ));
        }
        if prefix.chars().any(|c| c == '{' || c.is_control()) {
            return Err(Error::invalid("prefix cannot hold '{' or a control character"));
        }
        Ok(Self {
            log_raw: options.flag("log_raw", false)?,
            hmac_accessor: options.flag("hmac_accessor", true)?,
            elide_list_responses: options.flag("elide_list_responses", false)?,
            prefix: prefix.into(),
            skip_test: options.flag("skip_test", false)?,
            target: match kind {
                Kind::File => file(options)?,
                Kind::Http => http_target(options, https)?,
                Kind::Socket => socket(options)?,
                Kind::Syslog => syslog(options)?,
            },
        })
    }

    pub(crate) fn sink(
        self,
        clock: Arc<dyn Clock>,
        poster: Option<Arc<dyn HttpPoster>>,
        runtime: Handle,
    ) -> Box<dyn Sink> {
        match self.target {
            Target::File { target, mode } => Box::new(FileSink::new(target, mode)),
            Target::Http { uri, headers } => {
                let poster = poster.unwrap_or_else(|| Arc::new(PlainPoster::new()));
                Box::new(HttpSink::new(uri, headers, poster, runtime))
            }
            Target::Socket { kind, address, timeout } => {
                Box::new(SocketSink::new(kind, address, timeout))
            }
            Target::Syslog { facility, tag, address } => {
                Box::new(SyslogSink::new(facility, tag, address, clock))
            }
        }
    }
}

fn check_path(path: &str) -> Result<()> {
    let name = path.strip_suffix('/').unwrap_or_default();
    if name.is_empty()
        || name.chars().any(|c| c.is_control() || c.is_whitespace())
        || name.split('/').any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err(Error::invalid("the path of an audit device is a name and a slash: file/"));
    }
    Ok(())
}

fn file(options: &Options<'_>) -> Result<Target> {
    let target = match options.required("file_path")? {
        "discard" => FileTarget::Discard,
        "stdout" => FileTarget::Stdout,
        path => FileTarget::Path(path.into()),
    };
    let mode = match options.text("mode") {
        None => Some(0o600),
        Some(text) => {
            let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777);
            let mode = mode.ok_or_else(|| {
                Error::invalid("mode is an octal number of up to three digits, for example 0640")
            })?;
            // An audit log holds text that callers choose: it must never be a program.
            (mode != 0).then_some(mode & !0o111)
        }
    };
    Ok(Target::File { target, mode })
}

fn http_target(options: &Options<'_>, https: bool) -> Result<Target> {
    let malformed = || Error::invalid("uri is not an http:// or https:// address");
    let uri: Uri = options.required("uri")?.parse().map_err(|_| malformed())?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if https => {}
        Some("https") => return Err(Error::invalid("uri: this server cannot post over https")),
        _ => return Err(malformed()),
    }
    let mut headers = HeaderMap::new();
    if let Some(text) = options.text("headers") {
        let shape = || {
            Error::invalid("headers is a JSON object of lists, for example {\"X-Token\": [\"a\"]}")
        };
        let map: BTreeMap<String, Vec<String>> = serde_json::from_str(text).map_err(|_| shape())?;
        for (name, values) in map {
            let name: HeaderName = name.parse().map_err(|_| shape())?;
            for value in values {
                let mut value: HeaderValue = value.parse().map_err(|_| shape())?;
                value.set_sensitive(true);
                headers.append(name.clone(), value);
            }
        }
    }
    Ok(Target::Http { uri, headers })
}

fn socket(options: &Options<'_>) -> Result<Target> {
    let kind = match options.text("socket_type") {
        None | Some("tcp") => SocketKind::Tcp,
        Some("udp") => SocketKind::Udp,
        Some("unix") => SocketKind::Unix,
        Some(_) => return Err(Error::invalid("socket_type is tcp, udp or unix")),
    };
    let address = options.required("address")?;
    if kind != SocketKind::Unix && address.rsplit_once(':').is_none() {
        return Err(Error::invalid("address is HOST:PORT, for example 127.0.0.1:9090"));
    }
    let timeout = match options.text("write_timeout") {
        None => Some(Duration::from_secs(2)),
        Some("0" | "0s") => None,
        Some(text) => {
            let ttl: Ttl = text.parse().map_err(|error: Error| error.at("write_timeout"))?;
            if ttl.is_zero() {
                return Err(Error::invalid("write_timeout is counted in whole seconds; 0 is none"));
            }
            Some(Duration::from_secs(ttl.seconds()))
        }
    };
    Ok(Target::Socket { kind, address: address.into(), timeout })
}

fn syslog(options: &Options<'_>) -> Result<Target> {
    let facility = match options.text("facility") {
        None => Facility::AUTH,
        Some(name) => Facility::parse(name).ok_or_else(|| {
            Error::invalid("facility is a name of RFC 3164, for example AUTH or LOCAL0")
        })?,
    };
    let tag = options.text("tag").unwrap_or("strongroom");
    if !tag.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b':')) {
        return Err(Error::invalid("tag is a word without '[' and ':'"));
    }
    Ok(Target::Syslog {
        facility,
        tag: tag.into(),
        address: options.text("address").map(Into::into),
    })
}

/// Options as text; an empty one is as good as none.
struct Options<'a>(&'a BTreeMap<String, String>);

impl Options<'_> {
    fn check_names(&self, kind: Kind) -> Result<()> {
        let known = |name: &str| kind.options().contains(&name) || COMMON.contains(&name);
        match self.0.keys().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => {
                let mut all = [kind.options(), &COMMON].concat();
                all.sort_unstable();
                Err(Error::invalid(format!(
                    "unknown option {name:?}; a {kind} device has {}",
                    all.join(", ")
                )))
            }
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn required(&self, name: &str) -> Result<&str> {
        self.text(name).ok_or_else(|| Error::invalid(format!("{name} is required")))
    }

    /// The spellings of Go's `strconv.ParseBool`.
    fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.text(name) {
            None => Ok(default),
            Some("1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(true),
            Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(false),
            Some(_) => Err(Error::invalid(format!("{name} is true or false"))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// An empty `expect` means that the options are good; else it is a part of the error.
    fn check(kind: Kind, options: &[(&str, &str)], expect: &str) {
        let config = DeviceConfig {
            path: "dev/".into(),
            kind,
            description: String::new(),
            options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            local: false,
        };
        match config.check(false, false) {
            Ok(()) => assert_eq!(expect, "", "{options:?}"),
            Err(error) => {
                let text = error.public().to_owned();
                assert!(!expect.is_empty() && text.contains(expect), "{options:?}: {text}");
                assert!(text.starts_with("audit device dev/: "), "{text}");
            }
        }
    }

    #[test]
    fn options_are_understood_or_refused_by_name() {
        let file = |options: &[(&str, &str)], expect: &str| {
            check(Kind::File, &[&[("file_path", "/x")], options].concat(), expect);
        };
        file(&[], "");
        file(&[("mode", "0640"), ("log_raw", "true"), ("format", ""), ("hmac_accessor", "0")], "");
        file(&[("mode", "0000")], "");
        file(&[("mode", "4755")], "mode is an octal number");
        file(&[("mode", "rw")], "mode is an octal number");
        file(&[("log_raw", "yes")], "log_raw is true or false");
        file(&[("format", "jsonx")], "format can only be");
        file(&[("prefix", "x")], "allow_audit_log_prefixing");
        file(&[("prefix", "")], "");
        file(&[("filepath", "/x")], "unknown option \"filepath\"; a file device has");
        check(Kind::File, &[], "file_path is required");
        check(Kind::File, &[("file_path", "")], "file_path is required");
        check(
            Kind::Socket,
            &[("address", "h:1"), ("socket_type", "tcp"), ("write_timeout", "3s")],
            "",
        );
        check(Kind::Socket, &[("address", "/x"), ("socket_type", "unix")], "");
        check(Kind::Socket, &[("address", "/x")], "HOST:PORT");
        check(Kind::Socket, &[("address", "h:1"), ("socket_type", "sctp")], "socket_type is");
        check(Kind::Socket, &[("address", "h:1"), ("write_timeout", "1ms")], "whole seconds");
        check(Kind::Socket, &[], "address is required");
        check(Kind::Syslog, &[], "");
        check(Kind::Syslog, &[("facility", "local3"), ("tag", "bao")], "");
        check(Kind::Syslog, &[("facility", "nope")], "facility is");
        check(Kind::Syslog, &[("tag", "a b")], "tag is a word");
        check(Kind::Http, &[("uri", "http://h/in"), ("headers", r#"{"X-A":["1","2"]}"#)], "");
        check(Kind::Http, &[("uri", "https://h/in")], "cannot post over https");
        check(Kind::Http, &[("uri", "ftp://h/in")], "uri is not");
        check(Kind::Http, &[("uri", "http://h"), ("headers", r#"{"X-A":"1"}"#)], "headers is");
        check(
            Kind::Http,
            &[("uri", "http://h"), ("headers", "{\"X-A\":[\"a\\nb\"]}")],
            "headers is",
        );
    }

    #[test]
    fn a_prefix_needs_the_switch_and_cannot_hide_the_line() {
        let config = |prefix: &str| DeviceConfig {
            path: "dev/".into(),
            kind: Kind::Syslog,
            description: String::new(),
            options: BTreeMap::from([("prefix".into(), prefix.into())]),
            local: false,
        };
        assert!(config("@cee: ").check(true, false).is_ok());
        assert!(config("@cee: ").check(false, false).is_err());
        assert!(config("#!/bin/sh\n").check(true, false).is_err());
        assert!(config("{").check(true, false).is_err());
    }

    #[test]
    fn modes_lose_their_executable_bits() {
        for (text, mode) in [("0777", Some(0o666)), ("755", Some(0o644)), ("0000", None)] {
            let map = BTreeMap::from([
                ("file_path".to_owned(), "/x".to_owned()),
                ("mode".to_owned(), text.to_owned()),
            ]);
            assert!(
                matches!(file(&Options(&map)).unwrap(), Target::File { mode: got, .. } if got == mode)
            );
        }
    }

    #[test]
    fn paths_are_names() {
        for (path, good) in [
            ("file/", true),
            ("a/b/", true),
            ("file", false),
            ("/", false),
            ("", false),
            ("a//", false),
            ("../", false),
            ("a b/", false),
        ] {
            assert_eq!(check_path(path).is_ok(), good, "{path:?}");
        }
    }

    #[test]
    fn the_record_has_this_shape() {
        let text = r#"{"path":"f/","type":"file","description":"d","options":{"file_path":"/x"},"local":false}"#;
        let config: DeviceConfig = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), text);
    }
}
