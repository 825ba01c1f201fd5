use std::path::PathBuf;
use std::time::Duration;

use base_hcl::Block;
use base_types::Result;
use core_engine_api::JsonLimits;

use super::forwarded::Forwarded;
use super::keys;
use super::reader::{Place, Reader, Source};
use super::response_headers::ResponseHeaders;
use super::tls::Tls;

/// One place where requests are accepted.
#[derive(Clone, Debug)]
pub struct Listener {
    pub place: Place,
    pub bind: Bind,
    /// `None` for plain HTTP and for unix sockets.
    pub tls: Option<Tls>,
    pub limits: Limits,
    /// `None` if no forwarded address is believed.
    pub forwarded: Option<Forwarded>,
    pub response_headers: ResponseHeaders,
    pub metrics: Metrics,
    /// `sys/rekey` answers requests without a token.
    pub unauthenticated_rekey: bool,
    /// `sys/generate-root` answers requests without a token.
    pub unauthenticated_generate_root: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Bind {
    /// `host:port`; the host may be a name.
    Tcp(String),
    Unix(UnixSocket),
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnixSocket {
    pub path: PathBuf,
    pub mode: Option<u32>,
    /// A name or a number.
    pub user: Option<String>,
    /// A name or a number.
    pub group: Option<String>,
}

/// What a connection and a request may take.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The largest body in bytes; `None` for any.
    pub request_size: Option<u64>,
    /// What a body may hold.
    pub json: JsonLimits,
    /// From the arrival of the head until the answer.
    pub request_duration: Duration,
    /// For the head of a request, and for a connection until its first request.
    pub head: Duration,
    /// For the body of a request; `None` for as long as the request may take.
    pub body: Option<Duration>,
    /// Without progress while a response is written.
    pub write: Duration,
    /// Between two requests.
    pub idle: Duration,
}

/// What this listener does with requests for metrics.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Metrics {
    /// `sys/metrics` needs no token.
    pub unauthenticated: bool,
    pub access: MetricsAccess,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum MetricsAccess {
    #[default]
    Allowed,
    Forbidden,
    /// Nothing but metrics, at this path of the URL.
    Only(String),
}

/// The path of the URL that serves metrics.
pub const METRICS_PATH: &str = "/v1/sys/metrics";
pub(super) const REQUEST_DURATION_DEFAULT: Duration = Duration::from_secs(90);
const REQUEST_SIZE_DEFAULT: u64 = 32 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_size: Some(REQUEST_SIZE_DEFAULT),
            json: JsonLimits::default(),
            request_duration: Duration::ZERO,
            head: Duration::from_secs(10),
            body: Some(Duration::from_secs(30)),
            write: Duration::ZERO,
            idle: Duration::from_secs(300),
        }
    }
}

impl Listener {
    pub(super) fn read(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        match block.label(0).to_ascii_lowercase().as_str() {
            "tcp" => Self::read_tcp(block, source),
            "unix" => Self::read_unix(block, source),
            other => Err(block.at.error(format!(
                "there is no listener {other:?} here: the kinds are \"tcp\" and \"unix\""
            ))),
        }
    }

    fn read_tcp(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        let place = source.place(block.at);
        let mut reader = Reader::new(block.body, &keys::LISTENER_TCP, source);
        let mut address = "127.0.0.1:8200".to_owned();
        reader.set("address", &mut address)?;
        check_address(&address).map_err(|text| reader.invalid("address", text))?;
        let forwarded = Forwarded::read(&mut reader)?;
        let common = Common::read(&mut reader)?;
        // Last, since an unknown key may be a misspelt one that TLS misses.
        let tls = Tls::read(&mut reader, block.at);
        reader.finish()?;
        Ok(Self { tls: tls?, forwarded, ..common.listener(place, Bind::Tcp(address)) })
    }

    fn read_unix(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        let place = source.place(block.at);
        let mut reader = Reader::new(block.body, &keys::LISTENER_UNIX, source);
        let mut path = PathBuf::from("/run/strongroom.sock");
        let (mut mode, mut user, mut group) = (None::<String>, None, None);
        reader.set("address", &mut path)?;
        reader.set("socket_mode", &mut mode)?;
        reader.set("socket_user", &mut user)?;
        reader.set("socket_group", &mut group)?;
        let mode = mode.filter(|text| !text.is_empty());
        let mode = mode.map(|text| octal(&text)).transpose();
        let mode = mode.map_err(|text| reader.invalid("socket_mode", text))?;
        let common = Common::read(&mut reader)?;
        reader.finish()?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let socket = UnixSocket { path, mode, user: given(user), group: given(group) };
        Ok(common.listener(place, Bind::Unix(socket)))
    }

    /// Fills in what depends on keys at the top of the files.
    pub(super) fn complete(&mut self, request_duration: Duration, hostname_header: bool) {
        if self.limits.request_duration.is_zero() {
            self.limits.request_duration = request_duration;
        }
        let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        // Best effort, as documented: a name that is no header value is left out.
        if let Ok(value) = http::HeaderValue::from_str(hostname.trim())
            && hostname_header
        {
            let name = http::HeaderName::from_static("x-vault-hostname");
            self.response_headers.add_default(name, value);
        }
    }
}

/// What both kinds of listener have.
struct Common {
    limits: Limits,
    response_headers: ResponseHeaders,
    metrics: Metrics,
    unauthenticated_rekey: bool,
    unauthenticated_generate_root: bool,
}

impl Common {
    fn read(reader: &mut Reader<'_, '_>) -> Result<Self> {
        let limits = Limits::read(reader)?;
        let blocks = reader.blocks("custom_response_headers", 1)?;
        let response_headers = ResponseHeaders::read(&blocks, reader.source)?;
        let metrics = match reader.block("telemetry")? {
            Some(block) => Metrics::read(&block, reader.source)?,
            None => Metrics::default(),
        };
        let (mut rekey_disabled, mut generate_root_disabled) = (true, true);
        reader.set("disable_unauthed_rekey_endpoints", &mut rekey_disabled)?;
        reader.set("disable_unauthed_generate_root_endpoints", &mut generate_root_disabled)?;
        Ok(Self {
            limits,
            response_headers,
            metrics,
            unauthenticated_rekey: !rekey_disabled,
            unauthenticated_generate_root: !generate_root_disabled,
        })
    }

    fn listener(self, place: Place, bind: Bind) -> Listener {
        let Self { limits, response_headers, metrics, .. } = self;
        Listener {
            place,
            bind,
            tls: None,
            limits,
            forwarded: None,
            response_headers,
            metrics,
            unauthenticated_rekey: self.unauthenticated_rekey,
            unauthenticated_generate_root: self.unauthenticated_generate_root,
        }
    }
}

impl Limits {
    fn read(reader: &mut Reader<'_, '_>) -> Result<Self> {
        let mut limits = Self::default();
        reader.limit("max_request_size", REQUEST_SIZE_DEFAULT, &mut limits.request_size)?;
        for (key, limit) in [
            ("max_json_depth", &mut limits.json.depth),
            ("max_json_string_value_length", &mut limits.json.string_length),
            ("max_json_object_entry_count", &mut limits.json.object_entries),
            ("max_json_array_element_count", &mut limits.json.array_elements),
        ] {
            let default = *limit as u64;
            let mut wanted = Some(default);
            reader.limit(key, default, &mut wanted)?;
            *limit = wanted.and_then(|most| most.try_into().ok()).unwrap_or(usize::MAX);
        }
        let (mut body, default) = (Duration::from_secs(30), limits.head);
        reader.set("max_request_duration", &mut limits.request_duration)?;
        reader.set("http_read_header_timeout", &mut limits.head)?;
        reader.set("http_read_timeout", &mut body)?;
        reader.set("http_write_timeout", &mut limits.write)?;
        reader.set("http_idle_timeout", &mut limits.idle)?;
        // Go's rules for zero, except that nothing here waits for ever: what would be without a
        // limit gets the default.
        let first =
            |wanted: Duration, other: Duration| if wanted.is_zero() { other } else { wanted };
        limits.head = first(limits.head, first(body, default));
        limits.idle = first(limits.idle, first(body, limits.head));
        limits.write = first(limits.write, limits.idle);
        limits.body = (!body.is_zero()).then_some(body);
        Ok(limits)
    }
}

impl Metrics {
    fn read(block: &Block<'_>, source: &mut Source) -> Result<Self> {
        let mut reader = Reader::new(block.body, &keys::LISTENER_TELEMETRY, source);
        let (mut unauthenticated, mut forbidden, mut only) = (false, false, false);
        let mut path: Option<String> = None;
        reader.set("unauthenticated_metrics_access", &mut unauthenticated)?;
        reader.set("disallow_metrics", &mut forbidden)?;
        reader.set("metrics_only", &mut only)?;
        reader.set("metrics_path", &mut path)?;
        let path = path.filter(|path| !path.is_empty());
        let access = match (forbidden, only, path) {
            (true, true, _) => {
                return Err(reader.invalid("metrics_only", "contradicts disallow_metrics"));
            }
            (_, false, Some(_)) => return Err(reader.invalid("metrics_path", "needs metrics_only")),
            (_, true, Some(path)) if !path.starts_with('/') => {
                return Err(reader.invalid("metrics_path", "must begin with /"));
            }
            (_, true, path) => MetricsAccess::Only(path.unwrap_or_else(|| METRICS_PATH.to_owned())),
            (true, false, None) => MetricsAccess::Forbidden,
            (false, false, None) => MetricsAccess::Allowed,
        };
        reader.finish()?;
        Ok(Self { unauthenticated, access })
    }
}

fn check_address(address: &str) -> Result<(), String> {
    if address.contains("{{") {
        return Err("holds a template; write an address such as \"10.0.0.5:8200\"".to_owned());
    }
    let port = address.rsplit_once(':').filter(|(host, _)| {
        // An IPv6 address is in brackets, or its last group would be taken for the port.
        !host.contains(':') || (host.starts_with('[') && host.ends_with(']'))
    });
    match port {
        Some((_, port)) if port.parse::<u16>().is_ok() => Ok(()),
        _ => Err(format!(
            "must be host:port, for example \"127.0.0.1:8200\" or \"[::]:8200\", not {address:?}"
        )),
    }
}

fn octal(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777);
    mode.ok_or_else(|| "must be an octal mode such as \"0660\"".to_owned())
}
