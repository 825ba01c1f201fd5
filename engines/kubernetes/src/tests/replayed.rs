use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The API of a cluster that gives recorded answers, one after the other, and keeps what it was
/// asked. The recordings follow the reference at
/// <https://kubernetes.io/docs/reference/kubernetes-api/>.
pub(super) struct ReplayedCluster {
    address: SocketAddr,
    steps: Arc<Vec<Value>>,
    asked: Arc<Mutex<Vec<Value>>>,
}

const EXCHANGES: &str = include_str!("../../tests/fixtures/exchanges.json");

impl ReplayedCluster {
    /// An unknown exchange answers nothing.
    pub(super) async fn start(exchange: &str) -> Self {
        let exchanges: Value = serde_json::from_str(EXCHANGES).unwrap();
        let steps = exchanges[exchange].as_array().cloned().unwrap_or_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (steps, asked) = (Arc::new(steps), Arc::default());
        let this = Self { address, steps, asked };
        let (steps, asked) = (this.steps.clone(), this.asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (steps, asked) = (steps.clone(), asked.clone());
                let service =
                    service_fn(move |request| answer(request, steps.clone(), asked.clone()));
                let http = hyper::server::conn::http1::Builder::new();
                tokio::spawn(http.serve_connection(TokioIo::new(stream), service));
            }
        });
        this
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn address(&self) -> String {
        self.address.to_string()
    }

    /// All that was recorded was asked, in its order, and nothing else; `name` is what the engine
    /// called its objects.
    pub(super) fn check(&self, name: &str) {
        let expected: Vec<Value> = self.steps.iter().map(|step| {
            let step = step.to_string().replace("${name}", name);
            let step: Value = serde_json::from_str(&step).unwrap();
            json!({"method": step["method"], "path": step["path"], "body": step["body"], "authorization": "Bearer engine-jwt"})
        }).collect();
        let asked = self.asked.lock().unwrap();
        for (asked, expected) in asked.iter().zip(&expected) {
            assert_eq!(asked, expected);
        }
        assert_eq!(asked.len(), expected.len(), "{asked:?}");
    }
}

async fn answer(
    request: Request<Incoming>,
    steps: Arc<Vec<Value>>,
    asked: Arc<Mutex<Vec<Value>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let at = {
        let mut asked = asked.lock().unwrap();
        asked.push(json!({
            "method": head.method.as_str(),
            "path": head.uri.path_and_query().unwrap().as_str(),
            "body": serde_json::from_slice::<Value>(&body).unwrap_or_default(),
            "authorization": head.headers["authorization"].to_str().unwrap(),
        }));
        asked.len() - 1
    };
    let (status, answer) = match steps.get(at) {
        Some(step) => (step["status"].as_u64().unwrap() as u16, step["answer"].to_string()),
        None => (500, String::new()),
    };
    Ok(Response::builder().status(status).body(Full::new(answer.into())).unwrap())
}
