use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base_types::{ManualClock, Timestamp};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;

/// A set-up in which all is well, for tests to break.
struct Site {
    folder: tempfile::TempDir,
    clock: ManualClock,
}

const NOW: i64 = 1_900_000_000;

impl Site {
    fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(Timestamp::from_seconds(NOW)),
        };
        site.issue(2020, 2040);
        site.write("unseal.key", &"k".repeat(32), 0o600);
        std::fs::create_dir(site.path().join("data")).unwrap();
        site.chmod("data", 0o700);
        site.configure("");
        site
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, content: &str, mode: u32) {
        std::fs::write(self.path().join(name), content).unwrap();
        self.chmod(name, mode);
    }

    fn chmod(&self, name: &str, mode: u32) {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(self.path().join(name), permissions).unwrap();
    }

    /// A self-signed certificate from the beginning of one year to that of another.
    fn issue(&self, from: i32, until: i32) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        self.write("cert.pem", &params.self_signed(&key).unwrap().pem(), 0o644);
        self.write("key.pem", &key.serialize_pem(), 0o600);
    }

    fn configure(&self, more: &str) {
        let at = self.path().display();
        let text = format!(
            r#"
            storage "embedded" {{ path = "{at}/data" }}
            listener "tcp" {{
              address = "127.0.0.1:0"
              tls_cert_file = "{at}/cert.pem"
              tls_key_file = "{at}/key.pem"
            }}
            seal "static" {{ current_key_id = "1" current_key = "file://{at}/unseal.key" }}
            audit "file" "main" {{ options {{ file_path = "{at}/audit.log" }} }}
            {more}"#
        );
        self.write("a.hcl", &text, 0o644);
    }

    async fn report(&self) -> Report {
        let environment = Environment::from_fn(|_| None);
        diagnose(&[self.path().join("a.hcl")], &environment, &self.clock).await
    }

    /// The checks that are not well, without those that judge the machine of the test.
    async fn troubles(&self) -> Vec<(Status, String)> {
        let machine = ["open files", "swap", "core dumps", "disk space"];
        let checks = self.report().await.checks.into_iter();
        checks
            .filter(|check| check.status != Status::Ok && !machine.contains(&&*check.name))
            .map(|check| {
                assert!(check.remedy.is_some());
                (check.status, format!("{}: {}", check.name, check.message))
            })
            .collect()
    }

    async fn expect(&self, status: Status, text: &str) {
        let troubles = self.troubles().await;
        assert!(
            troubles.iter().any(|(found, said)| *found == status && said.contains(text)),
            "{status:?} {text:?} is not in {troubles:#?}"
        );
    }
}

#[tokio::test]
async fn a_good_site_has_no_troubles_and_is_left_as_it_was() {
    let site = Site::new();
    assert_eq!(site.troubles().await, []);
    assert!(!site.path().join("audit.log").exists());
    assert_eq!(std::fs::read_dir(site.path().join("data")).unwrap().count(), 0);
    let report = site.report().await;
    assert_ne!(report.exit_code(), 1);
    let shown = report.to_string();
    assert!(shown.contains("[ success ] storage: no other process uses it\n"), "{shown}");
    let json = report.to_json();
    assert!(json["checks"].as_array().unwrap().iter().any(|check| check["name"] == "clock"));
}

#[tokio::test]
async fn a_broken_configuration_is_the_one_failure() {
    let site = Site::new();
    site.configure("oops = 1");
    site.expect(Status::Failure, "unknown key \"oops\" at line 10, column 13").await;
    assert_eq!(site.report().await.exit_code(), 1);
    site.configure("ui = true");
    site.expect(Status::Warning, "\"ui\" has no effect here").await;
    site.configure("unsafe_allow_api_audit_creation = true");
    site.expect(Status::Warning, "unsafe_allow_api_audit_creation").await;
}

#[tokio::test]
async fn certificates_are_looked_at() {
    let site = Site::new();
    site.issue(2020, 2030);
    site.expect(Status::Failure, "certificate 1 of the chain expired at 2030-01-01T00:00:00Z")
        .await;
    site.issue(2035, 2040);
    site.expect(Status::Failure, "is not valid before 2035-01-01").await;
    site.clock.set("2039-12-20T00:00:00Z".parse().unwrap());
    site.expect(Status::Warning, "expires at 2040-01-01").await;

    let site = Site::new();
    site.chmod("key.pem", 0o644);
    site.expect(Status::Warning, "key.pem (mode 0644)").await;
    let cert = std::fs::read_to_string(site.path().join("cert.pem")).unwrap();
    site.issue(2020, 2040);
    let other = std::fs::read_to_string(site.path().join("cert.pem")).unwrap();
    site.write("cert.pem", &format!("{other}{cert}"), 0o644);
    // Both are self-signed with the same name, so that only the key tells them apart.
    assert_eq!(site.troubles().await, []);
    site.write("cert.pem", &format!("{cert}{other}"), 0o644);
    site.expect(Status::Failure, "does not belong to the first certificate").await;
    site.write("cert.pem", "rubbish", 0o644);
    site.expect(Status::Failure, "cert.pem holds nothing in PEM form").await;
}

#[test]
fn a_chain_must_be_in_order() {
    let named = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
    };
    let (root_key, leaf_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let root = named("root").self_signed(&root_key).unwrap();
    let issuer = rcgen::Issuer::new(named("root"), root_key);
    let leaf = named("leaf").signed_by(&leaf_key, &issuer).unwrap();
    let status = |ders: &[&[u8]]| {
        let mut report = Report::default();
        listener::check_chain(&mut report, "x", ders, Timestamp::from_seconds(NOW));
        report.status()
    };
    assert_eq!(status(&[leaf.der(), root.der()]), Status::Ok);
    assert_eq!(status(&[leaf.der()]), Status::Ok);
    assert_eq!(status(&[root.der(), leaf.der()]), Status::Failure);
    assert_eq!(status(&[b"rubbish"]), Status::Failure);
}

#[tokio::test]
async fn addresses_are_tried() {
    let site = Site::new();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap();
    site.configure(&format!("listener \"tcp\" {{ address = \"{taken}\" tls_disable = true }}"));
    site.expect(Status::Failure, "another process listens there").await;
    site.configure("listener \"tcp\" { address = \"[::]:0\" tls_disable = true }");
    site.expect(Status::Warning, "tls_disable: tokens and secrets can be read").await;
    let socket = site.path().join("s");
    let unix = format!(
        "listener \"unix\" {{ address = \"{}\" socket_mode = \"0600\" }}",
        socket.display()
    );
    site.configure(&unix);
    assert_eq!(site.troubles().await, []);
    let _live = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    site.expect(Status::Failure, "another process answers on the socket").await;
    site.configure("listener \"unix\" { address = \"/no/such/s\" socket_user = \"nobody-here\" }");
    site.expect(Status::Failure, "/no/such/s cannot be made").await;
    site.expect(Status::Failure, "no user \"nobody-here\"").await;
    site.expect(Status::Warning, "without socket_mode").await;
}

#[tokio::test]
async fn the_storage_is_looked_at_but_not_touched() {
    let site = Site::new();
    site.chmod("data", 0o755);
    site.expect(Status::Warning, "others than the owner may enter").await;
    let held = std::fs::File::open(site.path().join("data")).unwrap();
    held.lock().unwrap();
    site.expect(Status::Warning, "a process uses it at the moment").await;
    drop(held);
    std::fs::remove_dir(site.path().join("data")).unwrap();
    assert_eq!(site.troubles().await, []);
    assert!(!site.path().join("data").exists());
    site.write("data", "", 0o600);
    site.expect(Status::Failure, "data is no folder").await;
    site.configure("storage \"inmem\" {}");
    site.expect(Status::Failure, "there can be one storage").await;
}

#[tokio::test]
async fn seals_and_audit_devices_are_looked_at() {
    let site = Site::new();
    site.chmod("unseal.key", 0o640);
    site.expect(Status::Warning, "unseal.key (mode 0640)").await;
    site.write("unseal.key", "hunter2", 0o600);
    site.expect(Status::Failure, "not a key").await;
    assert!(!site.report().await.to_string().contains("hunter2"));
    std::fs::remove_file(site.path().join("unseal.key")).unwrap();
    site.expect(Status::Failure, "unseal.key cannot be read").await;
    site.configure(
        "seal \"static\" { name = \"b\" current_key_id = \"1\" current_key = \"env://NO_SUCH\" }",
    );
    site.expect(Status::Failure, "the environment variable NO_SUCH is not set").await;
    site.configure("audit \"file\" \"b\" { options { file_path = \"/no/such/audit.log\" } }");
    site.expect(Status::Failure, "/no/such/audit.log cannot be made in /no/such").await;
    site.configure("log_file = \"/no/such/a.log\"");
    site.expect(Status::Failure, "log file: /no/such/a.log cannot be made").await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_noticed() {
    let site = Site::new();
    site.clock.set(Timestamp::from_seconds(0));
    site.expect(Status::Failure, "clock: the machine believes it is 1970-01-01").await;
    let changed = std::fs::File::options().append(true).open(site.path().join("a.hcl")).unwrap();
    let later = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW as u64 + 3600);
    changed.set_modified(later).unwrap();
    site.clock.set(Timestamp::from_seconds(NOW));
    site.expect(Status::Warning, "but a configuration file was changed at").await;
}

#[test]
fn swap_on_a_disk_is_warned_of() {
    let status = |swaps: &str| {
        let mut report = Report::default();
        machine::check_swap(&mut report, swaps);
        report.status()
    };
    let head = "Filename Type Size Used Priority\n";
    assert_eq!(status(head), Status::Ok);
    assert_eq!(status(""), Status::Ok);
    assert_eq!(status(&format!("{head}/dev/zram0 partition 1 0 100\n")), Status::Ok);
    assert_eq!(status(&format!("{head}/dev/sda2 partition 1 0 -2\n")), Status::Warning);
}
