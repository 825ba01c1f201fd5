use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn a_locked_account_is_listed_and_unlocked() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/auth/up", json!({ "type": "userpass" })).await;
    let accessor = root.data("sys/auth/up").await["accessor"].as_str().unwrap().to_owned();
    root.put("auth/up/users/ann", json!({ "password": "hunter22" })).await;
    assert_eq!(root.data("sys/locked-users").await["total"], 0);
    let (wrong, right) = (json!({ "password": "x" }), json!({ "password": "hunter22" }));
    let nobody = server.nobody();
    for _ in 0..4 {
        nobody.write("auth/up/login/ann", wrong.clone()).await;
    }
    assert_eq!(root.data("sys/locked-users").await["total"], 0);
    // Another spelling is the same account (CVE-2025-6004).
    nobody.write("auth/up/login/ANN", wrong.clone()).await;
    nobody.write("auth/up/login/ann", right.clone()).await.refused(403, "permission denied");
    let locked = root.data("sys/locked-users").await;
    assert_eq!(locked["total"], 1);
    let mounts = json!([{ "mount_accessor": accessor, "counts": 1, "alias_identifiers": ["ann"] }]);
    assert_eq!(locked["by_namespace"][0]["mount_accessors"], mounts);
    assert_eq!(root.data("sys/locked-users?mount_accessor=zz").await["total"], 0);

    root.put("sys/namespaces/a", json!({})).await;
    let unlock = format!("sys/locked-users/{accessor}/unlock/ann");
    root.at("a").write(&unlock, json!({})).await.refused(400, "no auth method");
    assert_eq!(root.at("a").data("sys/locked-users").await["total"], 0);
    root.write(&unlock, json!({})).await.expect(204);
    nobody.write("auth/up/login/ann", right).await.expect(200);
}
