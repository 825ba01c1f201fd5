//! The headers that authenticate a caller go no further than the door (CVE-2026-4525).

use serde_json::json;
use testkit::server;

use crate::log;

/// Each with a value that must be found nowhere afterwards.
const PRIVATE: [(&str, &str); 7] = [
    ("Authorization", "Basic planted-authorization"),
    ("Cookie", "session=planted-cookie"),
    ("Proxy-Authorization", "Basic planted-proxy"),
    ("X-Vault-Token", "srs_planted-token"),
    ("X-Vault-Inline-Auth-Path", "auth/userpass/login/planted-login"),
    ("X-Vault-Inline-Auth-Parameter-Password", "eyJrIjoicGxhbnRlZC1pbmxpbmUifQ"),
    ("x-vault-INLINE-auth-parameter-other", "planted-inline"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_authenticates_is_neither_audited_nor_logged_nor_answered() {
    let log_file = log::file();
    let server = server().await;
    let root = &server.root;
    let path = |name: &str| format!("sys/config/auditing/request-headers/{name}");
    for (name, _) in PRIVATE.iter().chain(&[("X-Public", "")]) {
        let body = Some(json!({ "hmac": false }));
        assert_eq!(server.call("PUT", &path(name), root, body).await.status, 204, "{name}");
    }
    let headers: Vec<_> = PRIVATE.into_iter().chain([("X-Public", "for-the-log")]).collect();
    let passed = PRIVATE.map(|(name, _)| name);
    let mount = json!({ "type": "kv", "config": { "passthrough_request_headers": passed } });
    server.call("POST", "sys/mounts/plain", root, Some(mount)).await;
    let login = json!({ "type": "userpass", "config": { "passthrough_request_headers": passed } });
    server.call("POST", "sys/auth/userpass", root, Some(login)).await;
    // Denied, malformed, unknown, sealed away from its engine, and one that a token allows.
    let mut answers = Vec::new();
    for (method, path) in [
        ("GET", "plain/a"),
        ("PUT", "auth/userpass/login/somebody"),
        ("PUT", "sys/generate-root/attempt"),
        ("GET", "no/such/mount"),
        ("GET", "%zz"),
        ("BREW", "plain/a"),
        ("GET", "sys/health"),
    ] {
        let body = (method == "PUT").then(|| json!({ "password": "wrong" }));
        answers.push(server.call_with(method, path, "", &headers, body).await);
    }
    // The token itself is good, and comes in the header for it or in that of HTTP.
    let bearer = format!("Bearer {root}");
    let allowed = [("Authorization", bearer.as_str()), ("Cookie", "session=planted-cookie")];
    let answer = server.call_with("PUT", "plain/a", "", &allowed, Some(json!({ "k": "v" }))).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    answers.push(answer);
    answers.push(
        server.call_with("GET", "plain/a", root, &[("Cookie", "planted-cookie")], None).await,
    );

    let audit = server.audit_log();
    let logged = std::fs::read_to_string(log_file).unwrap();
    assert!(audit.contains("for-the-log"), "a header on the list is in the audit log");
    assert!(logged.contains(log::FIRST_LINE), "{logged}");
    let values = PRIVATE.map(|(_, value)| value.split([' ', '=', '/']).next_back().unwrap());
    for value in values.into_iter().chain([root.as_str(), "planted"]) {
        let is_in = |text: &str| text.contains(value);
        assert!(!is_in(&audit), "{value} is in the audit log");
        assert!(!is_in(&logged), "{value} is in the log");
        for answer in &answers {
            assert!(!is_in(&answer.text) && !is_in(&answer.head), "{value} is in {answer:?}");
        }
    }
}
