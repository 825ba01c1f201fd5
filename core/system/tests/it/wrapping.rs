use serde_json::{Value, json};

use crate::harness::{Client, Server};

async fn wrap(client: &Client<'_>) -> String {
    let wrapped = client.wrapped(60).write("sys/wrapping/wrap", json!({ "a": { "b": [1] } })).await;
    let info = &wrapped.expect(200).json["wrap_info"];
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(60), &json!("sys/wrapping/wrap")));
    info["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_wrapped_is_opened_once_by_body_or_by_header() {
    let server = Server::start().await;
    let root = server.root();
    let token = wrap(&root).await;
    let opened = root.write("sys/wrapping/unwrap", json!({ "token": token })).await.expect(200);
    assert_eq!(opened.json["data"], json!({ "a": { "b": [1] } }));
    assert!(opened.raw.is_some());
    let again = root.write("sys/wrapping/unwrap", json!({ "token": token })).await;
    again.refused(400, "wrapping token is not valid or does not exist");

    let token = wrap(&root).await;
    let own = server.with(&token);
    own.write("sys/wrapping/unwrap", Value::Null).await.expect(200);
    own.write("sys/wrapping/unwrap", Value::Null).await.refused(400, "wrapping token is not valid");

    // As the command line does it: the token in both places.
    let token = wrap(&root).await;
    server.with(&token).write("sys/wrapping/unwrap", json!({ "token": token })).await.expect(200);
}

#[tokio::test]
async fn looking_does_not_open() {
    let server = Server::start().await;
    let root = server.root();
    let token = wrap(&root).await;
    let asked = json!({ "token": token });
    for answer in [
        root.write("sys/wrapping/lookup", asked.clone()).await,
        server.nobody().write("sys/wrapping/lookup", asked.clone()).await,
        server.with(&token).read("sys/wrapping/lookup").await,
        server.with(&token).write("sys/wrapping/lookup", Value::Null).await,
    ] {
        let about = &answer.expect(200).json["data"];
        assert_eq!(about["creation_ttl"], 60);
        assert_eq!(about["creation_path"], "sys/wrapping/wrap");
    }
    root.write("sys/wrapping/unwrap", asked).await.expect(200);
}

#[tokio::test]
async fn rewrapping_ends_the_old_token() {
    let server = Server::start().await;
    let root = server.root();
    let old = wrap(&root).await;
    server.with(&old).write("sys/wrapping/rewrap", Value::Null).await.refused(403, "denied");
    let old = wrap(&root).await;
    let rewrapped = root.write("sys/wrapping/rewrap", json!({ "token": old })).await.expect(200);
    let info = &rewrapped.json["wrap_info"];
    assert_eq!((&info["ttl"], &info["creation_path"]), (&json!(60), &json!("sys/wrapping/wrap")));
    let new = info["token"].as_str().unwrap();
    root.write("sys/wrapping/unwrap", json!({ "token": old })).await.refused(400, "not valid");
    root.write("sys/wrapping/unwrap", json!({ "token": new })).await.expect(200);
}

#[tokio::test]
async fn what_wraps_nothing_is_refused() {
    let server = Server::start().await;
    let root = server.root();
    let (token, _) = root.token(&["default"]).await;
    for path in ["lookup", "rewrap", "unwrap"] {
        for text in ["zz", &token] {
            let answer =
                root.write(&format!("sys/wrapping/{path}"), json!({ "token": text })).await;
            answer.refused(400, "wrapping token is not valid or does not exist");
        }
    }
    root.write("sys/wrapping/wrap", json!({})).await.refused(400, "requires response wrapping");
    let token = wrap(&root).await;
    let nobody = server.nobody().write("sys/wrapping/unwrap", json!({ "token": token })).await;
    nobody.refused(403, "permission denied");
    server.with(&token).read("auth/token/lookup-self").await.refused(403, "permission denied");
}

#[tokio::test]
async fn who_must_not_unwrap_does_not_and_the_secret_stays() {
    let server = Server::start().await;
    let root = server.root();
    let policy = r#"path "sys/wrapping/unwrap" { capabilities = ["deny"] }"#;
    let barred = root.with_policy("no-unwrap", policy).await;
    let token = wrap(&root).await;
    barred.write("sys/wrapping/unwrap", json!({ "token": token })).await.refused(403, "denied");
    root.write("sys/wrapping/unwrap", json!({ "token": token })).await.expect(200);
}

#[tokio::test]
async fn a_wrapping_token_is_good_in_its_own_namespace_only() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/namespaces/a", json!({})).await;
    let token = wrap(&root.at("a")).await;
    for path in ["lookup", "rewrap", "unwrap"] {
        let answer = root.write(&format!("sys/wrapping/{path}"), json!({ "token": token })).await;
        answer.refused(400, "wrapping token is not valid or does not exist");
    }
    root.at("a").write("sys/wrapping/unwrap", json!({ "token": token })).await.expect(200);
}

#[tokio::test]
async fn of_many_who_open_or_rewrap_one_succeeds() {
    let server = Server::start().await;
    let root = server.root();
    let mut kept = 0;
    for _ in 0..8 {
        let token = json!({ "token": wrap(&root).await });
        let (a, b, c, d) = tokio::join!(
            root.write("sys/wrapping/unwrap", token.clone()),
            root.write("sys/wrapping/rewrap", token.clone()),
            root.write("sys/wrapping/unwrap", token.clone()),
            root.write("sys/wrapping/rewrap", token.clone()),
        );
        let statuses = [a.status, b.status, c.status, d.status];
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
        // Nothing that could still be opened is left of those who came too late.
        let left = [&b, &d].into_iter().filter(|answer| answer.status == 200).count();
        let tokens = root.data("sys/internal/counters/tokens").await;
        assert_eq!(tokens["counters"]["service_tokens"]["total"], 1 + kept + left);
        kept += left;
    }
}
