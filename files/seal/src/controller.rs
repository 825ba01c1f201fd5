use base_http::ClientTls;
use base_types::{Error, Result, Secret};
use bytes::Bytes;
use files_document::{Document, Element, Format, Item, Value, get};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use crate::kubeconfig::Cluster;
use crate::{manifest, output};

/// The controller that holds the private keys, over HTTP: `GET /v1/cert.pem`, `POST /v1/verify`
/// and `POST /v1/rotate`.
pub(crate) struct Controller {
    /// Before `/v1`.
    address: String,
    tls: ClientTls,
    token: Option<Secret<String>>,
}

impl Controller {
    /// The one that answers at an address itself.
    pub(crate) fn at(address: &str) -> Self {
        let address = address.trim_end_matches('/').to_owned();
        Self { address, tls: ClientTls::default(), token: None }
    }

    /// The one that a cluster's API server leads to as a proxy: its service is asked for the port.
    ///
    /// # Errors
    /// `Unavailable` in the words of kubeseal if there is no such service.
    pub(crate) fn of_cluster(cluster: Cluster, namespace: &str, name: &str) -> Result<Self> {
        let Cluster { server, tls, token } = cluster;
        let services = format!("/api/v1/namespaces/{namespace}/services");
        let mut controller = Self { address: server.trim_end_matches('/').to_owned(), tls, token };
        let fault = |text: String| {
            Error::unavailable(format!(
                "cannot get sealed secret service: {text}.\nPlease, use the flag --controller-name \
                 and --controller-namespace to set up the name and namespace of the sealed secrets \
                 controller"
            ))
        };
        let answer = controller
            .send(Method::GET, &format!("{services}/{name}"), Bytes::new())
            .map_err(|error| fault(error.public().to_owned()))?;
        if answer.status() != StatusCode::OK {
            return Err(fault(reason(&answer)));
        }
        let service = Document::parse(Format::Json, answer.body())
            .map_err(|_| fault("the API server's answer is no JSON".to_owned()))?;
        let port = service.trees().first().and_then(|items| port_name(items)).unwrap_or_default();
        controller.address.push_str(&format!("{services}/http:{name}:{port}/proxy"));
        Ok(controller)
    }

    /// Its certificates in PEM, the current one first.
    ///
    /// # Errors
    /// `Unavailable` in the words of kubeseal.
    pub(crate) fn certificate(&self) -> Result<Vec<u8>> {
        let answer = self.send(Method::GET, "/v1/cert.pem", Bytes::new());
        let answer = answer.map_err(|error| error.at("cannot fetch certificate"))?;
        match answer.status() {
            StatusCode::OK => Ok(answer.into_body().to_vec()),
            _ => Err(Error::unavailable(format!("cannot fetch certificate: {}", reason(&answer)))),
        }
    }

    /// Whether it can open a sealed secret.
    ///
    /// # Errors
    /// `Invalid` if it cannot; `Unavailable` if it does not say.
    pub(crate) fn verify(&self, sealed: &[Item]) -> Result<()> {
        let answer = self.send(Method::POST, "/v1/verify", output::json(sealed)?.into())?;
        let name = manifest::text(manifest::map(sealed, "metadata"), "name").unwrap_or_default();
        match answer.status() {
            StatusCode::OK => Ok(()),
            StatusCode::CONFLICT => {
                Err(Error::invalid(format!("unable to decrypt sealed secret: {name}")))
            }
            _ => Err(Error::unavailable(format!(
                "cannot validate sealed secret: {}",
                reason(&answer)
            ))),
        }
    }

    /// The values of a sealed secret, sealed anew with the current key.
    ///
    /// # Errors
    /// `Invalid` if it cannot open it; `Unavailable` if it does not answer with a sealed secret that
    /// has the same values.
    pub(crate) fn reseal(&self, sealed: &[Item]) -> Result<Vec<Item>> {
        let answer = self.send(Method::POST, "/v1/rotate", output::json(sealed)?.into())?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::CONFLICT => return Err(Error::invalid("unable to rotate secret")),
            _ => {
                let text = format!("cannot re-encrypt secret: {}", reason(&answer));
                return Err(Error::unavailable(text));
            }
        }
        let other = || Error::unavailable("the controller answers with another secret");
        let new = Document::parse(Format::Json, answer.body()).map_err(|_| other())?;
        let values = |items| manifest::map(manifest::map(items, "spec"), "encryptedData");
        let (old, new) = (values(sealed), values(new.trees().first().ok_or_else(other)?));
        let all = manifest::members(old).map(|(key, _)| {
            let text = manifest::text(new, key).ok_or_else(other)?;
            Ok(Item::member(key, files_document::Scalar::text(text)))
        });
        all.collect()
    }

    fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Bytes>> {
        let address = format!("{}{path}", self.address);
        let mut request = Request::builder()
            .method(method)
            .uri(&address)
            .header(ACCEPT, "application/x-pem-file, application/json, */*")
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|_| Error::invalid(format!("'{address}' is no address")))?;
        if let Some(token) = &self.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| Error::invalid("the token for the API server is none"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        base_http::send(request, &self.tls)
    }
}

/// What an answer that is no success says: the API server has a message in JSON.
fn reason(answer: &Response<Bytes>) -> String {
    let message = Document::parse(Format::Json, answer.body()).ok().and_then(|document| {
        let items = document.trees().first()?;
        manifest::text(items, "message").map(str::to_owned)
    });
    message.unwrap_or_else(|| format!("the server answers {}", answer.status()))
}

fn port_name(service: &[Item]) -> Option<String> {
    let Some(Value::List(ports)) = get(manifest::map(service, "spec"), "ports") else {
        return None;
    };
    ports.iter().find_map(|port| match port {
        Element::Value(Value::Map(port)) => manifest::text(port, "name").map(str::to_owned),
        Element::Comment(_) | Element::Value(_) => None,
    })
}
