use std::sync::Arc;

use base_types::{Error, Result, Secret};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use core_engine_api::{BaseUrl, ClientTls, Outbound};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::connection::Connection;
use crate::role::{Role, TopicPermission};

/// RabbitMQ's management interface, as its administrator sees it.
///
/// <https://www.rabbitmq.com/docs/management#http-api>
pub(crate) struct Management {
    outbound: Arc<dyn Outbound>,
    base: BaseUrl,
    tls: ClientTls,
    authorization: HeaderValue,
}

/// The requests that make a user with all permissions of a role, in their order.
pub(crate) struct Creation(Vec<Request<Bytes>>);

#[derive(Serialize)]
struct User<'a> {
    password: &'a str,
    tags: &'a str,
}

#[derive(Serialize)]
struct Topic<'a> {
    exchange: &'a str,
    write: &'a str,
    read: &'a str,
}

impl Management {
    /// # Errors
    /// `Invalid` if the connection's URL is none.
    pub(crate) fn of(outbound: Arc<dyn Outbound>, connection: &Connection) -> Result<Self> {
        let base = BaseUrl::parse(&connection.connection_uri)
            .map_err(|error| error.at("connection_uri"))?;
        let Connection { username, password, .. } = connection;
        let pair = Secret::new(format!("{username}:{}", password.open().expose()));
        let text = Secret::new(format!("Basic {}", BASE64_STANDARD.encode(pair.expose())));
        let mut authorization = HeaderValue::from_str(text.expose()).map_err(Error::internal)?;
        authorization.set_sensitive(true);
        Ok(Self { outbound, base, tls: connection.tls(), authorization })
    }

    /// # Errors
    /// `Invalid` if the certificates and the key cannot be used, or would not be.
    pub(crate) fn check_tls(&self) -> Result<()> {
        if self.tls == ClientTls::default() {
            return Ok(());
        }
        if self.base.join(&[])?.scheme_str() != Some("https") {
            return Err(Error::invalid(
                "ca_cert, client_cert and client_key go with a connection_uri of https",
            ));
        }
        self.tls.config().map(drop)
    }

    /// Logs in as `administrator` and looks itself up, which only an administrator may.
    ///
    /// # Errors
    /// `Upstream` if RabbitMQ refuses it, `Unavailable` if it cannot be reached.
    pub(crate) async fn check(&self, administrator: &str) -> Result<()> {
        let request = self.request(Method::GET, &["users", administrator], Bytes::new())?;
        let answer = self.send(request).await?;
        if answer.status().is_success() { Ok(()) } else { Err(refusal(&answer)) }
    }

    /// # Errors
    /// `Invalid` for a name that no URL can hold.
    pub(crate) fn creation(
        &self,
        username: &str,
        password: &Secret<String>,
        role: &Role,
    ) -> Result<Creation> {
        let put = |path: &[&str], body: Bytes| self.request(Method::PUT, path, body);
        let user = json(&User { password: password.expose(), tags: &role.tags })?;
        let mut requests = vec![put(&["users", username], user)?];
        for (vhost, permission) in &role.vhosts {
            requests.push(put(&["permissions", vhost, username], json(permission)?)?);
        }
        for (vhost, exchanges) in &role.vhost_topics {
            for (exchange, TopicPermission { write, read }) in exchanges {
                let topic = json(&Topic { exchange, write, read })?;
                requests.push(put(&["topic-permissions", vhost, username], topic)?);
            }
        }
        Ok(Creation(requests))
    }

    /// # Errors
    /// `Upstream` with RabbitMQ's own words, `Unavailable` if it cannot be reached. How far the
    /// user was made is not known then.
    pub(crate) async fn create(&self, creation: Creation) -> Result<()> {
        for request in creation.0 {
            let answer = self.send(request).await?;
            if !answer.status().is_success() {
                return Err(refusal(&answer));
            }
        }
        Ok(())
    }

    /// A user that is not there is deleted.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub(crate) async fn delete(&self, username: &str) -> Result<()> {
        let request = self.request(Method::DELETE, &["users", username], Bytes::new())?;
        let answer = self.send(request).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(refusal(&answer).at("could not delete user")),
        }
    }

    fn request(&self, method: Method, segments: &[&str], body: Bytes) -> Result<Request<Bytes>> {
        let segments: Vec<&str> = std::iter::once("api").chain(segments.iter().copied()).collect();
        Request::builder()
            .method(method)
            .uri(self.base.join(&segments)?)
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(Error::internal)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        self.outbound.send(request, &self.tls).await
    }
}

fn json(body: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(body).map(Bytes::from).map_err(Error::internal)
}

/// RabbitMQ's own words, such as `Error 400 (bad_request): vhost_or_user_not_found`.
fn refusal(answer: &Response<Bytes>) -> Error {
    #[derive(Default, Deserialize)]
    struct Refusal {
        error: String,
        #[serde(default)]
        reason: serde_json::Value,
    }
    const LENGTH_MAX: usize = 300;
    let Refusal { error, reason } = serde_json::from_slice(answer.body()).unwrap_or_default();
    let reason = match reason {
        serde_json::Value::String(text) => text,
        serde_json::Value::Null => "no reason given".to_owned(),
        other => other.to_string(),
    };
    let status = answer.status().as_u16();
    let text = format!("RabbitMQ: Error {status} ({error}): {reason}");
    Error::upstream(text.chars().take(LENGTH_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(answer: &serde_json::Value, expect: &str) {
        let mut response = Response::new(Bytes::from(answer.to_string()));
        *response.status_mut() = StatusCode::BAD_REQUEST;
        assert_eq!(refusal(&response).public(), expect);
    }

    #[test]
    fn the_words_of_rabbitmq_are_told_and_cut() {
        use serde_json::json;
        let words = json!({ "error": "bad_request", "reason": "vhost_or_user_not_found" });
        check(&words, "RabbitMQ: Error 400 (bad_request): vhost_or_user_not_found");
        check(&json!({}), "RabbitMQ: Error 400 (): no reason given");
        let long = "ä".repeat(1 << 20);
        let cut = |start: &str| start.chars().chain(long.chars()).take(300).collect::<String>();
        let error = json!({ "error": long, "reason": "r" });
        check(&error, &cut("RabbitMQ: Error 400 ("));
        check(&json!({ "error": "e", "reason": long }), &cut("RabbitMQ: Error 400 (e): "));
        check(&json!({ "error": "e", "reason": [long] }), &cut("RabbitMQ: Error 400 (e): [\""));
    }
}
