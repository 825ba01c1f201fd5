use std::path::Path;

use super::*;

fn no_environment() -> Environment {
    Environment::from_fn(|_| None)
}

fn parse(text: &str) -> Result<Config> {
    Config::parse("a.hcl", text, &no_environment())
}

/// The least that is a configuration, to which tests add.
const LEAST: &str = "storage \"inmem\" {}\nlistener \"tcp\" { tls_disable = true }\n";

fn with(text: &str) -> Result<Config> {
    parse(&format!("{LEAST}{text}"))
}

fn refused(text: &str) -> String {
    with(text).err().map(|error| error.public().to_owned()).unwrap_or_default()
}

#[test]
fn a_mistake_is_named_with_its_place_and_the_remedy() {
    for (text, message) in [
        ("uui = true", "a.hcl: unknown key \"uui\" at line 3, column 1; did you mean \"ui\"?"),
        (
            "\nlisener \"tcp\" {}",
            "a.hcl: unknown key \"lisener\" at line 4, column 1; did you mean \"listener\"?",
        ),
        (
            "listener \"tcp\" {\n  tls_cert_flie = \"x\"\n  tls_key_file = \"y\"\n}",
            "a.hcl: unknown key \"tls_cert_flie\" at line 4, column 3; did you mean \"tls_cert_file\"?",
        ),
        (
            "listener \"tcp\" { agent_api { } }",
            "a.hcl: line 3, column 18: \"agent_api\" is not offered: this key belongs to an agent or \
             proxy, not to a server",
        ),
        (
            "listener \"tcp\" {\n  tls_disable = 1\n  proxy_protocol_behavior = \"use_always\"\n}",
            "a.hcl: line 5, column 3: \"proxy_protocol_behavior\" is not offered: the PROXY protocol \
             is not spoken",
        ),
        (
            "listener \"tcp\" {}",
            "a.hcl: line 3, column 10: TLS needs \"tls_cert_file\" and \"tls_key_file\"",
        ),
        (
            "listener \"udp\" {}",
            "a.hcl: line 3, column 10: there is no listener \"udp\" here: the kinds are \"tcp\" and \
             \"unix\"",
        ),
        (
            "listener \"tcp\" { tls_disable = true address = \"8200\" }",
            "a.hcl: line 3, column 37: \"address\" must be host:port, for example",
        ),
        (
            "listener \"tcp\" { tls_disable = true address = \"{{ GetPrivateIP }}:8200\" }",
            "a.hcl: line 3, column 37: \"address\" holds a template",
        ),
        (
            "listener \"tcp\" { tls_min_version = \"tls10\" }",
            "a.hcl: line 3, column 18: \"tls_min_version\" cannot be \"tls10\"; did you mean \"tls12\"?",
        ),
        (
            "listener \"tcp\" { tls_min_version = \"tls13\" tls_max_version = \"tls12\" }",
            "a.hcl: line 3, column 18: \"tls_min_version\" is above tls_max_version",
        ),
        (
            "listener \"tcp\" { tls_cipher_suites = \"TLS_RSA_WITH_RC4_128_SHA\" }",
            "a.hcl: line 3, column 18: \"tls_cipher_suites\" cannot be \"TLS_RSA_WITH_RC4_128_SHA\"",
        ),
        (
            "listener \"tcp\" { tls_key_exchange_preferences = [\"CurveP521\"] }",
            "a.hcl: line 3, column 18: \"tls_key_exchange_preferences\" cannot be \"CurveP521\"; did \
             you mean \"CurveP256\"?",
        ),
        (
            "listener \"tcp\" { tls_require_and_verify_client_cert = true }",
            "a.hcl: line 3, column 18: \"tls_require_and_verify_client_cert\" needs tls_client_ca_file",
        ),
        (
            "listener \"tcp\" { tls_require_and_verify_client_cert = true\ntls_disable_client_certs = 1 }",
            "a.hcl: line 3, column 18: \"tls_require_and_verify_client_cert\" contradicts",
        ),
        (
            "listener \"tcp\" { tls_auto_reload_interval = \"1s\" }",
            "a.hcl: line 3, column 18: \"tls_auto_reload_interval\" must be at least 5s",
        ),
        (
            "listener \"tcp\" { x_forwarded_for_authorized_addrs = \"10.0.0.0/8, balancer\" }",
            "a.hcl: line 3, column 18: \"x_forwarded_for_authorized_addrs\" holds \"balancer\", which",
        ),
        (
            "listener \"tcp\" { telemetry { metrics_path = \"/m\" } }",
            "a.hcl: line 3, column 30: \"metrics_path\" needs metrics_only",
        ),
        (
            "listener \"tcp\" { telemetry { metrics_only = 1 disallow_metrics = 1 } }",
            "a.hcl: line 3, column 30: \"metrics_only\" contradicts disallow_metrics",
        ),
        (
            "listener \"tcp\" { custom_response_headers { \"6xx\" = { a = [\"b\"] } } }",
            "a.hcl: line 3, column 44: custom_response_headers are given by \"default\"",
        ),
        (
            "listener \"unix\" { socket_mode = \"rw\" }",
            "a.hcl: line 3, column 19: \"socket_mode\" must be an octal mode such as \"0660\"",
        ),
        (
            "listener \"unix\" { path = \"/run/x.sock\" }",
            "a.hcl: unknown key \"path\" at line 3, column 19; known keys: address",
        ),
        (
            "listener \"tcp\" { tls_disable = true http_idle_timeout = \"soon\" }",
            "a.hcl: line 3, column 57: \"http_idle_timeout\": not a duration",
        ),
        (
            "storage \"raft\" {}",
            "a.hcl: line 3, column 9: there can be one storage; the first is at",
        ),
        (
            "ha_storage \"consul\" {}",
            "a.hcl: line 3, column 1: \"ha_storage\" is not offered: one machine serves alone",
        ),
        (
            "seal \"awskms\" {}",
            "a.hcl: line 3, column 6: there is no seal \"awskms\" here: the kinds are \"shamir\" and",
        ),
        (
            "seal \"static\" {}",
            "a.hcl: line 3, column 6: \"current_key_id\" and \"current_key\" are missing",
        ),
        (
            "seal \"static\" { curent_key = \"file:///k\" }",
            "a.hcl: unknown key \"curent_key\" at line 3, column 17; did you mean \"current_key\"?",
        ),
        (
            "seal \"static\" { current_key_id = \"1\" current_key = \"hunter2\" }",
            "a.hcl: line 3, column 38: \"current_key\" must be 32 bytes in hex or base64, or file://",
        ),
        (
            "seal \"static\" { current_key_id = \"1\" }",
            "a.hcl: line 3, column 17: \"current_key_id\" needs \"current_key\"",
        ),
        (
            "seal \"static\" { current_key_id = \"1\" current_key = \"env://A\"\nprevious_key_id = \"1\" \
             previous_key = \"env://B\" }",
            "a.hcl: line 4, column 1: \"previous_key_id\" is the current one",
        ),
        (
            "seal \"shamir\" {}\nseal \"shamir\" {}",
            "a.hcl: line 4, column 6: the seal at a.hcl: line 3, column 6 is also called \"shamir\"",
        ),
        (
            "audit \"fil\" \"a\" {}",
            "a.hcl: line 3, column 7: the kind of an audit device cannot be \"fil\"; did you mean",
        ),
        (
            "audit \"file\" {}",
            "a.hcl: line 3, column 7: a label is missing: audit \"…\" \"…\" { … }",
        ),
        (
            "audit \"file\" \"a\" { options { path = \"x\" } }",
            "a.hcl: line 3, column 14: \"file_path\" is missing in options",
        ),
        (
            "audit \"file\" \"a\" { options { file_path = \"stdout\" prefix = \"#!\" } }",
            "a.hcl: line 3, column 14: the option \"prefix\" needs allow_audit_log_prefixing = true",
        ),
        (
            "audit \"syslog\" \"a\" {}\naudit \"socket\" \"a/\" {}",
            "a.hcl: line 4, column 16: the audit device at a.hcl: line 3, column 16 is also called",
        ),
        (
            "user_lockout \"github\" {}",
            "a.hcl: line 3, column 14: no logins of \"github\" are counted: write all, approle",
        ),
        (
            "user_lockout \"all\" { lockout_threshold = 0 }",
            "a.hcl: line 3, column 22: \"lockout_threshold\" cannot be 0",
        ),
        (
            "log_level = \"loud\"",
            "a.hcl: line 3, column 1: \"log_level\" cannot be \"loud\"; it can be trace, debug",
        ),
        ("log_rotate_duration = 0", "a.hcl: line 3, column 1: \"log_rotate_duration\" cannot be 0"),
        (
            "max_lease_ttl = \"1h\"\ndefault_lease_ttl = \"2h\"",
            "default_lease_ttl (2h0m0s) is longer than max_lease_ttl (1h0m0s): make it shorter",
        ),
        ("api_addr = \"vault.example.com\"", "api_addr is no URL: write for example"),
        (
            "api_addr = \"https://{{ GetPrivateIP }}:8200\"",
            "api_addr is no URL: templates are not expanded",
        ),
        ("ui = true\nui = true", ""),
        (
            "api_addr = \"a\"\napi_addr = \"b\"",
            "a.hcl: line 4, column 1: \"api_addr\" is set for the second time",
        ),
        ("listener \"tcp\" {", "a.hcl: line 3, column 16: the block never ends: add }"),
    ] {
        let found = refused(text);
        assert!(found.starts_with(message), "{text}\nis refused with: {found}");
        assert_eq!(message.is_empty(), found.is_empty(), "{text}\nis refused with: {found}");
        assert!(!found.contains("hunter2"), "{found}");
    }
}

#[test]
fn what_is_missing_is_asked_for() {
    for (text, message) in [
        ("", "no listener is configured"),
        (
            "listener \"tcp\" { tls_disable = true }",
            "no storage is configured: add storage \"embed",
        ),
        ("storage \"inmem\" {}", "no listener is configured: add listener \"tcp\""),
        (
            "storage \"raft\" { path = \"/x\" }",
            "a.hcl: line 1, column 9: there is no storage \"raft\" here: add storage \"embedded\" { path",
        ),
        ("backend \"consul\" {}", "a.hcl: line 1, column 9: there is no storage \"consul\" here"),
        ("storage \"embedded\" {}", "a.hcl: line 1, column 9: \"path\" is missing"),
        ("storage \"embedded\" { path = \"\" }", "a.hcl: line 1, column 22: \"path\" is empty"),
        ("storage \"inmem\" { path = 1 }", "a.hcl: unknown key \"path\" at line 1, column 19"),
    ] {
        let found = parse(text).err().unwrap();
        assert!(found.public().starts_with(message), "{text}\nis refused with: {found:?}");
    }
}

/// The parser asks for exactly the keys that the tables list: the error for a key that resembles
/// none names all of them.
#[test]
fn the_tables_list_the_keys_that_are_read() {
    let odd = "zzzzzzzzzzzzzzzzzzzzzzzz = 1";
    for (section, text) in [
        (&keys::SERVER, odd.to_owned()),
        (&keys::LISTENER_TCP, format!("listener \"tcp\" {{ {odd} }}")),
        (&keys::LISTENER_UNIX, format!("listener \"unix\" {{ {odd} }}")),
        (&keys::LISTENER_TELEMETRY, format!("listener \"unix\" {{ telemetry {{ {odd} }} }}")),
        (&keys::SEAL_SHAMIR, format!("seal \"shamir\" {{ {odd} }}")),
        (&keys::SEAL_STATIC, format!("seal \"static\" {{ {odd} }}")),
        (&keys::AUDIT, format!("audit \"file\" \"a\" {{ {odd} }}")),
        (&keys::TELEMETRY, format!("telemetry {{ {odd} }}")),
        (&keys::USER_LOCKOUT, format!("user_lockout \"all\" {{ {odd} }}")),
        (&keys::STORAGE_EMBEDDED, format!("storage \"embedded\" {{ {odd} }}")),
        (&keys::STORAGE_INMEM, format!("storage \"inmem\" {{ {odd} }}")),
    ] {
        let error = parse(&text).err().unwrap().public().to_owned();
        let mut listed: Vec<&str> = section.keys().map(|key| key.name).collect();
        listed.sort_unstable();
        if listed.is_empty() {
            assert!(error.contains("nothing may stand here"), "{error}");
            continue;
        }
        let (_, read) = error.split_once("known keys: ").expect(&error);
        let mut read: Vec<&str> = read.split(", ").collect();
        read.sort_unstable();
        assert_eq!(read, listed, "{}", section.name);
    }
}

#[test]
fn every_key_without_effect_is_accepted_and_said() {
    for (section, open, close) in [
        (&keys::SERVER, "", ""),
        (&keys::LISTENER_TCP, "listener \"tcp\" { tls_disable = true ", "}"),
        (&keys::LISTENER_UNIX, "listener \"unix\" {", "}"),
        (&keys::TELEMETRY, "telemetry {", "}"),
        (&keys::SEAL_SHAMIR, "seal \"shamir\" {", "}"),
    ] {
        for key in section.keys() {
            let text = format!("{open}\n{} = \"x\"\n{close}", key.name);
            match key.effect {
                keys::Effect::Honoured(_) => {}
                keys::Effect::Ignored => {
                    let warnings = with(&text).map(|config| config.warnings).unwrap();
                    let expected = format!(
                        "a.hcl: line 4, column 1: {:?} has no effect here: {}",
                        key.name, key.text
                    );
                    assert_eq!(warnings.len(), 1, "{text}");
                    assert_eq!(warnings[0].to_string(), expected);
                }
                keys::Effect::Refused => {
                    let expected =
                        format!("a.hcl: line 4, column 1: {:?} is not offered", key.name);
                    assert!(refused(&text).starts_with(&expected), "{text}");
                }
            }
        }
    }
}

const FULL: &str = r#"
ui            = true
cluster_addr  = "https://127.0.0.1:8201"
api_addr      = "https://127.0.0.1:8200"
cluster_name  = "prod"
disable_mlock = true
default_lease_ttl = "1h"
max_lease_ttl = "30d"
default_max_request_duration = 60
log_level = "debug"
log_format = "json"
log_file = "/var/log/strongroom/"
log_rotate_bytes = 1048576
log_rotate_duration = "12h"
log_rotate_max_files = -1
pid_file = "/run/strongroom.pid"
unsafe_allow_api_audit_creation = "true"

storage "embedded" {
  path = "/var/lib/strongroom"
}

# Primary listener for general API traffic
listener "tcp" {
  address         = "[::]:8200"
  cluster_address = "[::]:8201"
  tls_cert_file = "/etc/certs/openbao.crt"
  tls_key_file  = "/etc/certs/openbao.key"
  tls_client_ca_file = "/etc/certs/ca.crt"
  tls_require_and_verify_client_cert = "true"
  tls_min_version = "tls13"
  tls_key_exchange_preferences = ["X25519MLKEM768", "SecP256r1MLKEM768"]
  tls_auto_reload = true
  x_forwarded_for_authorized_addrs = "127.0.0.1, 10.0.0.0/8"
  x_forwarded_for_hop_skips = "1"
  x_forwarded_for_reject_not_present = false
  max_request_size = 1024
  max_request_json_memory = -1
  max_request_json_strings = 0
  max_json_depth = 20
  max_json_string_value_length = "1000"
  max_json_object_entry_count = 0
  max_json_array_element_count = -1
  max_request_duration = "5s"
  http_read_header_timeout = "2s"
  http_read_timeout = 0
  http_idle_timeout = 0
  telemetry {
    disallow_metrics = true
  }
}

listener "unix" {
  address = "/var/run/openbao.sock"
  socket_mode = "644"
  socket_user = "1000"
  socket_group = "wheel"
  telemetry {
    metrics_only                   = true
    unauthenticated_metrics_access = true
  }
}

seal "static" {
  priority = 2
  current_key_id = "20250606-1"
  current_key = "file:///openbao/secrets/unseal-20250606-1.key"
  previous_key_id = "20250306-1"
  previous_key = "env://UNSEAL_KEY"
}
seal "shamir" {}

audit "file" "to-stdout" {
  description = "Write audit information to standard output."
  options {
    file_path = "stdout"
    log_raw = "false"
    mode = 0600
  }
}
audit "socket" "siem" {
  local = true
  options = { address = "10.0.0.9:9090", socket_type = "tcp" }
}

user_lockout "all" {
  lockout_duration = "10m"
  lockout_counter_reset = "10m"
}
user_lockout "userpass" {
  lockout_threshold = "25"
  lockout_duration = "5m"
}
user_lockout "ldap" {
 disable_lockout = "true"
}

telemetry {
  prometheus_retention_time = "30s"
  disable_hostname = true
  usage_gauge_period = "none"
  statsite_address = "statsite.company.local:8125"
}
"#;

#[test]
fn a_full_configuration_in_hcl() {
    let config = parse(FULL).unwrap();
    let warned: Vec<&str> =
        config.warnings.iter().filter_map(|warning| warning.text.split('"').nth(1)).collect();
    let expected = [
        "cluster_address",
        "max_request_json_memory",
        "max_request_json_strings",
        "prometheus_retention_time",
        "disable_hostname",
        "usage_gauge_period",
        "statsite_address",
        "ui",
        "disable_mlock",
    ];
    assert_eq!(warned, expected);
    assert_eq!(config.storage.kind, StorageKind::Embedded { path: "/var/lib/strongroom".into() });
    assert_eq!(config.api_addr.as_deref(), Some("https://127.0.0.1:8200"));
    assert_eq!(config.default_lease_ttl.seconds(), 3600);
    assert_eq!(config.max_lease_ttl.seconds(), 30 * 86400);
    assert!(config.allow_api_audit_creation);
    assert_eq!(config.log.level, LogLevel::Debug);
    assert_eq!(config.log.rotation.files, Some(0));
    assert_eq!(config.log.rotation.bytes, Some(1 << 20));

    let [tcp, unix] = config.listeners.as_slice() else { panic!("two listeners") };
    assert_eq!(tcp.bind, Bind::Tcp("[::]:8200".to_owned()));
    let tls = tcp.tls.as_ref().unwrap();
    assert_eq!(tls.clients, ClientCertificates::Required { ca_file: "/etc/certs/ca.crt".into() });
    assert_eq!((tls.versions.len(), tls.key_exchanges.len()), (1, 2));
    assert_eq!(tls.reload_every.unwrap().as_secs(), 30);
    let forwarded = tcp.forwarded.as_ref().unwrap();
    assert_eq!((forwarded.trusted.len(), forwarded.hop_skips), (2, 1));
    assert!(forwarded.reject_not_authorized && !forwarded.reject_not_present);
    assert_eq!(tcp.limits.request_size, Some(1024));
    assert_eq!(tcp.limits.request_duration.as_secs(), 5);
    // Idle falls back to the read timeout, which is off, and so to that of the head.
    assert_eq!((tcp.limits.head.as_secs(), tcp.limits.idle.as_secs()), (2, 2));
    assert_eq!(tcp.limits.body, None);
    let json = &tcp.limits.json;
    assert_eq!((json.depth, json.string_length), (20, 1000));
    assert_eq!((json.object_entries, json.array_elements), (usize::MAX, usize::MAX));
    assert_eq!(tcp.metrics.access, MetricsAccess::Forbidden);

    let Bind::Unix(socket) = &unix.bind else { panic!("a socket") };
    assert_eq!((socket.mode, socket.user.as_deref()), (Some(0o644), Some("1000")));
    assert_eq!(unix.limits.request_duration.as_secs(), 60);
    let metrics = MetricsAccess::Only("/v1/sys/metrics".to_owned());
    assert_eq!(unix.metrics, Metrics { unauthenticated: true, access: metrics });

    let names: Vec<&str> = config.seals.iter().map(|seal| seal.name.as_str()).collect();
    assert_eq!(names, ["shamir", "static"]);
    let SealKind::Static { current, previous } = &config.seals[1].kind else { panic!("static") };
    assert_eq!(current.id, "20250606-1");
    assert!(matches!(current.source, KeySource::File(_)));
    assert!(matches!(previous.as_ref().unwrap().source, KeySource::Environment(_)));

    let [file, socket] = config.audit.as_slice() else { panic!("two devices") };
    assert_eq!((file.kind, file.name.as_str()), (AuditKind::File, "to-stdout"));
    assert_eq!(file.options["mode"], "0600");
    assert!(socket.local && socket.options["address"] == "10.0.0.9:9090");

    let userpass = config.lockouts.of("userpass");
    assert_eq!((userpass.threshold, userpass.duration.seconds()), (25, 300));
    assert_eq!(userpass.counter_reset.seconds(), 600);
    assert_eq!(config.lockouts.of("approle").threshold, 5);
    assert!(config.lockouts.of("ldap").disabled && !userpass.disabled);
}

#[test]
fn what_is_shorter_than_a_second_is_not_none() {
    for (text, seconds) in [
        ("\"1ms\"", Some(1)),
        ("\"0.25s\"", Some(1)),
        ("\"1500ms\"", Some(1)),
        ("\"2s\"", Some(2)),
        ("2", Some(2)),
        ("\"0ms\"", None),
        ("0", None),
    ] {
        let listener = format!(
            "storage \"inmem\" {{}}\nlistener \"tcp\" {{ tls_disable = true http_read_timeout = {text} }}"
        );
        let config = parse(&listener).unwrap();
        let body = config.listeners[0].limits.body;
        assert_eq!(body.map(|time| time.as_secs()), seconds, "{text}");
    }
}

#[test]
fn a_configuration_in_json() {
    let text = r#"{
      "ui": true,
      "api_addr": "https://127.0.0.1:8200",
      "storage": { "embedded": { "path": "data" } },
      "listener": [
        { "tcp": { "address": "127.0.0.1:8200", "tls_disable": "true",
                   "custom_response_headers": { "default": { "X-A": ["b"] } } } },
        { "unix": { "address": "/run/a.sock", "socket_mode": "0660" } }
      ],
      "audit": [ { "file": { "to-stdout": { "options": { "file_path": "stdout" } } } } ],
      "telemetry": { "disable_hostname": true },
      "max_lease_ttl": 3600
    }"#;
    let config = Config::parse("a.json", text, &no_environment()).unwrap();
    assert_eq!((config.listeners.len(), config.audit.len()), (2, 1));
    assert_eq!(config.max_lease_ttl.seconds(), 3600);
    // The default is held to the maximum.
    assert_eq!(config.default_lease_ttl.seconds(), 3600);
    let error = Config::parse("a.json", &text.replace("\"ui\"", "\"uo\""), &no_environment());
    let error = error.err().unwrap();
    assert!(error.public().starts_with("a.json: unknown key \"uo\" at line 2"), "{error:?}");
}

/// The samples of OpenBao's pages for listeners, each with a storage added.
#[test]
fn typical_listeners() {
    for text in [
        r#"listener "tcp" { address = "127.0.0.1:8200" tls_disable = true }"#,
        r#"listener "tcp" {
             tls_cert_file = "/etc/certs/openbao.crt"
             tls_key_file  = "/etc/certs/openbao.key"
           }"#,
        r#"listener "tcp" { address = "127.0.0.1:8200" tls_disable = 1 }
           listener "tcp" { address = "10.0.0.5:8200" tls_disable = 1 }
           api_addr = "https://10.0.0.5:8200"
           cluster_addr = "https://10.0.0.5:8201""#,
        r#"listener "tcp" {
             tls_disable = true
             address = "[2001:1c04:90d:1c00:a00:27ff:fefa:58ec]:8200"
             profiling { unauthenticated_pprof_access = true }
           }"#,
        r#"listener "unix" {}
           listener "unix" { address = "/var/run/openbao.sock" }"#,
        r#"listener "tcp" {
             address = "127.0.0.1:9101"
             tls_disable = true
             telemetry {
               metrics_only                   = true
               unauthenticated_metrics_access = true
               metrics_path = "/metrics"
             }
           }"#,
    ] {
        let text = format!("storage \"inmem\" {{}}\n{text}");
        parse(&text).map_err(|error| format!("{text}: {error:?}")).unwrap();
    }
}

#[test]
fn the_environment_wins_where_vault_lets_it() {
    let environment = Environment::from_fn(|name| {
        let value = match name {
            "STRONGROOM_LOG_LEVEL" => "warn",
            "BAO_LOG_LEVEL" => "trace",
            "VAULT_API_ADDR" => "https://a.example:8200",
            "BAO_DISABLE_USER_LOCKOUT" => "true",
            "BAO_LOG_FORMAT" => "",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let text =
        format!("{LEAST}log_level = \"info\"\nlog_format = \"json\"\napi_addr = \"http://b\"");
    let config = Config::parse("a.hcl", &text, &environment).unwrap();
    assert_eq!((config.log.level, config.log.format), (LogLevel::Warn, LogFormat::Json));
    assert_eq!(config.api_addr.as_deref(), Some("https://a.example:8200"));
    assert!(config.lockouts.of("userpass").disabled);
    let wrong = Environment::from_fn(|name| (name == "BAO_LOG_LEVEL").then(|| "debgu".into()));
    let error = Config::parse("a.hcl", LEAST, &wrong).err().unwrap();
    assert_eq!(
        error.public(),
        "the environment variable BAO_LOG_LEVEL cannot be \"debgu\"; did you mean \"debug\"?"
    );
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

#[test]
fn files_and_folders_are_merged_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    write(dir, "10-base.hcl", &format!("{LEAST}log_level = \"warn\"\ncluster_name = \"a\""));
    write(dir, "20-more.json", r#"{"listener": {"unix": {}}, "cluster_name": "b"}"#);
    write(dir, ".hidden.hcl", "broken");
    write(dir, "notes.txt", "broken");
    write(dir, "last.conf", "cluster_name = \"c\"\nstorage \"embedded\" { path = \"/x\" }");
    let paths = [dir.to_owned(), dir.join("last.conf")];
    let config = Config::load(&paths, &no_environment()).unwrap();
    let names: Vec<_> = config.files.iter().filter_map(|file| file.file_name()).collect();
    assert_eq!(names, ["10-base.hcl", "20-more.json", "last.conf"]);
    assert_eq!(config.listeners.len(), 2);
    assert_eq!(config.cluster_name.as_deref(), Some("c"));
    assert_eq!(config.log.level, LogLevel::Warn);
    assert_eq!(config.storage.kind, StorageKind::Embedded { path: "/x".into() });

    write(dir, "30-bad.hcl", "\n  oops = 1");
    let error = Config::load(&paths, &no_environment()).err().unwrap();
    let place = format!("{}: unknown key \"oops\" at line 2", dir.join("30-bad.hcl").display());
    assert!(error.public().starts_with(&place), "{error:?}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let message = |paths: &[PathBuf]| {
        Config::load(paths, &no_environment()).err().unwrap().public().to_owned()
    };
    assert_eq!(message(&[]), "no configuration is named: add -config=FILE");
    assert!(message(&[folder.path().to_owned()]).ends_with("holds no *.hcl or *.json file"));
    assert!(message(&[folder.path().join("none.hcl")]).ends_with("none.hcl does not exist"));
    std::fs::write(folder.path().join("a.hcl"), b"ui = true\n# \xff").unwrap();
    assert!(message(&[folder.path().join("a.hcl")]).ends_with("a.hcl: line 2 is not UTF-8 text"));
}
