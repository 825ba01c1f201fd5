#![allow(clippy::unwrap_used)]

mod static_roles;

use std::collections::VecDeque;
use std::sync::Mutex;

use base_types::{BoxFuture, Timestamp};
use bytes::Bytes;
use core_engine_api::testing::{Answer, Harness};
use core_engine_api::{ClientTls, Isolated, Pod};
use http::{Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::rotation::Rotation;

/// An AWS that gives its answers in this order, whatever it is asked, for what the real one and moto
/// do only now and then.
#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<(u16, String)>>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    fn answer(&self, status: u16, body: &str) -> &Self {
        self.answers.lock().unwrap().push_back((status, body.to_owned()));
        self
    }

    fn ok(&self, result: &str) -> &Self {
        self.answer(200, &format!("<R><Result>{result}</Result></R>"))
    }

    fn refuse(&self, status: u16, code: &str) -> &Self {
        self.answer(
            status,
            &format!("<E><Error><Code>{code}</Code><Message>m</Message></Error></E>"),
        )
    }

    fn refuse_times(&self, times: usize, status: u16, code: &str) {
        for _ in 0..times {
            self.refuse(status, code);
        }
    }

    /// The actions since the last look, with their parameters; every answer must have been used.
    fn asked(&self) -> Vec<String> {
        assert_eq!(*self.answers.lock().unwrap(), []);
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

impl Outbound for Scripted {
    fn send<'a>(
        &'a self,
        request: Request<Bytes>,
        _: &'a ClientTls,
    ) -> BoxFuture<'a, Result<Response<Bytes>>> {
        Box::pin(async move {
            let key = request.headers()["authorization"].to_str().unwrap();
            let key = key.split(['=', '/']).nth(1).unwrap();
            let body = std::str::from_utf8(request.body()).unwrap();
            let body = body.replace('+', " ");
            let query = percent_decode_str(&body).decode_utf8().unwrap();
            let query = query.replacen("Action=", "", 1);
            let query = query.replace("&Version=2010-05-08", "").replace("&Version=2011-06-15", "");
            self.asked.lock().unwrap().push(format!("{key} {query}"));
            let (status, body) = self.answers.lock().unwrap().pop_front().unwrap_or_else(|| {
                panic!("nothing is to be answered to {query}");
            });
            Ok(Response::builder().status(status).body(Bytes::from(body)).unwrap())
        })
    }

    fn pod(&self) -> BoxFuture<'_, Pod> {
        Box::pin(async { Pod::default() })
    }
}

const IDENTITY: &str = "<Account>111</Account><Arn>arn:aws:iam::111:user/p/vault</Arn>";
const SESSION: &str = "<Credentials><AccessKeyId>ASIA</AccessKeyId><SecretAccessKey>s3</SecretAccessKey>\
     <SessionToken>t0</SessionToken><Expiration>2026-01-01T00:15:00Z</Expiration></Credentials>";
const KEY: &str = "<AccessKey><AccessKeyId>AKIANEW</AccessKeyId><SecretAccessKey>s3</SecretAccessKey></AccessKey>";

fn config() -> Value {
    json!({"access_key": "AKIAOLD", "secret_key": "hunter2"})
}

async fn world() -> (Harness, Arc<Scripted>) {
    let aws = Arc::new(Scripted::default());
    let harness = Harness::open_towards::<Aws>(aws.clone()).await;
    aws.ok(IDENTITY);
    harness.ok(Verb::Write, "config/root", config()).await;
    assert_eq!(aws.asked(), ["AKIAOLD GetCallerIdentity"]);
    (harness, aws)
}

async fn world_with_role(role: Value) -> (Harness, Arc<Scripted>) {
    let (harness, aws) = world().await;
    harness.ok(Verb::Write, "roles/web", role).await;
    (harness, aws)
}

async fn creds(harness: &Harness, body: Value) -> Answer {
    harness.send(Verb::Write, "creds/web", body).await
}

/// The actions alone.
fn actions(asked: &[String]) -> Vec<&str> {
    asked.iter().map(|asked| asked.split([' ', '&']).nth(1).unwrap()).collect()
}

#[tokio::test]
async fn the_configuration_is_checked_and_its_secret_not_shown() {
    let harness = Harness::open_towards::<Aws>(Arc::new(Isolated)).await;
    assert_eq!(harness.send(Verb::Read, "config/root", Value::Null).await.status, 404);
    for (field, value, fault) in [
        ("secret_key", json!(""), "access_key and secret_key are both needed"),
        ("region", json!("evil.test/"), "a region holds"),
        ("iam_endpoint", json!("iam"), "iam_endpoint: the URL"),
        ("sts_endpoint", json!("https://u:hunter2@h"), "sts_endpoint: the URL"),
        ("max_retries", json!(11), "max_retries must be from -1 to 10"),
        ("username_template", json!("{{ .Nope }}"), "unable to initialize username template: "),
        ("verify_connection", json!(true), "AWS does not accept access_key and secret_key: this"),
    ] {
        let mut body = config();
        body["verify_connection"] = false.into();
        body[field] = value;
        let answer = harness.send(Verb::Write, "config/root", body).await;
        assert!(answer.errors[0].starts_with(fault), "{field}: {answer:?}");
        assert!(!answer.errors[0].contains("hunter2"), "{answer:?}");
    }
    let answer = harness.send(Verb::Write, "config/rotate-root", json!({})).await;
    assert_eq!(answer.errors, ["there is no key for AWS: write config/root first"]);

    let (harness, _) = world().await;
    let shown = harness.ok(Verb::Read, "config/root", Value::Null).await;
    let expected = json!({
        "access_key": "AKIAOLD", "iam_endpoint": "", "max_retries": -1, "region": "",
        "sts_endpoint": "", "sts_region": "", "username_template": "",
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn wrong_keys_are_told_and_not_stored() {
    let aws = Arc::new(Scripted::default());
    let harness = Harness::open_towards::<Aws>(aws.clone()).await;
    aws.refuse(403, "InvalidClientTokenId");
    let answer = harness.send(Verb::Write, "config/root", config()).await;
    let text = "AWS does not accept access_key and secret_key: InvalidClientTokenId: m (HTTP 403)";
    assert_eq!((answer.status, answer.errors[0].as_str()), (400, text));
    assert_eq!(harness.send(Verb::Read, "config/root", Value::Null).await.status, 404);
}

#[tokio::test]
async fn leases_are_configured_in_words() {
    let harness = Harness::open_towards::<Aws>(Arc::new(Isolated)).await;
    assert_eq!(harness.send(Verb::Read, "config/lease", Value::Null).await.status, 404);
    for (body, fault) in [
        (json!({"lease_max": "1h"}), "'lease' is a required parameter"),
        (json!({"lease": "1h"}), "'lease_max' is a required parameter"),
    ] {
        assert_eq!(harness.send(Verb::Write, "config/lease", body).await.errors, [fault]);
    }
    harness.ok(Verb::Write, "config/lease", json!({"lease": "30m", "lease_max": "12h"})).await;
    let shown = harness.ok(Verb::Read, "config/lease", Value::Null).await;
    assert_eq!(shown, json!({"lease": "30m0s", "lease_max": "12h0m0s"}));
}

#[tokio::test]
async fn a_role_is_kept_as_it_was_written() {
    let harness = Harness::open_towards::<Aws>(Arc::new(Isolated)).await;
    let role = json!({
        "credential_type": "iam_user",
        "policy_arns": "arn:a,arn:b",
        "policy_document": "{ \"Version\": \"2012-10-17\" }",
        "iam_groups": ["g"],
        "iam_tags": ["k=v", "l=w=x"],
        "user_path": "/app/",
        "permissions_boundary_arn": "arn:aws:iam::1:policy/b",
    });
    harness.ok(Verb::Write, "roles/web", role).await;
    harness.ok(Verb::Write, "roles/web", json!({"iam_groups": "h,i"})).await;
    let shown = harness.ok(Verb::Read, "roles/web", Value::Null).await;
    let expected = json!({
        "credential_type": "iam_user", "default_sts_ttl": 0, "external_id": "",
        "iam_groups": ["h", "i"], "iam_tags": {"k": "v", "l": "w=x"}, "max_sts_ttl": 0,
        "mfa_serial_number": "", "permissions_boundary_arn": "arn:aws:iam::1:policy/b",
        "policy_arns": ["arn:a", "arn:b"], "policy_document": "{\"Version\":\"2012-10-17\"}",
        "role_arns": [], "session_tags": {}, "user_path": "/app/",
    });
    assert_eq!(shown, expected);
    let listed = harness.ok(Verb::List, "roles", Value::Null).await;
    assert_eq!(listed, json!({"keys": ["web"]}));
    harness.ok(Verb::Delete, "roles/web", Value::Null).await;
    assert_eq!(harness.send(Verb::Read, "roles/web", Value::Null).await.status, 404);
    assert_eq!(harness.send(Verb::List, "roles", Value::Null).await.status, 404);
}

#[tokio::test]
async fn each_field_goes_with_its_type() {
    let harness = Harness::open_towards::<Aws>(Arc::new(Isolated)).await;
    let only = "parameter only valid for assumed_role, federation_token, and session_token \
                credential types";
    let not_assumed = "when credential_type isn't assumed_role";
    for (kind, field, value, fault) in [
        ("iam_user", "default_sts_ttl", json!("1h"), format!("default_sts_ttl {only}")),
        ("iam_user", "max_sts_ttl", json!("1h"), format!("max_sts_ttl {only}")),
        (
            "session_token",
            "user_path",
            json!("/a/"),
            "user_path parameter only valid for iam_user credential type".to_owned(),
        ),
        (
            "iam_user",
            "user_path",
            json!("a"),
            "the specified value for user_path is invalid".to_owned(),
        ),
        (
            "assumed_role",
            "permissions_boundary_arn",
            json!("arn:aws:iam::1:policy/b"),
            "cannot supply permissions_boundary_arn when credential_type isn't iam_user".to_owned(),
        ),
        (
            "iam_user",
            "permissions_boundary_arn",
            json!("b"),
            "invalid permissions_boundary_arn parameter: arn: invalid prefix".to_owned(),
        ),
        (
            "session_token",
            "policy_document",
            json!("{}"),
            "cannot supply a policy or role when using credential_type session_token".to_owned(),
        ),
        (
            "session_token",
            "policy_arns",
            json!("a"),
            "cannot supply a policy or role when using credential_type session_token".to_owned(),
        ),
        ("iam_user", "role_arns", json!("a"), format!("cannot supply role_arns {not_assumed}")),
        (
            "federation_token",
            "session_tags",
            json!({"a": "b"}),
            format!("cannot supply session_tags {not_assumed}"),
        ),
        (
            "session_token",
            "external_id",
            json!("e"),
            format!("cannot supply external_id {not_assumed}"),
        ),
        ("nope", "iam_groups", json!("a"), "unrecognized credential type: nope".to_owned()),
    ] {
        let body = json!({"credential_type": kind, field: value});
        let answer = harness.send(Verb::Write, "roles/web", body).await;
        let start = "error(s) validating supplied role data: \"1 error occurred:\\n\\t* ";
        assert_eq!(answer.status, 400, "{field}: {answer:?}");
        assert!(answer.errors[0].starts_with(&format!("{start}{fault}")), "{field}: {answer:?}");
    }
    let ttls = json!({"default_sts_ttl": "2h", "max_sts_ttl": "1h"});
    let answer = harness.send(Verb::Write, "roles/web", ttls).await;
    assert_eq!(
        answer.errors[0],
        r#"error(s) validating supplied role data: "2 errors occurred:\n\t* did not supply credential_type\n\t* \"default_sts_ttl\" value must be less than or equal to \"max_sts_ttl\" value\n\n""#
    );
    let document = json!({"credential_type": "iam_user", "policy_document": "{"});
    let answer = harness.send(Verb::Write, "roles/web", document).await;
    assert!(answer.errors[0].starts_with("cannot parse policy document: EOF"), "{answer:?}");
    for name in ["a%20b", "-a", "a&b", "a b"] {
        let body = json!({"credential_type": "iam_user"});
        let answer = harness.send(Verb::Write, &format!("roles/{name}"), body).await;
        assert!(answer.errors[0].starts_with("a name holds letters"), "{name}: {answer:?}");
    }
    assert_eq!(harness.send(Verb::List, "roles", Value::Null).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_busy_aws_is_asked_again_and_not_for_ever() {
    let (harness, aws) = world_with_role(json!({"credential_type": "session_token"})).await;
    aws.refuse(400, "Throttling").answer(503, "").refuse(429, "").ok(SESSION);
    assert_eq!(creds(&harness, json!({})).await.status, 200);
    assert_eq!(aws.asked().len(), 4);
    aws.refuse_times(4, 400, "Throttling");
    let answer = creds(&harness, json!({})).await;
    assert_eq!(
        (answer.status, answer.errors[0].as_str()),
        (503, "Error generating STS keys: Throttling: m (HTTP 400)")
    );
    let mut body = config();
    body["max_retries"] = 0.into();
    body["verify_connection"] = false.into();
    harness.ok(Verb::Write, "config/root", body).await;
    aws.asked();
    aws.refuse(400, "Throttling");
    assert_eq!(creds(&harness, json!({})).await.status, 503);
    aws.refuse(403, "AccessDenied");
    let answer = creds(&harness, json!({})).await;
    let text = "Error generating STS keys: AccessDenied: m (HTTP 403)";
    assert_eq!((answer.status, answer.errors[0].as_str()), (400, text));
    assert_eq!(aws.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_user_whose_making_is_in_doubt_is_not_made_twice_and_looked_for_again() {
    let (harness, aws) = world_with_role(json!({"credential_type": "iam_user"})).await;
    aws.refuse(404, "NoSuchEntity").answer(500, "");
    aws.refuse_times(6, 404, "NoSuchEntity");
    let answer = creds(&harness, json!({})).await;
    assert!(answer.errors[0].starts_with("IAM does not know the new user"), "{answer:?}");
    let asked = aws.asked();
    assert_eq!(actions(&asked[..3]), ["ListAccessKeys", "CreateUser", "ListAccessKeys"]);
    // One that was refused was not made.
    aws.refuse(404, "NoSuchEntity").refuse(403, "AccessDenied").refuse(404, "NoSuchEntity");
    let answer = creds(&harness, json!({})).await;
    let text = "Error creating IAM user: AccessDenied: m (HTTP 403)";
    assert_eq!((answer.status, answer.errors[0].as_str()), (400, text));
    aws.asked();
}

#[tokio::test]
async fn nothing_is_granted_where_nothing_can_be_made() {
    let (harness, aws) = world_with_role(json!({"credential_type": "iam_user"})).await;
    for (answered, status, fault) in [
        ((200, "<R/>"), 400, "there is a user vault-"),
        (
            (403, "<E><Code>AccessDenied</Code><Message>m</Message></E>"),
            400,
            "Error looking for the IAM user: AccessDenied: m",
        ),
        (
            (200, "<!DOCTYPE a><R/>"),
            502,
            "Error looking for the IAM user: the answer of AWS cannot be read: it holds",
        ),
    ] {
        aws.answer(answered.0, answered.1);
        let answer = creds(&harness, json!({})).await;
        assert!(answer.status == status && answer.errors[0].starts_with(fault), "{answer:?}");
        assert!(answer.lease.is_none());
        assert_eq!(aws.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_refusal_half_way_takes_everything_down_again() {
    let role = json!({"credential_type": "iam_user", "iam_groups": "missing", "iam_tags": {"a": "b&c"}, "user_path": "/x/"});
    let (harness, aws) = world_with_role(role).await;
    aws.refuse(404, "NoSuchEntity").ok("").refuse(404, "NoSuchEntity");
    let keys = "<AccessKeyMetadata><member><AccessKeyId>AKIA1</AccessKeyId></member></AccessKeyMetadata><IsTruncated>true</IsTruncated><Marker>m&amp;1</Marker>";
    let more =
        "<AccessKeyMetadata><member><AccessKeyId>AKIA2</AccessKeyId></member></AccessKeyMetadata>";
    aws.ok(keys).ok(more).ok("").refuse(404, "NoSuchEntity");
    aws.ok("<PolicyArn>arn:p</PolicyArn>")
        .ok("")
        .ok("<PolicyNames><member>web</member></PolicyNames>")
        .ok("");
    aws.ok("<GroupName>g</GroupName>").ok("");
    aws.refuse(409, "DeleteConflict").ok("").ok("");
    let answer = creds(&harness, json!({})).await;
    assert_eq!(answer.errors, ["Error adding user to group: NoSuchEntity: m (HTTP 404)"]);
    let asked = aws.asked();
    let user = asked[0].rsplit_once("UserName=").unwrap().1.to_owned();
    let asked: Vec<String> = asked.iter().map(|asked| asked.replace(&user, "U")).collect();
    let expected = [
        "ListAccessKeys&UserName=U",
        "CreateUser&UserName=U&Path=/x/&Tags.member.1.Key=a&Tags.member.1.Value=b&c",
        "AddUserToGroup&UserName=U&GroupName=missing",
        "ListAccessKeys&UserName=U",
        "ListAccessKeys&UserName=U&Marker=m&1",
        "DeleteAccessKey&UserName=U&AccessKeyId=AKIA1",
        "DeleteAccessKey&UserName=U&AccessKeyId=AKIA2",
        "ListAttachedUserPolicies&UserName=U",
        "DetachUserPolicy&UserName=U&PolicyArn=arn:p",
        "ListUserPolicies&UserName=U",
        "DeleteUserPolicy&UserName=U&PolicyName=web",
        "ListGroupsForUser&UserName=U",
        "RemoveUserFromGroup&UserName=U&GroupName=g",
        "DeleteUser&UserName=U",
        "DeleteLoginProfile&UserName=U",
        "DeleteUser&UserName=U",
    ];
    assert_eq!(asked, expected.map(|asked| format!("AKIAOLD {asked}")));
}

#[tokio::test(start_paused = true)]
async fn iam_is_not_believed_that_it_has_no_user_whom_it_just_made() {
    let (harness, aws) = world_with_role(json!({"credential_type": "iam_user"})).await;
    aws.refuse(404, "NoSuchEntity").ok("").ok(KEY);
    let answer = creds(&harness, json!({})).await;
    let expected = json!({"access_key": "AKIANEW", "secret_key": "s3", "security_token": null, "session_token": null});
    assert_eq!(answer.data, expected);
    let lease = answer.lease.unwrap();
    assert!(lease.renewable);
    aws.asked();
    let deny = |times| aws.refuse_times(times, 404, "NoSuchEntity");
    deny(6);
    let error = harness.revoke(&lease).await.unwrap_err();
    assert!(error.public().starts_with("IAM does not know the new user vault-"), "{error:?}");
    // It is there after all.
    deny(1);
    aws.ok("").ok("").ok("").ok("").ok("");
    harness.revoke(&lease).await.unwrap();
    assert_eq!(aws.asked().last().unwrap().split('&').next(), Some("AKIAOLD DeleteUser"));
    // And gone at once when that has been done, or after some time.
    deny(1);
    harness.revoke(&lease).await.unwrap();
    aws.refuse(404, "NoSuchEntity").ok("").ok(KEY);
    let lease = creds(&harness, json!({})).await.lease.unwrap();
    harness.clock.advance(Ttl::from_seconds(61));
    deny(1);
    harness.revoke(&lease).await.unwrap();
    aws.asked();
}

#[tokio::test]
async fn a_user_is_not_looked_for_in_another_account() {
    let (harness, aws) = world_with_role(json!({"credential_type": "iam_user"})).await;
    aws.refuse(404, "NoSuchEntity").ok("").ok(KEY);
    let lease = creds(&harness, json!({})).await.lease.unwrap();
    let mut other = config();
    other["verify_connection"] = false.into();
    harness.ok(Verb::Write, "config/root", other).await;
    aws.asked();
    aws.ok("<Account>222</Account><Arn>arn:aws:iam::222:user/x</Arn>");
    let error = harness.revoke(&lease).await.unwrap_err();
    let text = "lives in account 111, and config/root has a key of 222";
    assert!(error.public().ends_with(text), "{error:?}");
    // The account is asked for once.
    assert!(harness.revoke(&lease).await.is_err());
    assert_eq!(aws.asked(), ["AKIAOLD GetCallerIdentity"]);
}

#[tokio::test]
async fn sessions_end_when_aws_says() {
    let role = json!({
        "credential_type": "assumed_role", "role_arns": "arn:r1,arn:r2", "external_id": "e",
        "session_tags": {"team": "a"}, "policy_document": "{\"Statement\": []}", "policy_arns": "arn:p",
        "default_sts_ttl": "20m", "max_sts_ttl": "30m",
    });
    let (harness, aws) = world_with_role(role).await;
    let answer = creds(&harness, json!({})).await;
    assert_eq!(answer.errors, ["did not supply a role_arn parameter and unable to determine one"]);
    let answer = creds(&harness, json!({"role_arn": "arn:r3"})).await;
    assert_eq!(
        answer.errors,
        ["role_arn \"arn:r3\" not in allowed role arns for Vault role \"web\""]
    );
    aws.ok(&format!("{SESSION}<AssumedRoleUser><Arn>arn:a</Arn></AssumedRoleUser>"));
    let body = json!({"role_arn": "arn:r2", "role_session_name": "me & you", "ttl": "2h"});
    let answer = harness.send(Verb::Write, "sts/web", body).await;
    let expected = json!({
        "access_key": "ASIA", "arn": "arn:a", "secret_key": "s3", "security_token": "t0",
        "session_token": "t0", "ttl": 900,
    });
    assert_eq!(answer.data, expected);
    let lease = answer.lease.unwrap();
    assert_eq!((lease.ttl, lease.renewable), (Ttl::from_seconds(900), false));
    harness.revoke(&lease).await.unwrap();
    assert_eq!(
        aws.asked(),
        ["AKIAOLD AssumeRole&RoleArn=arn:r2&RoleSessionName=me___you&Tags.member.1.Key=team\
          &Tags.member.1.Value=a&ExternalId=e&Policy={\"Statement\":[]}&PolicyArns.member.1.arn=arn:p\
          &DurationSeconds=1800"]
    );
    harness.clock.set(Timestamp::from_seconds(1_767_225_600 + 900));
    aws.ok(SESSION);
    let answer = harness.send(Verb::Read, "creds/web?role_arn=arn:r1", Value::Null).await;
    assert_eq!(answer.errors, ["AWS opened a session that has ended already"]);
    let asked = aws.asked();
    assert!(asked[0].contains("RoleSessionName=vault--web-"), "{asked:?}");
    assert!(asked[0].ends_with("DurationSeconds=1200"), "{asked:?}");
}

#[tokio::test]
async fn groups_filter_sessions() {
    let role = json!({"credential_type": "federation_token", "iam_groups": "g", "policy_document": "{\"Statement\": {\"Sid\": \"own\"}}"});
    let (harness, aws) = world_with_role(role).await;
    let inline = "<PolicyNames><member>inline</member></PolicyNames>";
    let policy = "<PolicyDocument>%7B%22Statement%22%3A%5B%7B%22Sid%22%3A%22group%22%7D%5D%7D</PolicyDocument>";
    aws.ok(inline)
        .ok(policy)
        .ok("<AttachedPolicies><member><PolicyArn>arn:g</PolicyArn></member></AttachedPolicies>")
        .ok(SESSION);
    creds(&harness, json!({})).await.lease.unwrap();
    let asked = aws.asked();
    assert_eq!(
        actions(&asked),
        ["ListGroupPolicies", "GetGroupPolicy", "ListAttachedGroupPolicies", "GetFederationToken"]
    );
    let filter = r#"&Policy={"Version":"2012-10-17","Statement":[{"Sid":"group"},{"Sid":"own"}]}&PolicyArns.member.1.arn=arn:g&DurationSeconds=3600"#;
    assert!(asked[3].ends_with(filter), "{asked:?}");

    harness.ok(Verb::Write, "roles/web", json!({"policy_document": ""})).await;
    aws.ok("").ok("");
    let answer = creds(&harness, json!({})).await;
    assert_eq!(answer.errors, ["iam_groups have no policies, so nothing limits the session"]);
    harness.ok(Verb::Write, "roles/web", json!({"iam_groups": ""})).await;
    let answer = creds(&harness, json!({})).await;
    assert_eq!(
        answer.errors,
        [
            "must specify at least one of policy_arns or policy_document with federation_token credential_type"
        ]
    );
    aws.asked();
}

#[tokio::test]
async fn a_device_wants_its_code() {
    let (harness, aws) = world_with_role(
        json!({"credential_type": "session_token", "mfa_serial_number": "arn:mfa"}),
    )
    .await;
    let answer = creds(&harness, json!({})).await;
    assert!(answer.errors[0].starts_with("mfa_code is needed"), "{answer:?}");
    aws.ok(SESSION);
    let answer = harness.send(Verb::Read, "creds/web?mfa_code=123456", Value::Null).await;
    assert_eq!(answer.data["session_token"], "t0");
    let query = "GetSessionToken&SerialNumber=arn:mfa&TokenCode=123456&DurationSeconds=3600";
    assert_eq!(aws.asked(), [format!("AKIAOLD {query}")]);
}

async fn rotate(harness: &Harness) -> Answer {
    harness.send(Verb::Write, "config/rotate-root", json!({})).await
}

async fn stored(harness: &Harness) -> Config {
    harness.storage.get("config/root").await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_key_is_changed_when_aws_knows_the_next() {
    let (harness, aws) = world().await;
    aws.ok(IDENTITY).ok(KEY).refuse(403, "InvalidClientTokenId").ok(IDENTITY).ok("");
    let answer = rotate(&harness).await;
    assert_eq!(answer.data, json!({"access_key": "AKIANEW"}));
    assert_eq!(
        aws.asked(),
        [
            "AKIAOLD GetCallerIdentity",
            "AKIAOLD CreateAccessKey&UserName=vault",
            "AKIANEW GetCallerIdentity",
            "AKIANEW GetCallerIdentity",
            "AKIANEW DeleteAccessKey&UserName=vault&AccessKeyId=AKIAOLD",
        ]
    );
    let config = stored(&harness).await;
    assert_eq!(
        (config.access_key.as_str(), config.secret_key.open().expose().as_str()),
        ("AKIANEW", "s3")
    );
    assert!(config.rotation.is_none());

    aws.ok(IDENTITY).refuse(409, "LimitExceeded");
    let answer = rotate(&harness).await;
    assert_eq!(answer.errors, ["error calling CreateAccessKey: LimitExceeded: m (HTTP 409)"]);
    assert!(stored(&harness).await.rotation.is_none());
    aws.asked();
}

#[tokio::test(start_paused = true)]
async fn a_change_that_was_cut_short_is_finished_later() {
    let (harness, aws) = world().await;
    let settle = || harness.backend.run(0);
    settle().await.unwrap();
    // Nobody knows whether a key was made: one was, and another is older.
    aws.ok(IDENTITY).answer(500, "");
    assert_eq!(rotate(&harness).await.status, 503);
    assert!(matches!(stored(&harness).await.rotation, Some(Rotation::Creating { .. })));
    aws.asked();
    let key = |id: &str, made: &str| {
        format!("<member><AccessKeyId>{id}</AccessKeyId><CreateDate>{made}</CreateDate></member>")
    };
    let keys = [
        key("AKIAOLD", "2026-01-01T00:00:00Z"),
        key("AKIALOST", "2026-01-01T00:00:01Z"),
        key("AKIAOTHER", "2025-12-31T23:00:00Z"),
    ];
    aws.ok(&format!("<AccessKeyMetadata>{}</AccessKeyMetadata>", keys.concat())).ok("");
    settle().await.unwrap();
    assert_eq!(
        aws.asked(),
        [
            "AKIAOLD ListAccessKeys&UserName=vault",
            "AKIAOLD DeleteAccessKey&UserName=vault&AccessKeyId=AKIALOST"
        ]
    );
    // AWS does not know the next key for a while: the present one stays in use.
    aws.ok(IDENTITY).ok(KEY);
    aws.refuse_times(6, 403, "InvalidClientTokenId");
    let answer = rotate(&harness).await;
    assert!(answer.status == 503 && answer.errors[0].ends_with("it is asked again"), "{answer:?}");
    assert_eq!(stored(&harness).await.access_key, "AKIAOLD");
    // Then it does, but the old one cannot be deleted at once.
    aws.ok(IDENTITY).answer(403, "");
    assert!(settle().await.is_err());
    assert_eq!(stored(&harness).await.access_key, "AKIANEW");
    aws.asked();
    aws.ok("");
    settle().await.unwrap();
    assert_eq!(aws.asked(), ["AKIANEW DeleteAccessKey&UserName=vault&AccessKeyId=AKIAOLD"]);
    assert!(stored(&harness).await.rotation.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_next_key_that_somebody_deleted_is_given_up() {
    let (harness, aws) = world().await;
    aws.ok(IDENTITY).ok(KEY);
    aws.refuse_times(12, 403, "InvalidClientTokenId");
    assert_eq!(rotate(&harness).await.status, 503);
    harness.clock.advance(Ttl::from_seconds(601));
    aws.refuse(404, "NoSuchEntity");
    harness.backend.run(0).await.unwrap();
    let config = stored(&harness).await;
    assert!(config.rotation.is_none() && config.access_key == "AKIAOLD");
    aws.asked();
}
