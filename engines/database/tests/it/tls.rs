use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::json;
use testkit::databases::{Mariadb, Postgresql, Redis, free_port};

use crate::world::{CREATE, World, connection};

/// An authority, and what it has signed.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Its key, as PEM.
    pub(crate) fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate and its key.
    pub(crate) fn sign(&self, common_name: &str, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_is_as_safe_as_asked_for() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("server", "localhost");
    let access = "host all postgres 127.0.0.1/32 scram-sha-256\n\
                  hostssl all all 127.0.0.1/32 cert\n";
    let mut postgresql = Postgresql::start_with("", Some(access));
    for (name, text) in
        [("server.crt", &certificate), ("server.key", &key), ("ca.crt", &authority.pem)]
    {
        postgresql.write(&format!("data/{name}"), text);
    }
    postgresql.query("CREATE ROLE guarded SUPERUSER LOGIN");
    postgresql.query("ALTER SYSTEM SET ssl = on");
    postgresql.query("ALTER SYSTEM SET ssl_ca_file = 'ca.crt'");
    postgresql.stop();
    postgresql.resume();
    let world = World::start().await;
    let body = |host: &str, mode: &str, ca: &str| {
        let url = postgresql.url().replace("127.0.0.1", host).replace("disable", mode);
        let mut body = connection(&postgresql);
        (body["connection_url"], body["tls_ca"]) = (json!(url), json!(ca));
        body
    };
    for (host, mode, ca, works) in [
        ("127.0.0.1", "prefer", "", true),
        ("127.0.0.1", "require", "", true),
        ("127.0.0.1", "require", &*authority.pem, true),
        ("127.0.0.1", "require", &*other.pem, false),
        ("127.0.0.1", "verify-ca", &*authority.pem, true),
        ("127.0.0.1", "verify-ca", &*other.pem, false),
        // The certificate is for localhost only.
        ("127.0.0.1", "verify-full", &*authority.pem, false),
        ("localhost", "verify-full", &*authority.pem, true),
        ("localhost", "verify-full", &*other.pem, false),
        ("localhost", "verify-full", "", false),
    ] {
        let body = body(host, mode, ca);
        let root = &world.server.root;
        let answer = world.server.call("POST", "database/config/db", root, Some(body)).await;
        assert_eq!(answer.status < 300, works, "{host} {mode}: {answer:?}");
    }
    let in_use = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                  WHERE application_name = 'strongroom'";
    world.role("app", CREATE).await;
    world.creds("app").await;
    assert_eq!(postgresql.query(in_use), "t");

    // The administrator shows a certificate in place of a password.
    let (certificate, key) = authority.sign("guarded", "client");
    let (stranger, stranger_key) = authority.sign("stranger", "client");
    for (certificate, key, works) in [
        (&certificate, &key, true),
        (&stranger, &stranger_key, false),
        (&certificate, &stranger_key, false),
    ] {
        let mut body = body("localhost", "verify-full", &authority.pem);
        (body["username"], body["password"]) = (json!("guarded"), json!(""));
        (body["tls_certificate"], body["private_key"]) = (json!(certificate), json!(key));
        let root = &world.server.root;
        let answer = world.server.call("POST", "database/config/db", root, Some(body)).await;
        assert_eq!(answer.status < 300, works, "{answer:?}");
        world.creds("app").await;
    }
}

async fn try_connection(world: &World, body: &serde_json::Value, works: bool) {
    let root = &world.server.root;
    let answer = world.server.call("POST", "database/config/db", root, Some(body.clone())).await;
    assert_eq!(answer.status < 300, works, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_speaks_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("server", "localhost");
    let mariadb = Mariadb::start_with(
        &["--ssl-ca=ca.crt", "--ssl-cert=server.crt", "--ssl-key=server.key"],
        &[("ca.crt", &authority.pem), ("server.crt", &certificate), ("server.key", &key)],
    );
    mariadb.query("CREATE USER guarded@'%' IDENTIFIED BY 'p' REQUIRE X509; GRANT ALL ON *.* TO guarded@'%' WITH GRANT OPTION");
    let world = World::start().await;
    let mut body = json!({ "plugin_name": "mysql-database-plugin", "connection_url": mariadb.url(),
        "username": Mariadb::ADMIN, "password": Mariadb::PASSWORD, "allowed_roles": "*" });
    for (authority, name, skips, works) in [
        (&authority.pem, "localhost", false, true),
        // The certificate is not for the address that is called.
        (&authority.pem, "", false, false),
        (&other.pem, "localhost", false, false),
        (&other.pem, "localhost", true, true),
    ] {
        (body["tls_ca"], body["tls_server_name"]) = (json!(authority), json!(name));
        body["tls_skip_verify"] = json!(skips);
        try_connection(&world, &body, works).await;
    }
    (body["tls_ca"], body["tls_server_name"]) = (json!(authority.pem), json!("localhost"));
    (body["username"], body["password"], body["tls_skip_verify"]) =
        (json!("guarded"), json!("p"), json!(false));
    try_connection(&world, &body, false).await;
    let (certificate, key) = authority.sign("guarded", "client");
    body["tls_certificate_key"] = json!(format!("{certificate}{key}"));
    try_connection(&world, &body, true).await;
    world.role("app", "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}' REQUIRE SSL").await;
    world.creds("app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_speaks_tls() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("server", "localhost");
    let port = free_port();
    let _redis = Redis::start_with(
        &[
            "--tls-port",
            &port.to_string(),
            "--tls-ca-cert-file",
            "ca.crt",
            "--tls-cert-file",
            "server.crt",
            "--tls-key-file",
            "server.key",
        ],
        &[("ca.crt", &authority.pem), ("server.crt", &certificate), ("server.key", &key)],
    );
    let world = World::start().await;
    let (certificate, key) = authority.sign("client", "client");
    let mut body = json!({ "plugin_name": "redis-database-plugin", "port": port, "tls": true,
        "username": Redis::ADMIN, "password": Redis::PASSWORD, "allowed_roles": "*",
        "tls_certificate": certificate, "private_key": key });
    for (host, authority, insecure, works) in [
        ("localhost", &authority.pem, false, true),
        ("127.0.0.1", &authority.pem, false, false),
        ("localhost", &other.pem, false, false),
        ("127.0.0.1", &other.pem, true, true),
    ] {
        (body["host"], body["ca_cert"], body["insecure_tls"]) =
            (json!(host), json!(authority), json!(insecure));
        try_connection(&world, &body, works).await;
    }
    world.ok("POST", "database/roles/app", json!({ "db_name": "db" })).await;
    world.creds("app").await;
    // The server wants to see a certificate.
    (body["tls_certificate"], body["private_key"]) = (json!(""), json!(""));
    try_connection(&world, &body, false).await;
}
