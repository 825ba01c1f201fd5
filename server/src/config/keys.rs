use std::fmt::Write as _;

use Effect::{Honoured, Ignored, Refused};

/// The keys of one stanza, as data: the parser warns and refuses by it, the reference is printed
/// from it.
pub(super) struct Section {
    /// How the stanza is written, for example `listener "tcp"`; empty for the top of the file.
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    pub(super) groups: &'static [&'static [Key]],
}

/// One key that a configuration may hold.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    /// What it does, or why it does nothing.
    pub(super) text: &'static str,
}

/// What becomes of a key.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    /// It does what it says; its type and default.
    Honoured(&'static str),
    /// It is accepted with a warning, because configurations in the field have it and lose
    /// nothing here.
    Ignored,
    /// It stops the start, because going on without it would not be what the operator asked for.
    Refused,
}

impl Section {
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.groups.iter().flat_map(|group| group.iter())
    }
}

const fn key(name: &'static str, kind: &'static str, text: &'static str) -> Key {
    Key { name, effect: Honoured(kind), text }
}

const fn ignored(name: &'static str, text: &'static str) -> Key {
    Key { name, effect: Ignored, text }
}

const fn refused(name: &'static str, text: &'static str) -> Key {
    Key { name, effect: Refused, text }
}

const NO_PLUGINS: &str = "every engine is built in; there are no plugins";
const NO_CLUSTER: &str = "one machine serves alone; nothing is forwarded";
const NO_ACME: &str = "certificates are not fetched: name tls_cert_file and tls_key_file";
const NO_PUSH: &str = "metrics are read from sys/metrics; nothing is pushed";
const NO_PROXY_PROTOCOL: &str = "the PROXY protocol is not spoken: let the load balancer send X-Forwarded-For and name it in x_forwarded_for_authorized_addrs";
const BODY_LIMITS: &str = "max_request_size and the max_json_ keys bound a body; its memory and work grow with its length alone";
const NOT_AN_AGENT: &str = "this key belongs to an agent or proxy, not to a server";
const OTHER_EDITION: &str = "the feature that it switches does not exist here";

pub(super) static SERVER: Section = Section {
    name: "",
    text: "Keys at the top of a file. Of several files, the last that sets a key wins; stanzas `listener`, `seal`, `audit` and `user_lockout` add up.",
    groups: &[&[
        key("listener", "stanzas", "Where requests are accepted; at least one is needed."),
        key("storage", "stanza", "Where everything is kept; exactly one is needed."),
        key("backend", "stanza", "Another name for `storage`."),
        key("seal", "stanzas", "What protects the root key; Shamir's shares if there is none."),
        key("audit", "stanzas", "The audit devices, opened at the start and on SIGHUP."),
        key("telemetry", "stanza", "Without effect: `sys/metrics` needs no settings."),
        key("user_lockout", "stanzas", "When failed logins lock a user out."),
        key(
            "api_addr",
            "URL",
            "The address that clients are told; by default that of the first listener. `STRONGROOM_API_ADDR`, `BAO_API_ADDR` or `VAULT_API_ADDR` in the environment wins.",
        ),
        key("cluster_addr", "URL", "Shown by `sys/leader`; nothing listens there."),
        key(
            "cluster_name",
            "string",
            "Shown by `sys/seal-status`; made up at initialisation if not set.",
        ),
        key(
            "default_lease_ttl",
            "duration, \"768h\"",
            "How long a lease or token lives if nobody says.",
        ),
        key(
            "max_lease_ttl",
            "duration, \"768h\"",
            "How long a lease or token may live; mounts can say otherwise.",
        ),
        key(
            "default_max_request_duration",
            "duration, \"90s\"",
            "How long a request may take on listeners that do not say.",
        ),
        key(
            "log_level",
            "\"trace\", \"debug\", \"info\", \"warn\" or \"error\", \"info\"",
            "How much is logged. `STRONGROOM_LOG_LEVEL`, `BAO_LOG_LEVEL` or `VAULT_LOG_LEVEL` in the environment wins.",
        ),
        key(
            "log_format",
            "\"standard\" or \"json\", \"standard\"",
            "How a log line looks. `STRONGROOM_LOG_FORMAT`, `BAO_LOG_FORMAT` or `VAULT_LOG_FORMAT` in the environment wins.",
        ),
        key(
            "log_file",
            "path",
            "A file that gets the log as well as standard error. A folder gets `strongroom.log`.",
        ),
        key(
            "log_rotate_bytes",
            "integer, 0",
            "The size at which the log file is set aside; 0 for any.",
        ),
        key(
            "log_rotate_duration",
            "duration, \"24h\"",
            "The age at which the log file is set aside.",
        ),
        key(
            "log_rotate_max_files",
            "integer, 0",
            "How many files set aside are kept; 0 for all, -1 for none.",
        ),
        key("pid_file", "path", "A file that holds the process id while the server runs."),
        key(
            "enable_response_header_hostname",
            "boolean, false",
            "Adds `X-Vault-Hostname` to every response.",
        ),
        key(
            "unsafe_allow_api_audit_creation",
            "boolean, false",
            "Lets `sys/audit` create devices, and so write files.",
        ),
        key(
            "allow_audit_log_prefixing",
            "boolean, false",
            "Lets audit devices have the option `prefix`.",
        ),
        ignored("ui", "there is no web page to serve"),
        ignored("disable_mlock", "memory is never locked: turn swap off or encrypt it"),
        ignored("cache_size", "caches are bounded by themselves"),
        ignored("disable_cache", "caches are always coherent with the storage"),
        ignored("raw_storage_endpoint", "sys/raw does not exist: nothing is below the policies"),
        ignored("introspection_endpoint", "sys/internal/inspect does not exist"),
        ignored("disable_printable_check", "paths are always checked"),
        ignored("log_requests_level", "requests are recorded by audit devices"),
        ignored("detect_deadlocks", "there are no locks to watch"),
        ignored("imprecise_lease_role_tracking", "leases are counted by an index"),
        ignored(
            "remove_irrevocable_lease_after",
            "irrevocable leases are listed until somebody removes them",
        ),
        ignored("unsafe_relative_paths", "paths with . and .. are always refused"),
        ignored("allow_unauthenticated_workflows", "there are no workflows"),
        ignored("enable_multiseal", "several seal stanzas need no switch"),
        ignored("cluster_cipher_suites", NO_CLUSTER),
        ignored("disable_clustering", NO_CLUSTER),
        ignored("disable_standby_reads", NO_CLUSTER),
        ignored("disable_performance_standby", NO_CLUSTER),
        ignored("enable_response_header_raft_node_id", NO_CLUSTER),
        ignored("replication", NO_CLUSTER),
        ignored(
            "service_registration",
            "the server registers itself nowhere: let the service manager check sys/health",
        ),
        ignored("plugin_directory", NO_PLUGINS),
        ignored("plugin_tmpdir", NO_PLUGINS),
        ignored("plugin_file_uid", NO_PLUGINS),
        ignored("plugin_file_permissions", NO_PLUGINS),
        ignored("plugin_download_behavior", NO_PLUGINS),
        ignored("plugin_download_max_size", NO_PLUGINS),
        ignored("plugin_auto_download", NO_PLUGINS),
        ignored("plugin_auto_register", NO_PLUGINS),
        ignored("disable_sealwrap", OTHER_EDITION),
        ignored("disable_indexing", OTHER_EDITION),
        ignored("disable_sentinel_trace", OTHER_EDITION),
        ignored("license_path", OTHER_EDITION),
        ignored("administrative_namespace_path", OTHER_EDITION),
        ignored("experiments", OTHER_EDITION),
        ignored("reporting", OTHER_EDITION),
        ignored("request_limiter", OTHER_EDITION),
        ignored("enable_post_unseal_trace", OTHER_EDITION),
        ignored("post_unseal_trace_directory", OTHER_EDITION),
        refused(
            "ha_storage",
            "one machine serves alone: remove it, and with it the machines that would take over",
        ),
        refused("plugin", NO_PLUGINS),
        refused(
            "initialize",
            "the server does not set itself up: run `operator init` and a script",
        ),
        refused("unsafe_cross_namespace_identity", "an identity always belongs to one namespace"),
        refused("sentinel", OTHER_EDITION),
        refused("entropy", "randomness comes from the operating system"),
        refused(
            "kms_library",
            "keys are not kept in hardware: see the stanza seal for what exists",
        ),
    ]],
};

const LISTENER_COMMON: &[Key] = &[
    key(
        "max_request_size",
        "integer, 33554432",
        "The largest body in bytes; 0 for the default, below 0 for any.",
    ),
    key(
        "max_json_depth",
        "integer, 64",
        "How deep objects and lists in a body may stand in each other; more than 100 is 100.",
    ),
    key(
        "max_json_string_value_length",
        "integer, no limit",
        "The longest text in a body, in bytes as it is written.",
    ),
    key(
        "max_json_object_entry_count",
        "integer, no limit",
        "The most members of an object in a body. A body never holds more than 100000 values altogether.",
    ),
    key(
        "max_json_array_element_count",
        "integer, no limit",
        "The most elements of a list in a body. A body never holds more than 100000 values altogether.",
    ),
    key(
        "max_request_duration",
        "duration, \"90s\"",
        "How long a request may take before it is answered with 503.",
    ),
    key(
        "http_read_header_timeout",
        "duration, \"10s\"",
        "How long the head of a request, or the first request of a connection, may take to arrive.",
    ),
    key(
        "http_read_timeout",
        "duration, \"30s\"",
        "How long the body of a request may take to arrive; 0 for any.",
    ),
    key(
        "http_write_timeout",
        "duration, 0",
        "How long a client may refuse to take bytes of a response; 0 for as long as http_idle_timeout.",
    ),
    key(
        "http_idle_timeout",
        "duration, \"5m\"",
        "How long a connection may wait for its next request; 0 for http_read_timeout.",
    ),
    key(
        "custom_response_headers",
        "stanza",
        "Headers for responses, by `default`, class (`2xx`) or status (`307`); the closest wins. A header that the server sets itself stays.",
    ),
    key(
        "disable_unauthed_rekey_endpoints",
        "boolean, true",
        "Keeps `sys/rekey` for tokens that may use it with `sudo`; with `false`, shares are enough, and whoever reaches the listener can begin and end the operation.",
    ),
    key(
        "disable_unauthed_generate_root_endpoints",
        "boolean, true",
        "Keeps `sys/generate-root` for tokens that may use it with `sudo`; with `false`, shares are enough, and whoever reaches the listener can begin and end the operation. Set it for the time that it takes to replace a root token that is lost.",
    ),
    key("telemetry", "stanza", "Who may read metrics through this listener."),
    ignored("profiling", "sys/pprof does not exist"),
    ignored("inflight_requests_logging", "sys/in-flight-req always needs a token"),
    ignored("purpose", "every listener serves the whole API"),
    ignored("role", NOT_AN_AGENT),
    ignored("require_request_header", NOT_AN_AGENT),
    ignored("disable_request_limiter", OTHER_EDITION),
    ignored("cors_enabled", "CORS is configured at sys/config/cors"),
    ignored("cors_allowed_origins", "CORS is configured at sys/config/cors"),
    ignored("cors_allowed_headers", "CORS is configured at sys/config/cors"),
    ignored("cors_allow_credentials", "CORS is configured at sys/config/cors"),
    ignored("max_request_json_memory", BODY_LIMITS),
    ignored("max_request_json_strings", BODY_LIMITS),
    ignored("chroot_namespace", OTHER_EDITION),
    ignored("redact_addresses", OTHER_EDITION),
    ignored("redact_cluster_name", OTHER_EDITION),
    ignored("redact_version", OTHER_EDITION),
    refused("agent_api", NOT_AN_AGENT),
    refused("proxy_api", NOT_AN_AGENT),
];

pub(super) static LISTENER_TCP: Section = Section {
    name: "listener \"tcp\"",
    text: "A TCP port, with TLS unless `tls_disable` is set.",
    groups: &[
        &[
            key(
                "address",
                "host:port, \"127.0.0.1:8200\"",
                "What to bind; `[::]:8200` is every address of the machine.",
            ),
            key(
                "tls_disable",
                "boolean, false",
                "Serves plain HTTP, in which tokens and secrets can be read on the way.",
            ),
            key(
                "tls_cert_file",
                "path",
                "The certificate chain in PEM form, the server's own first. Read again on SIGHUP.",
            ),
            key(
                "tls_key_file",
                "path",
                "The private key in PEM form, not encrypted. Read again on SIGHUP.",
            ),
            key(
                "tls_min_version",
                "\"tls12\" or \"tls13\", \"tls12\"",
                "The oldest TLS version spoken.",
            ),
            key(
                "tls_max_version",
                "\"tls12\" or \"tls13\", \"tls13\"",
                "The newest TLS version spoken.",
            ),
            key(
                "tls_cipher_suites",
                "list of names",
                "The suites for TLS 1.2 by their IANA names; those of TLS 1.3 are always offered.",
            ),
            key(
                "tls_key_exchange_preferences",
                "list of names",
                "The key exchanges: X25519MLKEM768, SecP256r1MLKEM768, X25519, CurveP256, CurveP384.",
            ),
            key(
                "tls_client_ca_file",
                "path",
                "The CA certificates for tls_require_and_verify_client_cert, in PEM form.",
            ),
            key(
                "tls_require_and_verify_client_cert",
                "boolean, false",
                "Refuses clients without a certificate of that CA. Otherwise any certificate is taken, and judged by auth methods.",
            ),
            key(
                "tls_disable_client_certs",
                "boolean, false",
                "Does not ask clients for a certificate.",
            ),
            key(
                "tls_auto_reload",
                "boolean, false",
                "Reads the certificate and key again when they change.",
            ),
            key(
                "tls_auto_reload_interval",
                "duration, \"30s\"",
                "How often to look for that; at least 5s.",
            ),
            key(
                "x_forwarded_for_authorized_addrs",
                "list of addresses or CIDRs",
                "The load balancers whose `X-Forwarded-For` is believed. Setting it turns the other rules on.",
            ),
            key(
                "x_forwarded_for_hop_skips",
                "integer, 0",
                "How many addresses to pass over from the end of the header.",
            ),
            key(
                "x_forwarded_for_reject_not_authorized",
                "boolean, true",
                "Refuses requests that have the header and come from elsewhere; else the header is ignored.",
            ),
            key(
                "x_forwarded_for_reject_not_present",
                "boolean, true",
                "Refuses requests without the header; else the peer's address counts.",
            ),
            ignored("cluster_address", NO_CLUSTER),
            ignored("tls_prefer_server_cipher_suites", "the server's order always counts"),
            ignored(
                "x_forwarded_for_client_cert_header",
                "client certificates are taken from the TLS connection alone",
            ),
            ignored(
                "x_forwarded_for_client_cert_decoders",
                "client certificates are taken from the TLS connection alone",
            ),
            ignored(
                "x_forwarded_for_client_cert_keep_not_forwarded",
                "client certificates are taken from the TLS connection alone",
            ),
            ignored(
                "x_forwarded_for_client_cert_keep_unauthorized",
                "client certificates are taken from the TLS connection alone",
            ),
            refused("proxy_protocol_behavior", NO_PROXY_PROTOCOL),
            refused("proxy_protocol_authorized_addrs", NO_PROXY_PROTOCOL),
            refused("tls_acme_ca_directory", NO_ACME),
            refused("tls_acme_test_ca_directory", NO_ACME),
            refused("tls_acme_cache_path", NO_ACME),
            refused("tls_acme_ca_root", NO_ACME),
            refused("tls_acme_eab_key_id", NO_ACME),
            refused("tls_acme_eab_mac_key", NO_ACME),
            refused("tls_acme_key_type", NO_ACME),
            refused("tls_acme_email", NO_ACME),
            refused("tls_acme_domains", NO_ACME),
            refused("tls_acme_disable_http_challenge", NO_ACME),
            refused("tls_acme_disable_alpn_challenge", NO_ACME),
        ],
        LISTENER_COMMON,
    ],
};

pub(super) static LISTENER_UNIX: Section = Section {
    name: "listener \"unix\"",
    text: "A unix socket. Who may open the file may send requests.",
    groups: &[
        &[
            key("address", "path, \"/run/strongroom.sock\"", "Where the socket is made."),
            key(
                "socket_mode",
                "octal string",
                "The permissions of the socket, for example \"0660\".",
            ),
            key("socket_user", "name or number", "The owner of the socket."),
            key("socket_group", "name or number", "The group of the socket."),
            ignored("tls_disable", "a unix socket has no TLS"),
        ],
        LISTENER_COMMON,
    ],
};

pub(super) static LISTENER_TELEMETRY: Section = Section {
    name: "listener … telemetry",
    text: "Inside a listener: who may read metrics through it.",
    groups: &[&[
        key(
            "unauthenticated_metrics_access",
            "boolean, false",
            "Serves `sys/metrics` without a token.",
        ),
        key("disallow_metrics", "boolean, false", "Refuses `sys/metrics` on this listener."),
        key("metrics_only", "boolean, false", "Serves nothing else on this listener."),
        key("metrics_path", "string", "Another path for the metrics, with metrics_only."),
    ]],
};

pub(super) static STORAGE_EMBEDDED: Section = Section {
    name: "storage \"embedded\"",
    text: "A folder on a local disk. Every acknowledged write survives a crash.",
    groups: &[&[key("path", "path", "The folder; it is made if it does not exist. Required.")]],
};

pub(super) static STORAGE_INMEM: Section = Section {
    name: "storage \"inmem\"",
    text: "Memory: everything is gone when the server stops. For tests.",
    groups: &[&[]],
};

const SEAL_COMMON: &[Key] = &[
    key("name", "string", "What to call this seal, if there are several; by default its kind."),
    key("priority", "integer, 1", "The order in which seals are tried, the smallest first."),
    ignored("health_check_enabled", "this seal cannot go away"),
    ignored("health_check_timeout", "this seal cannot go away"),
    ignored("health_check_interval", "this seal cannot go away"),
    ignored("health_check_interval_unhealthy", "this seal cannot go away"),
    refused(
        "disabled",
        "every seal of the file is used: remove the stanza of one that is not wanted",
    ),
];

pub(super) static SEAL_SHAMIR: Section = Section {
    name: "seal \"shamir\"",
    text: "People hold shares of the key and unseal the server together.",
    groups: &[SEAL_COMMON],
};

pub(super) static SEAL_STATIC: Section = Section {
    name: "seal \"static\"",
    text: "A key of 32 bytes, raw, hex or base64, opens the server by itself. Keys are given as `file://…`, `env://…` or, less well, in place.",
    groups: &[
        &[
            key(
                "current_key_id",
                "string",
                "A name for the key that changes whenever the key does. Required.",
            ),
            key("current_key", "key", "The key. Required."),
            key("previous_key_id", "string", "The name of the key before."),
            key("previous_key", "key", "The key before, which opens what it has sealed."),
        ],
        SEAL_COMMON,
    ],
};

pub(super) static AUDIT: Section = Section {
    name: "audit \"KIND\" \"NAME\"",
    text: "An audit device of the kind `file`, `socket`, `syslog` or `http`.",
    groups: &[&[
        key("description", "string", "What it is for."),
        key(
            "options",
            "strings by name",
            "The options of the kind, as with `sys/audit`; a file needs `file_path`.",
        ),
        key("local", "boolean, false", "Shown by `sys/audit`."),
    ]],
};

pub(super) static TELEMETRY: Section = Section {
    name: "telemetry",
    text: "Configurations in the field have it; `sys/metrics` needs no settings.",
    groups: &[&[
        ignored("prometheus_retention_time", "figures are counted from the start of the server on"),
        ignored("disable_hostname", "no name has the host name in it"),
        ignored("metrics_prefix", "names begin with vault: let the scraper rename them"),
        ignored("usage_gauge_period", "gauges are counted when somebody reads them"),
        ignored("enable_hostname_label", "let the scraper add the label"),
        ignored("maximum_gauge_cardinality", "labels are bounded by themselves"),
        ignored("lease_metrics_epsilon", "leases are counted, not sorted into buckets"),
        ignored("num_lease_metrics_buckets", "leases are counted, not sorted into buckets"),
        ignored(
            "add_lease_metrics_namespace_labels",
            "leases are counted, not sorted into buckets",
        ),
        ignored("add_mount_point_rollback_metrics", "there are no rollbacks"),
        ignored("rollback_metrics_include_mount_point", "there are no rollbacks"),
        ignored("filter_default", "let the scraper drop what it does not need"),
        ignored("prefix_filter", "let the scraper drop what it does not need"),
        ignored("statsite_address", NO_PUSH),
        ignored("statsd_address", NO_PUSH),
        ignored("dogstatsd_addr", NO_PUSH),
        ignored("dogstatsd_tags", NO_PUSH),
        ignored("circonus_api_token", NO_PUSH),
        ignored("circonus_api_app", NO_PUSH),
        ignored("circonus_api_url", NO_PUSH),
        ignored("circonus_submission_interval", NO_PUSH),
        ignored("circonus_submission_url", NO_PUSH),
        ignored("circonus_check_id", NO_PUSH),
        ignored("circonus_check_force_metric_activation", NO_PUSH),
        ignored("circonus_check_instance_id", NO_PUSH),
        ignored("circonus_check_search_tag", NO_PUSH),
        ignored("circonus_check_display_name", NO_PUSH),
        ignored("circonus_check_tags", NO_PUSH),
        ignored("circonus_broker_id", NO_PUSH),
        ignored("circonus_broker_select_tag", NO_PUSH),
        ignored("stackdriver_project_id", NO_PUSH),
        ignored("stackdriver_location", NO_PUSH),
        ignored("stackdriver_namespace", NO_PUSH),
        ignored("stackdriver_debug_logs", NO_PUSH),
    ]],
};

pub(super) static USER_LOCKOUT: Section = Section {
    name: "user_lockout \"METHOD\"",
    text: "For `userpass`, `approle`, `ldap` or `all`; what a method does not say, `all` says. `STRONGROOM_DISABLE_USER_LOCKOUT`, `BAO_DISABLE_USER_LOCKOUT` or `VAULT_DISABLE_USER_LOCKOUT` in the environment turns it off.",
    groups: &[&[
        key("lockout_threshold", "integer, 5", "How many logins must fail."),
        key("lockout_duration", "duration, \"15m\"", "How long the user is locked out."),
        key(
            "lockout_counter_reset",
            "duration, \"15m\"",
            "After how long without a failure the count starts anew.",
        ),
        key("disable_lockout", "boolean, false", "Never locks anybody out."),
    ]],
};

pub(super) static SECTIONS: [&Section; 12] = [
    &SERVER,
    &LISTENER_TCP,
    &LISTENER_UNIX,
    &LISTENER_TELEMETRY,
    &STORAGE_EMBEDDED,
    &STORAGE_INMEM,
    &SEAL_SHAMIR,
    &SEAL_STATIC,
    &AUDIT,
    &TELEMETRY,
    &USER_LOCKOUT,
    &VALUES,
];

/// A section without keys of its own: the reference says once what all files have in common.
static VALUES: Section = Section {
    name: "Values",
    text: "A duration is a number of seconds or a text such as \"90s\", \"1h30m\" or \"30d\". Numbers and booleans may be in quotes. A list may be one string with commas. The environment is read only where this page says so.",
    groups: &[],
};

/// The reference of all configuration keys, as Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Server configuration\n\n\
         Files are HCL or JSON, given by `-config=FILE`, which may be repeated or name a folder whose \
         `*.hcl` and `*.json` are read in the order of their names. An unknown key is an error.\n",
    );
    for section in SECTIONS {
        let title = if section.name.is_empty() { "Top level" } else { section.name };
        let _ = write!(page, "\n## {title}\n\n{}\n", section.text);
        rows(&mut page, section, "| key | type, default | meaning |\n|---|---|---|", |effect| {
            matches!(effect, Honoured(_))
        });
        rows(&mut page, section, "| without effect | why |\n|---|---|", |effect| {
            matches!(effect, Ignored)
        });
        rows(&mut page, section, "| refused | why |\n|---|---|", |effect| {
            matches!(effect, Refused)
        });
    }
    page
}

fn rows(page: &mut String, section: &Section, head: &str, wanted: impl Fn(Effect) -> bool) {
    let mut head = Some(head);
    for Key { name, effect, text } in section.keys().filter(|key| wanted(key.effect)) {
        if let Some(head) = head.take() {
            let _ = write!(page, "\n{head}\n");
        }
        let _ = match effect {
            Honoured(kind) => writeln!(page, "| `{name}` | {kind} | {text} |"),
            Ignored | Refused => writeln!(page, "| `{name}` | {text} |"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once_in_its_section() {
        for section in SECTIONS {
            let mut names: Vec<&str> = section.keys().map(|key| key.name).collect();
            let count = names.len();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), count, "{}", section.name);
        }
    }

    #[test]
    fn the_reference_has_a_row_for_every_key() {
        let page = reference();
        for key in SECTIONS.iter().flat_map(|section| section.keys()) {
            assert!(page.contains(&format!("\n| `{}` | ", key.name)), "{}", key.name);
        }
        assert!(page.contains("\n## listener \"tcp\"\n"));
    }

    #[test]
    fn the_page_in_docs_is_the_reference() {
        let page = include_str!("../../../docs/config.md");
        let remedy = "cargo run -p server --example reference > docs/config.md";
        assert!(page == reference(), "docs/config.md is not what the tables say; run `{remedy}`");
    }
}
