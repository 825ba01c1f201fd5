use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn a_rate_limit_is_set_shown_and_removed() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/mounts/secret", json!({ "type": "kv" })).await;
    let limit = json!({ "rate": 5, "path": "secret", "interval": "2m", "block_interval": 60 });
    root.write("sys/quotas/rate-limit/Q", limit).await.expect(204);
    assert_eq!(
        root.data("sys/quotas/rate-limit/q").await,
        json!({
            "block_interval": 60, "inheritable": false, "interval": 120, "name": "q",
            "path": "secret/", "rate": 5, "role": "", "type": "rate-limit",
        })
    );
    for _ in 0..5 {
        root.read("secret/a").await.refused(404, "");
    }
    root.read("secret/a").await.refused(429, "rate limit quota exceeded");
    assert_eq!(root.list("sys/quotas/rate-limit").await.json["data"]["keys"], json!(["q"]));
    root.delete("sys/quotas/rate-limit/q").await.expect(204);
    root.read("secret/a").await.refused(404, "");
    root.read("sys/quotas/rate-limit/q").await.refused(404, "");
}

#[tokio::test]
async fn a_limit_on_leases_counts() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/mounts/loans", json!({ "type": "loans" })).await;
    root.write("sys/quotas/lease-count/l", json!({ "path": "loans/", "max_leases": 1 }))
        .await
        .expect(204);
    root.read("loans/creds/a").await.expect(200);
    root.read("loans/creds/b").await.refused(429, "lease count quota exceeded");
    let shown = root.data("sys/quotas/lease-count/l").await;
    assert_eq!((&shown["counter"], &shown["max_leases"]), (&json!(1), &json!(1)));
    root.read("sys/quotas/rate-limit/l").await.refused(404, "");
    root.delete("sys/quotas/rate-limit/l").await.expect(204);
    root.data("sys/quotas/lease-count/l").await;
    root.delete("sys/quotas/lease-count/l").await.expect(204);
    root.read("loans/creds/b").await.expect(200);
}

#[tokio::test]
async fn quotas_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/namespaces/a", json!({})).await;
    root.write("sys/quotas/rate-limit/q", json!({ "rate": 1000, "path": "a" })).await.expect(204);
    assert_eq!(root.data("sys/quotas/rate-limit/q").await["path"], "a/");
    for (path, body, text) in [
        ("rate-limit/x", json!({}), "'rate' is invalid"),
        ("rate-limit/x", json!({ "rate": -1 }), "'rate' is invalid"),
        ("rate-limit/x", json!({ "rate": 1, "path": "nope/x" }), "invalid mount path \"nope/x/\""),
        ("rate-limit/x", json!({ "rate": 1, "role": "r" }), "role-based quotas"),
        ("rate-limit/x", json!({ "rate": 1, "path": "a/" }), "exists under the name \"q\""),
        ("lease-count/x", json!({}), "'max_leases' is invalid"),
        ("lease-count/q", json!({ "max_leases": 1 }), "another kind"),
    ] {
        root.write(&format!("sys/quotas/{path}"), body).await.refused(400, text);
    }
    let config = json!({ "rate_limit_exempt_paths": ["sys/health"] });
    root.write("sys/quotas/config", config).await.expect(204);
    let shown = root.data("sys/quotas/config").await;
    assert_eq!(shown["rate_limit_exempt_paths"], json!(["sys/health"]));
    assert_eq!(shown["enable_rate_limit_audit_logging"], false);
}
