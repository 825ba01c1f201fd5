//! Other processes: servers that files are published to, and key services of both programs.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::bench::{Bench, SOPS, Who, holds, same};
use crate::sources::Bao;
use crate::{AS_CLI, Check};

pub(crate) const CHECKS: &[Check] = &[
    ("services: publish as sops does", publish),
    ("services: what cannot be published is refused", publish_refused),
    ("services: the keys of another process", keyservice),
    ("services: a key service over a socket", socket),
];

const FILES: [(&str, &str); 5] = [
    ("d/f.yaml", "a: 1\nb:\n    c: x\n    l: [1, t, null]\nf: 1.5\nt: 2020-01-01\n# c\ne: \"\"\n"),
    ("d/sub/g.env", "A=1\n"),
    ("d/sub/i.ini", "[s]\nk = v\n"),
    ("d/sub/b.bin", "raw"),
    // Not a mapping in a list, which sops writes as pairs of keys and values.
    ("d/sub/j.json", "{\"q\": [1, [2.5]], \"r\": {\"s\": {}}}"),
];

fn publish(bench: &Bench) -> Result<(), String> {
    let bao = Bao::start(bench)?;
    bao.run(&["secrets", "enable", "-path=kv1", "-version=1", "kv"])?;
    std::fs::create_dir_all(bench.path("d/sub")).unwrap();
    std::fs::create_dir_all(bench.path("one")).unwrap();
    for (name, text) in FILES.into_iter().chain([("one/h.yaml", "p: 1\n")]) {
        bench.write(name, text);
        bench.encrypt(Who::Sops, name, &[])?;
    }
    let with = [("SOPS_AGE_KEY_FILE", "ann.txt"), ("VAULT_TOKEN", "root")];
    let mut found = Vec::new();
    for (who, base) in [(Who::Ours, "ours"), (Who::Sops, "theirs")] {
        let address = &bao.address;
        bench.write(
            ".sops.yaml",
            format!(
                "destination_rules:\n- path_regex: ^d/\n  vault_address: {address}\n  vault_path: {base}/apps/\n  omit_extensions: true\n- path_regex: ^one/\n  vault_address: {address}\n  vault_path: {base}\n  vault_kv_mount_name: kv1\n  vault_kv_version: 1\n"
            ),
        );
        for args in [
            &["publish", "--yes", "--recursive", "d"][..],
            &["publish", "--yes", "one/h.yaml"],
            &["publish", "--yes", "--omit-extensions", "one/h.yaml"],
        ] {
            bench
                .run_with(who, args, &with, b"")
                .success(&format!("{who:?} {}", args.join(" ")))?;
        }
        let mut values = Vec::new();
        for name in ["f", "sub/g", "sub/i", "sub/b", "sub/j"] {
            values.push(bao.run(&[
                "kv",
                "get",
                "-format=json",
                "-field=data",
                &format!("secret/{base}/apps/{name}"),
            ])?);
        }
        for name in ["h.yaml", "h"] {
            values.push(bao.run(&[
                "kv",
                "get",
                "-format=json",
                "-field=p",
                &format!("kv1/{base}/{name}"),
            ])?);
        }
        found.push(values);
    }
    holds(&format!("both write the same: {found:#?}"), found[0] == found[1])?;
    bench.write(
        ".sops.yaml",
        format!("destination_rules:\n- vault_address: {}\n  vault_path: ours/apps\n  omit_extensions: true\n", bao.address),
    );
    let again = bench.run_with(Who::Ours, &["publish", "--yes", "d/f.yaml"], &with, b"");
    holds(
        &format!("what is there is not written again: {}", again.stderr),
        again.stderr.contains("already"),
    )?;
    let asked = bench.run_with(Who::Ours, &["publish", "d/f.yaml"], &with, b"n\n");
    holds(
        &format!("it asks first: {}", asked.stderr),
        asked.code == 1 && asked.stderr.contains("/v1/secret/data/ours/apps/f ? (y/n)"),
    )?;
    let denied = bench.run_with(
        Who::Ours,
        &["publish", "--yes", "d/f.yaml"],
        &[("SOPS_AGE_KEY_FILE", "ann.txt"), ("VAULT_TOKEN", "nobody")],
        b"",
    );
    holds("without the token it is refused", denied.code == 1 && denied.stderr.contains("403"))
}

fn publish_refused(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    for (rules, reason) in [
        ("creation_rules: []\n", "no matching destination"),
        ("destination_rules:\n- path_regex: other\n  vault_path: a\n", "no matching destination"),
        ("destination_rules:\n- s3_bucket: b\n", "s3_bucket"),
        ("destination_rules:\n- path_regex: f\n", "vault_path"),
        ("destination_rules:\n- vault_path: a\n", "VAULT_ADDR"),
        ("destination_rules:\n- vault_path: a\n  vault_kv_version: 3\n", "must be 1 or 2"),
    ] {
        bench.write(".sops.yaml", rules);
        let refused = bench.run(Who::Ours, &["publish", "--yes", "f.yaml"]);
        holds(
            &format!("{reason} is in {}", refused.stderr),
            refused.code == 1 && refused.stderr.contains(reason),
        )?;
    }
    let folder = bench.run(Who::Ours, &["publish", "--yes", "."]);
    holds("a folder needs its flag", folder.code == 1 && folder.stderr.contains("--recursive"))
}

/// A key service of either program, with Ann's identity, which ends with this value.
struct Service(Child);

impl Service {
    fn start(bench: &Bench, who: Who, address: &str, args: &[&str]) -> Result<Self, String> {
        let (network, place) = address.split_once("://").unwrap();
        let mut command = match who {
            Who::Ours => Command::new(std::env::current_exe().unwrap()),
            Who::Sops => Command::new(SOPS),
        };
        let mut process = command
            .args(["keyservice", "--network", network, "--addr", place])
            .args(args)
            .current_dir(bench.path(""))
            .env("HOME", bench.path(""))
            .env("SOPS_DISABLE_VERSION_CHECK", "1")
            .env("SOPS_AGE_KEY_FILE", "ann.txt")
            .env(AS_CLI, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let listens = |address: &str| match address.strip_prefix("unix://") {
            Some(path) => UnixStream::connect(path).is_ok(),
            None => TcpStream::connect(address.trim_start_matches("tcp://")).is_ok(),
        };
        while !listens(address) {
            if let Ok(Some(status)) = process.try_wait() {
                return Err(format!("the key service of {who:?} ended with {status}"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self(process))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free for the moment.
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("tcp://{}", listener.local_addr().unwrap())
}

fn keyservice(bench: &Bench) -> Result<(), String> {
    for (server, client) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours), (Who::Ours, Who::Ours)]
    {
        let address = free_port();
        let service = Service::start(bench, server, &address, &[])?;
        let flags = ["--enable-local-keyservice=false", "--keyservice", address.as_str()];
        bench.write("f.yaml", "a: 1\nb: x\n");
        let ann = ["--age", bench.ann.as_str(), "-i", "f.yaml"];
        // Without an identity of its own.
        bench
            .run_with(client, &[&["encrypt"], &flags[..], &ann[..]].concat(), &[], b"")
            .success("encrypt")?;
        let found =
            bench.run_with(client, &[&["decrypt"], &flags[..], &["f.yaml"]].concat(), &[], b"");
        same(
            &format!("{client:?} by the keys of {server:?}"),
            &found.success("decrypt")?,
            b"a: 1\nb: x\n",
        )?;
        let alone = bench.run_with(client, &["decrypt", "f.yaml"], &[], b"");
        holds("without the service nothing opens", alone.code == 128)?;
        let other = ["--age", bench.bob.as_str(), "-i", "f.yaml"];
        bench.write("f.yaml", "a: 1\n");
        bench
            .run_with(client, &[&["encrypt"], &flags[..], &other[..]].concat(), &[], b"")
            .success("encrypt")?;
        let refused =
            bench.run_with(client, &[&["decrypt"], &flags[..], &["f.yaml"]].concat(), &[], b"");
        holds(
            &format!("a key that the service has not opens nothing: {}", refused.stderr),
            refused.code == 128,
        )?;
        drop(service);
        let gone =
            bench.run_with(client, &[&["decrypt"], &flags[..], &["f.yaml"]].concat(), &[], b"");
        holds("nor does a service that is gone", gone.code == 128)?;
    }
    let nonsense = bench.run(Who::Ours, &["decrypt", "--keyservice", "nowhere", "f.yaml"]);
    holds(
        "an address must be one",
        nonsense.code == 1 && nonsense.stderr.contains("tcp://HOST:PORT"),
    )
}

fn socket(bench: &Bench) -> Result<(), String> {
    bench.write("f.yaml", "a: 1\n");
    bench.encrypt(Who::Ours, "f.yaml", &[])?;
    for (server, client) in [(Who::Ours, Who::Sops), (Who::Sops, Who::Ours)] {
        let address = format!("unix://{}", bench.path(&format!("{server:?}.sock")).display());
        let _service = Service::start(bench, server, &address, &[])?;
        let with = [("SOPS_KEYSERVICE", address.as_str())];
        let found = bench.run_with(client, &["decrypt", "f.yaml"], &with, b"");
        same(&format!("{client:?} by {server:?}"), &found.success("decrypt")?, b"a: 1\n")?;
    }
    let taken = bench.run(Who::Ours, &["keyservice", "--net", "unix", "--addr", "/nowhere/at/all"]);
    holds(
        "a place that cannot be is named",
        taken.code == 1 && taken.stderr.contains("/nowhere/at/all"),
    )?;
    let address = free_port();
    let _prompted = Service::start(bench, Who::Ours, &address, &["--prompt"])?;
    let with = [("SOPS_KEYSERVICE", address.as_str())];
    let refused = bench.run_with(Who::Ours, &["decrypt", "f.yaml"], &with, b"");
    holds(
        &format!("nobody answers the question: {}", refused.stderr),
        refused.stderr.contains("rejected"),
    )
}
