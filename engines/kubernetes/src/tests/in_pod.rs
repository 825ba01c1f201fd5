use std::sync::Mutex;

use base_types::{BoxFuture, Result, Secret};
use bytes::Bytes;
use core_engine_api::testing::PlainHttp;
use core_engine_api::{ClientTls, Outbound, Pod};
use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};

use super::replayed::ReplayedCluster;

/// The way out of a pod, which ends at a recorded cluster wherever it leads, and keeps where it would
/// have led and which authority would have been trusted there.
pub(super) struct InPod {
    pub(super) cluster: ReplayedCluster,
    http: PlainHttp,
    asked: Mutex<Vec<(String, String)>>,
}

/// That of the pod.
pub(super) const AUTHORITY: &str = include_str!("../../tests/fixtures/pod.pem");

impl InPod {
    pub(super) async fn start(exchange: &str) -> Self {
        let pod = Pod {
            host: Some("10.0.0.1".to_owned()),
            port: Some("443".to_owned()),
            token: Some(Secret::new("engine-jwt".to_owned())),
            ca: Some(AUTHORITY.to_owned()),
        };
        Self {
            cluster: ReplayedCluster::start(exchange).await,
            http: PlainHttp { pod },
            asked: Mutex::default(),
        }
    }

    /// At least once, and always there.
    #[track_caller]
    pub(super) fn was_asked(&self, base: &str, ca: &str) {
        let asked = self.asked.lock().unwrap();
        let expected = (base.to_owned(), ca.to_owned());
        assert!(!asked.is_empty() && asked.iter().all(|one| *one == expected), "{asked:?}");
    }

    #[track_caller]
    pub(super) fn was_not_asked(&self) {
        let asked = self.asked.lock().unwrap();
        assert!(asked.is_empty(), "{asked:?}");
    }
}

impl Outbound for InPod {
    fn send<'a>(
        &'a self,
        mut request: Request<Bytes>,
        tls: &'a ClientTls,
    ) -> BoxFuture<'a, Result<Response<Bytes>>> {
        let mut parts = request.uri().clone().into_parts();
        let scheme = parts.scheme.replace(Scheme::HTTP).unwrap();
        let cluster: Authority = self.cluster.address().parse().unwrap();
        let authority = parts.authority.replace(cluster).unwrap();
        *request.uri_mut() = Uri::from_parts(parts).unwrap();
        let base = format!("{scheme}://{authority}");
        self.asked.lock().unwrap().push((base, tls.ca.clone()));
        self.http.send(request, tls)
    }

    fn pod(&self) -> BoxFuture<'_, Pod> {
        self.http.pod()
    }
}
