//! The AWS engine before moto with its enforcement of IAM on: what is leased works, and what has been
//! revoked does not.

mod gate;

use std::time::Duration;

use serde_json::{Value, json};
use testkit::moto::{EVERYTHING, Key, Moto, element, elements};
use testkit::{Answer, TestServer, server};

use gate::{Gate, Keeping};

/// A server with the engine mounted.
struct World<'a> {
    server: TestServer,
    moto: &'a Moto,
    /// Of the user by whom the engine does everything.
    own: Key,
}

const LIST_USERS: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]
}"#;

/// One moto for all, since it takes seconds to start.
#[tokio::test(flavor = "multi_thread")]
async fn keys_work_as_long_as_their_leases() {
    let moto = Moto::start().await;
    tells_what_is_wrong_with_a_key(&moto).await;
    ends_users_with_their_leases(&moto).await;
    leaves_nothing_behind_when_aws_refuses(&moto).await;
    keeps_hostile_names_in_their_place(&moto).await;
    assumes_roles(&moto).await;
    opens_sessions(&moto).await;
    changes_its_own_key(&moto).await;
    stores_no_lease_while_aws_is_away(&moto).await;
    for keeping in [
        Keeping::Request("Action=CreateUser"),
        Keeping::Answer("Action=CreateUser"),
        Keeping::Request("Action=PutUserPolicy"),
        Keeping::Answer("Action=CreateAccessKey"),
    ] {
        leaves_nothing_behind_after_a_power_cut(&moto, keeping).await;
    }
    // The last of these is of the new key, and the one before it is gone by then.
    for keeping in [
        Keeping::Request("Action=CreateAccessKey"),
        Keeping::Answer("Action=CreateAccessKey"),
        Keeping::Request("Action=GetCallerIdentity"),
        Keeping::Request("Action=DeleteAccessKey"),
        Keeping::Answer("Action=DeleteAccessKey"),
    ] {
        gives_out_a_key_that_works_after_a_power_cut(&moto, keeping).await;
    }
}

impl<'a> World<'a> {
    async fn new(moto: &'a Moto, user: &str) -> Self {
        let own = moto.user(user, EVERYTHING);
        let world = Self { server: server().await, moto, own };
        world.write("sys/mounts/aws", json!({ "type": "aws" })).await;
        world.configure(&moto.url()).await;
        world
    }

    async fn configure(&self, url: &str) {
        let Key { id, secret, .. } = &self.own;
        let body = json!({
            "access_key": id, "secret_key": secret, "iam_endpoint": url, "sts_endpoint": url,
        });
        self.write("aws/config/root", body).await;
    }

    async fn write(&self, path: &str, body: Value) -> Value {
        let answer = self.server.call("POST", path, &self.server.root, Some(body)).await;
        assert!(answer.status < 300, "{path}: {answer:?}");
        answer.json()
    }

    async fn get(&self, path: &str) -> Answer {
        self.server.call("GET", path, &self.server.root, None).await
    }

    async fn creds(&self, path: &str) -> (Value, Key) {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let answer = answer.json();
        let key = Key::of(&answer["data"]);
        (answer, key)
    }

    async fn revoke(&self, answer: &Value) {
        let body = json!({ "lease_id": answer["lease_id"], "sync": true });
        self.write("sys/leases/revoke", body).await;
    }

    /// The users that the engine has made, as far as they are there.
    fn made(&self) -> Vec<String> {
        made(self.moto)
    }
}

fn made(moto: &Moto) -> Vec<String> {
    moto.users().into_iter().filter(|name| name.starts_with("vault-")).collect()
}

/// What the holder of `key` is told to this action.
fn status(moto: &Moto, key: &Key, action: &str) -> u16 {
    moto.call(key, "iam", action, &[("UserName", "somebody")]).status
}

async fn tells_what_is_wrong_with_a_key(moto: &Moto) {
    let world = World::new(moto, "config").await;
    let url = moto.url();
    for (id, secret, fault) in [
        (world.own.id.as_str(), "hunter2", "SignatureDoesNotMatch: The request signature we"),
        ("AKIAUNKNOWN", "hunter2", "InvalidClientTokenId: The security token included in the"),
    ] {
        let body = json!({
            "access_key": id, "secret_key": secret, "iam_endpoint": url, "sts_endpoint": url,
        });
        let root = &world.server.root;
        let answer = world.server.call("POST", "aws/config/root", root, Some(body)).await;
        let start = format!("AWS does not accept access_key and secret_key: {fault}");
        assert!(answer.status == 400 && answer.error().starts_with(&start), "{answer:?}");
        assert!(answer.error().contains("(HTTP 403") && !answer.text.contains("hunter2"));
    }
    let shown = world.get("aws/config/root").await;
    assert_eq!(shown.json()["data"]["access_key"], world.own.id.as_str(), "as it was before");
    assert!(!shown.text.contains(&world.own.secret));
}

async fn ends_users_with_their_leases(moto: &Moto) {
    let world = World::new(moto, "leases").await;
    moto.iam("CreateGroup", &[("GroupName", "readers")]);
    let policy = [("PolicyName", "groups"), ("PolicyDocument", EVERYTHING)];
    let policy = element(&moto.iam("CreatePolicy", &policy), "Arn");
    let role = json!({
        "credential_type": "iam_user", "policy_document": LIST_USERS, "policy_arns": policy,
        "iam_groups": "readers", "iam_tags": ["team=a"], "user_path": "/leased/",
    });
    world.write("aws/roles/app", role).await;
    world.write("aws/config/lease", json!({ "lease": "1h", "lease_max": "2h" })).await;
    let (first, key) = world.creds("aws/creds/app").await;
    assert_eq!((&first["lease_duration"], &first["renewable"]), (&json!(3600), &json!(true)));
    let name = &world.made()[0];
    assert!(name.starts_with("vault-root-app-"), "{name}");
    assert!(moto.arn(&key).unwrap().ends_with(&format!("user/leased/{name}")));
    assert_eq!(status(moto, &key, "ListUsers"), 200);
    let user = [("UserName", name.as_str())];
    assert!(moto.iam("ListGroupsForUser", &user).contains("readers"));
    assert_eq!(elements(&moto.iam("ListUserTags", &user), "Value"), ["a"]);
    assert!(moto.iam("GetUser", &user).contains("<Path>/leased/</Path>"));

    world.write("aws/config/lease", json!({ "lease": "90m", "lease_max": "2h" })).await;
    let renewed = world.write("sys/leases/renew", json!({ "lease_id": first["lease_id"] })).await;
    assert_eq!(renewed["lease_duration"], 5400);
    moto.iam("CreateLoginProfile", &[user[0], ("Password", "pw")]);
    world.revoke(&first).await;
    assert_eq!(world.made(), [""; 0]);
    assert_eq!(status(moto, &key, "ListUsers"), 403);
    assert_eq!(moto.arn(&key), None);
    assert!(!moto.iam("GetGroup", &[("GroupName", "readers")]).contains("vault-"));

    // A policy of its own is all that another user has, and it ends by itself.
    let role = json!({ "credential_type": "iam_user", "policy_document": LIST_USERS });
    world.write("aws/roles/short", role).await;
    let (_, key) = world.creds("aws/creds/short").await;
    assert_eq!((status(moto, &key, "ListUsers"), status(moto, &key, "CreateUser")), (200, 403));
    world.write("sys/leases/revoke-prefix/aws/creds/short", json!({ "sync": true })).await;
    world.write("aws/config/lease", json!({ "lease": "1s", "lease_max": "1s" })).await;
    world.creds("aws/creds/short").await;
    until(async || world.made().is_empty()).await;

    let audit = world.server.audit_log();
    assert!(!audit.contains(&world.own.secret) && !audit.contains(&key.secret));
}

async fn leaves_nothing_behind_when_aws_refuses(moto: &Moto) {
    let world = World::new(moto, "refused").await;
    for (field, value, fault) in [
        ("iam_groups", "missing", "Error adding user to group: NoSuchEntity: "),
        ("policy_arns", "arn:aws:iam::aws:policy/Missing", "Error attaching user policy: "),
        ("policy_document", "{}", "Error putting user policy: MalformedPolicyDocument: "),
    ] {
        let role = json!({ "credential_type": "iam_user", field: value });
        world.write(&format!("aws/roles/{field}"), role).await;
        let answer = world.get(&format!("aws/creds/{field}")).await;
        assert_eq!(answer.status, 400, "{field}: {answer:?}");
        assert!(answer.error().starts_with(fault), "{field}: {answer:?}");
        until(async || world.made().is_empty()).await;
    }
    until(async || leases(&world.server).await == 404).await;
}

async fn keeps_hostile_names_in_their_place(moto: &Moto) {
    let world = World::new(moto, "hostile").await;
    let before = moto.users();
    let hostile = "x&Action=DeleteUser&UserName=hostile;\r\n %26<>\"'ä=";
    let role = json!({
        "credential_type": "iam_user", "policy_document": LIST_USERS,
        "iam_tags": { "a&b=c": "d&Path=/e/ %26+f" },
    });
    world.write("aws/roles/a@b.c", role).await;
    let token = json!({ "display_name": hostile, "policies": ["root"] });
    let token = world.write("auth/token/create", token).await;
    let token = token["auth"]["client_token"].as_str().unwrap();
    let answer = world.server.call("GET", "aws/creds/a@b.c", token, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let name = &world.made()[0];
    assert!(name.starts_with("vault-token-x"), "{name}");
    let tags = moto.iam("ListUserTags", &[("UserName", name)]);
    assert_eq!(elements(&tags, "Key"), ["a&amp;b=c"]);
    assert_eq!(elements(&tags, "Value"), ["d&amp;Path=/e/ %26+f"]);
    world.revoke(&answer.json()).await;
    assert_eq!(moto.users(), before);

    let role = json!({ "credential_type": "iam_user", "iam_groups": [hostile] });
    world.write("aws/roles/group", role).await;
    let answer = world.get("aws/creds/group").await;
    assert!(answer.error().starts_with("Error adding user to group: "), "{answer:?}");
    let role = json!({ "credential_type": "assumed_role", "role_arns": [hostile] });
    world.write("aws/roles/role", role).await;
    let answer = world.get("aws/creds/role").await;
    assert!(answer.error().starts_with("Error assuming role: AccessDenied"), "{answer:?}");
    until(async || moto.users() == before).await;
}

async fn assumes_roles(moto: &Moto) {
    let world = World::new(moto, "assuming").await;
    let role_arn = aws_role(moto, "reader", &moto.arn(&world.own).unwrap());
    let closed = aws_role(moto, "closed", "arn:aws:iam::123456789012:user/nobody");
    let role = json!({
        "credential_type": "assumed_role", "role_arns": [role_arn, closed], "max_sts_ttl": "20m",
    });
    world.write("aws/roles/reader", role).await;
    let path = |arn: &str| format!("aws/sts/reader?role_arn={arn}&role_session_name=me&ttl=1h");
    let (answer, key) = world.creds(&path(&role_arn)).await;
    let arn = "arn:aws:sts::123456789012:assumed-role/reader/me";
    assert_eq!((answer["data"]["arn"].as_str(), moto.arn(&key).as_deref()), (Some(arn), Some(arn)));
    assert_eq!((status(moto, &key, "ListUsers"), status(moto, &key, "CreateUser")), (200, 403));
    let other = Key { token: None, ..key.clone() };
    assert_eq!(status(moto, &other, "ListUsers"), 403);
    let ttl = answer["lease_duration"].as_u64().unwrap();
    assert!((1190..=1200).contains(&ttl) && answer["data"]["ttl"] == ttl, "{answer}");
    assert_eq!(answer["renewable"], false);
    assert_eq!(answer["data"]["security_token"], answer["data"]["session_token"]);
    // It goes on by itself until AWS ends it, as in Vault.
    world.revoke(&answer).await;
    assert_eq!(status(moto, &key, "ListUsers"), 200);

    let answer = world.get(&path(&closed)).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.error().starts_with("Error assuming role: AccessDenied: "), "{answer:?}");
    let answer = world.get(&path("arn:aws:iam::123456789012:role/other")).await;
    assert!(answer.error().contains("not in allowed role arns for Vault role"), "{answer:?}");
}

/// A role of AWS that `principal` may assume, and that may list users.
fn aws_role(moto: &Moto, name: &str, principal: &str) -> String {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": principal },
        }],
    });
    let trust = trust.to_string();
    let made = moto.iam("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)]);
    let policy = [("RoleName", name), ("PolicyName", "list"), ("PolicyDocument", LIST_USERS)];
    moto.iam("PutRolePolicy", &policy);
    element(&made, "Arn")
}

/// Moto gives everybody the same federated user and the same session, and does not know them again:
/// here is only seen that it is asked as it wants to be, and that its answer is read.
async fn opens_sessions(moto: &Moto) {
    let world = World::new(moto, "sessions").await;
    let federated = json!({
        "credential_type": "federation_token", "policy_document": LIST_USERS,
        "default_sts_ttl": "30m",
    });
    world.write("aws/roles/federated", federated).await;
    let session = json!({ "credential_type": "session_token", "mfa_serial_number": "arn:mfa" });
    world.write("aws/roles/session", session).await;
    for (path, seconds) in
        [("aws/sts/federated", 1800), ("aws/creds/session?mfa_code=123456&ttl=40m", 2400)]
    {
        let (answer, key) = world.creds(path).await;
        assert!(key.token.is_some_and(|token| token.len() > 100), "{answer}");
        let ttl = answer["lease_duration"].as_u64().unwrap();
        assert!((seconds - 10..=seconds).contains(&ttl), "{answer}");
        assert_eq!(answer["renewable"], false);
    }
}

async fn changes_its_own_key(moto: &Moto) {
    let world = World::new(moto, "rotating").await;
    assert_eq!(status(moto, &world.own, "ListUsers"), 200);
    let rotated = world.write("aws/config/rotate-root", json!({})).await;
    let shown = world.get("aws/config/root").await.json();
    assert_eq!(shown["data"]["access_key"], rotated["data"]["access_key"]);
    assert_ne!(shown["data"]["access_key"], world.own.id.as_str());
    assert_eq!(status(moto, &world.own, "ListUsers"), 403);
    let keys = moto.iam("ListAccessKeys", &[("UserName", "rotating")]);
    assert_eq!(elements(&keys, "AccessKeyId").len(), 1);
    let role = json!({ "credential_type": "iam_user", "policy_document": LIST_USERS });
    world.write("aws/roles/app", role).await;
    let (answer, key) = world.creds("aws/creds/app").await;
    assert_eq!(status(moto, &key, "ListUsers"), 200);
    world.revoke(&answer).await;
}

async fn stores_no_lease_while_aws_is_away(moto: &Moto) {
    let world = World::new(moto, "away").await;
    let gate = Gate::before(moto.address).await;
    world.configure(&format!("http://{}", gate.address)).await;
    let role = json!({ "credential_type": "iam_user", "policy_document": LIST_USERS });
    world.write("aws/roles/app", role).await;
    let (answer, key) = world.creds("aws/creds/app").await;
    gate.keep(Keeping::Everything);
    let refused = world.get("aws/creds/app").await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let listed =
        world.server.call("LIST", "sys/leases/lookup/aws/creds/app", &world.server.root, None);
    assert_eq!(listed.await.json()["data"]["keys"].as_array().unwrap().len(), 1);
    // What should have ended meanwhile does so when AWS is back.
    let body = json!({ "lease_id": answer["lease_id"] });
    let root = &world.server.root;
    let answer = world.server.call("POST", "sys/leases/revoke", root, Some(body)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(status(moto, &key, "ListUsers"), 200);
    gate.keep(Keeping::Nothing);
    until(async || world.made().is_empty()).await;
}

/// The power goes while the user is made.
async fn leaves_nothing_behind_after_a_power_cut(moto: &Moto, keeping: Keeping) {
    let name = format!("power-{}", moto.users().len());
    let world = World::new(moto, &name).await;
    let mut gate = Gate::before(moto.address).await;
    world.configure(&format!("http://{}", gate.address)).await;
    let role = json!({ "credential_type": "iam_user", "policy_document": LIST_USERS });
    world.write("aws/roles/app", role).await;
    gate.keep(keeping);
    let after = {
        let asking = world.get("aws/creds/app");
        tokio::select! {
            answer = asking => panic!("it was to be kept: {answer:?}"),
            () = gate.has_kept(1) => world.server.after_a_power_cut().await,
        }
    };
    let is_made = !matches!(keeping, Keeping::Request("Action=CreateUser"));
    assert_eq!(world.made().len(), usize::from(is_made));
    assert_eq!(leases(&after).await, 200, "the lease was there before the user");
    gate.keep(Keeping::Nothing);
    let body = json!({ "sync": true });
    let root = &after.root;
    let answer = after.call("POST", "sys/leases/revoke-prefix/aws", root, Some(body)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(world.made(), [""; 0]);
    assert_eq!(leases(&after).await, 404);
}

/// The power goes while the key of a user that stays is changed.
async fn gives_out_a_key_that_works_after_a_power_cut(moto: &Moto, keeping: Keeping) {
    let name = format!("static-{}", moto.users().len());
    let world = World::new(moto, &format!("keeper-of-{name}")).await;
    let before = moto.user(&name, LIST_USERS);
    let mut gate = Gate::before(moto.address).await;
    world.configure(&format!("http://{}", gate.address)).await;
    gate.keep(keeping);
    let body = json!({ "username": name, "rotation_period": "1h" });
    let after = {
        let writing = world.write("aws/static-roles/app", body);
        tokio::select! {
            answer = writing => panic!("it was to be kept: {answer:?}"),
            () = gate.has_kept(1) => world.server.after_a_power_cut().await,
        }
    };
    // The server that was there before goes on in this process: it must meet nobody any more.
    gate.keep(Keeping::Everything);
    let (root, url) = (&after.root, moto.url());
    let config = json!({
        "access_key": world.own.id, "secret_key": world.own.secret,
        "iam_endpoint": url, "sts_endpoint": url,
    });
    let answer = after.call("POST", "aws/config/root", root, Some(config)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let read = async || after.call("GET", "aws/static-creds/app", root, None).await;
    until(async || read().await.status == 200).await;
    let key = Key::of(&read().await.json()["data"]);
    assert_eq!(status(moto, &key, "ListUsers"), 200);
    // What nobody knows has not stayed, and neither has what was there before.
    let keys = || elements(&moto.iam("ListAccessKeys", &[("UserName", &name)]), "AccessKeyId");
    until(async || keys() == [key.id.as_str()]).await;
    assert_eq!(status(moto, &before, "ListUsers"), 403);
    until(async || {
        let shown = after.call("GET", "aws/static-roles/app", root, None).await.json();
        shown["data"]["last_vault_rotation"].is_string()
    })
    .await;
    let audit = after.audit_log();
    assert!(!audit.contains(&key.secret), "the secret is nobody's to read");
}

/// The status of a list of the engine's leases.
async fn leases(server: &TestServer) -> u16 {
    server.call("LIST", "sys/leases/lookup/aws/creds", &server.root, None).await.status
}

async fn until(holds: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it has not come to pass in half a minute");
}
