//! Users that stay: what AWS does only now and then by an AWS that is told what to answer, all else
//! by moto.

use std::time::Duration;

use core_engine_api::testing::PlainHttp;
use testkit::moto::{EVERYTHING, Key, Moto, elements};

use super::*;

const USER: &str = "<User><UserName>stays</UserName><UserId>AIDA1</UserId></User>";

fn listed(ids: &[&str]) -> String {
    let listed = ids.iter().enumerate().map(|(at, id)| {
        format!(
            "<member><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
             <CreateDate>2025-12-31T00:00:0{at}Z</CreateDate></member>"
        )
    });
    format!("<AccessKeyMetadata>{}</AccessKeyMetadata>", listed.collect::<String>())
}

fn made(id: &str) -> String {
    KEY.replace("AKIANEW", id)
}

async fn write(harness: &Harness, body: Value) -> Answer {
    harness.send(Verb::Write, "static-roles/app", body).await
}

async fn creds(harness: &Harness) -> Answer {
    harness.send(Verb::Read, "static-creds/app", Value::Null).await
}

/// What is due.
async fn run(harness: &Harness) {
    harness.backend.run(1).await.unwrap();
}

/// The same where time flies: what takes long goes on by itself.
async fn run_to_the_end(harness: &Harness) {
    run(harness).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
}

/// With a role whose key is `AKIA1`.
async fn with_static_role() -> (Harness, Arc<Scripted>) {
    let (harness, aws) = world().await;
    aws.ok(USER).ok(USER).ok(&listed(&["AKIA0"])).ok(&made("AKIA1"));
    aws.ok(IDENTITY).ok(&listed(&["AKIA0", "AKIA1"])).ok("").ok(IDENTITY);
    let answer = write(&harness, json!({"username": "stays", "rotation_period": "1h"})).await;
    let expected = json!({
        "id": "AIDA1", "name": "app", "username": "stays", "rotation_period": 3600,
        "last_vault_rotation": "2026-01-01T00:00:00Z",
        "next_vault_rotation": "2026-01-01T01:00:00Z",
    });
    assert_eq!((answer.status, answer.data), (200, expected));
    assert_eq!(
        aws.asked(),
        [
            "AKIAOLD GetUser&UserName=stays",
            "AKIAOLD GetUser&UserName=stays",
            "AKIAOLD ListAccessKeys&UserName=stays",
            "AKIAOLD CreateAccessKey&UserName=stays",
            "AKIA1 GetCallerIdentity",
            "AKIAOLD ListAccessKeys&UserName=stays",
            "AKIAOLD DeleteAccessKey&UserName=stays&AccessKeyId=AKIA0",
            "AKIA1 GetCallerIdentity",
        ]
    );
    (harness, aws)
}

async fn given(harness: &Harness) -> Value {
    let answer = creds(harness).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.data["access_key"].clone()
}

async fn failure(harness: &Harness) -> Value {
    let shown = harness.ok(Verb::Read, "static-roles/app", Value::Null).await;
    shown["rotation_failure"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_given_out_when_aws_knows_it() {
    let (harness, aws) = with_static_role().await;
    harness.clock.advance(Ttl::from_seconds(3600));
    // For some time AWS does not know it: nothing is deleted, and what is given out is the old one.
    aws.ok(USER).ok(&listed(&["AKIA1"])).ok(&made("AKIA2"));
    aws.refuse_times(6, 403, "InvalidClientTokenId");
    aws.ok(&listed(&["AKIA1", "AKIA2"]));
    run_to_the_end(&harness).await;
    assert!(!actions(&aws.asked()).contains(&"DeleteAccessKey"));
    let said = failure(&harness).await;
    assert_eq!(said["last_error"], "AWS does not accept the key AKIA2 of user stays yet");
    aws.refuse(403, "InvalidClientTokenId").ok(&listed(&["AKIA1", "AKIA2"])).ok(IDENTITY);
    assert_eq!(given(&harness).await, "AKIA1");
    assert_eq!(aws.asked().len(), 3);
    // Who is known may be forbidden to ask who it is; that is an answer too.
    harness.clock.advance(Ttl::from_seconds(13));
    aws.refuse(403, "AccessDenied").ok(&listed(&["AKIA1", "AKIA2"])).ok("").ok(IDENTITY);
    run_to_the_end(&harness).await;
    let asked = aws.asked();
    assert_eq!(asked[0], "AKIA2 GetCallerIdentity", "it is no third one");
    assert_eq!(asked[2], "AKIAOLD DeleteAccessKey&UserName=stays&AccessKeyId=AKIA1");
    assert_eq!((given(&harness).await, failure(&harness).await), (json!("AKIA2"), Value::Null));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_knows_goes_before_the_next_is_made() {
    let (mut harness, aws) = with_static_role().await;
    harness.clock.advance(Ttl::from_seconds(3600));
    // It was made, and its secret is lost.
    aws.ok(USER).ok(&listed(&["AKIA1"])).answer(500, "");
    run_to_the_end(&harness).await;
    assert_eq!(given(&harness).await, "AKIA1");
    harness.reopen().await;
    aws.asked();
    harness.clock.advance(Ttl::from_seconds(13));
    aws.ok(USER).ok(&listed(&["AKIA1", "AKIALOST"])).ok("").ok(&made("AKIA2"));
    aws.ok(IDENTITY).ok(&listed(&["AKIA1", "AKIA2"])).ok("").ok(IDENTITY);
    run_to_the_end(&harness).await;
    let asked = aws.asked();
    assert_eq!(asked[2], "AKIAOLD DeleteAccessKey&UserName=stays&AccessKeyId=AKIALOST");
    assert_eq!(given(&harness).await, "AKIA2");
}

#[tokio::test(start_paused = true)]
async fn a_new_key_that_somebody_deleted_is_given_up() {
    let (harness, aws) = with_static_role().await;
    harness.clock.advance(Ttl::from_seconds(3600));
    aws.ok(USER).ok(&listed(&["AKIA1"])).ok(&made("AKIA2"));
    let unknown = |tries| {
        aws.refuse_times(tries, 403, "InvalidClientTokenId");
        aws.ok(&listed(&["AKIA1"]));
    };
    // It need not be listed at once.
    unknown(6);
    run_to_the_end(&harness).await;
    harness.clock.advance(Ttl::from_seconds(601));
    unknown(6);
    unknown(1);
    run_to_the_end(&harness).await;
    let said = failure(&harness).await;
    assert_eq!(said["last_error"], "the new key AKIA2 of user stays has gone: another one is made");
    assert_eq!(given(&harness).await, "AKIA1");
    harness.clock.advance(Ttl::from_seconds(3600));
    aws.ok(USER).ok(&listed(&["AKIA1"])).ok(&made("AKIA3"));
    aws.ok(IDENTITY).ok(&listed(&["AKIA1", "AKIA3"])).ok("").ok(IDENTITY);
    run_to_the_end(&harness).await;
    aws.asked();
    assert_eq!(given(&harness).await, "AKIA3");
}

/// The keys of whoever is configured are not for a role to delete.
#[tokio::test(start_paused = true)]
async fn the_configured_key_is_nobody_elses_to_change() {
    let (harness, aws) = world().await;
    aws.ok(USER).ok(USER).ok(&listed(&["AKIA0", "AKIAOLD"]));
    let answer = write(&harness, json!({"username": "stays", "rotation_period": "1h"})).await;
    let fault = "failed to create new credentials for role \"app\": stays is the user of the key in \
                 config/root: use config/rotate-root";
    assert_eq!((answer.status, answer.errors[0].as_str()), (400, fault));
    assert_eq!(aws.asked().len(), 3);
    assert_eq!(harness.send(Verb::Read, "static-roles/app", Value::Null).await.status, 404);

    // It became so after the role was made.
    let (harness, aws) = with_static_role().await;
    harness.clock.advance(Ttl::from_seconds(3600));
    aws.ok(USER).ok(&listed(&["AKIA1"])).ok(&made("AKIA2"));
    aws.ok(IDENTITY).ok(&listed(&["AKIA1", "AKIA2", "AKIAOLD"])).ok(IDENTITY);
    run_to_the_end(&harness).await;
    assert!(!actions(&aws.asked()).contains(&"DeleteAccessKey"));
}

const LIST_USERS: &str = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}}"#;

struct World {
    harness: Harness,
    moto: Moto,
}

impl World {
    async fn start() -> Self {
        let moto = Moto::start().await;
        let Key { id, secret, .. } = moto.user("keeper", EVERYTHING);
        let harness = Harness::open_towards::<Aws>(Arc::new(PlainHttp::default())).await;
        let body = json!({
            "access_key": id, "secret_key": secret,
            "iam_endpoint": moto.url(), "sts_endpoint": moto.url(),
        });
        harness.ok(Verb::Write, "config/root", body).await;
        Self { harness, moto }
    }

    async fn key(&self) -> Key {
        let answer = creds(&self.harness).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        Key::of(&answer.data)
    }

    fn works(&self, key: &Key) -> bool {
        self.moto.call(key, "iam", "ListUsers", &[]).status == 200
    }

    fn keys(&self, user: &str) -> Vec<String> {
        elements(&self.moto.iam("ListAccessKeys", &[("UserName", user)]), "AccessKeyId")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_users_that_stay_change_in_moto() {
    let world = World::start().await;
    let (harness, moto) = (&world.harness, &world.moto);
    let before = moto.user("stays", LIST_USERS);
    moto.iam("CreateAccessKey", &[("UserName", "stays")]);
    assert_eq!(creds(harness).await.status, 404);
    let keeper = "failed to create new credentials for role \"app\": keeper is the user of the key";
    for (body, fault) in [
        (json!({"rotation_period": "1h"}), "missing \"username\" parameter"),
        (json!({"username": "stays"}), "missing \"rotation_period\" parameter"),
        (
            json!({"username": "stays", "rotation_period": "59s"}),
            "role rotation period out of range: must be greater than 60.00 seconds",
        ),
        (
            json!({"username": "nobody", "rotation_period": "1h"}),
            "unable to validate username \"nobody\": NoSuchEntity: ",
        ),
        (json!({"username": "keeper", "rotation_period": "1h"}), keeper),
        (
            json!({"username": "a&UserName=stays", "rotation_period": "1h"}),
            "unable to validate username \"a&UserName=stays\": ",
        ),
    ] {
        let answer = write(harness, body).await;
        assert!(answer.status == 400 && answer.errors[0].starts_with(fault), "{answer:?}");
    }
    assert!(world.works(&before), "nothing has been touched");
    assert_eq!(harness.send(Verb::List, "static-roles", Value::Null).await.status, 404);

    // It has two keys already, which is all that it may have.
    let answer = write(harness, json!({"username": "stays", "rotation_period": "1h"})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let first = world.key().await;
    assert_eq!(world.keys("stays"), [first.id.as_str()]);
    assert!(world.works(&first) && !world.works(&before));

    harness.clock.advance(Ttl::from_seconds(3599));
    run(harness).await;
    assert_eq!(world.key().await.id, first.id);
    harness.clock.advance(Ttl::from_seconds(1));
    run(harness).await;
    let second = world.key().await;
    assert!(second.id != first.id && world.works(&second) && !world.works(&first));
    assert_eq!(world.keys("stays"), [second.id.as_str()]);

    // A user is what it is, whatever somebody calls it.
    moto.user("other", LIST_USERS);
    let answer = write(harness, json!({"username": "other"})).await;
    let fault = "AWS GetUser returned a user, but the ID did not match: ";
    assert!(answer.status == 400 && answer.errors[0].starts_with(fault), "{answer:?}");
    let answer = write(harness, json!({"rotation_period": "2h"})).await;
    assert_eq!(
        (&answer.data["rotation_period"], &answer.data["next_vault_rotation"]),
        (&json!(7200), &json!("2026-01-01T03:00:00Z"))
    );
    moto.iam("UpdateUser", &[("UserName", "stays"), ("NewUserName", "renamed")]);
    let answer = write(harness, json!({"username": "renamed"})).await;
    assert_eq!(answer.data["username"], "renamed", "{answer:?}");
    let thief = json!({"username": "renamed", "rotation_period": "1h"});
    let answer = harness.send(Verb::Write, "static-roles/thief", thief).await;
    assert!(answer.errors[0].contains("is already changed by static role \"app\""), "{answer:?}");
    let listed = harness.ok(Verb::List, "static-roles", Value::Null).await;
    assert_eq!(listed, json!({"keys": ["app"]}));

    // Moto looks for the keys of a user by the name that it had at first.
    moto.iam("UpdateUser", &[("UserName", "renamed"), ("NewUserName", "stays")]);
    write(harness, json!({"username": "stays"})).await;
    // The role is gone, and so is its key.
    let last = world.key().await;
    assert!(world.works(&last));
    harness.ok(Verb::Delete, "static-roles/app", Value::Null).await;
    assert!(!world.works(&last) && world.keys("stays").is_empty());
    assert_eq!(creds(harness).await.status, 404);
    harness.ok(Verb::Delete, "static-roles/app", Value::Null).await;
}

/// A user that was deleted, and one that somebody else made in its place.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_keys_are_changed() {
    let world = World::start().await;
    let (harness, moto) = (&world.harness, &world.moto);
    moto.iam("CreateUser", &[("UserName", "stays")]);
    write(harness, json!({"username": "stays", "rotation_period": "1h"})).await;
    let key = world.key().await;
    moto.iam("DeleteAccessKey", &[("UserName", "stays"), ("AccessKeyId", &key.id)]);
    moto.iam("DeleteUser", &[("UserName", "stays")]);
    harness.clock.advance(Ttl::from_seconds(3600));
    run(harness).await;
    let said = failure(harness).await["last_error"].as_str().unwrap().to_owned();
    assert!(said.starts_with("unable to validate username \"stays\": NoSuchEntity"), "{said}");
    let other = moto.user("stays", LIST_USERS);
    harness.clock.advance(Ttl::from_seconds(3600));
    run(harness).await;
    let said = failure(harness).await["last_error"].as_str().unwrap().to_owned();
    assert!(said.contains("but the ID did not match"), "{said}");
    harness.ok(Verb::Delete, "static-roles/app", Value::Null).await;
    assert!(world.works(&other));
}
