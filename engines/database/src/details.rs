use base_types::{Error, Result, Secret, Ttl};
use bytes::Bytes;
use core_engine_api::Body;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use crate::pool::Limits;

/// How a database is reached. Which of the fields count depends on the database.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default)]
pub(crate) struct Details {
    /// Where the database is, with `{{username}}` and `{{password}}` where those belong.
    pub(crate) connection_url: Secret<String>,
    /// Who makes and removes users.
    pub(crate) username: String,
    pub(crate) password: Secret<String>,
    /// The username and password are put into `connection_url` as they are.
    pub(crate) disable_escaping: bool,
    /// Connections at a time; 4 by default.
    pub(crate) max_open_connections: i64,
    /// Connections that wait to be used again; as many as there may be by default, none if
    /// negative.
    pub(crate) max_idle_connections: i64,
    /// After how long a connection is closed; never by default.
    pub(crate) max_connection_lifetime: Ttl,
    /// How the users are named that are made.
    pub(crate) username_template: String,
    /// PostgreSQL: `password`, or `scram-sha-256` to tell the database no password but its hash.
    pub(crate) password_authentication: String,
    /// The authorities that sign the database's certificate, as PEM.
    pub(crate) tls_ca: String,
    /// PostgreSQL and Redis: our certificate, as PEM.
    pub(crate) tls_certificate: String,
    /// PostgreSQL and Redis: the key of our certificate, as PEM.
    pub(crate) private_key: Secret<String>,
    /// MySQL: our certificate with its key, as PEM.
    pub(crate) tls_certificate_key: Secret<String>,
    /// MySQL: the name in the database's certificate.
    pub(crate) tls_server_name: String,
    /// MySQL: any certificate will do.
    pub(crate) tls_skip_verify: bool,
    /// Redis: the name or address of the server.
    pub(crate) host: String,
    /// Redis: its port.
    pub(crate) port: u16,
    /// Redis: speaks TLS.
    pub(crate) tls: bool,
    /// Redis: any certificate will do.
    pub(crate) insecure_tls: bool,
    /// Redis: the authorities that sign the server's certificate, as PEM.
    pub(crate) ca_cert: String,
    /// Redis: where users are kept over a restart: `ACLFILE`, `REWRITE` or nothing.
    pub(crate) persistence_mode: String,
}

/// The fields that no answer shows.
pub(crate) const SECRET_FIELDS: [&str; 4] =
    ["connection_url", "password", "private_key", "tls_certificate_key"];

impl Details {
    /// Reads them as forgivingly as a request.
    ///
    /// # Errors
    /// `Invalid`, naming the field.
    pub(crate) fn read(fields: &Map<String, Value>) -> Result<Self> {
        let text = serde_json::to_vec(fields).map_err(Error::internal)?;
        Body::json(Bytes::from(text))?.read()
    }

    pub(crate) fn limits(&self) -> Limits {
        let open = usize::try_from(self.max_open_connections).unwrap_or(0);
        let open = if open == 0 { OPEN_DEFAULT } else { open.min(Semaphore::MAX_PERMITS) };
        let idle = match self.max_idle_connections {
            0 => open,
            idle => usize::try_from(idle).unwrap_or(0).min(open),
        };
        Limits { open, idle, lifetime: self.max_connection_lifetime }
    }
}

const OPEN_DEFAULT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Pool;

    #[test]
    fn connections_are_as_many_as_can_be_counted() {
        for (open, idle, limits) in [
            (0, 0, (OPEN_DEFAULT, OPEN_DEFAULT)),
            (-1, -1, (OPEN_DEFAULT, 0)),
            (9, 3, (9, 3)),
            (2, 3, (2, 2)),
            (i64::MAX, i64::MAX, (Semaphore::MAX_PERMITS, Semaphore::MAX_PERMITS)),
        ] {
            let (max_open_connections, max_idle_connections) = (open, idle);
            let details =
                Details { max_open_connections, max_idle_connections, ..Details::default() };
            let found = details.limits();
            assert_eq!((found.open, found.idle), limits, "{open} {idle}");
            let _pool: Pool<tokio_postgres::Client> =
                Pool::new(found, || Box::pin(async { Err(Error::internal("nothing to reach")) }));
        }
    }
}
