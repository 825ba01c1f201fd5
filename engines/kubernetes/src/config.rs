use std::sync::Arc;

use base_types::{Error, Result, Secret};
use core_barrier::{Record, Sealed};
use core_engine_api::{BaseUrl, Call, ClientTls, Pod, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Kubernetes;
use crate::cluster::Cluster;

/// How to reach the cluster. What is empty comes from the pod around the server.
#[derive(Clone, Default, Deserialize, Serialize)]
pub(crate) struct Config {
    pub(crate) kubernetes_host: String,
    pub(crate) kubernetes_ca_cert: String,
    pub(crate) service_account_jwt: Sealed,
    /// Only the host may come from the pod.
    pub(crate) disable_local_ca_jwt: bool,
}

impl Record for Config {
    const KIND: &'static str = "Kubernetes configuration";
}

const KEY: &str = "config";

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct WriteConfig {
    /// The URL of the cluster's API; by default that of the pod the server runs in. Elsewhere the
    /// pod's token goes only by https, to what the pod's own authority signed.
    kubernetes_host: Option<String>,
    /// The authority to trust, as PEM; by default that of the pod.
    kubernetes_ca_cert: Option<String>,
    /// The token that may make accounts, roles and tokens; by default that of the pod, which no
    /// other cluster is shown: where `kubernetes_host` is set, it must be https, and trusted by the
    /// pod's own authority.
    service_account_jwt: Option<Secret<String>>,
    /// Take neither the authority nor the token from the pod.
    disable_local_ca_jwt: Option<bool>,
}

#[derive(Serialize)]
struct ConfigAnswer<'a> {
    disable_local_ca_jwt: bool,
    kubernetes_ca_cert: &'a str,
    kubernetes_host: &'a str,
}

impl Kubernetes {
    pub(crate) async fn read_config(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let stored: Option<Config> = self.storage.get(KEY).await?;
        let config = stored.ok_or_else(|| Error::not_found(""))?;
        Response::data(&ConfigAnswer {
            disable_local_ca_jwt: config.disable_local_ca_jwt,
            kubernetes_ca_cert: &config.kubernetes_ca_cert,
            kubernetes_host: &config.kubernetes_host,
        })
    }

    pub(crate) async fn write_config(
        self: Arc<Self>,
        _: Call,
        request: WriteConfig,
    ) -> Result<Response> {
        let mut config: Config = self.storage.get(KEY).await?.unwrap_or_default();
        let WriteConfig { kubernetes_host, kubernetes_ca_cert, service_account_jwt, .. } = request;
        let is_host_given = kubernetes_host.is_some();
        config.kubernetes_host = kubernetes_host.unwrap_or(config.kubernetes_host);
        config.kubernetes_ca_cert = kubernetes_ca_cert.unwrap_or(config.kubernetes_ca_cert);
        config.service_account_jwt =
            service_account_jwt.map_or(config.service_account_jwt, Sealed::from);
        config.disable_local_ca_jwt =
            request.disable_local_ca_jwt.unwrap_or(config.disable_local_ca_jwt);
        if config.kubernetes_host.is_empty() {
            if !is_host_given && host_of(&self.outbound.pod().await).is_none() {
                return Err(Error::invalid(
                    "kubernetes_host was unset and could not be determined from environment variables",
                ));
            }
        } else {
            BaseUrl::parse(&config.kubernetes_host).map_err(|error| error.at("kubernetes_host"))?;
        }
        if !config.kubernetes_ca_cert.is_empty() {
            let tls = ClientTls { ca: config.kubernetes_ca_cert.clone(), ..ClientTls::default() };
            tls.config().map_err(|error| error.at("kubernetes_ca_cert"))?;
        }
        self.storage.put(KEY, &config).await?;
        Ok(Response::none())
    }

    pub(crate) async fn delete_config(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        self.storage.delete(KEY).await?;
        Ok(Response::none())
    }

    pub(crate) async fn check(self: Arc<Self>, _: Call, _: Nothing) -> Result<Response> {
        let Pod { host, port, .. } = self.outbound.pod().await;
        let variables =
            [("KUBERNETES_SERVICE_HOST", host), ("KUBERNETES_SERVICE_PORT_HTTPS", port)];
        let missing: Vec<&str> =
            variables.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            return Ok(Response::none());
        }
        Err(Error::invalid(format!("Missing environment variables: {}", missing.join(", "))))
    }

    /// The cluster, by what is configured and by what the pod knows at this moment.
    ///
    /// # Errors
    /// `Invalid`, naming what is neither configured nor known from the pod.
    pub(crate) async fn cluster(&self) -> Result<Cluster> {
        let config: Option<Config> = self.storage.get(KEY).await?;
        let config =
            config.ok_or_else(|| Error::invalid("could not load backend configuration"))?;
        let pod = self.outbound.pod().await;
        let given = Some(config.kubernetes_host).filter(|host| !host.is_empty());
        let is_given = given.is_some();
        let host = given.or_else(|| host_of(&pod)).ok_or_else(|| {
            Error::invalid(
                "kubernetes_host was unset and could not determine it from environment variables",
            )
        })?;
        let pod = if config.disable_local_ca_jwt { Pod::default() } else { pod };
        let own = config.service_account_jwt.open().clone();
        let ca = Some(config.kubernetes_ca_cert).filter(|ca| !ca.is_empty()).or(pod.ca.clone());
        // Whoever configures a mount may name any host, but not be told who the server is.
        let is_own = !is_given || ca.is_some() && ca == pod.ca && host.starts_with("https://");
        let token = match Some(own).filter(|token| !token.expose().is_empty()) {
            Some(token) => token,
            None if pod.token.is_some() && !is_own => return Err(foreign()),
            None => pod.token.ok_or_else(|| absent("service_account_jwt", "token"))?,
        };
        let ca = match ca {
            Some(ca) => ca,
            // The machine's own authorities are trusted only if somebody said so.
            None if config.disable_local_ca_jwt || host.starts_with("http://") => String::new(),
            None => return Err(absent("kubernetes_ca_cert", "ca.crt")),
        };
        let base = BaseUrl::parse(&host).map_err(|error| error.at("kubernetes_host"))?;
        Cluster::new(self.outbound.clone(), base, ClientTls { ca, ..ClientTls::default() }, &token)
    }
}

fn host_of(pod: &Pod) -> Option<String> {
    let (host, port) = (pod.host.as_deref()?, pod.port.as_deref()?);
    // An address of IPv6 needs brackets in a URL.
    let brackets = if host.contains(':') { ("[", "]") } else { ("", "") };
    Some(format!("https://{}{host}{}:{port}", brackets.0, brackets.1))
}

fn absent(field: &str, file: &str) -> Error {
    Error::invalid(format!(
        "{field} is not set, and the server has no \
         /var/run/secrets/kubernetes.io/serviceaccount/{file}, as it would in a pod: set {field}"
    ))
}

fn foreign() -> Error {
    Error::invalid(
        "service_account_jwt is not set, and the pod's own token is for the pod's own cluster: set \
         service_account_jwt, or leave out kubernetes_host, or let it be https and leave out \
         kubernetes_ca_cert",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_fixed() {
        let golden = r#"{"kubernetes_host":"https://h","kubernetes_ca_cert":"ca","service_account_jwt":"jwt","disable_local_ca_jwt":true}"#;
        let config: Config = serde_json::from_str(golden).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), golden);
    }

    #[test]
    fn a_pod_has_a_host_if_both_variables_are_there() {
        let pod = |host: &str, port: Option<&str>| Pod {
            host: Some(host.to_owned()),
            port: port.map(str::to_owned),
            ..Pod::default()
        };
        assert_eq!(host_of(&pod("10.0.0.1", Some("443"))).unwrap(), "https://10.0.0.1:443");
        assert_eq!(host_of(&pod("fd00::1", Some("443"))).unwrap(), "https://[fd00::1]:443");
        assert_eq!(host_of(&pod("10.0.0.1", None)), None);
    }
}
