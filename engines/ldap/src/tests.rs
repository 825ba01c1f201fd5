//! The engine over memory: first what needs no directory, then before a real slapd the states that only
//! a crash leaves, and TLS.

use std::io::{Read, Write};
use std::net::TcpListener;

use base_types::{Secret, Ttl};
use core_barrier::{Sealed, Tx};
use core_engine_api::Verb;
use core_engine_api::testing::Harness;
use core_rotation::{Change, Login, Purpose};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};
use testkit::databases::Slapd;

use crate::Ldap;
use crate::config::Config;
use crate::directory::Directory;
use crate::rotation::LdapRole;

/// OpenBao's own LDAP plugin gave the answers; the `bao` that is compared with elsewhere has none.
#[tokio::test]
async fn answers_as_openbao_does() {
    let harness = Harness::open::<Ldap>().await;
    let recording = include_str!("../tests/fixtures/ldap.json");
    assert_eq!(harness.replay(recording).await, 58);
}

/// The same before a directory. All passwords of the harness are one.
#[tokio::test(flavor = "multi_thread")]
async fn answers_as_openbao_does_before_slapd() {
    let slapd = Slapd::start();
    slapd.add_person("one", "first");
    slapd.add_person("two", "first");
    let recording = include_str!("../tests/fixtures/slapd.json");
    let harness = Harness::open::<Ldap>().await;
    assert_eq!(harness.replay(&recording.replace("${slapd}", &slapd.url())).await, 30);
}

#[tokio::test]
async fn what_cannot_work_is_refused_before_it_is_stored() {
    let harness = Harness::open::<Ldap>().await;
    let config = |field: &str, value: Value| {
        let mut body = json!({ "binddn": "cn=a", "bindpass": "hunter2", "url": "ldap://h" });
        body[field] = value;
        body
    };
    for (field, value, fault) in [
        ("binddn", json!(""), "binddn and bindpass are required"),
        ("bindpass", json!(""), "binddn and bindpass are required"),
        ("url", json!("http://h"), "url \"http://h\": it begins neither with"),
        ("userattr", json!("cn=*)(x"), "userattr \"cn=*)(x\" is no name of an attribute"),
        ("request_timeout", json!(0), "connection_timeout and request_timeout are"),
        ("certificate", json!("hunter2"), "the CA certificate holds no certificate"),
        ("client_tls_key", json!("hunter2"), "both client_tls_cert and client_tls_key"),
    ] {
        let answer = harness.send(Verb::Write, "config", config(field, value)).await;
        assert!(answer.status == 400 && answer.errors[0].starts_with(fault), "{answer:?}");
        assert!(!answer.errors[0].contains("hunter2"), "{answer:?}");
    }
    harness.ok(Verb::Write, "config", config("schema", json!("racf"))).await;
    let shown = harness.ok(Verb::Read, "config", Value::Null).await;
    assert_eq!((&shown["userattr"], &shown["schema"]), (&json!("racfid"), &json!("racf")));
    assert!(!shown.to_string().contains("hunter2"));
    assert_eq!(harness.exists("config").await, Some(true));
}

/// All passwords that a harness makes.
const GENERATED: &str = "generated";

async fn harness(slapd: &Slapd) -> Harness {
    let harness = Harness::open::<Ldap>().await;
    harness.ok(Verb::Write, "config", config(slapd)).await;
    harness
}

fn config(slapd: &Slapd) -> Value {
    json!({
        "url": slapd.url(), "binddn": Slapd::ADMIN, "bindpass": Slapd::PASSWORD,
        "userdn": Slapd::PEOPLE,
    })
}

fn sealed(password: &str) -> Sealed {
    Sealed::from(Secret::new(password.to_owned()))
}

async fn given(harness: &Harness) -> String {
    let data = harness.ok(Verb::Read, "static-cred/one", Value::Null).await;
    data["password"].as_str().unwrap().to_owned()
}

/// The server has stopped when this was to be the next password.
async fn cut_short(harness: &mut Harness, password: &str) {
    cut_short_of(harness, 0, password, Purpose::Rotate).await;
}

async fn cut_short_of(harness: &mut Harness, account: usize, password: &str, purpose: Purpose) {
    let change = |tx: Tx| async move {
        let old = LdapRole::get(&tx, "role/one").await?.unwrap();
        let change = Change { account, password: sealed(password), purpose };
        let new = LdapRole { change: Some(change), ..old.clone() };
        new.put(&tx, "role/one", Some(&old))
    };
    harness.storage.transact(change).await.unwrap();
    harness.reopen().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_directory_says_which_password_is_right() {
    let slapd = Slapd::start();
    let mut harness = harness(&slapd).await;
    let dn = slapd.add_person("one", "first");
    let set = |password: &str| {
        slapd.modify(&format!(
            "dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n"
        ));
    };
    let body = json!({ "username": "one", "rotation_period": "1h" });
    harness.ok(Verb::Write, "static-role/one", body).await;
    assert_eq!(given(&harness).await, GENERATED);

    // It stopped before the directory was told, and then after that.
    cut_short(&mut harness, "second").await;
    assert_eq!(given(&harness).await, GENERATED);
    harness.ok(Verb::Write, "rotate-role/one", json!({})).await;
    assert_eq!(given(&harness).await, "second");
    assert!(slapd.binds(&dn, "second") && !slapd.binds(&dn, GENERATED));
    cut_short(&mut harness, "third").await;
    set("third");
    assert_eq!(given(&harness).await, "third");

    // Somebody else has changed it: nothing is given out that does not work.
    cut_short(&mut harness, "fourth").await;
    set("foreign");
    let answer = harness.send(Verb::Read, "static-cred/one", Value::Null).await;
    assert!(answer.status == 503 && answer.errors[0].contains("refuses both"), "{answer:?}");
    harness.ok(Verb::Write, "rotate-role/one", json!({})).await;
    assert!(given(&harness).await == "fourth" && slapd.binds(&dn, "fourth"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_survive_a_crash_at_every_step() {
    let slapd = Slapd::start();
    let mut harness = harness(&slapd).await;
    let dn = ["a", "b"].map(|name| slapd.add_person(name, name));
    let set = |account: usize, password: &str| {
        let dn = &dn[account];
        slapd.modify(&format!(
            "dn: {dn}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n"
        ));
    };
    let body = json!({ "usernames": ["a", "b"], "rotation_period": "1h", "grace_period": "10m" });
    harness.ok(Verb::Write, "static-role/one", body).await;
    harness.backend.run(0).await.unwrap();
    assert!(slapd.binds(&dn[0], GENERATED) && !slapd.binds(&dn[1], "b"));
    let creds =
        async |harness: &Harness| harness.ok(Verb::Read, "static-cred/one", Value::Null).await;
    // It stopped before the directory was told, and then after that.
    for (is_told, next, old) in [(false, 1, 0), (true, 0, 1)] {
        let before = creds(&harness).await;
        let known = before["password"].as_str().unwrap();
        cut_short_of(&mut harness, next, "next", Purpose::Rotate).await;
        if is_told {
            set(next, "next");
        }
        assert_eq!(creds(&harness).await, before, "what is given out is not touched");
        assert!(slapd.binds(&dn[old], known));
        harness.backend.run(0).await.unwrap();
        let now = creds(&harness).await;
        assert_eq!(
            (&now["username"], &now["password"]),
            (&json!(["a", "b"][next]), &json!("next"))
        );
        assert!(slapd.binds(&dn[next], "next") && slapd.binds(&dn[old], known));

        harness.clock.advance(Ttl::from_seconds(601));
        cut_short_of(&mut harness, old, "unknown", Purpose::Retire).await;
        if is_told {
            set(old, "unknown");
        }
        harness.backend.run(0).await.unwrap();
        assert!(creds(&harness).await.get("previous_username").is_none());
        assert!(slapd.binds(&dn[next], "next") && !slapd.binds(&dn[old], known));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_while_the_directory_is_away_is_caught_up_with() {
    let mut slapd = Slapd::start();
    let harness = harness(&slapd).await;
    slapd.add_person("one", "first");
    let body = json!({ "username": "one", "rotation_period": "1h" });
    harness.ok(Verb::Write, "static-role/one", body).await;
    let shown = async || harness.ok(Verb::Read, "static-role/one", Value::Null).await;
    slapd.stop();
    harness.clock.advance(Ttl::from_seconds(3600));
    harness.backend.run(0).await.unwrap();
    let failure = shown().await["rotation_failure"].clone();
    assert!(failure["attempts"] == 1, "{failure}");
    assert!(failure["last_error"].as_str().unwrap().contains("cannot reach"), "{failure}");
    slapd.resume();
    harness.clock.advance(Ttl::from_seconds(13));
    harness.backend.run(0).await.unwrap();
    let now = shown().await;
    assert_eq!(now["last_vault_rotation"], "2026-01-01T01:00:13Z");
    assert!(now.get("rotation_failure").is_none(), "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_administrators_password_is_settled() {
    let slapd = Slapd::start();
    let mut harness = harness(&slapd).await;
    slapd.add_person("one", "first");
    for (told, settled) in [(false, Slapd::PASSWORD), (true, "second")] {
        let stored: Config = harness.storage.get("config").await.unwrap().unwrap();
        let pending = Config { pending_bindpass: Some(sealed("second")), ..stored };
        harness.storage.put("config", &pending).await.unwrap();
        if told {
            slapd.modify(&format!(
                "dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: second\n",
                Slapd::ADMIN
            ));
        }
        harness.reopen().await;
        let body = json!({ "service_account_names": ["one"] });
        harness.ok(Verb::Write, "library/team", body).await;
        harness.ok(Verb::Delete, "library/team", Value::Null).await;
        let stored: Config = harness.storage.get("config").await.unwrap().unwrap();
        assert!(stored.pending_bindpass.is_none());
        assert_eq!(stored.bindpass.open().expose(), settled);
    }
}

/// A library whose accounts the directory refuses to change is as if it had never been.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_leaves_no_library_behind() {
    let slapd = Slapd::start();
    let harness = harness(&slapd).await;
    slapd.modify(&format!(
        "dn: cn=plain,{}\nchangetype: add\nobjectClass: applicationProcess\ncn: plain\n",
        Slapd::PEOPLE
    ));
    let body = json!({ "service_account_names": ["plain"] });
    let answer = harness.send(Verb::Write, "library/team", body).await;
    let fault = "service account \"plain\": cannot change the password: LDAP result 65 (objectClassViolation)";
    assert!(answer.status == 400 && answer.errors[0].starts_with(fault), "{answer:?}");
    assert_eq!(harness.send(Verb::Read, "library/team", Value::Null).await.status, 404);
    let body = json!({ "username": "plain", "rotation_period": "1h" });
    let answer = harness.send(Verb::Write, "static-role/plain", body).await;
    assert!(answer.status == 400 && answer.errors[0].contains("LDAP result 65"), "{answer:?}");
    assert_eq!(harness.send(Verb::List, "static-role", Value::Null).await.status, 404);
}

/// Servers let in whoever has no password, as nobody; and one that says nothing is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_password_is_never_sent() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    silent.set_nonblocking(true).unwrap();
    let harness = Harness::open::<Ldap>().await;
    let url = format!("ldap://{}", silent.local_addr().unwrap());
    let body = json!({ "url": url, "binddn": "cn=a", "bindpass": "p", "request_timeout": 1 });
    harness.ok(Verb::Write, "config", body).await;
    let config: Config = harness.storage.get("config").await.unwrap().unwrap();
    let directory = Directory::of(&config).unwrap();
    let none = Secret::default();
    assert_eq!(directory.check_login("cn=a", &none).await.unwrap(), Login::Refused);
    let config = Config { bindpass: Sealed::default(), ..config };
    let fault = Directory::of(&config).unwrap().session().await.err().unwrap();
    assert_eq!(fault.public(), "a login needs a name and a password");
    assert!(silent.accept().is_err(), "nobody has connected");

    let body = json!({ "username": "one", "dn": "cn=one", "rotation_period": "1h" });
    let answer = harness.send(Verb::Write, "static-role/one", body).await;
    assert_eq!(answer.errors, ["the directory did not answer within 1 seconds"]);
    assert_eq!(answer.status, 503);
    assert!(silent.accept().is_ok());
}

/// A server that answers to everything with the same bytes.
fn speaks(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ldap://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut asked = [0; 4096];
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            if stream.read(&mut asked).is_ok() {
                let _ = stream.write_all(bytes);
            }
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_ldap_is_an_error_like_any_other() {
    for bytes in [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        // Results of a bind without what belongs in them, and with it in other types.
        b"\x30\x05\x02\x01\x01\x61\x00",
        b"\x30\x08\x02\x01\x01\x61\x03\x0a\x01\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x04\x01\xff\x02\x00\x02\x00",
        b"\x30\x03\x02\x01\x01",
        b"\x02\x01\x01",
    ] {
        let harness = Harness::open::<Ldap>().await;
        let url = speaks(bytes);
        let body = json!({ "url": url, "binddn": "cn=a", "bindpass": "p", "request_timeout": 2 });
        harness.ok(Verb::Write, "config", body).await;
        let body = json!({ "username": "one", "dn": "cn=one", "rotation_period": "1h" });
        let answer = harness.send(Verb::Write, "static-role/one", body).await;
        assert_eq!(answer.status, 503, "{bytes:?}: {answer:?}");
    }
}

/// What a crash leaves between a lease and what it is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_of_nothing_ends() {
    let slapd = Slapd::start();
    let harness = harness(&slapd).await;
    slapd.add_person("one", "first");
    let body = json!({ "service_account_names": ["one"] });
    harness.ok(Verb::Write, "library/team", body).await;
    let lent = harness.send(Verb::Write, "library/team/check-out", json!({})).await;
    let deletion = format!("dn: cn={{{{.Username}}}},{}\nchangetype: delete", Slapd::PEOPLE);
    let entry = json!({
        "username": "never", "role": "app", "display_name": "d", "deletion_ldif": deletion,
        "issued": "2026-01-01T00:00:00Z", "expires": "2026-01-01T00:00:00Z",
    });
    for (kind, internal) in [
        ("check-out", json!({ "library": "team", "id": "never" })),
        ("check-out", json!({ "library": "gone", "id": "never" })),
        ("creds", entry),
    ] {
        let internal = serde_json::value::to_raw_value(&internal).unwrap();
        for _ in 0..2 {
            harness.backend.revoke_lease(kind, internal.clone()).await.unwrap();
        }
    }
    let status = harness.ok(Verb::Read, "library/team/status", Value::Null).await;
    assert_eq!(status["one"]["available"], false, "the one who has it keeps it");
    harness.revoke(lent.lease.as_ref().unwrap()).await.unwrap();
    let status = harness.ok(Verb::Read, "library/team/status", Value::Null).await;
    assert_eq!(status["one"], json!({ "available": true }));
}

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

    fn sign(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_connection_is_as_safe_as_asked_for() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = authority.sign("localhost");
    let slapd = Slapd::start_with(Some((&certificate, &key)));
    slapd.add_person("one", "first");
    let harness = harness(&slapd).await;
    let (plain, secure) = (slapd.port, slapd.secure_port);
    for (url, starttls, ca, insecure, works) in [
        (format!("ldaps://localhost:{secure}"), false, &authority.pem, false, true),
        (format!("ldap://localhost:{plain}"), true, &authority.pem, false, true),
        (format!("ldaps://localhost:{secure}"), false, &other.pem, false, false),
        (format!("ldap://localhost:{plain}"), true, &other.pem, false, false),
        // Another name than the one in the certificate.
        (format!("ldaps://127.0.0.1:{secure}"), false, &authority.pem, false, false),
        (format!("ldaps://127.0.0.1:{secure}"), false, &other.pem, true, true),
        // The first server that answers.
        (
            format!("ldap://127.0.0.1:1,ldaps://localhost:{secure}"),
            false,
            &authority.pem,
            false,
            true,
        ),
        // What speaks no TLS there.
        (format!("ldaps://localhost:{plain}"), false, &authority.pem, false, false),
    ] {
        let body = json!({
            "url": url, "starttls": starttls, "certificate": ca, "insecure_tls": insecure,
        });
        harness.ok(Verb::Write, "config", body).await;
        let body = json!({ "username": "one", "rotation_period": "1h" });
        let answer = harness.send(Verb::Write, "static-role/one", body).await;
        assert_eq!(answer.status, if works { 204 } else { 503 }, "{url} {starttls}: {answer:?}");
        if works {
            harness.ok(Verb::Delete, "static-role/one", Value::Null).await;
        } else {
            assert!(answer.errors[0].starts_with("cannot reach ldap"), "{answer:?}");
        }
    }
}
