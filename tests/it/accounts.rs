//! Whoever logs in is named after the mount and themselves.

use serde_json::json;
use testkit::server;

#[tokio::test(flavor = "multi_thread")]
async fn a_display_name_carries_the_mount() {
    let server = server().await;
    let root = &server.root;
    for (mount, login, name) in [
        ("userpass", "bob", "userpass-bob"),
        ("userpass", "BOB", "userpass-bob"),
        ("team/folk", "bob", "team-folk-bob"),
    ] {
        let method = Some(json!({ "type": "userpass" }));
        server.call("POST", &format!("sys/auth/{mount}"), root, method).await;
        let password = || Some(json!({ "password": "pw" }));
        let user = format!("auth/{mount}/users/bob");
        assert_eq!(server.call("POST", &user, root, password()).await.status, 204);
        let path = format!("auth/{mount}/login/{login}");
        let answer = server.call("POST", &path, "", password()).await.json();
        let token = answer["auth"]["client_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let shown = server.call("GET", "auth/token/lookup-self", token, None).await.json();
        assert_eq!(shown["data"]["display_name"], name, "{shown}");
        assert_eq!(shown["data"]["path"], path, "{shown}");
    }
    let child = Some(json!({ "display_name": "job" }));
    let made = server.call("POST", "auth/token/create", root, child).await.json();
    let token = made["auth"]["client_token"].as_str().unwrap();
    let shown = server.call("GET", "auth/token/lookup-self", token, None).await.json();
    assert_eq!(shown["data"]["display_name"], "token-job", "{shown}");
}
