//! Ways around a policy that other servers had: a path spelt otherwise, a listing of what is denied,
//! a name that is a pattern, a page without end (CVE-2026-3605, GHSA-xp3c-3jw3-4vcr,
//! GHSA-59w7-v8rr-pr4p), and operations that are for the server alone (GHSA-rh46-vc3j-w2w3,
//! CVE-2026-46405).

use serde_json::{Value, json};
use testkit::{TestServer, server};

/// What a path of the engine begins with.
const BELOW: [&str; 7] =
    ["data", "metadata", "delete", "undelete", "destroy", "subkeys", "detailed-metadata"];

/// A secret that some may not have.
const SECRET: &str = "planted-secret";

async fn with_secrets() -> TestServer {
    let server = server().await;
    let mount = json!({ "type": "kv", "options": { "version": "2" } });
    put(&server, "sys/mounts/secret", mount).await;
    for path in ["open/a", "open/b", "open/c", "private/a", "private/deep/a", "top"] {
        put(&server, &format!("secret/data/{path}"), json!({ "data": { "k": SECRET } })).await;
    }
    server
}

async fn put(server: &TestServer, path: &str, body: Value) -> Value {
    let answer = server.call("POST", path, &server.root, Some(body)).await;
    assert!(matches!(answer.status, 200 | 204), "{path}: {answer:?}");
    answer.json()
}

/// A token with this policy alone.
async fn token(server: &TestServer, policy: &str) -> String {
    put(server, "sys/policies/acl/test", json!({ "policy": policy })).await;
    let body = json!({ "policies": ["test"], "no_default_policy": true });
    let made = put(server, "auth/token/create", body).await;
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

/// How else `folder/leaf` below `mount` might be written.
fn spellings(mount: &str, folder: &str, leaf: &str) -> Vec<String> {
    let first = folder.as_bytes()[0];
    let upper = folder.to_uppercase();
    vec![
        format!("{mount}/{folder}/{leaf}"),
        format!("{mount}//{folder}/{leaf}"),
        format!("{mount}/{folder}//{leaf}"),
        format!("{mount}/./{folder}/{leaf}"),
        format!("{mount}/open/../{folder}/{leaf}"),
        format!("{mount}/open/%2e%2e/{folder}/{leaf}"),
        format!("{mount}/open/.%2e/{folder}/{leaf}"),
        format!("{mount}/open%2f..%2f{folder}%2f{leaf}"),
        format!("{mount}/open/..%2f{folder}/{leaf}"),
        format!("{mount}/open/..%5c{folder}/{leaf}"),
        format!("{mount}/open/%252e%252e/{folder}/{leaf}"),
        format!("{mount}/%{first:02x}{}/{leaf}", &folder[1..]),
        format!("{mount}/{folder}%2f{leaf}"),
        format!("{mount}/{folder}/{leaf}%20"),
        format!("{mount}/{folder}/%20{leaf}"),
        format!("{mount}/{folder}%20/{leaf}"),
        format!("{mount}/{folder}/{leaf}%09"),
        format!("{mount}/{folder}/{leaf}%00"),
        format!("{mount}/{folder}/{leaf}%e2%80%8b"),
        format!("{mount}/%ef%bd%90{}/{leaf}", &folder[1..]),
        format!("{mount}/{upper}/{leaf}"),
        format!("{mount}/{folder}/{leaf}/"),
        format!("{mount}/{folder}/{leaf}/."),
        format!("{mount}/{folder}/{leaf}?list=true"),
        format!("{mount}/{folder}/{leaf}?version=1"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_secret_is_neither_read_nor_changed_by_another_spelling() {
    let server = with_secrets().await;
    let deny = |below: &&str| {
        format!("path \"secret/{below}/private/*\" {{ capabilities = [\"deny\"] }}\n")
    };
    let rules: String = BELOW.iter().map(deny).collect();
    let all = r#"["create", "read", "update", "patch", "delete", "list", "scan"]"#;
    let token =
        token(&server, &format!("path \"secret/*\" {{ capabilities = {all} }}\n{rules}")).await;
    let open = server.call("GET", "secret/data/open/a", &token, None).await;
    assert!(open.text.contains(SECRET), "{open:?}");
    let everything = async || {
        let secret = server.call("GET", "secret/data/private/a", &server.root, None).await;
        let mut json = secret.json();
        let metadata = server.call("GET", "secret/metadata/private/a", &server.root, None).await;
        (json["data"].take(), metadata.json()["data"].take())
    };
    let before = everything().await;
    assert_eq!(before.0["data"]["k"], SECRET);
    for below in BELOW {
        for path in spellings(&format!("secret/{below}"), "private", "a") {
            for method in ["GET", "LIST", "SCAN", "POST", "PUT", "PATCH", "DELETE"] {
                let body = json!({ "versions": [1], "data": { "k": "changed" } });
                let body = matches!(method, "POST" | "PUT" | "PATCH").then_some(body);
                let kind = [("Content-Type", "application/merge-patch+json")];
                let answer = server.call_with(method, &path, &token, &kind, body).await;
                assert!(!answer.text.contains(SECRET), "{method} {path}: {answer:?}");
            }
        }
    }
    assert_eq!(everything().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_denied_is_not_listed() {
    let server = with_secrets().await;
    let rules = [
        r#"path "secret/metadata/*" { capabilities = ["list", "scan"] }
           path "secret/metadata/private/*" { capabilities = ["deny"] }"#,
        r#"path "secret/metadata/*" { capabilities = ["list", "scan"] }
           path "secret/metadata/private/" { capabilities = ["deny"] }
           path "secret/metadata/private/deep/" { capabilities = ["deny"] }"#,
        r#"path "secret/metadata/*" { capabilities = ["list", "scan"] }
           path "secret/metadata/priv*" { capabilities = ["deny"] }"#,
    ];
    for rules in rules {
        let token = token(&server, rules).await;
        let open = server.call("LIST", "secret/metadata/open", &token, None).await;
        assert_eq!(open.json()["data"]["keys"], json!(["a", "b", "c"]), "{open:?}");
        for method in ["LIST", "SCAN", "GET"] {
            let flag = if method == "GET" { "?list=true" } else { "" };
            for path in ["private", "private/", "private/deep", "private/deep/", "%70rivate"] {
                let path = format!("secret/metadata/{path}{flag}");
                let answer = server.call(method, &path, &token, None).await;
                assert_eq!(answer.status, 403, "{rules}\n{method} {path}: {answer:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_no_longer_than_the_policy_says() {
    let server = with_secrets().await;
    let token = token(
        &server,
        r#"path "secret/metadata/*" { capabilities = ["list"] pagination_limit = 2 }
           path "sys/policies/acl" { capabilities = ["list"] pagination_limit = 1 }"#,
    )
    .await;
    let policies = server.call("LIST", "sys/policies/acl", &token, None).await;
    assert_eq!(policies.json()["data"]["keys"].as_array().unwrap().len(), 1, "{policies:?}");
    let page = server.call("LIST", "secret/metadata/open?limit=2", &token, None).await;
    assert_eq!(page.json()["data"]["keys"], json!(["a", "b"]), "{page:?}");
    for limit in
        ["0", "-1", "-9223372036854775808", "3", "99999999999999999999", "x", "", "2.5", "%202"]
    {
        for path in [
            format!("secret/metadata/open?limit={limit}"),
            format!("secret/metadata/open?limit=1&limit={limit}"),
            format!("secret/metadata/open?limit={limit}&limit=1"),
            format!("secret/metadata/open?Limit=1&limit={limit}"),
        ] {
            let answer = server.call("LIST", &path, &token, None).await;
            let keys = answer.json()["data"]["keys"].as_array().map_or(0, Vec::len);
            assert!(keys <= 2, "{path}: {answer:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_a_template_is_no_pattern() {
    let server = with_secrets().await;
    put(&server, "sys/auth/userpass", json!({ "type": "userpass" })).await;
    let mounts = server.call("GET", "sys/auth", &server.root, None).await.json();
    let accessor = mounts["data"]["userpass/"]["accessor"].as_str().unwrap().to_owned();
    let policy = format!(
        "path \"secret/data/{{{{identity.entity.aliases.{accessor}.name}}}}/*\" {{ capabilities = [\"read\"] }}"
    );
    put(&server, "sys/policies/acl/own", json!({ "policy": policy })).await;
    let mut logged_in = Vec::new();
    for name in [
        "open",
        "*",
        "+",
        "%2b",
        "private,open",
        "p*",
        "pri+",
        "private*",
        "..",
        "%2e",
        "open%2f..%2fprivate",
        "PRIVATE",
    ] {
        let user = json!({ "password": "pw", "token_policies": ["own"] });
        server.call("POST", &format!("auth/userpass/users/{name}"), &server.root, Some(user)).await;
        let login = json!({ "password": "pw" });
        let answer =
            server.call("POST", &format!("auth/userpass/login/{name}"), "", Some(login)).await;
        let Some(token) = answer.json()["auth"]["client_token"].as_str().map(str::to_owned) else {
            continue;
        };
        logged_in.push(name);
        let own = server.call("GET", "secret/data/open/a", &token, None).await;
        assert_eq!(own.status == 200, name == "open", "{name}: {own:?}");
        // Names are compared without regard to case, so PRIVATE may have what is private's.
        for path in ["private/a", "private/deep/a", "top"] {
            let other = server.call("GET", &format!("secret/data/{path}"), &token, None).await;
            let is_own = name == "PRIVATE" && path.starts_with("private/");
            assert!(is_own || other.status == 403, "{name} {path}: {other:?}");
        }
    }
    assert!(logged_in.contains(&"open"), "{logged_in:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_does_by_itself_cannot_be_asked_for() {
    let server = with_secrets().await;
    put(&server, "sys/auth/userpass", json!({ "type": "userpass" })).await;
    let root = &server.root;
    for method in [
        "REVOKE", "RENEW", "ROLLBACK", "HELP", "INTERNAL", "ALIAS", "CREATE", "UPDATE", "CONNECT",
        "TRACE", "OPTIONS", "get", "Put", "X",
    ] {
        for path in
            ["secret/data/open/a", "auth/userpass/login/u", "sys/revoke", "auth/token/create"]
        {
            let answer = server.call(method, path, root, Some(json!({ "password": "p" }))).await;
            assert!(matches!(answer.status, 400 | 405 | 404), "{method} {path}: {answer:?}");
            assert!(!answer.text.contains(SECRET), "{method} {path}: {answer:?}");
        }
    }
    // Headers by which other servers dispatch a request of their own have no meaning.
    for name in [
        "X-Vault-Inline-Auth-Path",
        "X-Vault-Internal",
        "X-Vault-Operation",
        "X-HTTP-Method-Override",
        "X-Vault-AWS-IAM-Server-ID",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Vault-Forward",
    ] {
        for value in ["auth/token/root", "sys/seal", "secret/data/open/a", "DELETE", "true"] {
            let headers = [(name, value)];
            let answer = server.call_with("GET", "secret/data/open/a", "", &headers, None).await;
            assert_eq!(answer.status, 403, "{name}: {value}: {answer:?}");
        }
    }
    let answer = server.call("GET", "secret/data/open/a", root, None).await;
    assert!(answer.text.contains(SECRET), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_fails_leaves_no_token_behind() {
    let server = server().await;
    let root = &server.root;
    put(&server, "sys/auth/userpass", json!({ "type": "userpass" })).await;
    put(&server, "sys/auth/approle", json!({ "type": "approle" })).await;
    put(&server, "auth/userpass/users/u", json!({ "password": "right" })).await;
    let bound = json!({ "password": "right", "token_bound_cidrs": ["192.0.2.0/24"] });
    put(&server, "auth/userpass/users/elsewhere", bound).await;
    let tokens = async || {
        let listed = server.call("LIST", "auth/token/accessors", root, None).await;
        listed.json()["data"]["keys"].as_array().map_or(0, Vec::len)
    };
    let before = tokens().await;
    let wrapped = [("X-Vault-Wrap-TTL", "60s")];
    for (path, body) in [
        ("auth/userpass/login/u", json!({ "password": "wrong" })),
        ("auth/userpass/login/u", json!({ "password": "right " })),
        ("auth/userpass/login/u", json!({ "password": "Right" })),
        ("auth/userpass/login/u", json!({ "password": ["right"] })),
        ("auth/userpass/login/u", json!({})),
        ("auth/userpass/login/u%20", json!({ "password": "right" })),
        ("auth/userpass/login/elsewhere", json!({ "password": "right" })),
        ("auth/userpass/login/nobody", json!({ "password": "right" })),
        ("auth/approle/login", json!({ "role_id": "x", "secret_id": "y" })),
        ("auth/approle/login", json!({ "role_id": "x" })),
    ] {
        for headers in [&[][..], &wrapped] {
            let answer = server.call_with("POST", path, "", headers, Some(body.clone())).await;
            assert!(matches!(answer.status, 400 | 403 | 404), "{path} {body}: {answer:?}");
            assert!(!answer.text.contains("client_token"), "{path} {body}: {answer:?}");
        }
    }
    assert_eq!(tokens().await, before);
    // Whoever failed so often is locked out, so somebody else shows that a login is counted.
    put(&server, "auth/userpass/users/v", json!({ "password": "right" })).await;
    let right = Some(json!({ "password": "right" }));
    let answer = server.call("POST", "auth/userpass/login/v", "", right).await;
    assert_eq!(answer.json()["auth"]["metadata"]["username"], "v", "{answer:?}");
    assert_eq!(tokens().await, before + 1);
}
