use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use testkit::rabbitmq::{ADMINISTRATOR, Certificates, RabbitMq};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate and its key.
    fn sign(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

/// A broker with certificates of an authority of its own, which wants to see one too.
#[tokio::test]
async fn the_connection_is_as_safe_as_asked_for() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("localhost");
    let certificates =
        Certificates { authority: &authority.pem, certificate: &certificate, key: &key };
    let rabbitmq = RabbitMq::start_with(Some(certificates)).await;
    let server = testkit::server().await;
    let call = async |method: &str, path: &str, body: Value| {
        let body = Some(body).filter(|body| !body.is_null());
        server.call(method, path, &server.root, body).await
    };
    call("POST", "sys/mounts/rabbitmq", json!({"type": "rabbitmq"})).await;
    call("POST", "rabbitmq/roles/web", json!({"tags": "management"})).await;
    let (own, foreign) = (authority.sign("client"), other.sign("client"));
    let none = (String::new(), String::new());
    let connection = |host: &str, ca: &str, (certificate, key): &(String, String)| {
        let (username, password) = ADMINISTRATOR;
        json!({
            "connection_uri": format!("https://{host}:{}", rabbitmq.secure_port),
            "username": username, "password": password,
            "ca_cert": ca, "client_cert": certificate, "client_key": key,
        })
    };
    for (host, ca, pair, works) in [
        ("localhost", &authority.pem, &own, true),
        // The certificate is for another name.
        ("127.0.0.1", &authority.pem, &own, false),
        ("localhost", &other.pem, &own, false),
        // It is of no authority that the machine trusts.
        ("localhost", &String::new(), &own, false),
        ("localhost", &authority.pem, &foreign, false),
        ("localhost", &authority.pem, &none, false),
    ] {
        let answer = call("POST", "rabbitmq/config/connection", connection(host, ca, pair)).await;
        assert_eq!(answer.status < 300, works, "{host}: {answer:?}");
        if !works {
            let fault = "failed to validate the connection: cannot reach https://";
            assert!(answer.status == 503 && answer.error().starts_with(fault), "{answer:?}");
        }
        // What was refused has not been stored: users are made as before.
        let creds = call("GET", "rabbitmq/creds/web", Value::Null).await.json();
        let text = |name: &str| creds["data"][name].as_str().unwrap().to_owned();
        let who = (text("username"), text("password"));
        assert_eq!(rabbitmq.api((&who.0, &who.1), "GET", "whoami", None).await.status, 200);
    }
    let body = json!({"sync": true});
    let ended = call("POST", "sys/leases/revoke-prefix/rabbitmq", body).await;
    assert_eq!(ended.status, 204, "{ended:?}");
    assert_eq!(rabbitmq.users().await, ["admin"]);

    // What cannot be used is refused before anything is tried.
    let plain = format!("http://{}", rabbitmq.address);
    for (field, value, fault) in [
        ("ca_cert", "hunter2", "the CA certificate holds no certificate in PEM"),
        ("client_cert", "", "a private key is given without a certificate"),
        ("client_key", "hunter2", "the private key holds no key in PEM"),
        ("client_key", &foreign.1, "the private key does not belong to the first certificate"),
        ("connection_uri", &plain, "ca_cert, client_cert and client_key go with a connection_uri"),
    ] {
        let mut body = connection("localhost", &authority.pem, &own);
        body[field] = value.into();
        let answer = call("POST", "rabbitmq/config/connection", body).await;
        assert!(answer.status == 400 && answer.error().starts_with(fault), "{field}: {answer:?}");
        assert!(!answer.text.contains("hunter2"), "{answer:?}");
    }
    assert!(!server.audit_log().contains(&own.1.lines().nth(1).unwrap().to_owned()));
}
