use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn a_mount_is_enabled_shown_tuned_moved_and_disabled() {
    let server = Server::start().await;
    let root = server.root();
    let config = json!({
        "default_lease_ttl": "1h", "max_lease_ttl": 7200, "listing_visibility": "unauth",
        "audit_non_hmac_request_keys": ["a"], "passthrough_request_headers": "X-A",
    });
    let new =
        json!({ "type": "kv", "description": "d", "options": { "version": 1 }, "config": config });
    root.write("sys/mounts/kv", new).await.expect(204);
    let shown = root.data("sys/mounts/kv").await;
    assert_eq!(
        shown["config"],
        json!({
            "audit_non_hmac_request_keys": ["a"], "default_lease_ttl": 3600, "force_no_cache": false,
            "listing_visibility": "unauth", "max_lease_ttl": 7200,
            "passthrough_request_headers": ["X-A"],
        })
    );
    assert_eq!(shown["options"], json!({ "version": "1" }));
    assert_eq!(shown["type"], "kv");
    assert_eq!(root.data("sys/mounts").await["kv/"], shown);

    root.put("kv/a", json!({ "b": "c" })).await;
    let tune =
        json!({ "default_lease_ttl": "30m", "max_lease_ttl": "system", "description": "new" });
    root.write("sys/mounts/kv/tune", tune).await.expect(204);
    let tuned = root.data("sys/mounts/kv/tune").await;
    assert_eq!(tuned["default_lease_ttl"], 1800);
    assert_eq!(tuned["max_lease_ttl"], 2_764_800);
    assert_eq!(tuned["description"], "new");

    let moved = root.put("sys/remount", json!({ "from": "kv", "to": "deep/kv" })).await;
    let id = moved["migration_id"].as_str().unwrap();
    let status = root.data(&format!("sys/remount/status/{id}")).await;
    assert_eq!(
        status["migration_info"],
        json!({ "source_mount": "kv/", "target_mount": "deep/kv/", "status": "success" })
    );
    assert_eq!(root.data("deep/kv/a").await, json!({ "b": "c" }));
    root.read("kv/a").await.refused(404, "no handler for route");

    root.delete("sys/mounts/deep/kv").await.expect(204);
    root.delete("sys/mounts/deep/kv").await.expect(204);
    root.read("sys/mounts/deep/kv").await.refused(400, "No secret engine mount at deep/kv/");
}

#[tokio::test]
async fn an_auth_method_is_administrated_at_both_of_its_paths() {
    let server = Server::start().await;
    let root = server.root();
    root.write("sys/auth/up", json!({ "type": "userpass" })).await.expect(204);
    assert_eq!(root.data("sys/auth/up").await["config"]["token_type"], "default-service");
    let listed = root.data("sys/auth").await;
    assert_eq!(listed["token/"]["type"], "token");
    assert_eq!(listed["token/"]["options"], json!(null));
    let lockout =
        json!({ "lockout_threshold": "7", "lockout_disable": true, "lockout_duration": "10m" });
    let tune = json!({ "token_type": "batch", "user_lockout_config": lockout });
    root.write("sys/auth/up/tune", tune).await.expect(204);
    // The command line tunes auth methods here.
    let tuned = root.data("sys/mounts/auth/up/tune").await;
    assert_eq!(tuned["token_type"], "batch");
    assert_eq!(tuned["user_lockout_threshold"], 7);
    assert_eq!(tuned["user_lockout_duration"], 600);
    assert_eq!(tuned["user_lockout_disable"], true);
    // It is no way around the sudo that the others need.
    root.delete("sys/mounts/auth/up").await.refused(400, "cannot unmount \"auth/up/\"");
    root.read("sys/mounts/auth/up").await.refused(400, "No secret engine mount at auth/up/");
    root.put("sys/remount", json!({ "from": "auth/up", "to": "auth/up2" })).await;
    root.read("sys/auth/up").await.refused(400, "No auth engine at up/");
    root.delete("sys/auth/up2").await.expect(204);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_reason() {
    let server = Server::start().await;
    let root = server.root();
    root.put("sys/mounts/kv", json!({ "type": "kv-v2" })).await;
    for (path, body, text) in [
        ("mounts/kv", json!({ "type": "kv" }), "path is already in use at kv/"),
        ("mounts/kv/x", json!({ "type": "kv" }), "path is already in use at kv/"),
        ("mounts/x", json!({ "type": "nope" }), "plugin not found in the catalog: nope"),
        ("mounts/x", json!({}), "backend type must be specified as a string"),
        ("mounts/auth/x", json!({ "type": "kv" }), "cannot mount \"auth/x/\""),
        ("mounts/sys/x", json!({ "type": "kv" }), "sys/x/"),
        ("mounts/x", json!({ "type": "system" }), "mount type of \"system\" is not mountable"),
        ("mounts/x", json!({ "type": "userpass" }), "plugin not found"),
        ("auth/x", json!({ "type": "token" }), "token credential backend cannot be instantiated"),
        ("auth/x", json!({ "type": "kv" }), "plugin not found"),
        (
            "mounts/x",
            json!({ "type": "kv", "config": { "default_lease_ttl": "3h", "max_lease_ttl": "1h" } }),
            "given default lease TTL greater than given max lease TTL",
        ),
        (
            "mounts/x",
            json!({ "type": "kv", "config": { "listing_visibility": "zz" } }),
            "invalid listing_visibility zz",
        ),
        (
            "mounts/x",
            json!({ "type": "kv", "config": { "max_lease_ttl": "zz" } }),
            "unable to parse max TTL",
        ),
        (
            "auth/x",
            json!({ "type": "userpass", "config": { "token_type": "zz" } }),
            "invalid value for 'token_type'",
        ),
        ("mounts/kv/tune", json!({ "token_type": "batch" }), "can only be modified on auth mounts"),
        ("mounts/kv/tune", json!({ "default_lease_ttl": "-1" }), "unable to parse default TTL"),
        (
            "mounts/kv/tune",
            json!({ "options": { "version": "1" } }),
            "cannot downgrade mount from version 2",
        ),
        ("mounts/nope/tune", json!({}), "tune of path \"nope/\" failed: no mount entry found"),
        ("remount", json!({}), "both 'from' and 'to' path must be specified"),
        ("remount", json!({ "from": "nope", "to": "b" }), "no matching mount at \"nope/\""),
        ("remount", json!({ "from": "kv", "to": "cubbyhole" }), "cubbyhole/"),
        ("remount", json!({ "from": "sys", "to": "x" }), "cannot remount"),
        ("remount", json!({ "from": "kv", "to": "auth/x" }), "cannot remount"),
    ] {
        let answer = root.write(&format!("sys/{path}"), body.clone()).await;
        assert_eq!(answer.status, 400, "{path} {body}: {answer:?}");
        assert!(answer.error.contains(text), "{path} {body}: {}", answer.error);
    }
    root.delete("sys/mounts/sys").await.refused(400, "cannot unmount \"sys/\"");
    root.delete("sys/auth/token").await.refused(400, "token credential backend cannot be disabled");
    root.read("sys/mounts/nope/tune").await.refused(400, "cannot fetch sysview");
    root.read("sys/remount/status/nope").await.refused(404, "");
    assert_eq!(root.data("sys/mounts/kv").await["options"]["version"], "2");
}
