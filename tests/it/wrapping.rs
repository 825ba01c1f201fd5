//! A wrapped answer is opened once, by one of many.

use serde_json::json;
use testkit::server;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_open_it_one_succeeds() {
    let server = std::sync::Arc::new(server().await);
    let headers = [("X-Vault-Wrap-TTL", "60s")];
    let wrapped = server
        .call_with("POST", "sys/wrapping/wrap", &server.root, &headers, Some(json!({ "k": "v" })))
        .await;
    let json = wrapped.json();
    let token = json["wrap_info"]["token"].as_str().unwrap_or_else(|| panic!("{json}")).to_owned();
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (server, token) = (server.clone(), token.clone());
        attempts
            .spawn(async move { server.call("POST", "sys/wrapping/unwrap", &token, None).await });
    }
    let answers = attempts.join_all().await;
    let opened: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(opened.len(), 1, "{answers:?}");
    assert_eq!(opened[0].json()["data"]["k"], "v");
    assert!(answers.iter().all(|answer| answer.status == 200 || !answer.text.contains("\"v\"")));
}
