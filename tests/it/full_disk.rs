//! A disk without room: writes are refused, reads go on, nothing acknowledged is lost.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::json;
use testkit::{TestServer, server_at};

/// A file system in memory with room for so many bytes. It is mounted in a namespace that only its
/// keeper is in, so that it is gone with it, and is reached by way of the keeper's root.
struct SmallDisk {
    keeper: Child,
    root: PathBuf,
}

impl SmallDisk {
    fn with_room_for(bytes: usize) -> Self {
        let script =
            format!("mount -t tmpfs -o size={bytes} none /tmp && echo mounted && exec cat");
        // Whoever is not root becomes it in a namespace of users too.
        let as_root = ["--mount"];
        let as_user = ["--mount", "--user", "--map-root-user"];
        let kept = Self::keep(&as_root, &script).or_else(|| Self::keep(&as_user, &script));
        kept.expect("this test mounts a file system: run it as root or allow user namespaces")
    }

    fn keep(flags: &[&str], script: &str) -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", script]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut keeper = command.spawn().ok()?;
        let mut said = String::new();
        BufReader::new(keeper.stdout.take()?).read_line(&mut said).ok()?;
        let root = PathBuf::from(format!("/proc/{}/root/tmp", keeper.id()));
        let disk = Self { keeper, root };
        (said == "mounted\n").then_some(disk)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

const DISK: usize = 48 << 20;
const BALLAST: usize = 8 << 20;
const VALUE: usize = 256 << 10;
/// More than fit, even if the log is emptied into the database on the way.
const WRITES_MAX: usize = 4 * DISK / VALUE;

fn value(key: usize) -> String {
    format!("{key:04}").repeat(VALUE / 4)
}

async fn write(server: &TestServer, key: usize) -> Result<(), (u16, String)> {
    let body = Some(json!({ "k": value(key) }));
    let answer = server.call("PUT", &format!("plain/{key}"), &server.root, body).await;
    match answer.status {
        204 => Ok(()),
        status => Err((status, answer.error())),
    }
}

async fn assert_readable(server: &TestServer, keys: &[usize]) {
    for &key in keys {
        let answer = server.call("GET", &format!("plain/{key}"), &server.root, None).await;
        assert_eq!(answer.status, 200, "{key}: {} {}", answer.head, answer.error());
        assert!(answer.json()["data"]["k"] == value(key), "{key} is another value");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_refused_reads_go_on_and_nothing_is_lost() {
    let disk = SmallDisk::with_room_for(DISK);
    let ballast = disk.root.join("ballast");
    std::fs::write(&ballast, vec![0; BALLAST]).unwrap();
    let data = disk.root.join("data");
    // Made here, since its real path leads elsewhere outside of the keeper's namespace.
    std::fs::create_dir(&data).unwrap();
    let mut server = server_at(data).await;
    let mount = Some(json!({ "type": "kv" }));
    assert_eq!(server.call("PUT", "sys/mounts/plain", &server.root, mount).await.status, 204);

    let (mut acknowledged, mut refusal) = (Vec::new(), None);
    for key in 0..WRITES_MAX {
        match write(&server, key).await {
            Ok(()) => acknowledged.push(key),
            Err(refused) => {
                refusal = Some(refused);
                break;
            }
        }
    }
    let (status, text) = refusal.expect("the disk is full at some time");
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("space"), "says what to do: {text}");
    assert!(acknowledged.len() > 8, "{acknowledged:?}");

    // Refused again and again, whatever is asked to be kept; what only reads goes on.
    for key in WRITES_MAX..WRITES_MAX + 8 {
        match write(&server, key).await {
            Ok(()) => acknowledged.push(key),
            Err((status, text)) => assert!(status == 503 && text.contains("space"), "{text}"),
        }
    }
    assert_eq!(server.call("GET", "sys/mounts", &server.root, None).await.status, 200);
    assert_eq!(server.call("GET", "sys/health", "", None).await.status, 200);
    assert_readable(&server, &acknowledged).await;

    // With space again, it takes writes after a restart at the latest.
    std::fs::remove_file(&ballast).unwrap();
    server.restart().await;
    assert_readable(&server, &acknowledged).await;
    let after = WRITES_MAX + 100;
    write(&server, after).await.unwrap();
    acknowledged.push(after);
    server.restart().await;
    assert_readable(&server, &acknowledged).await;
}
