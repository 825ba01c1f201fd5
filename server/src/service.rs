use std::sync::Arc;

use api_vault::{Api, WithoutToken};
use bytes::Bytes;
use core_pipeline::Core;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::config::{Limits, Listener};
use crate::listener::{Peer, Service, read_body, refusal};

/// The API behind the listeners.
#[derive(Clone)]
pub(crate) struct Front {
    /// One for each listener.
    doors: Arc<[Door]>,
}

struct Door {
    api: Api,
    limits: Limits,
}

impl Front {
    pub(crate) fn new(core: &Arc<Core>, listeners: &[Listener]) -> Self {
        let door = |listener: &Listener| {
            let open = WithoutToken {
                generate_root: listener.unauthenticated_generate_root,
                metrics: listener.metrics.unauthenticated,
                rekey: listener.unauthenticated_rekey,
            };
            let limits = listener.limits.clone();
            Door { api: Api::new(core.clone(), open, limits.json.clone()), limits }
        };
        Self { doors: listeners.iter().map(door).collect() }
    }
}

impl Service for Front {
    async fn call(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Full<Bytes>> {
        let Door { api, limits } = &self.doors[peer.listener];
        let (head, body) = request.into_parts();
        let body = match read_body(body, limits).await {
            Ok(body) => body,
            Err(error) => return refusal(error.status(), &error.to_string()),
        };
        let peer =
            core_pipeline::Peer { remote: peer.remote, certificates: peer.certificates.clone() };
        api.answer(&head.method, &head.uri, &head.headers, body, peer).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use core_seal::Split;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use crate::config::{Config, Environment};
    use crate::listener::Address;
    use crate::run::Running;

    struct Site {
        running: Running,
        root_token: String,
    }

    impl Site {
        /// A server with one listener that has these keys, initialised and unsealed.
        async fn open(listener: &str) -> Self {
            let text = format!(
                "storage \"inmem\" {{}}\n\
                 listener \"tcp\" {{ address = \"127.0.0.1:0\" tls_disable = true {listener} }}"
            );
            let environment = Environment::from_fn(|_| None);
            let config = Config::parse("a.hcl", &text, &environment).unwrap();
            let running = Running::start(&config, &environment).await.unwrap();
            let core = running.core();
            let made = core.initialize(Some(Split::new(1, 1).unwrap())).await.unwrap();
            core.unseal_with(made.key_shares[0].clone()).await.unwrap();
            Self { root_token: made.root_token.expose().clone(), running }
        }

        /// Sends these bytes and returns the answer from its status on.
        async fn send(&self, request: &str) -> String {
            let Address::Tcp { address, .. } = &self.running.addresses[0] else {
                panic!("it is TCP")
            };
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer.strip_prefix("HTTP/1.1 ").unwrap().to_owned()
        }

        async fn ask(&self, method: &str, path: &str, token: &str) -> String {
            let head = "Host: a\r\nConnection: close\r\nX-Vault-Token";
            self.send(&format!("{method} {path} HTTP/1.1\r\n{head}: {token}\r\n\r\n")).await
        }
    }

    #[tokio::test]
    async fn a_token_is_needed_unless_the_listener_says_otherwise() {
        const CEREMONIES: [&str; 4] = [
            "/v1/sys/generate-root/attempt",
            "/v1/sys/%67enerate-root/attempt",
            "/v1/sys/rekey/init",
            "/v1/sys/rekey-recovery-key/init",
        ];
        let closed = Site::open("").await;
        assert!(closed.ask("GET", "/v1/sys/metrics", "").await.starts_with("403"));
        for path in CEREMONIES {
            let answer = closed.ask("GET", path, "").await;
            assert!(
                answer.starts_with("405") && answer.contains("unsupported operation"),
                "{answer}"
            );
            assert!(closed.ask("GET", path, "wrong").await.starts_with("405"), "{path}");
        }
        for path in &CEREMONIES[..3] {
            let answer = closed.ask("GET", path, &closed.root_token).await;
            assert!(answer.starts_with("200"), "{path}: {answer}");
        }
        let open = Site::open(
            "disable_unauthed_rekey_endpoints = false\n\
             disable_unauthed_generate_root_endpoints = false\n\
             telemetry { unauthenticated_metrics_access = true }",
        )
        .await;
        for path in &CEREMONIES[..3] {
            assert!(open.ask("GET", path, "").await.starts_with("200"), "{path}");
        }
        let figures = open.ask("GET", "/v1/sys/metrics?format=prometheus", "").await;
        assert!(
            figures.starts_with("200") && figures.contains("\nvault_core_unsealed 1\n"),
            "{figures}"
        );
        assert!(open.ask("GET", "/v1/sys/metrics?format=odd", "").await.starts_with("400"));
    }

    #[tokio::test]
    async fn a_body_that_does_not_arrive_is_the_fault_of_the_client() {
        let site = Site::open("max_request_size = 10").await;
        // Whoever waits for nothing but a time has waited long enough.
        tokio::time::pause();
        let head = "PUT /v1/secret/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
        for (rest, status) in [
            ("Transfer-Encoding: chunked\r\n\r\nodd\r\n", "400"),
            ("Content-Length: 5\r\n\r\n{", "408"),
            ("Content-Length: 11\r\n\r\n", "413"),
        ] {
            let answer = site.send(&format!("{head}{rest}")).await;
            assert!(answer.starts_with(status) && answer.contains("{\"errors\":["), "{answer}");
        }
    }
}
