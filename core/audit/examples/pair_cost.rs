//! What a request and its response cost in processor time, with one file device.
//!
//! `cargo run --release -p core-audit --example pair_cost -- [TASKS] [PAIRS] [FILE]`
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base_crypto::{SeededRandom, SigningKey};
use base_types::{Secret, SystemClock, Timestamp, Ttl};
use core_audit::{
    Auth, Broker, DeviceConfig, GrantingPolicy, Kind, Mount, NamespaceInfo, PolicyResults, Request,
    RequestEntry, Response, ResponseEntry, Setup,
};
use serde_json::value::RawValue;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number =
        |default| arguments.next().map_or(default, |text| text.parse().expect("a number"));
    let (tasks, pairs) = (number(32), number(400_000));
    let folder = tempfile::tempdir().expect("a folder");
    let path = arguments.next().map_or(folder.path().join("audit.log"), Into::into);
    let broker = Arc::new(Broker::new(Setup {
        clock: Arc::new(SystemClock::default()),
        signing_key: SigningKey::generate(&SeededRandom::new(1)),
        poster: None,
        allow_prefix: false,
        patience: Duration::from_secs(5),
    }));
    let options = BTreeMap::from([("file_path".to_owned(), path.display().to_string())]);
    let config = DeviceConfig {
        path: "file/".into(),
        kind: Kind::File,
        description: String::new(),
        options,
        local: false,
    };
    broker.enable(config, Secret::new([1; 32])).await.expect("the device opens");

    let (start, cpu) = (Instant::now(), cpu_ticks());
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                for _ in 0..pairs / tasks {
                    pair(&broker).await;
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("a task");
    }
    let (wall, cpu) = (start.elapsed(), cpu_ticks() - cpu);
    let micros = |seconds: f64| seconds * 1e6 / pairs as f64;
    println!(
        "{tasks} tasks, {pairs} pairs: {:.1} us of processor time and {:.1} us of time per pair, {:.0} pairs/s",
        micros(cpu as f64 / 100.0),
        micros(wall.as_secs_f64()),
        pairs as f64 / wall.as_secs_f64(),
    );
    broker.close().await;
}

async fn pair(broker: &Broker) {
    let policies = ["default", "dev"];
    let auth = Auth {
        client_token: "s.z3NhM7PaLoeN2uA45EQk8yTA",
        accessor: "Mjh8plZRJyeIqDWyvW7KuVrX",
        display_name: "userpass-ann",
        policies: &policies,
        token_policies: &policies,
        policy_results: Some(PolicyResults {
            allowed: true,
            granting_policies: &[GrantingPolicy {
                name: "dev",
                namespace_id: "root",
                namespace_path: "",
                kind: "acl",
            }],
        }),
        metadata: &[("username", "ann")],
        entity_id: "dfa85693-4533-0f0b-80ec-eed8025d66e7",
        token_type: "service",
        token_ttl: Ttl::from_seconds(2_764_800),
        token_issue_time: Some(Timestamp::from_seconds(1_795_305_723)),
        ..Auth::default()
    };
    let entry = RequestEntry {
        auth,
        request: Request {
            id: "611e123e-2b6f-dc24-2d62-aa9a483e42b5",
            client_id: "dfa85693-4533-0f0b-80ec-eed8025d66e7",
            operation: "read",
            mount: Mount {
                point: "secret/",
                kind: "kv",
                accessor: "kv_feea237f",
                running_version: "v0.1.0",
                class: "secret",
                ..Mount::default()
            },
            client_token: auth.client_token,
            client_token_accessor: auth.accessor,
            namespace: NamespaceInfo { id: "root", path: "" },
            path: "secret/data/app",
            remote_address: "127.0.0.1",
            remote_port: 40848,
            ..Request::default()
        },
        error: "",
    };
    let data: &RawValue = serde_json::from_str(
        r#"{"data":{"password":"hunter2hunter2hunter2","user":"app"},"metadata":{"created_time":"2026-11-22T00:02:03.662781935Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}}"#,
    )
    .expect("JSON");
    let receipt = broker.begin(&entry).await.expect("recorded");
    let response = Response { data: Some(data), ..Response::default() };
    let entry = ResponseEntry { request: &entry, auth: None, response, error: "" };
    drop(broker.end(receipt, &entry).await.expect("recorded"));
}

/// User and system time of this process, in hundredths of a second.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}
