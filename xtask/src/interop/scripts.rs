use std::process::Command;

use serde_json::Value;

use super::compare::{Answer, Body};
use super::normal::Normaliser;
use crate::server::Server;
use crate::setup::Peers;
use crate::{Result, root};

/// A client library with a script that goes through the areas and prints, for each step, one line
/// of JSON: `{"step": "kv2 read", "answer": …}`.
pub(crate) struct Script {
    pub(crate) name: &'static str,
    file: &'static str,
    interpreter: Interpreter,
}

enum Interpreter {
    Node,
    Python,
}

pub(crate) const SCRIPTS: [Script; 2] = [
    Script { name: "hvac", file: "hvac_areas.py", interpreter: Interpreter::Python },
    Script { name: "node-vault", file: "node_vault_areas.js", interpreter: Interpreter::Node },
];

impl Script {
    /// Runs the script against `server`; each step with its answer.
    pub(crate) fn run(&self, server: &Server, peers: &Peers) -> Result<Vec<(String, Answer)>> {
        let mut command = match self.interpreter {
            Interpreter::Node => Command::new("node"),
            Interpreter::Python => Command::new(&peers.python),
        };
        let output = command
            .arg(root().join("tests/interop").join(self.file))
            .env("NODE_PATH", &peers.node_modules)
            .env("VAULT_ADDR", format!("http://{}", server.address))
            .env("VAULT_TOKEN", &server.root_token)
            .env("UNSEAL_KEY", &server.unseal_key)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(server.folder())
            .output()
            .map_err(|error| format!("cannot start {}: {error}", self.file))?;
        if !output.status.success() {
            let (name, errors) = (server.product.name(), String::from_utf8_lossy(&output.stderr));
            return Err(format!(
                "{} against {name} ended with {}:\n{errors}",
                self.file, output.status
            ));
        }
        let mut normaliser = Normaliser::default();
        normaliser.mask(&server.address.to_string(), "address");
        normaliser.mask(&server.root_token, "root_token");
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(|line| read_line(line, &normaliser)).collect()
    }
}

fn read_line(line: &str, normaliser: &Normaliser) -> Result<(String, Answer)> {
    let value: Value =
        serde_json::from_str(line).map_err(|error| format!("'{line}' is no JSON: {error}"))?;
    let step = value["step"].as_str().ok_or_else(|| format!("'{line}' has no step"))?.to_owned();
    let answer = Answer {
        status: String::new(),
        headers: Vec::new(),
        body: Body::Json(normaliser.json(&value["answer"])),
        errors: Vec::new(),
    };
    Ok((step, answer))
}
