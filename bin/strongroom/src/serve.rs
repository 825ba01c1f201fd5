use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base_types::{Error, Result, Secret, SystemClock};
use server::DevOptions;
use server::config::Environment;

use crate::words::{Words, complain, say};

/// Where `dev` keeps its data, below the current folder.
const DEV_FOLDER: &str = "strongroom-data";
const LISTEN_ADDRESS: &str = "127.0.0.1:8200";

pub(crate) fn server(args: &[&str]) -> Result<ExitCode> {
    let words = Words::parse(
        args,
        &["dev", "dev-tls", "dev-no-store-token", "dev-kv-v1", "dev-three-node", "dev-no-kv"],
        &[
            "config",
            "dev-root-token-id",
            "dev-listen-address",
            "dev-tls-cert-dir",
            "log-level",
            "log-format",
        ],
    )?;
    let environment = Environment::of_process();
    if words.on("dev") || words.on("dev-tls") || words.last("dev-root-token-id").is_some() {
        let options = dev_options(&words, &environment)?;
        return run(server::serve_dev(options, &environment, &mut std::io::stdout()));
    }
    let paths: Vec<PathBuf> = words.all("config").map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err(Error::invalid(
            "Must specify at least one config path using -config; or -dev for a server in memory",
        ));
    }
    run(server::serve(&paths, &environment))
}

fn dev_options(words: &Words<'_>, environment: &Environment) -> Result<DevOptions> {
    let from_environment = |name: &str| environment.variable(name).map(|(_, value)| value);
    let flag = |name: &str| words.last(name).map(str::to_owned);
    let root_token_id = flag("dev-root-token-id").or_else(|| from_environment("DEV_ROOT_TOKEN_ID"));
    let home = environment.exact("HOME").map(PathBuf::from);
    let tls_folder = match (words.on("dev-tls"), words.last("dev-tls-cert-dir")) {
        (false, _) => None,
        (true, Some(folder)) => Some(PathBuf::from(folder)),
        (true, None) => {
            Some(std::env::temp_dir().join(format!("strongroom-tls-{}", std::process::id())))
        }
    };
    Ok(DevOptions {
        listen_address: flag("dev-listen-address")
            .or_else(|| from_environment("DEV_LISTEN_ADDRESS"))
            .unwrap_or_else(|| LISTEN_ADDRESS.to_owned()),
        root_token_id: root_token_id.map(Secret::new),
        tls_folder,
        kv_v1: words.on("dev-kv-v1"),
        token_file: home
            .filter(|_| !words.on("dev-no-store-token"))
            .map(|home| home.join(".vault-token")),
        log_level: flag("log-level").unwrap_or_else(|| "info".to_owned()),
    })
}

pub(crate) fn dev(args: &[&str]) -> Result<ExitCode> {
    let words = Words::parse(args, &[], &["address", "data"])?;
    let environment = Environment::of_process();
    let folder = words.last("data").unwrap_or(DEV_FOLDER);
    let address = words.last("address").unwrap_or(LISTEN_ADDRESS);
    run(server::dev(Path::new(folder), address, &environment, &mut std::io::stdout()))
}

pub(crate) fn diagnose(args: &[&str]) -> Result<ExitCode> {
    let words = Words::parse(args, &[], &["config", "format"])?;
    let paths: Vec<PathBuf> = words.all("config").map(PathBuf::from).collect();
    if paths.is_empty() {
        return Err(Error::invalid("name the configuration with -config=FILE"));
    }
    let environment = Environment::of_process();
    let runtime = runtime()?;
    let report =
        runtime.block_on(server::diagnose::diagnose(&paths, &environment, &SystemClock::default()));
    match words.last("format") {
        Some("json") => say(report.to_json()),
        None | Some("table") => say(&report),
        Some(_) => complain("-format is json or table"),
    }
    Ok(ExitCode::from(report.exit_code()))
}

fn run(server: impl Future<Output = Result<()>>) -> Result<ExitCode> {
    runtime()?.block_on(server).map(|()| ExitCode::SUCCESS)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| {
        Error::unavailable(format!("the threads of the server cannot be started: {error}"))
    })
}
