use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};

use base_types::{Error, Result, Secret};
use files_document::{Document, Element, Format, Item, Value, get};
use zeroize::Zeroizing;

use crate::kubeconfig::Credentials;
use crate::manifest;

/// Asks the program that a kubeconfig names for credentials, as cloud providers have it.
/// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins>
///
/// # Errors
/// `Unavailable`, naming the program, if it cannot be started, fails or gives no credentials.
pub(crate) fn credentials(
    exec: &[Item],
    folder: &Path,
    environment: &HashMap<String, String>,
) -> Result<Credentials> {
    let program = manifest::text(exec, "command").unwrap_or_default();
    let fault =
        |text: &str| Error::unavailable(format!("getting credentials with '{program}': {text}"));
    // A path is meant from the kubeconfig; a mere name is looked up as any program is.
    let mut command = match program.contains('/') {
        true => Command::new(folder.join(program)),
        false => Command::new(program),
    };
    let version = manifest::text(exec, "apiVersion").unwrap_or("client.authentication.k8s.io/v1");
    let info = serde_json::json!({
        "apiVersion": version, "kind": "ExecCredential", "spec": { "interactive": false },
    });
    command.envs(environment).env("KUBERNETES_EXEC_INFO", info.to_string());
    for argument in elements(exec, "args") {
        if let Value::Scalar(files_document::Scalar::Text(text)) = argument {
            command.arg(text.expose());
        }
    }
    for variable in elements(exec, "env") {
        if let Value::Map(variable) = variable {
            let part = |key| manifest::text(variable, key).unwrap_or_default();
            command.env(part("name"), part("value"));
        }
    }
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| fault(&format!("it cannot be started: {error}")))?;
    let stdout = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(fault(&format!("it failed: {}", output.status)));
    }
    let answer = Document::parse(Format::Json, &stdout)
        .map_err(|_| fault("it answers with no ExecCredential"))?;
    let status = answer.trees().first().map_or(&[][..], |items| manifest::map(items, "status"));
    let part = |key| manifest::text(status, key).unwrap_or_default().to_owned();
    let credentials = Credentials {
        token: manifest::text(status, "token").map(|token| Secret::new(token.to_owned())),
        certificate: part("clientCertificateData"),
        key: Secret::new(part("clientKeyData")),
    };
    match credentials.token.is_none() && credentials.certificate.is_empty() {
        true => Err(fault("it gives neither a token nor a certificate")),
        false => Ok(credentials),
    }
}

fn elements<'a>(items: &'a [Item], key: &str) -> impl Iterator<Item = &'a Value> {
    let list = match get(items, key) {
        Some(Value::List(elements)) => elements.as_slice(),
        _ => &[],
    };
    list.iter().filter_map(|element| match element {
        Element::Comment(_) => None,
        Element::Value(value) => Some(value),
    })
}
