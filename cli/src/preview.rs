use base_types::Secret;
use client::{Client, Request, Verb};

/// What to print instead of sending a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Preview {
    Curl,
    Policy,
}

impl Preview {
    pub(crate) fn of(self, client: &Client, request: &Request, program: &str) -> String {
        match self {
            Self::Curl => curl(client, request, program),
            Self::Policy => policy(request),
        }
    }
}

/// A command line that sends `request`. The token is fetched when it runs, never written out.
fn curl(client: &Client, request: &Request, program: &str) -> String {
    let tls = &client.config().tls;
    let mut line = String::from("curl ");
    if tls.danger_skip_verify {
        line.push_str("--insecure ");
    }
    if let Some(socket) = client.config().address.strip_prefix("unix://") {
        line.push_str(&format!("--unix-socket {} ", quoted(socket)));
    }
    let method = request.verb.method();
    if method != http::Method::GET {
        line.push_str(&format!("-X {method} "));
    }
    let files = [
        ("--cacert", &tls.ca_cert),
        ("--capath", &tls.ca_path),
        ("--cert", &tls.client_cert),
        ("--key", &tls.client_key),
    ];
    for (flag, file) in files {
        if let Some(file) = file {
            line.push_str(&format!("{flag} {} ", quoted(&file.to_string_lossy())));
        }
    }
    let mut headers = client.headers(request);
    if client.config().token.as_ref().map(Secret::expose).is_some() {
        headers.push(("X-Vault-Token".to_owned(), format!("$({program} print token)")));
    }
    headers.sort();
    for (name, value) in headers {
        line.push_str(&format!("-H \"{name}: {value}\" "));
    }
    if let Some(body) = &request.body {
        line.push_str(&format!("-d {} ", quoted(&String::from_utf8_lossy(body))));
    }
    format!("{line}\"{}\"", client.url(request))
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn policy(request: &Request) -> String {
    let capabilities: &[&str] = match request.verb {
        Verb::Delete => &["delete"],
        Verb::List => &["list"],
        Verb::Patch => &["patch"],
        Verb::Post | Verb::Put => &["create", "update"],
        Verb::Read => &["read"],
        Verb::Scan => &["scan"],
    };
    let path = request.path.trim_matches('/');
    let sudo: &[&str] = if needs_sudo(path) { &["sudo"] } else { &[] };
    let capabilities = [capabilities, sudo].concat().join("\", \"");
    format!("path \"{path}\" {{\n  capabilities = [\"{capabilities}\"]\n}}")
}

/// Whether `path` is one of the system's that only `sudo` opens. A `*` stands for one segment, or
/// for all that follow when it is last.
fn needs_sudo(path: &str) -> bool {
    const PATHS: [&str; 19] = [
        "auth/token/accessors",
        "auth/token/revoke-orphan",
        "sys/audit",
        "sys/audit/*",
        "sys/auth/*",
        "sys/config/auditing/request-headers",
        "sys/config/auditing/request-headers/*",
        "sys/config/cors",
        "sys/config/ui/headers",
        "sys/config/ui/headers/*",
        "sys/leases/lookup/*",
        "sys/leases/revoke-force/*",
        "sys/leases/revoke-prefix/*",
        "sys/plugins/catalog/*",
        "sys/raw/*",
        "sys/remount",
        "sys/rotate",
        "sys/rotate/config",
        "sys/seal",
    ];
    // Tuning an auth method is what its administrators may do without.
    !(path.starts_with("sys/auth/") && path.ends_with("/tune"))
        && PATHS.iter().any(|known| match known.strip_suffix('*') {
            Some(folder) => path.strip_prefix(folder).is_some_and(|rest| !rest.is_empty()),
            None => path == *known,
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use client::Config;

    use super::*;

    #[test]
    fn a_request_becomes_a_curl_command_without_its_token() {
        let config = Config {
            address: "http://127.0.0.1:8200".to_owned(),
            token: Some(Secret::new("s.hunter2".to_owned())),
            namespace: "team/".to_owned(),
            ..Config::default()
        };
        let client = Client::new(config).unwrap();
        let request = Request::put("kv/a").json(&"it's").unwrap();
        assert_eq!(
            Preview::Curl.of(&client, &request, "strongroom"),
            "curl -X PUT -H \"X-Vault-Namespace: team/\" -H \"X-Vault-Request: true\" \
             -H \"X-Vault-Token: $(strongroom print token)\" -d '\"it'\"'\"'s\"' \
             \"http://127.0.0.1:8200/v1/kv/a\""
        );
    }

    #[test]
    fn a_request_becomes_the_policy_that_allows_it() {
        let policy = |request: Request| policy(&request);
        assert_eq!(policy(Request::list("kv/")), "path \"kv\" {\n  capabilities = [\"list\"]\n}");
        assert!(
            policy(Request::put("sys/audit/file")).contains("[\"create\", \"update\", \"sudo\"]")
        );
        assert!(!policy(Request::post("sys/auth/x/tune")).contains("sudo"));
        assert!(policy(Request::post("sys/auth/x")).contains("sudo"));
    }
}
