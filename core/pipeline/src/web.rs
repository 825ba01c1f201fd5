use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::Result;
use core_barrier::Record;
use serde::{Deserialize, Serialize};

use crate::Core;

/// Which web pages may call the API from a browser. For the facade, which answers preflights.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Cors {
    /// Origins, or `*` alone for all. Empty while CORS is off.
    pub allowed_origins: Vec<String>,
    /// Request headers allowed besides those that clients of the API always send.
    #[serde(default)]
    pub allowed_headers: Vec<String>,
    #[serde(default)]
    pub allow_credentials: bool,
}

/// The request headers that clients of the API send, allowed to web pages in any case.
const STANDARD_HEADERS: [&str; 10] = [
    "Content-Type",
    "Authorization",
    "X-Vault-Token",
    "X-Vault-MFA",
    "X-Vault-No-Request-Forwarding",
    "X-Vault-Wrap-Format",
    "X-Vault-Wrap-TTL",
    "X-Requested-With",
    "X-Vault-AWS-IAM-Server-ID",
    "X-Vault-Policy-Override",
];

impl Cors {
    /// Every request header that a web page may send.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        STANDARD_HEADERS.into_iter().chain(self.allowed_headers.iter().map(String::as_str))
    }
}

impl Record for Cors {
    const KIND: &'static str = "CORS configuration";
}

/// Response headers of the web console, each with its values.
#[derive(Default, Deserialize, Serialize)]
struct UiHeaders(BTreeMap<String, Vec<String>>);

impl Record for UiHeaders {
    const KIND: &'static str = "headers of the web console";
}

const CORS: &str = "config/cors";
const UI_HEADERS: &str = "config/ui-headers";

impl Core {
    /// `None` while CORS is off, and until the server was unsealed once. Afterwards it is known
    /// while sealed too, so that a web page can unseal.
    pub fn cors(&self) -> Option<Arc<Cors>> {
        self.cors.load_full()
    }

    pub(crate) async fn load_cors(&self) -> Result<()> {
        self.cors.store(self.state.get(CORS).await?.map(Arc::new));
        Ok(())
    }

    pub async fn write_cors(&self, cors: Option<Cors>) -> Result<()> {
        let _changes = self.changes.lock().await;
        match &cors {
            Some(cors) => self.state.put(CORS, cors).await?,
            None => self.state.delete(CORS).await?,
        }
        self.cors.store(cors.map(Arc::new));
        Ok(())
    }

    pub async fn ui_headers(&self) -> Result<BTreeMap<String, Vec<String>>> {
        Ok(self.state.get::<UiHeaders>(UI_HEADERS).await?.unwrap_or_default().0)
    }

    pub async fn write_ui_headers(&self, headers: BTreeMap<String, Vec<String>>) -> Result<()> {
        self.state.put(UI_HEADERS, &UiHeaders(headers)).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_forms_do_not_change() {
        let cors = Cors {
            allowed_origins: vec!["http://a".into()],
            allowed_headers: vec!["X-A".into()],
            allow_credentials: true,
        };
        let golden = r#"{"allowed_origins":["http://a"],"allowed_headers":["X-A"],"allow_credentials":true}"#;
        assert_eq!(serde_json::to_string(&cors).unwrap(), golden);
        assert_eq!(serde_json::from_str::<Cors>(golden).unwrap(), cors);
        let headers = UiHeaders(BTreeMap::from([("X-A".into(), vec!["b".into()])]));
        let golden = r#"{"X-A":["b"]}"#;
        assert_eq!(serde_json::to_string(&headers).unwrap(), golden);
        assert_eq!(serde_json::from_str::<UiHeaders>(golden).unwrap().0, headers.0);
    }
}
