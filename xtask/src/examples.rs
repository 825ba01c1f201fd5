use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::options::Options;
use crate::postgres::Postgres;
use crate::server::{Product, Server, Setup};
use crate::tally::Tally;
use crate::{Result, process, root, server, setup};

/// So short that a user is renewed once and then replaced within seconds.
const ROLE_TTL: &str = "3s";
const ROLE_MAX_TTL: &str = "5s";

/// An example has shown what it can when it has connected as so many users.
const USERS: usize = 3;
/// Far more lines than that takes: an example that never changes its user fails.
const LINES_MAX: usize = 60;

/// Runs the example applications against a real server and a real database, until they have
/// renewed a user and gone over to the next ones.
pub(crate) fn run(options: Options) -> Result<Tally> {
    options.finish()?;
    let database = Postgres::start()?;
    let setup = Setup { unseals_itself: true, ..Setup::default() };
    let server = Server::start_ready(Product::Strongroom, &server::build(false)?, setup)?;
    let folder = Folder::new("examples")?;
    let environment = prepare(&server, &database, &folder)?;
    let mut tally = Tally::default();
    for (name, mut command) in [("python", python()?), ("rust", rust()?)] {
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let outcome = watch(&mut command);
        tally.count(outcome.is_ok());
        println!("{name}: {}", outcome.unwrap_or_else(|message| message));
    }
    Ok(tally)
}

/// A role for users of the database, and one to log in with that may fetch them.
fn prepare(
    server: &Server,
    database: &Postgres,
    folder: &Folder,
) -> Result<Vec<(&'static str, String)>> {
    database.connect(server, "app", [ROLE_TTL, ROLE_MAX_TTL])?;
    let mut client = server.client();
    let mut post = |path: &str, body: Value| client.expect("POST", &format!("/v1/{path}"), &body);
    let policy = r#"
        path "database/creds/app" { capabilities = ["read"] }
        path "sys/leases/renew" { capabilities = ["update"] }
    "#;
    post("sys/policies/acl/app", json!({"policy": policy}))?;
    post("sys/auth/approle", json!({"type": "approle"}))?;
    post("auth/approle/role/app", json!({"token_policies": "app", "token_ttl": "1h"}))?;
    let secret_id = post("auth/approle/role/app/secret-id", json!({}))?;
    let role_id = client.expect("GET", "/v1/auth/approle/role/app/role-id", &Value::Null)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let file = folder.write("secret-id", text(&secret_id["data"]["secret_id"]))?;
    Ok(vec![
        ("VAULT_ADDR", format!("http://{}", server.address)),
        ("ROLE_ID", text(&role_id["data"]["role_id"])),
        ("SECRET_ID_FILE", file.display().to_string()),
        ("DATABASE", format!("{}/postgres", database.address)),
    ])
}

fn python() -> Result<Command> {
    let mut command = Command::new(setup::peers()?.python);
    command.arg(root().join("examples/app.py"));
    Ok(command)
}

fn rust() -> Result<Command> {
    process::run(Command::new("cargo").args(["build", "--quiet", "-p", "example-app"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(Command::new(root().join(Path::new(&target)).join("debug/example-app")))
}

/// Reads what the example prints until it has shown enough.
fn watch(command: &mut Command) -> Result<String> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Ended(child.map_err(|error| format!("it did not start: {error}"))?);
    let output = child.0.stdout.take().map(BufReader::new);
    let mut connected: HashMap<String, usize> = HashMap::new();
    for line in output.into_iter().flat_map(BufRead::lines).take(LINES_MAX) {
        let line = line.map_err(|error| format!("cannot read what it prints: {error}"))?;
        let user = line.strip_prefix("connected as v-").ok_or_else(|| format!("says {line:?}"))?;
        *connected.entry(user.to_owned()).or_default() += 1;
        let renewed = connected.values().filter(|lines| **lines > 1).count();
        if connected.len() >= USERS && renewed > 0 {
            return Ok(format!("{USERS} users, {renewed} of them renewed"));
        }
    }
    Err(format!("it ended or went on too long; users and how often they were seen: {connected:?}"))
}

/// A process that ends here, whatever happens.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
