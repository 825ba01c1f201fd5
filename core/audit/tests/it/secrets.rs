use std::collections::BTreeMap;

use base_types::{Timestamp, Ttl};
use core_audit::{Auth, Kind, Mount, Request, RequestEntry, Response, ResponseEntry, WrapInfo};

use crate::support::{broker, enable, lines, pair, raw, verify_bytes};

/// Every value that must not be in the log holds this word, in one spelling or another.
const PLANTED: &str = "Pl4nted";

#[tokio::test]
async fn no_secret_of_a_request_or_response_is_in_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let broker = broker();
    let path = file.to_str().unwrap();
    enable(&broker, "file/", Kind::File, &[("file_path", path)]).await.unwrap();
    broker.set_request_headers(BTreeMap::from([("x-secret".into(), true)]));
    let data = raw(
        r#"{"a":"Pl4nted","b":{"c":["x",["Pl4nted",{"d":"1Pl4nted2"}]]},"e":"ü Pl4nted ü","f":"\u0050l4nted",
            "g":"Pl4nted\"}],{\\","h":"\ud800Pl4nted","i":"2026-01-31T12:00:00.Pl4ntedZ","j":["4111111111111111"],
            "k":"UGw0bnRlZA==","":"Pl4nted","l":" 2026-01-31T12:00:00Z","m\"":"Pl4nted","n":"\\","o":"Pl4nted"}"#,
    );
    let deep = raw(&format!("{}\"Pl4nted\"{}", "[".repeat(5000), "]".repeat(5000)));
    let auth = Auth {
        client_token: "s.Pl4nted1",
        accessor: "acc.Pl4nted",
        token_type: "service",
        ..Auth::default()
    };
    let entry = RequestEntry {
        auth,
        request: Request {
            id: "1",
            operation: "update",
            mount: Mount { plain_request_keys: &["zz".into()], ..Mount::default() },
            client_token: "s.Pl4nted2",
            client_token_accessor: "acc.Pl4nted2",
            path: "a",
            data: Some(&data),
            headers: &[("X-Secret", "Pl4nted"), ("Cookie", "Pl4nted"), ("x-secret", "2 Pl4nted")],
            ..Request::default()
        },
        error: "permission denied",
    };
    let receipt = broker.begin(&entry).await.unwrap();
    let response = Response {
        auth: Some(&auth),
        data: Some(&deep),
        wrap_info: Some(WrapInfo {
            ttl: Ttl::from_seconds(60),
            token: "s.Pl4nted3",
            accessor: "acc.Pl4nted3",
            creation_time: Timestamp::EPOCH,
            creation_path: "a",
            wrapped_accessor: "acc.Pl4nted4",
        }),
        ..Response::default()
    };
    let response = ResponseEntry { request: &entry, auth: Some(&auth), response, error: "" };
    drop(broker.end(receipt, &response).await.unwrap());
    broker.close().await;

    let log = std::fs::read_to_string(&file).unwrap();
    for planted in [PLANTED, "4111111111111111", "UGw0bnRlZA", "u0050l4nted"] {
        assert!(!log.contains(planted), "{planted} in {log}");
    }
    assert_eq!(lines(log.as_bytes()).len(), 4);
    assert!(verify_bytes(log.as_bytes(), None).is_intact());
}

#[tokio::test]
async fn a_raw_log_holds_what_came_in_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let broker = broker();
    let options = [("file_path", file.to_str().unwrap()), ("log_raw", "true")];
    enable(&broker, "file/", Kind::File, &options).await.unwrap();
    drop(pair(&broker, "1", "{ \"a\" :\n \"x y\" }").await.unwrap());
    let log = std::fs::read(&file).unwrap();
    let lines = lines(&log);
    assert_eq!(lines[1]["request"]["data"]["a"], "x y");
    assert_eq!(lines[1]["auth"]["client_token"], "s.token");
    assert_eq!(lines[2]["response"]["data"]["a"], "x y");
}

#[tokio::test]
async fn devices_hash_with_their_own_salts() {
    let folder = tempfile::tempdir().unwrap();
    let broker = broker();
    for (path, salt) in [("a/", [1; 32]), ("b/", [2; 32]), ("c/", [1; 32])] {
        let file = folder.path().join(path.trim_end_matches('/'));
        let config =
            crate::support::config(path, Kind::File, &[("file_path", file.to_str().unwrap())]);
        broker.enable(config, base_types::Secret::new(salt)).await.unwrap();
    }
    drop(pair(&broker, "1", r#"{"a":"hunter2"}"#).await.unwrap());
    broker.close().await;
    let hash = |file: &str| {
        let log = std::fs::read(folder.path().join(file)).unwrap();
        lines(&log)[1]["request"]["data"]["a"].clone()
    };
    assert_ne!(hash("a"), hash("b"));
    assert_eq!(hash("a"), hash("c"));
    assert_eq!(
        hash("a"),
        // From Python: hmac.new(bytes([1])*32, b"hunter2", "sha256").hexdigest()
        "hmac-sha256:f26b540759235a9d2d6decc1bddffcf36ee1b113d12bf4928ebdfc77a8d2a181"
    );
}
