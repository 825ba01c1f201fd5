//! Bad input: clear answers, nothing lost, nothing let through.

use serde_json::json;
use testkit::{TestServer, server, server_with};

async fn with_secret() -> TestServer {
    let server = server().await;
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    assert_eq!(
        server.call("POST", "sys/mounts/secret", &server.root, Some(mount)).await.status,
        204
    );
    let secret = json!({ "data": { "k": "v" } });
    assert_eq!(server.call("POST", "secret/data/a", &server.root, Some(secret)).await.status, 200);
    let policy = json!({ "policy": "path \"secret/data/open/*\" { capabilities = [\"create\", \"update\", \"read\", \"delete\"] }" });
    let written = server.call("PUT", "sys/policies/acl/open", &server.root, Some(policy)).await;
    assert_eq!(written.status, 204, "{written:?}");
    server
}

async fn limited(server: &TestServer) -> String {
    let body = json!({ "policies": ["open"] });
    let answer = server.call("POST", "auth/token/create", &server.root, Some(body)).await;
    answer.json()["auth"]["client_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_cannot_be_spelt_around_a_policy() {
    let server = with_secret().await;
    let token = limited(&server).await;
    for path in [
        "secret/data/open/../a",
        "secret/data/open/%2e%2e/a",
        "secret/data/open/..%2fa",
        "secret/data/open/%2e%2e%2fa",
        "secret/data/open//../a",
        "secret/data//a",
        "secret/data/./a",
        "secret/data/a/",
        "secret/data/a%20",
        "secret/data/a%00",
        "secret/data/A",
        "secret/./data/open/x",
        "/secret/data/a",
        "secret%2fdata%2fa",
        "secret/data/open%2f..%2fa",
        "secret/data/%61",
        "secret/data/open/..",
        "secret/data/open/%252e%252e/a",
    ] {
        for method in ["GET", "POST", "DELETE", "LIST", "PATCH"] {
            let body = json!({ "data": { "k": "changed" } });
            let answer = server.call(method, path, &token, Some(body)).await;
            let harmless = matches!(answer.status, 307 | 400 | 403 | 404 | 405)
                || path == "secret/data/open/%252e%252e/a";
            assert!(harmless, "{method} {path}: {answer:?}");
            assert!(!answer.text.contains("\"v\""), "{method} {path}: {answer:?}");
        }
    }
    let answer = server.call("GET", "secret/data/a", &server.root, None).await;
    assert_eq!(answer.json()["data"]["data"]["k"], "v");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_text_is_refused() {
    let server = server().await;
    let root = &server.root;
    for path in ["secret/%ff", "secret/a%0ab", "secret/a%7fb"] {
        let answer = server.call("GET", path, root, None).await;
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
    let head = format!(
        "GET /v1/sys/mounts HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Vault-Token: {root}\r\nX-Vault-Namespace: \u{e9}\r\n\r\n"
    );
    assert_eq!(server.raw(head.as_bytes()).await.status, 400);
    let long = "a".repeat(5000);
    assert_eq!(server.call("GET", &format!("secret/{long}"), root, None).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_and_errors_quote_nothing() {
    let server = with_secret().await;
    let send = async |body: String| {
        let text = format!(
            "POST /v1/secret/data/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Vault-Token: {}\r\nContent-Length: {}\r\n\r\n{body}",
            server.root,
            body.len()
        );
        server.raw(text.as_bytes()).await
    };
    for body in [
        "{\"data\":{\"k\":\"hunter2\"}".to_owned(),
        "{\"data\":\"hunter2\"}".to_owned(),
        "[\"hunter2\"]".to_owned(),
        "\"hunter2\"".to_owned(),
        "hunter2".to_owned(),
        "{\"data\":{\"k\":hunter2}}".to_owned(),
        "{\"options\":{\"cas\":\"hunter2\"},\"data\":{}}".to_owned(),
        format!("{{\"data\":{}\"hunter2\"{}}}", "[".repeat(200), "]".repeat(200)),
        "{\"data\":{\"k\":\"hunter2\\ud800\"},}".to_owned(),
    ] {
        let answer = send(body.clone()).await;
        assert_eq!(answer.status, 400, "{body:.40}: {answer:?}");
        assert!(!answer.text.contains("hunter2"), "{body:.40}: {answer:?}");
        assert!(!answer.error().is_empty(), "{body:.40}: {answer:?}");
    }
    let bomb = format!("{{\"data\":{{\"k\":[{}0]}}}}", "0,".repeat(200_000));
    assert_eq!(send(bomb).await.status, 413);
    let answer = server.call("GET", "secret/data/b", &server.root, None).await;
    assert_eq!(answer.status, 404, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_keeps_its_own_limit_of_size() {
    let server = server_with(
        "listener \"tcp\" { address = \"127.0.0.1:0\" tls_disable = true max_request_size = 1024 }",
    )
    .await;
    let body = json!({ "type": "kv", "description": "x".repeat(2000) });
    let answer = server.call("POST", "sys/mounts/big", &server.root, Some(body)).await;
    assert_eq!(answer.status, 204, "the first listener has the usual limit: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_says_what_a_body_may_hold() {
    let mut server = server_with(
        "listener \"tcp\" { address = \"127.0.0.1:0\" tls_disable = true max_json_depth = 3 \
         max_json_string_value_length = 20 max_json_object_entry_count = 4 \
         max_json_array_element_count = 2 }",
    )
    .await;
    let root = server.root.clone();
    server.call("PUT", "sys/mounts/plain", &root, Some(json!({ "type": "kv" }))).await;
    let bodies = [
        (json!({ "k": [["v"]] }), 204),
        (json!({ "k": [[["v"]]] }), 400),
        (json!({ "k": "x".repeat(20) }), 204),
        (json!({ "k": "x".repeat(21) }), 413),
        (json!({ "a": 1, "b": 2, "c": 3, "d": 4 }), 204),
        (json!({ "a": 1, "b": 2, "c": 3, "d": 4, "e": 5 }), 413),
        (json!({ "k": [1, 2] }), 204),
        (json!({ "k": [1, 2, 3] }), 413),
    ];
    for (body, _) in &bodies {
        let answer = server.call("PUT", "plain/a", &root, Some(body.clone())).await;
        assert_eq!(answer.status, 204, "the first listener has the usual limits: {answer:?}");
    }
    server.address = server.addresses[1];
    for (body, status) in &bodies {
        let answer = server.call("PUT", "plain/a", &root, Some(body.clone())).await;
        assert_eq!(answer.status, *status, "{body}: {answer:?}");
    }
    // In front of the pipeline too.
    let unseal = json!({ "key": "0".repeat(21) });
    let answer = server.call("PUT", "sys/unseal", "", Some(unseal)).await;
    assert_eq!(answer.status, 413, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_method_or_place_is_told_apart() {
    let server = server().await;
    let root = &server.root;
    assert_eq!(server.call("BREW", "sys/mounts", root, None).await.status, 405);
    assert_eq!(server.call("GET", "nowhere/at/all", root, None).await.status, 404);
    assert_eq!(server.call("DELETE", "sys/mounts", root, None).await.status, 405);
    assert_eq!(
        server.raw(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.status,
        404
    );
    assert_eq!(
        server
            .raw(b"GET /v2/sys/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .status,
        404
    );
    assert_eq!(server.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").await.status, 400);
}
