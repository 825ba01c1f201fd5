use serde_json::json;

use crate::harness::Server;

const READER: &str = r#"path "secret/*" { capabilities = ["read"] }"#;
const DENIER: &str = r#"path "secret/a" { capabilities = ["deny"] }"#;

#[tokio::test]
async fn an_explanation_names_the_rule_that_decides() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/policies/acl/reader", json!({ "policy": READER })).await;
    root.put("sys/policies/acl/denier", json!({ "policy": DENIER })).await;
    let (token, accessor) = root.token(&["reader", "denier"]).await;
    for subject in [
        json!({ "token": token }),
        json!({ "accessor": accessor }),
        json!({ "policies": ["reader", "DENIER"] }),
    ] {
        let ask = |path: &str| {
            let mut body = subject.clone();
            body["operation"] = json!("read");
            body["path"] = json!(path);
            body
        };
        let denied = root.put("sys/policies/explain", ask("secret/a")).await;
        assert_eq!(denied["granted"], false, "{subject}");
        assert_eq!(denied["candidates"][0]["sources"][0]["policy"], "denier");
        assert_eq!(denied["candidates"][0]["sources"][0]["line"], 1);
        let granted = root.put("sys/policies/explain", ask("secret/b")).await;
        assert_eq!(granted["granted"], true);
        assert_eq!(granted["candidates"][0]["sources"][0]["policy"], "reader");
        assert!(granted["text"].as_str().unwrap().starts_with("read secret/b: granted"));
    }
    let seal = json!({ "policies": "default", "operation": "update", "path": "sys/seal" });
    let seal = root.put("sys/policies/explain", seal).await;
    assert_eq!((&seal["granted"], &seal["sudo_required"]), (&json!(false), &json!(true)));
    let open =
        json!({ "policies": "default", "operation": "read", "path": "sys/internal/ui/mounts" });
    assert_eq!(root.put("sys/policies/explain", open).await["open"], true);
}

#[tokio::test]
async fn who_can_lists_policies_tokens_and_token_roles() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/policies/acl/reader", json!({ "policy": READER })).await;
    root.put("sys/policies/acl/denier", json!({ "policy": DENIER })).await;
    let (_, able) = root.token(&["reader"]).await;
    let (_, unable) = root.token(&["reader", "denier"]).await;
    root.put("auth/token/roles/hands-out", json!({ "allowed_policies_glob": ["read*"] })).await;
    root.put("auth/token/roles/withholds", json!({ "allowed_policies": ["denier"] })).await;
    let asked = json!({ "operation": "read", "path": "secret/a" });
    let answer = root.put("sys/policies/who-can", asked).await;
    let names: Vec<_> =
        answer["policies"].as_array().unwrap().iter().map(|one| &one["policy"]).collect();
    assert_eq!(names, [&json!("reader"), &json!("root")]);
    assert_eq!(answer["policies"][0]["rule"]["path"], "secret/*");
    let accessors: Vec<_> = answer["tokens"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["accessor"].as_str().unwrap())
        .collect();
    assert!(accessors.contains(&able.as_str()) && !accessors.contains(&unable.as_str()));
    assert_eq!(answer["token_roles"], json!([{ "name": "hands-out", "policies": ["reader"] }]));
    let text = answer["text"].as_str().unwrap();
    let rule = "read secret/a may be done with\n  path \"secret/*\" [read] in policy reader, line 1\n  policy root\n";
    assert!(text.starts_with(rule), "{text}");
    assert!(text.contains(&able) && !text.contains(&unable), "{text}");
    assert!(text.ends_with("\n  a token by role hands-out: reader\n"), "{text}");

    // Page by page, every token is looked at once.
    let (mut found, mut after) = (Vec::new(), json!(""));
    loop {
        let asked = json!({ "operation": "read", "path": "secret/a", "limit": 1, "after": after });
        let page = root.put("sys/policies/who-can", asked).await;
        found.extend(page["tokens"].as_array().unwrap().iter().map(|one| one["accessor"].clone()));
        if page["next"].is_null() {
            break;
        }
        after = page["next"].clone();
    }
    assert_eq!(found, accessors);
}

#[tokio::test]
async fn questions_that_make_no_sense_and_foreign_tokens_are_refused() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/namespaces/a", json!({})).await;
    let (token, accessor) = root.at("a").token(&["default"]).await;
    for (body, text) in [
        (json!({ "operation": "raed", "path": "a", "policies": "default" }), "is no operation"),
        (json!({ "operation": "read", "path": "a" }), "give one of token, accessor and policies"),
        (json!({ "operation": "read", "path": "a", "policies": "nope" }), "there is no policy"),
        (json!({ "operation": "read", "path": "a", "token": token }), "invalid token"),
        (json!({ "operation": "read", "path": "a", "accessor": accessor }), "invalid accessor"),
    ] {
        root.write("sys/policies/explain", body).await.refused(400, text);
    }
}
