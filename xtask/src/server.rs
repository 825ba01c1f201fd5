use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::http::Client;
use crate::{Result, process, root, wait};

/// Which of the two servers a process is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Product {
    OpenBao,
    Strongroom,
}

impl Product {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenBao => "openbao",
            Self::Strongroom => "strongroom",
        }
    }
}

/// How a server is set up. The default is what clients meet: memory storage for OpenBao, which
/// starts quickest, Shamir shares, no audit device.
#[derive(Clone, Copy, Default)]
pub(crate) struct Setup {
    /// OpenBao on raft rather than in memory. Ours is always on its embedded store.
    pub(crate) durable: bool,
    /// One audit file, given in the configuration.
    pub(crate) audited: bool,
    /// A static key that unseals without a person.
    pub(crate) unseals_itself: bool,
}

/// A running server with its own folder, killed when dropped.
pub(crate) struct Server {
    pub(crate) product: Product,
    pub(crate) address: SocketAddr,
    pub(crate) root_token: String,
    pub(crate) unseal_key: String,
    binary: PathBuf,
    setup: Setup,
    folder: Folder,
    child: Child,
}

/// What the kernel says of a process's memory, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    pub(crate) now: u64,
    pub(crate) peak: u64,
}

/// How long a server may take from its start to its first answer.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How often another port is tried when somebody took the free one first.
const PORT_TRIES: u32 = 5;

impl Server {
    /// Starts a new server that is not yet initialised.
    pub(crate) fn start(product: Product, binary: &Path, setup: Setup) -> Result<Self> {
        let mut failure = String::new();
        for _ in 0..PORT_TRIES {
            let folder = Folder::new(product.name())?;
            let address = free_address()?;
            write_config(&folder, product, setup, address)?;
            let child = spawn(binary, folder.path())?;
            let mut server = Self {
                product,
                address,
                root_token: String::new(),
                unseal_key: String::new(),
                binary: binary.to_owned(),
                setup,
                folder,
                child,
            };
            match server.wait_for_answer() {
                Ok(()) => return Ok(server),
                Err(message) if message.contains("address already in use") => failure = message,
                Err(message) => return Err(message),
            }
        }
        Err(failure)
    }

    /// Starts a new server, initialises it with a single key share and unseals it.
    pub(crate) fn start_ready(product: Product, binary: &Path, setup: Setup) -> Result<Self> {
        let mut server = Self::start(product, binary, setup)?;
        let shares = match setup.unseals_itself {
            true => json!({"recovery_shares": 1, "recovery_threshold": 1}),
            false => json!({"secret_shares": 1, "secret_threshold": 1}),
        };
        let made = Client::new(server.address).expect("PUT", "/v1/sys/init", &shares)?;
        server.root_token = made["root_token"].as_str().unwrap_or_default().to_owned();
        server.unseal_key = made["keys_base64"][0].as_str().unwrap_or_default().to_owned();
        server.unseal()?;
        Ok(server)
    }

    /// Gives the key share if one is needed and waits until requests are served.
    pub(crate) fn unseal(&self) -> Result<()> {
        if !self.setup.unseals_itself {
            let share = json!({"key": self.unseal_key});
            Client::new(self.address).expect("PUT", "/v1/sys/unseal", &share)?;
        }
        let serving = wait::until(START_LIMIT, || {
            let answer = Client::new(self.address).call("GET", "/v1/sys/health", &Value::Null);
            answer.ok().filter(|answer| answer.status == 200)
        });
        serving.map(|_| ()).ok_or_else(|| self.failure("does not become active"))
    }

    /// Ends the process without warning, as a power cut would.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself; what counts is that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts the process again, on its old folder and address, without waiting for it.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        self.child = spawn(&self.binary, self.folder.path())?;
        Ok(())
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        let status =
            self.child.try_wait().map_err(|e| format!("cannot look after a server: {e}"))?;
        Ok(status.is_some())
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn wait_for_answer(&mut self) -> Result<()> {
        let answered = wait::until(START_LIMIT, || {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(Err(self.failure(&format!("ended with {status}"))));
            }
            let answer = Client::new(self.address).call("GET", "/v1/sys/seal-status", &Value::Null);
            answer.is_ok().then_some(Ok(()))
        });
        answered.unwrap_or_else(|| Err(self.failure("does not answer")))
    }

    /// Mounts the second version of the key-value engine at `name` and waits until it takes writes.
    pub(crate) fn mount_kv(&self, name: &str) -> Result<()> {
        let mut client = self.client();
        let mount = json!({"type": "kv", "options": {"version": "2"}});
        client.expect("POST", &format!("/v1/sys/mounts/{name}"), &mount)?;
        let (path, first) = (format!("/v1/{name}/data/first"), json!({"data": {}}));
        let ready = wait::until(START_LIMIT, || client.expect("POST", &path, &first).ok());
        ready.map(|_| ()).ok_or_else(|| self.failure("does not take writes to a new engine"))
    }

    pub(crate) fn client(&self) -> Client {
        Client::with_token(self.address, &self.root_token)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn audit_file(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        let path = format!("/proc/{}/status", self.child.id());
        let text =
            fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kilobytes =
                line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
            kilobytes.map(|n| n * 1024).ok_or_else(|| format!("{path} has no {name}"))
        };
        Ok(Memory { now: field("VmRSS:")?, peak: field("VmHWM:")? })
    }

    /// A sentence on what went wrong, with the end of the server's log.
    fn failure(&self, what: &str) -> String {
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n  ");
        format!("{} {what}; the end of its log:\n  {tail}", self.product.name())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that nobody listens on at the moment.
pub(crate) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port on 127.0.0.1: {error}"))
}

fn spawn(binary: &Path, folder: &Path) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("server.log"));
    let log = log.map_err(|error| format!("cannot open the server's log: {error}"))?;
    let errors =
        log.try_clone().map_err(|error| format!("cannot share the server's log: {error}"))?;
    Command::new(binary)
        .arg("server")
        .arg(format!("-config={}", folder.join("server.hcl").display()))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", binary.display()))
}

fn write_config(
    folder: &Folder,
    product: Product,
    setup: Setup,
    address: SocketAddr,
) -> Result<()> {
    let data = folder.path().join("data");
    fs::create_dir(&data).map_err(|error| format!("cannot create {}: {error}", data.display()))?;
    let data = data.display();
    let mut text = match (product, setup.durable) {
        (Product::OpenBao, false) => "storage \"inmem\" {}\n".to_owned(),
        (Product::OpenBao, true) => {
            let cluster = free_address()?;
            format!(
                "storage \"raft\" {{\n  path = \"{data}\"\n  node_id = \"one\"\n}}\n\
                 cluster_addr = \"http://{cluster}\"\n"
            )
        }
        (Product::Strongroom, _) => format!("storage \"embedded\" {{\n  path = \"{data}\"\n}}\n"),
    };
    text.push_str(&format!(
        "listener \"tcp\" {{\n  address = \"{address}\"\n  tls_disable = true\n  \
         disable_unauthed_rekey_endpoints = false\n  \
         disable_unauthed_generate_root_endpoints = false\n}}\n\
         telemetry {{\n  prometheus_retention_time = \"30s\"\n  disable_hostname = true\n}}\n\
         api_addr = \"http://{address}\"\n\
         unsafe_allow_api_audit_creation = true\n"
    ));
    if setup.audited {
        let path = folder.path().join("audit.log");
        text.push_str(&format!(
            "audit \"file\" \"main\" {{\n  options {{\n    file_path = \"{}\"\n  }}\n}}\n",
            path.display()
        ));
    }
    if setup.unseals_itself {
        let key = folder.write("unseal.key", [7; 32])?;
        text.push_str(&format!(
            "seal \"static\" {{\n  current_key_id = \"1\"\n  current_key = \"file://{}\"\n}}\n",
            key.display()
        ));
    }
    folder.write("server.hcl", text).map(|_| ())
}

/// Builds our server and returns its path.
pub(crate) fn build(release: bool) -> Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "-p", "strongroom"]);
    let folder = if release { "release" } else { "debug" };
    if release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(root().join(target).join(folder).join("strongroom"))
}
