//! What must not be readable is not.

use serde_json::json;
use testkit::server;

/// Every file below `folder` with its content.
fn files(folder: &std::path::Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let content = std::fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found
}

fn holds(content: &[u8], needle: &str) -> bool {
    content.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_on_the_disk_holds_a_secret_or_a_token() {
    let mut server = server().await;
    let root = server.root.clone();
    server
        .call(
            "POST",
            "sys/mounts/secret",
            &root,
            Some(json!({ "type": "kv", "options": { "version": "2" } })),
        )
        .await;
    server
        .call("POST", "secret/data/a", &root, Some(json!({ "data": { "k": "planted-value-1" } })))
        .await;
    server.call("POST", "sys/auth/userpass", &root, Some(json!({ "type": "userpass" }))).await;
    server
        .call(
            "POST",
            "auth/userpass/users/u",
            &root,
            Some(json!({ "password": "planted-password-2" })),
        )
        .await;
    let login = server
        .call(
            "POST",
            "auth/userpass/login/u",
            "",
            Some(json!({ "password": "planted-password-2" })),
        )
        .await;
    let json = login.json();
    let token = json["auth"]["client_token"].as_str().unwrap_or_else(|| panic!("{json}"));
    server.call("POST", "cubbyhole/mine", token, Some(json!({ "k": "planted-value-3" }))).await;
    // Everything that is only in memory must reach the disk before it is searched.
    server.restart().await;
    let files = files(server.folder());
    assert!(files.len() > 3);
    for (path, content) in &files {
        for needle in ["planted-value-1", "planted-password-2", "planted-value-3", token, &root] {
            assert!(!holds(content, needle), "{} holds {needle}", path.display());
        }
    }
    let data = files.iter().any(|(_, content)| holds(content, "userpass"));
    assert!(data, "the search must be able to find something");
}
