use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Row;
use super::rivals::{Rivals, Who, same};
use crate::server::{Product, Server, Setup};
use crate::{Result, setup};

const TEXT: &str = "# c\na: 1\nb:\n    c: x\n    l: [1, true, null]\n";

/// What is to be at the server.
fn values() -> Value {
    json!({"a": 1, "b": {"c": "x", "l": [1, true, null]}})
}

/// Rows for publishing to a real OpenBao and to ours.
pub(super) fn rows(binary: &Path) -> Result<Vec<Row>> {
    let servers =
        [(Product::OpenBao, setup::peers()?.bao), (Product::Strongroom, binary.to_owned())];
    let rows = servers.into_iter().map(|(product, binary)| {
        let server = Arc::new(Server::start_ready(product, &binary, Setup::default())?);
        server.mount_kv("apps")?;
        Ok(Row::new("publish", format!("to {}", product.name()), move |rivals, writer, reader| {
            publish(rivals, writer, reader, &server)
        }))
    });
    rows.collect()
}

/// The reader publishes what the writer has encrypted.
fn publish(rivals: &Rivals, writer: Who, reader: Who, server: &Server) -> Result<()> {
    let folder = format!("{writer:?}-{reader:?}");
    rivals.folder.write("f.yaml", TEXT)?;
    rivals.encrypt(writer, "f.yaml", &[])?;
    let rules = format!(
        "destination_rules:\n- vault_address: http://{}\n  vault_path: {folder}\n  \
         vault_kv_mount_name: apps\n",
        server.address
    );
    rivals.folder.write(".sops.yaml", rules)?;
    let with = [("VAULT_TOKEN", server.root_token.as_str())];
    rivals.output(reader, &["publish", "--yes", "f.yaml"], &with)?;
    let path = format!("/v1/apps/data/{folder}/f.yaml");
    let found = server.client().expect("GET", &path, &Value::Null)?;
    same(&found["data"]["data"].to_string(), &values().to_string())
}
