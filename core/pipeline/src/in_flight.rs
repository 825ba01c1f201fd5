use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::Timestamp;
use serde::Serialize;

/// The requests that are being answered.
#[derive(Default)]
pub struct InFlight(Arc<Mutex<BTreeMap<Arc<str>, Flight>>>);

/// A request that is being answered, as `sys/in-flight-req` shows it.
/// <https://openbao.org/api-docs/system/inflight-req/>
#[derive(Clone, Debug, Serialize)]
pub struct Flight {
    pub start_time: Timestamp,
    /// Empty for a unix socket.
    pub client_remote_address: String,
    /// As it came, with `/v1/` in front and without its query.
    pub request_path: String,
    pub request_method: String,
}

/// A request is in flight for as long as this lives.
pub struct Landing {
    flights: InFlight,
    id: Arc<str>,
}

impl InFlight {
    pub fn begin(&self, id: Arc<str>, flight: Flight) -> Landing {
        self.lock().insert(id.clone(), flight);
        Landing { flights: Self(self.0.clone()), id }
    }

    /// By request id.
    pub fn snapshot(&self) -> BTreeMap<Arc<str>, Flight> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    pub fn new(
        start_time: Timestamp,
        remote: Option<SocketAddr>,
        path: &str,
        request_method: &str,
    ) -> Self {
        let client_remote_address = remote.map(|remote| remote.to_string()).unwrap_or_default();
        Self {
            start_time,
            client_remote_address,
            request_path: path.to_owned(),
            request_method: request_method.to_owned(),
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_until_it_is_answered() {
        let flights = InFlight::default();
        let flight = |path| Flight::new(Timestamp::from_seconds(1), None, path, "GET");
        let first = flights.begin("a".into(), flight("/v1/a"));
        let second = flights.begin("b".into(), flight("/v1/b"));
        assert_eq!(flights.snapshot().keys().map(|id| &**id).collect::<Vec<_>>(), ["a", "b"]);
        drop(first);
        assert_eq!(flights.snapshot()["b"].request_path, "/v1/b");
        drop(second);
        assert!(flights.snapshot().is_empty());
    }
}
