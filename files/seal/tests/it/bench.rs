use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd};
use tempfile::TempDir;

use crate::AS_CLI;

/// A folder with the controller's key `key.pem` and certificate `cert.pem`, one that has expired,
/// and those of another cluster.
pub(crate) struct Bench(TempDir);

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/peers");

impl Bench {
    pub(crate) fn new() -> Result<Self, String> {
        let bench = Self(tempfile::tempdir().map_err(|error| error.to_string())?);
        bench.pair("", (2024, 2124));
        bench.pair("old-", (2020, 2024));
        bench.pair("other-", (2024, 2124));
        bench.write("secret.yaml", SECRET);
        Ok(bench)
    }

    fn pair(&self, prefix: &str, years: (i32, i32)) {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 2, 3);
        let certificate = params.self_signed(&key).unwrap();
        self.write(&format!("{prefix}key.pem"), key.serialize_pem());
        self.write(&format!("{prefix}cert.pem"), certificate.pem());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn run(&self, args: &[&str], input: &str) -> Answer {
        self.run_with(args, input, &[])
    }

    pub(crate) fn run_with(
        &self,
        args: &[&str],
        input: &str,
        variables: &[(&str, &str)],
    ) -> Answer {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(args).env_clear().env(AS_CLI, "1").envs(variables.iter().copied());
        self.finish(command, input)
    }

    /// A command that must work prints this.
    pub(crate) fn output(&self, args: &[&str], input: &str) -> Result<String, String> {
        let answer = self.run(args, input);
        match answer.code {
            0 => Ok(answer.stdout),
            code => Err(format!("{}: exit code {code}: {}", args.join(" "), answer.stderr)),
        }
    }

    /// What a script for kubesealpy prints.
    pub(crate) fn python(&self, script: &str, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(format!("{PEERS}/python/bin/python3"));
        command.args(["-c", script]).args(args);
        self.peer(command)
    }

    /// What a script for kubeseal-encrypt prints.
    pub(crate) fn node(&self, script: &str, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new("node");
        command.args(["-e", script]).args(args);
        command.env("NODE_PATH", format!("{PEERS}/node/node_modules"));
        self.peer(command)
    }

    fn peer(&self, command: Command) -> Result<String, String> {
        let answer = self.finish(command, "");
        match answer.code {
            0 => Ok(answer.stdout),
            _ => Err(format!("{}; is `cargo xtask setup` done?", answer.stderr)),
        }
    }

    fn finish(&self, mut command: Command, input: &str) -> Answer {
        command
            .current_dir(self.0.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let stderr = format!("{command:?}: {error}");
                return Answer { code: -1, stdout: String::new(), stderr };
            }
        };
        // A program that does not read its input closes it early.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        Answer { code: output.status.code().unwrap_or(-1), stdout, stderr }
    }

    /// A controller with the key and the certificate of these names.
    pub(crate) fn controller(&self, key: &str, certificate: &str) -> Result<Controller, String> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/controller.py");
        let mut process = Command::new(format!("{PEERS}/python/bin/python3"))
            .args([script, key, certificate])
            .current_dir(self.0.path())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{error}; is `cargo xtask setup` done?"))?;
        let mut line = String::new();
        let _ = BufReader::new(process.stdout.take().unwrap()).read_line(&mut line);
        Ok(Controller { address: format!("http://127.0.0.1:{}", line.trim()), process })
    }
}

/// A controller that ends with this value.
pub(crate) struct Controller {
    pub(crate) address: String,
    process: Child,
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) const SECRET: &str = r#"apiVersion: v1
kind: Secret
metadata:
  name: login
  namespace: team
  creationTimestamp: null
  uid: 12345678-aaaa
  labels:
    app: shop
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: '{"data": {"user": "YW5u"}}'
    note: "yes"
type: kubernetes.io/basic-auth
immutable: true
data:
  user: YW5u
stringData:
  password: "it's: <secret>"
"#;

/// That two texts are equal.
pub(crate) fn same(what: &str, found: &str, expected: &str) -> Result<(), String> {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}\n--- found\n{found}\n--- expected\n{expected}"))
}

/// That something holds.
pub(crate) fn holds(what: &str, holds: bool) -> Result<(), String> {
    if holds { Ok(()) } else { Err(format!("it does not hold that {what}")) }
}
