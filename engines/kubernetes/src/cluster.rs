use std::collections::BTreeMap;
use std::sync::Arc;

use base_types::{Error, Result, Secret};
use bytes::Bytes;
use core_engine_api::{BaseUrl, ClientTls, Outbound};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::objects::Kind;

/// The API of a cluster, as one service account sees it.
///
/// <https://kubernetes.io/docs/reference/kubernetes-api/>
pub(crate) struct Cluster {
    outbound: Arc<dyn Outbound>,
    base: BaseUrl,
    tls: ClientTls,
    authorization: HeaderValue,
}

/// What is needed of an object that was made or read.
#[derive(Default, Deserialize)]
struct Object {
    metadata: Metadata,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    uid: String,
    labels: BTreeMap<String, String>,
}

impl Cluster {
    pub(crate) fn new(
        outbound: Arc<dyn Outbound>,
        base: BaseUrl,
        tls: ClientTls,
        token: &Secret<String>,
    ) -> Result<Self> {
        let text = Secret::new(format!("Bearer {}", token.expose().trim()));
        let mut authorization = HeaderValue::from_str(text.expose()).map_err(|_| {
            Error::invalid("service_account_jwt holds what no token holds: set it again")
        })?;
        authorization.set_sensitive(true);
        Ok(Self { outbound, base, tls, authorization })
    }

    /// Makes an object and gives its UID.
    ///
    /// # Errors
    /// `Upstream` with the cluster's own words, `Unavailable` if it cannot be reached.
    pub(crate) async fn create(&self, kind: Kind, namespace: &str, body: &Value) -> Result<String> {
        let made: Object = self.call(Method::POST, &kind.path(namespace), Some(body)).await?;
        Ok(made.metadata.uid)
    }

    /// An object that is not there is deleted.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) async fn delete(&self, kind: Kind, namespace: &str, name: &str) -> Result<()> {
        let mut path = kind.path(namespace);
        path.push(name);
        let answer = self.send(Method::DELETE, &path, None).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(refusal(&answer)),
        }
    }

    /// # Errors
    /// As [`Self::create`].
    pub(crate) async fn labels(&self, namespace: &str) -> Result<BTreeMap<String, String>> {
        let path = ["api", "v1", "namespaces", namespace];
        let found: Object = self.call(Method::GET, &path, None).await?;
        Ok(found.metadata.labels)
    }

    /// A token of a service account that lives for `seconds`, or as long as the cluster allows.
    ///
    /// <https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/>
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) async fn token(
        &self,
        namespace: &str,
        account: &str,
        seconds: u64,
        audiences: &[String],
    ) -> Result<Secret<String>> {
        #[derive(Deserialize)]
        struct TokenRequest {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            token: Secret<String>,
        }
        let mut path = Kind::ServiceAccount.path(namespace);
        path.extend([account, "token"]);
        let mut spec = serde_json::json!({ "expirationSeconds": seconds });
        if !audiences.is_empty() {
            spec["audiences"] = audiences.into();
        }
        let body = serde_json::json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": spec,
        });
        let made: TokenRequest = self.call(Method::POST, &path, Some(&body)).await?;
        Ok(made.status.token)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<T> {
        let answer = self.send(method, path, body).await?;
        if !answer.status().is_success() {
            return Err(refusal(&answer));
        }
        // The text of a serde error may quote a token.
        serde_json::from_slice(answer.body())
            .map_err(|_| Error::upstream("the cluster's answer is not what its API promises"))
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Response<Bytes>> {
        let request = Request::builder()
            .method(method)
            .uri(self.base.join(path)?)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            .body(body.map(Value::to_string).unwrap_or_default().into())
            .map_err(Error::internal)?;
        self.outbound.send(request, &self.tls).await
    }
}

/// The message of a `Status`, the form of all errors of the API.
///
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/>
fn refusal(answer: &Response<Bytes>) -> Error {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Status {
        message: String,
    }
    const LENGTH_MAX: usize = 500;
    let Status { message } = serde_json::from_slice(answer.body()).unwrap_or_default();
    let message: String = message.chars().take(LENGTH_MAX).collect();
    let status = answer.status();
    Error::upstream(if message.is_empty() {
        format!("the cluster answers {status}")
    } else {
        message
    })
}
