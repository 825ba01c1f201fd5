//! What shares authorise cannot be ended or blocked by strangers (CVE-2025-52894, CVE-2025-4656,
//! CVE-2026-5807).

use serde_json::{Value, json};
use testkit::{Answer, TestServer, server, server_with};

const OPEN_LISTENER: &str = "listener \"tcp\" {
    address = \"127.0.0.1:0\"
    tls_disable = true
    disable_unauthed_rekey_endpoints = false
    disable_unauthed_generate_root_endpoints = false
}";

/// Both ceremonies: where each is begun and ended, and with what.
fn ceremonies() -> [(&'static str, Value); 2] {
    let split = json!({ "secret_shares": 1, "secret_threshold": 1 });
    [("sys/generate-root/attempt", json!({})), ("sys/rekey-recovery-key/init", split)]
}

async fn begin(server: &TestServer, path: &str, body: &Value, token: &str) -> String {
    let answer = server.call("PUT", path, token, Some(body.clone())).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.json()["nonce"].as_str().unwrap().to_owned()
}

async fn is_under_way(server: &TestServer, path: &str) -> bool {
    server.call("GET", path, &server.root, None).await.json()["started"] == true
}

async fn cancel(server: &TestServer, path: &str, token: &str, body: Option<Value>) -> Answer {
    server.call("DELETE", path, token, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_token_is_asked_for_strangers_neither_begin_nor_end() {
    let server = server().await;
    for (path, body) in ceremonies() {
        for token in ["", "srs_wrong"] {
            let answer = server.call("PUT", path, token, Some(body.clone())).await;
            assert_eq!(answer.status, 405, "{path}: {answer:?}");
        }
        let nonce = begin(&server, path, &body, &server.root).await;
        for token in ["", "srs_wrong"] {
            for given in [None, Some(json!({ "nonce": nonce }))] {
                assert_eq!(cancel(&server, path, token, given).await.status, 405, "{path}");
            }
        }
        assert!(is_under_way(&server, path).await, "{path}");
        assert_eq!(cancel(&server, path, &server.root, None).await.status, 204);
        assert!(!is_under_way(&server, path).await, "{path}");
    }
}

/// A token whose policy says this of both ceremonies.
async fn token_with(server: &TestServer, capabilities: &str, rest: &str) -> String {
    let rule = |path| format!("path \"{path}\" {{ capabilities = [{capabilities}] {rest} }}\n");
    let policy: String = ceremonies().into_iter().map(|(path, _)| rule(path)).collect();
    let put = async |path: &str, body: Value| {
        let answer = server.call("PUT", path, &server.root, Some(body)).await;
        assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
        answer.json()
    };
    put("sys/policies/acl/limited", json!({ "policy": policy })).await;
    let made = put("auth/token/create", json!({ "policies": ["limited"] })).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_takes_the_capability_of_what_is_asked_and_sudo() {
    let server = server().await;
    for (path, body) in ceremonies() {
        let ask = async |method: &str, token: &str| {
            let body = (method == "PUT").then(|| body.clone());
            server.call(method, path, token, body).await.status
        };
        for (capabilities, get, put, delete) in [
            (r#""read", "sudo""#, 200, 405, 405),
            (r#""create", "update", "sudo""#, 405, 200, 405),
            (r#""create", "list", "patch", "scan", "sudo""#, 405, 405, 405),
            (r#""delete", "sudo""#, 405, 405, 204),
            (r#""create", "delete", "read", "update""#, 405, 405, 405),
        ] {
            let token = token_with(&server, capabilities, "").await;
            let answers =
                [ask("GET", &token).await, ask("PUT", &token).await, ask("DELETE", &token).await];
            assert_eq!(answers, [get, put, delete], "{path}: {capabilities}");
        }
        let none = "denied_parameters = { \"*\" = [] }";
        let token = token_with(&server, r#""update", "sudo""#, none).await;
        let given = Some(json!({ "nonce": "x" }));
        let answer = server.call("PUT", path, &token, given).await;
        assert_eq!(answer.status, 405, "{path}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_none_is_asked_for_ending_takes_the_nonce() {
    let mut server = server_with(OPEN_LISTENER).await;
    server.address = server.addresses[1];
    let weak = json!({ "policies": ["default"] });
    let made = server.call("POST", "auth/token/create", &server.root, Some(weak)).await;
    let weak = made.json()["auth"]["client_token"].as_str().unwrap().to_owned();
    for (path, body) in ceremonies() {
        let nonce = begin(&server, path, &body, "").await;
        let longer = format!("{nonce}x");
        for token in ["", "srs_wrong", &weak] {
            for given in ["", " ", "wrong", &nonce.to_uppercase(), &nonce[1..], &longer] {
                let body = Some(json!({ "nonce": given }));
                let answer = cancel(&server, path, token, body).await;
                assert_eq!(answer.status, 400, "{path} {given:?}: {answer:?}");
                assert!(answer.error().contains("nonce"), "{answer:?}");
            }
            assert_eq!(cancel(&server, path, token, None).await.status, 400);
        }
        let reader = token_with(&server, r#""read", "sudo""#, "").await;
        assert_eq!(cancel(&server, path, &reader, None).await.status, 400, "{path}");
        assert!(is_under_way(&server, path).await, "{path}");
        let given = Some(json!({ "nonce": nonce }));
        assert_eq!(cancel(&server, path, "", given.clone()).await.status, 204);
        assert!(!is_under_way(&server, path).await, "{path}");
        // The nonce of one that is over ends no other.
        begin(&server, path, &body, "").await;
        assert_eq!(cancel(&server, path, "", given).await.status, 400, "{path}");
        let ending = token_with(&server, r#""delete", "sudo""#, "").await;
        assert_eq!(cancel(&server, path, &ending, None).await.status, 204);
        begin(&server, path, &body, "").await;
        assert_eq!(cancel(&server, path, &server.root, None).await.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_is_not_begun_anew_by_strangers() {
    let mut server = server_with(OPEN_LISTENER).await;
    server.address = server.addresses[1];
    let start = json!({ "secret_shares": 2, "secret_threshold": 2, "require_verification": true });
    let nonce = begin(&server, "sys/rekey-recovery-key/init", &start, "").await;
    let part = json!({ "key": server.recovery_key, "nonce": nonce });
    let done = server.call("PUT", "sys/rekey-recovery-key/update", "", Some(part)).await.json();
    let verify = "sys/rekey-recovery-key/verify";
    let verification = done["verification_nonce"].as_str().unwrap_or_else(|| panic!("{done}"));
    let share = json!({ "key": done["keys"][0], "nonce": verification });
    let progress = server.call("PUT", verify, "", Some(share)).await.json();
    assert_eq!(progress["progress"], 1, "{progress}");
    for given in [json!({}), json!({ "nonce": nonce }), json!({ "nonce": "wrong" })] {
        let answer = cancel(&server, verify, "", Some(given)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let progress = server.call("GET", verify, "", None).await.json();
    assert_eq!(progress["progress"], 1, "{progress}");
    let answer = cancel(&server, verify, "", Some(json!({ "nonce": verification }))).await;
    assert_eq!(answer.json()["progress"], 0, "{answer:?}");
    // The old key is in force all the while.
    let nonce = begin(&server, "sys/generate-root/attempt", &json!({}), "").await;
    let part = json!({ "key": server.recovery_key, "nonce": nonce });
    let made = server.call("PUT", "sys/generate-root/update", "", Some(part)).await;
    assert_eq!(made.json()["complete"], true, "{made:?}");
}
