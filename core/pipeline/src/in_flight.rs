use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base_types::Timestamp;
use http::{Method, Uri};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use slab::Slab;

/// The requests that are being answered. Each has a slot, so that it comes and goes without a search.
#[derive(Default)]
pub struct InFlight(Arc<Mutex<Slots>>);

/// With the ids of the requests.
type Slots = Slab<(Arc<str>, Flight)>;

/// A request that is being answered, as `sys/in-flight-req` shows it. Every request makes one and
/// hardly any is ever looked at, so nothing is copied or written out before.
/// <https://openbao.org/api-docs/system/inflight-req/>
#[derive(Clone, Debug)]
pub struct Flight {
    pub start: Timestamp,
    /// `None` for a unix socket.
    pub remote: Option<SocketAddr>,
    pub method: Method,
    /// As it came, with `/v1/` in front; its query is not shown.
    pub uri: Uri,
}

impl Serialize for Flight {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let remote = self.remote.map(|remote| remote.to_string()).unwrap_or_default();
        let mut fields = serializer.serialize_struct("Flight", 4)?;
        fields.serialize_field("start_time", &self.start)?;
        fields.serialize_field("client_remote_address", &remote)?;
        fields.serialize_field("request_path", self.uri.path())?;
        fields.serialize_field("request_method", self.method.as_str())?;
        fields.end()
    }
}

/// A request is in flight for as long as this lives.
pub struct Landing {
    flights: InFlight,
    slot: usize,
}

impl InFlight {
    pub fn begin(&self, id: Arc<str>, flight: Flight) -> Landing {
        let slot = self.lock().insert((id, flight));
        Landing { flights: Self(self.0.clone()), slot }
    }

    /// By request id.
    pub fn snapshot(&self) -> BTreeMap<Arc<str>, Flight> {
        self.lock().iter().map(|(_, entry)| entry.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.lock().try_remove(self.slot);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_until_it_is_answered() {
        let flights = InFlight::default();
        let flight = |path: &'static str| Flight {
            start: Timestamp::from_seconds(1),
            remote: None,
            method: Method::GET,
            uri: Uri::from_static(path),
        };
        let first = flights.begin("a".into(), flight("/v1/a"));
        let second = flights.begin("b".into(), flight("/v1/b?c=d"));
        assert_eq!(flights.snapshot().keys().map(|id| &**id).collect::<Vec<_>>(), ["a", "b"]);
        drop(first);
        let shown = serde_json::to_value(&flights.snapshot()["b"]).unwrap();
        assert_eq!(
            shown,
            serde_json::json!({
                "start_time": "1970-01-01T00:00:01Z", "client_remote_address": "",
                "request_path": "/v1/b", "request_method": "GET",
            })
        );
        drop(second);
        assert!(flights.snapshot().is_empty());
    }
}
