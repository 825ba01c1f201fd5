use serde_json::json;

use crate::harness::Server;

/// The digests of "hello" that OpenBao gives.
#[tokio::test]
async fn digests_agree_with_openbao() {
    let server = Server::start().await;
    let root = server.root();
    for (algorithm, sum) in [
        ("sha2-224", "6gmunMZ2jFD87pA+0FRVblv8g0eQfxJZiqJBkw=="),
        ("sha2-256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
        ("sha2-384", "WeF0h3dEjGnea4ANejO7+5/xtGPkQ1TDVTvNucZm+pASWjx5+QOXvfX2oT3oKGhP"),
        ("sha3-256", "Mzi+aU9QxfM4gUmGzfBoZFOoiLhPQk15KvS5ICOY85I="),
        ("sha3-384", "cgrqEQGe8GRA+/Bdh6okaAohU985B7I2MecXfOYg+hMw/wfA/d7lRpmkw+4O6diH"),
    ] {
        let body = json!({ "input": "aGVsbG8=", "format": "base64" });
        assert_eq!(root.put(&format!("sys/tools/hash/{algorithm}"), body).await["sum"], sum);
    }
    let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(root.put("sys/tools/hash", json!({ "input": "aGVsbG8=" })).await["sum"], sum);
    for (path, body, text) in [
        ("hash/md5", json!({ "input": "" }), "unsupported algorithm md5"),
        ("hash", json!({ "input": "!!" }), "unable to decode input as base64"),
        ("hash", json!({ "input": "", "format": "zz" }), "unsupported encoding format"),
        ("random/0", json!({}), "'bytes' cannot be less than 1"),
        ("random/999999", json!({}), "'bytes' should be less than 131072"),
        ("random/abc", json!({}), "error parsing url-set byte count"),
        ("random/zz/5", json!({}), "unsupported entropy source \"zz\""),
        ("random", json!({ "format": "zz" }), "unsupported encoding format"),
    ] {
        root.write(&format!("sys/tools/{path}"), body).await.refused(400, text);
    }
}

#[tokio::test]
async fn random_bytes_come_in_any_number() {
    let server = Server::start().await;
    let root = server.root();
    for (path, body, digits) in [
        ("random/5", json!({ "format": "hex" }), 10),
        ("random/platform/5", json!({ "format": "hex" }), 10),
        ("random/platform", json!({ "format": "hex" }), 64),
        ("random", json!({ "format": "hex", "bytes": 7 }), 14),
        ("random", json!({}), 44),
    ] {
        let random = root.put(&format!("sys/tools/{path}"), body).await;
        assert_eq!(random["random_bytes"].as_str().unwrap().len(), digits, "{path}");
    }
    let seal = root.write("sys/tools/random/seal/5", json!({})).await.expect(200);
    assert!(seal.json["warnings"][0].as_str().unwrap().contains("platform entropy source"));
}
