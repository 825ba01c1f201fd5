//! The LDAP engine before a real slapd: what is given out logs in, and what has ended does not.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::databases::Slapd;
use testkit::{Answer, TestServer, server};

/// A server with the engine mounted.
struct World {
    server: TestServer,
    slapd: Slapd,
}

const CREATION: &str = "dn: cn={{.Username}},ou=people,dc=example,dc=org\n\
    objectClass: person\nsn: {{.Username}}\nuserPassword: {{.Password}}\n\n\
    dn: cn=readers,ou=groups,dc=example,dc=org\nchangetype: modify\n\
    add: member\nmember: cn={{.Username}},ou=people,dc=example,dc=org\n-\n";
const DELETION: &str = "dn: cn=readers,ou=groups,dc=example,dc=org\nchangetype: modify\n\
    delete: member\nmember: cn={{.Username}},ou=people,dc=example,dc=org\n-\n\n\
    dn: cn={{.Username}},ou=people,dc=example,dc=org\nchangetype: delete\n";

impl World {
    async fn start() -> Self {
        let world = Self { server: server().await, slapd: Slapd::start() };
        world.ok("POST", "sys/mounts/ldap", json!({ "type": "ldap" })).await;
        let config = json!({
            "url": world.slapd.url(), "binddn": Slapd::ADMIN, "bindpass": Slapd::PASSWORD,
            "userdn": Slapd::PEOPLE,
        });
        world.ok("POST", "ldap/config", config).await;
        world
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call_as(&self.server.root, method, path, body).await
    }

    async fn call_as(&self, token: &str, method: &str, path: &str, body: Value) -> Answer {
        self.server.call(method, path, token, Some(body).filter(|body| !body.is_null())).await
    }

    /// A request that must work, and its answer.
    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.call(method, path, body).await;
        assert!(answer.status < 300, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// A request that must fail, and how.
    async fn fails(&self, method: &str, path: &str, body: Value) -> (u16, String) {
        let answer = self.call(method, path, body).await;
        assert!(answer.status >= 400, "{method} {path}: {answer:?}");
        (answer.status, answer.error())
    }

    async fn role(&self, name: &str, ttl: &str) {
        let body = json!({
            "creation_ldif": CREATION, "deletion_ldif": DELETION, "default_ttl": ttl,
        });
        self.ok("POST", &format!("ldap/role/{name}"), body).await;
    }

    async fn static_cred(&self, name: &str) -> Value {
        let cred = self.ok("GET", &format!("ldap/static-cred/{name}"), Value::Null).await;
        cred["data"].clone()
    }

    async fn revoke(&self, answer: &Value) {
        let body = json!({ "lease_id": answer["lease_id"], "sync": true });
        self.ok("POST", "sys/leases/revoke", body).await;
    }

    /// How many leases there are below a path of the engine.
    async fn leases(&self, path: &str) -> usize {
        let list = format!("sys/leases/lookup/ldap/{path}");
        let answer = self.call("LIST", &list, Value::Null).await.json();
        answer["data"]["keys"].as_array().map_or(0, Vec::len)
    }

    /// A token that may do everything in the engine.
    async fn user(&self) -> String {
        let policy =
            json!({ "policy": "path \"ldap/*\" { capabilities = [\"read\", \"update\"] }" });
        self.ok("POST", "sys/policies/acl/ldap", policy).await;
        let token = self.ok("POST", "auth/token/create", json!({ "policies": ["ldap"] })).await;
        text(&token["auth"]["client_token"]).to_owned()
    }

    fn binds(&self, dn: &Value, password: &Value) -> bool {
        self.slapd.binds(text(dn), text(password))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn dn_of(username: &Value) -> Value {
    format!("cn={},{}", text(username), Slapd::PEOPLE).into()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    for _ in 0..600 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never happens that {what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_of_accounts_that_stay_change() {
    let mut world = World::start().await;
    let dn = json!(world.slapd.add_person("app", "first"));
    let role = json!({ "dn": dn, "username": "app", "rotation_period": "24h" });
    world.ok("POST", "ldap/static-role/App", role).await;
    let one = world.static_cred("app").await;
    assert_eq!(
        (&one["dn"], &one["username"], &one["last_password"]),
        (&dn, &json!("app"), &json!(""))
    );
    assert!(one["ttl"].as_u64().unwrap() > 86_000, "{one}");
    assert!(world.binds(&dn, &one["password"]) && !world.binds(&dn, &json!("first")));

    world.ok("POST", "ldap/rotate-role/app", json!({})).await;
    let other = world.static_cred("app").await;
    assert_eq!(other["last_password"], one["password"]);
    assert!(world.binds(&dn, &other["password"]) && !world.binds(&dn, &one["password"]));
    world.server.restart().await;
    assert_eq!(world.static_cred("app").await["password"], other["password"]);

    // By its name alone, and by itself.
    let found = json!(world.slapd.add_person("found", "first"));
    let role = json!({ "username": "found", "rotation_period": "5s" });
    world.ok("POST", "ldap/static-role/found", role).await;
    let one = world.static_cred("found").await;
    assert!(world.binds(&found, &one["password"]));
    until("a password changes by itself", async || {
        let now = world.static_cred("found").await;
        now["password"] != one["password"] && world.binds(&found, &now["password"])
    })
    .await;
    assert!(!world.binds(&found, &one["password"]));

    // The same account is in no other hands.
    let (status, error) = world
        .fails(
            "POST",
            "ldap/static-role/thief",
            json!({ "username": "app", "rotation_period": "1h" }),
        )
        .await;
    assert!(status == 400 && error.contains("is already changed by"), "{error}");
    let library = json!({ "service_account_names": "app" });
    let (status, error) = world.fails("POST", "ldap/library/thief", library).await;
    assert!(status == 400 && error.contains("is already changed by"), "{error}");
    let keys = world.ok("LIST", "ldap/static-role", Value::Null).await;
    assert_eq!(keys["data"]["keys"], json!(["app", "found"]));
    world.ok("DELETE", "ldap/static-role/app", Value::Null).await;
    assert!(world.binds(&dn, &other["password"]), "it keeps the password that it has");

    // A schedule in place of a period, and the password that is there until then.
    let role = json!({
        "username": "app", "rotation_schedule": "0 0 1 1 *", "skip_import_rotation": true,
    });
    world.ok("POST", "ldap/static-role/yearly", role).await;
    let shown = world.ok("GET", "ldap/static-role/yearly", Value::Null).await;
    assert!(text(&shown["data"]["next_vault_rotation"]).ends_with("-01-01T00:00:00Z"), "{shown}");
    assert!(world.binds(&dn, &other["password"]));
    let (status, error) = world.fails("GET", "ldap/static-cred/yearly", Value::Null).await;
    assert!(status == 400 && error.contains("before its first rotation"), "{error}");
    world.ok("POST", "ldap/rotate-role/yearly", json!({})).await;
    assert!(world.binds(&dn, &world.static_cred("yearly").await["password"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_take_turns() {
    let world = World::start().await;
    let dn = ["a", "b"].map(|name| json!(world.slapd.add_person(name, name)));
    let pair = json!({
        "usernames": ["a", "b"], "rotation_period": "1h", "grace_period": "5s",
    });
    for (change, fault) in [
        (json!({ "username": "a" }), "usernames are two different ones, in place of username"),
        (json!({ "usernames": ["a", "a"] }), "usernames are two different ones"),
        (json!({ "usernames": ["a"] }), "usernames are two different ones"),
        (json!({ "usernames": ["a", ""] }), "username must not be empty"),
        (json!({ "usernames": ["a", "nobody"] }), "expected one entry with cn=\"nobody\""),
        (json!({ "dn": dn[0] }), "dn goes with username"),
        (json!({ "grace_period": "1h" }), "grace_period must be shorter than rotation_period"),
        (json!({ "usernames": null, "username": "a" }), "grace_period needs two usernames"),
    ] {
        let mut body = pair.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, error) = world.fails("POST", "ldap/static-role/pair", body).await;
        assert!(status == 400 && error.starts_with(fault), "{change}: {error}");
    }
    assert!(world.slapd.binds(text(&dn[0]), "a"), "nothing has been touched");

    world.ok("POST", "ldap/static-role/pair", pair).await;
    let first = world.static_cred("pair").await;
    assert_eq!((&first["username"], first.get("dn")), (&json!("a"), None));
    assert!(world.binds(&dn[0], &first["password"]));
    until("the other one is retired", async || !world.slapd.binds(text(&dn[1]), "b")).await;
    let shown = world.ok("GET", "ldap/static-role/pair", Value::Null).await["data"].clone();
    assert_eq!(
        (&shown["usernames"], &shown["grace_period"], shown.get("dn")),
        (&json!(["a", "b"]), &json!(5), None)
    );
    let rotated = world.ok("POST", "ldap/rotate-role/pair", json!({})).await;
    assert_eq!(rotated["warnings"], Value::Null);
    let second = world.static_cred("pair").await;
    assert_eq!((&second["username"], &second["previous_username"]), (&json!("b"), &json!("a")));
    assert!(second["previous_retires"].is_string(), "{second}");
    assert!(world.binds(&dn[1], &second["password"]));
    until("the first one retires after its grace", async || {
        !world.binds(&dn[0], &first["password"])
    })
    .await;
    until("that is told", async || {
        world.static_cred("pair").await.get("previous_username").is_none()
    })
    .await;
    assert!(world.binds(&dn[1], &second["password"]));

    // Whoever cannot wait takes the password from who still has it.
    let longer = json!({ "grace_period": "30m" });
    world.ok("POST", "ldap/static-role/pair", longer).await;
    world.ok("POST", "ldap/rotate-role/pair", json!({})).await;
    let third = world.static_cred("pair").await;
    assert_eq!(third["username"], "a");
    assert!(world.binds(&dn[0], &third["password"]) && world.binds(&dn[1], &second["password"]));
    let rotated = world.ok("POST", "ldap/rotate-role/pair", json!({})).await;
    assert!(text(&rotated["warnings"][0]).contains("within its grace period"), "{rotated}");
    let fourth = world.static_cred("pair").await;
    assert!(world.binds(&dn[1], &fourth["password"]) && !world.binds(&dn[1], &second["password"]));
    assert!(world.binds(&dn[0], &third["password"]));

    // Neither is in other hands.
    for name in ["a", "b"] {
        let role = json!({ "username": name, "rotation_period": "1h" });
        let (status, error) = world.fails("POST", "ldap/static-role/thief", role).await;
        assert!(status == 400 && error.contains("is already changed by"), "{error}");
    }
    let change = json!({ "usernames": ["b", "a"] });
    let (_, error) = world.fails("POST", "ldap/static-role/pair", change).await;
    assert_eq!(error, "cannot update static account username");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_end_with_their_leases() {
    let world = World::start().await;
    world.role("app", "1h").await;
    let made = world.ok("GET", "ldap/creds/app", Value::Null).await;
    let (dn, password) = (&made["data"]["distinguished_names"][0], &made["data"]["password"]);
    assert_eq!(*dn, dn_of(&made["data"]["username"]));
    assert_eq!((&made["lease_duration"], &made["renewable"]), (&json!(3600), &json!(true)));
    assert!(world.binds(dn, password));
    assert!(world.slapd.search("(cn=readers)").contains(text(dn)), "it is in the group");
    let renewal = json!({ "lease_id": made["lease_id"], "increment": 60 });
    world.ok("POST", "sys/leases/renew", renewal).await;
    world.revoke(&made).await;
    assert!(!world.binds(dn, password));
    assert!(!world.slapd.search("(objectClass=*)").contains(text(dn)));
    assert_eq!(world.leases("creds/app").await, 0);

    // One that somebody else has removed is gone as it should be.
    let gone = world.ok("GET", "ldap/creds/app", Value::Null).await;
    let dn = text(&gone["data"]["distinguished_names"][0]);
    world.slapd.modify(&format!("dn: {dn}\nchangetype: delete\n"));
    world.revoke(&gone).await;
    assert!(!world.slapd.search("(cn=readers)").contains(dn), "it has left the group");

    // Its time ends by itself, and a role that is gone takes no entry with it.
    world.role("short", "1s").await;
    let short = world.ok("GET", "ldap/creds/short", Value::Null).await;
    world.ok("DELETE", "ldap/role/short", Value::Null).await;
    let dn = text(&short["data"]["distinguished_names"][0]);
    until("an entry ends", async || !world.slapd.search("(objectClass=person)").contains(dn)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_what_is_refused() {
    let world = World::start().await;
    let second = "\ndn: cn=nobody,ou=groups,dc=example,dc=org\nchangetype: modify\n\
                  replace: description\ndescription: {{.Username}}\n-\n";
    let creation = format!("{}{second}", CREATION.split_inclusive("\n\n").next().unwrap());
    for rollback in ["", DELETION] {
        let body = json!({
            "creation_ldif": creation, "deletion_ldif": DELETION, "rollback_ldif": rollback,
        });
        world.ok("POST", "ldap/role/app", body).await;
        let (status, error) = world.fails("GET", "ldap/creds/app", Value::Null).await;
        assert_eq!(
            (status, &*error),
            (400, "failed to create user: LDAP result 32 (noSuchObject)")
        );
        until("no lease is left", async || world.leases("creds/app").await == 0).await;
        assert!(!world.slapd.search("(objectClass=person)").contains("cn: v_"));
    }
    // What would be shared by two leases, or was there before, is refused when it is configured.
    for (field, ldif, fault) in [
        ("creation_ldif", "dn: cn=same\nsn: {{.Username}}", "it gives every entry the name"),
        ("creation_ldif", "dn: cn={{.Username}}\nphoto:< file:///etc/passwd", "no file is read"),
        ("creation_ldif", "dn: cn={{.Username}}\n{{.Username}}: x", "no name of an attribute"),
        (
            "deletion_ldif",
            "dn: cn={{.Password}}\nchangetype: delete",
            "there is no field .Password",
        ),
        ("username_template", "{{.RoleName}}", "it gives different things the same name"),
    ] {
        let (status, error) = world.fails("POST", "ldap/role/app", json!({ field: ldif })).await;
        assert!(status == 400 && error.contains(fault), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_lends_to_one_at_a_time() {
    let world = World::start().await;
    for name in ["one", "two"] {
        world.slapd.add_person(name, "first");
    }
    let body = json!({ "service_account_names": ["one", "two"], "ttl": "1h", "max_ttl": "2h" });
    world.ok("POST", "ldap/library/team", body).await;
    assert!(!world.slapd.binds(&format!("cn=one,{}", Slapd::PEOPLE), "first"));
    let (alice, bob) = (world.user().await, world.user().await);
    let check_out = async |token: &str| {
        world.call_as(token, "POST", "ldap/library/team/check-out", json!({})).await
    };
    let status = async || {
        let status = world.ok("GET", "ldap/library/team/status", Value::Null).await;
        ["one", "two"].map(|name| status["data"][name]["available"].clone())
    };
    assert_eq!(status().await, [true, true]);
    let (first, second) = tokio::join!(check_out(&alice), check_out(&bob));
    let lent = [first.json(), second.json()];
    let names = lent.each_ref().map(|lent| &lent["data"]["service_account_name"]);
    assert_ne!(names[0], names[1]);
    for lent in &lent {
        assert_eq!(lent["lease_duration"], 3600);
        let dn = dn_of(&lent["data"]["service_account_name"]);
        assert!(world.binds(&dn, &lent["data"]["password"]), "{lent}");
    }
    assert_eq!(status().await, [false, false]);
    let none = check_out(&alice).await;
    assert_eq!(none.error(), "No service accounts available for check-out.");
    assert_eq!((none.status, world.leases("library/team/check-out").await), (400, 2));
    let delete = world.fails("DELETE", "ldap/library/team", Value::Null).await;
    assert_eq!(delete.1, "\"one\" can't be deleted because it is currently checked out");

    // Only its borrower gives an account back, and then its password is another one.
    let theirs = json!({ "service_account_names": [names[0]] });
    let refused = world.call_as(&bob, "POST", "ldap/library/team/check-in", theirs.clone()).await;
    assert!(
        refused.status == 400 && refused.error().contains("wasn't checked out by"),
        "{refused:?}"
    );
    let back = world.call_as(&alice, "POST", "ldap/library/team/check-in", json!({})).await;
    assert_eq!(back.json()["data"]["check_ins"], json!([names[0]]));
    assert!(!world.binds(&dn_of(names[0]), &lent[0]["data"]["password"]));
    let again = check_out(&bob).await.json();
    assert_eq!(&again["data"]["service_account_name"], names[0]);
    // The end of the first lease ends no later check-out.
    world.revoke(&lent[0]).await;
    assert!(world.binds(&dn_of(names[0]), &again["data"]["password"]));
    assert_eq!(status().await, [false, false]);
    let renewal = json!({ "lease_id": again["lease_id"] });
    world.ok("POST", "sys/leases/renew", renewal).await;

    // A lease that ends, and whoever manages the library.
    world.revoke(&again).await;
    assert!(!world.binds(&dn_of(names[0]), &again["data"]["password"]));
    let forced = world.ok("POST", "ldap/library/manage/team/check-in", json!({})).await;
    assert_eq!(forced["data"]["check_ins"], json!([names[1]]));
    assert!(!world.binds(&dn_of(names[1]), &lent[1]["data"]["password"]));
    assert_eq!(status().await, [true, true]);
    let late =
        world.fails("POST", "sys/leases/renew", json!({ "lease_id": lent[1]["lease_id"] })).await;
    assert!(late.1.contains("already checked in"), "{late:?}");

    // A borrower who asks for less, and is late.
    let brief = world.ok("POST", "ldap/library/team/check-out", json!({ "ttl": "1s" })).await;
    let dn = dn_of(&brief["data"]["service_account_name"]);
    until("it comes back", async || status().await == [true, true]).await;
    assert!(!world.binds(&dn, &brief["data"]["password"]));

    // An account that is not there changes nothing.
    let body = json!({ "service_account_names": ["one", "nobody"] });
    let missing = world.fails("POST", "ldap/library/team", body).await;
    assert!(missing.0 == 400 && missing.1.contains("but found none"), "{missing:?}");
    world.ok("POST", "ldap/library/team", json!({ "service_account_names": ["one"] })).await;
    let shown = world.ok("GET", "ldap/library/team", Value::Null).await;
    assert_eq!(shown["data"]["service_account_names"], json!(["one"]));
    world.ok("DELETE", "ldap/library/team", Value::Null).await;
    world
        .ok("POST", "ldap/static-role/one", json!({ "username": "one", "rotation_period": "1h" }))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_administrator_gets_a_password_that_nobody_else_knows() {
    let mut world = World::start().await;
    world.role("app", "1h").await;
    assert!(world.slapd.binds(Slapd::ADMIN, Slapd::PASSWORD));
    world.ok("POST", "ldap/rotate-root", json!({})).await;
    assert!(!world.slapd.binds(Slapd::ADMIN, Slapd::PASSWORD));
    let shown = world.ok("GET", "ldap/config", Value::Null).await;
    assert!(shown["data"]["last_bind_password_rotation"].is_string(), "{shown}");
    assert!(shown["data"].get("bindpass").is_none());
    world.server.restart().await;
    let made = world.ok("GET", "ldap/creds/app", Value::Null).await;
    assert!(world.binds(&made["data"]["distinguished_names"][0], &made["data"]["password"]));
    world.ok("POST", "ldap/rotate-root", json!({})).await;
    world.revoke(&made).await;
    // Its password is no static role's to change.
    for role in [
        json!({ "username": "admin", "dn": Slapd::ADMIN, "rotation_period": "1h" }),
        json!({ "username": "a", "dn": "CN=Admin, dc=example,dc=org", "rotation_period": "1h" }),
    ] {
        let (status, error) = world.fails("POST", "ldap/static-role/root", role).await;
        assert!(status == 400 && error.contains("use rotate-root"), "{error}");
    }
    world.ok("GET", "ldap/creds/app", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_told_and_survived() {
    let mut world = World::start().await;
    world.slapd.add_person("one", "first");
    world.role("app", "1h").await;
    world.ok("POST", "ldap/library/team", json!({ "service_account_names": ["one"] })).await;
    let made = world.ok("GET", "ldap/creds/app", Value::Null).await;
    let lent = world.ok("POST", "ldap/library/team/check-out", json!({})).await;
    world.slapd.stop();
    let (status, error) = world.fails("GET", "ldap/creds/app", Value::Null).await;
    assert!(status == 503 && error.contains("cannot reach ldap://127.0.0.1:"), "{error}");
    assert_eq!(world.leases("creds/app").await, 1, "one that never was needs no lease");
    for (path, body) in [
        ("ldap/static-role/one", json!({ "username": "one", "rotation_period": "1h" })),
        ("ldap/library/other", json!({ "service_account_names": ["two"] })),
        ("ldap/rotate-root", json!({})),
    ] {
        assert_eq!(world.fails("POST", path, body).await.0, 503, "{path}");
    }
    for lease in [&made, &lent] {
        let body = json!({ "lease_id": lease["lease_id"] });
        world.call("POST", "sys/leases/revoke", body).await;
    }
    world.slapd.resume();
    let dn = &made["data"]["distinguished_names"][0];
    until("the entry goes when slapd is back", async || {
        !world.slapd.search("(objectClass=person)").contains(text(dn))
    })
    .await;
    let account = dn_of(&lent["data"]["service_account_name"]);
    until("the account comes back", async || {
        let status = world.ok("GET", "ldap/library/team/status", Value::Null).await;
        status["data"]["one"]["available"] == true
    })
    .await;
    assert!(!world.binds(&account, &lent["data"]["password"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_names_stay_in_their_place() {
    let world = World::start().await;
    let dn = world.slapd.add_person("victim", "first");
    // A name that would be a filter finds nobody, or who is really called so.
    for name in ["*", "vic*", "victim)(cn=*", "x)(|(cn=*", "victim\0", "\\76ictim"] {
        let role = json!({ "username": name, "rotation_period": "1h" });
        let (status, error) = world.fails("POST", "ldap/static-role/hostile", role).await;
        assert!(status == 400 && error.contains("but found none"), "{name:?}: {error}");
        let library = json!({ "service_account_names": [name] });
        assert_eq!(world.fails("POST", "ldap/library/hostile", library).await.0, 400, "{name:?}");
    }
    world.slapd.modify(&format!(
        "dn: cn=\\2a,{}\nchangetype: add\nobjectClass: person\ncn: *\nsn: x\nuserPassword: first\n",
        Slapd::PEOPLE
    ));
    let role = json!({ "username": "*", "rotation_period": "1h" });
    world.ok("POST", "ldap/static-role/star", role).await;
    let star = world.static_cred("star").await;
    assert!(world.slapd.binds(&format!("cn=\\2a,{}", Slapd::PEOPLE), text(&star["password"])));
    assert!(world.slapd.binds(&dn, "first"), "nobody else was touched");

    // A caller who chose his own name.
    let body = json!({ "display_name": "x,ou=groups\n\ndn: cn=victim+(*)", "policies": ["root"] });
    let token = world.ok("POST", "auth/token/create", body).await;
    let token = text(&token["auth"]["client_token"]);
    let body = json!({
        "creation_ldif": CREATION, "deletion_ldif": DELETION,
        "username_template": "{{.DisplayName}}, \"{{random 8}}\"+sn=#",
    });
    world.ok("POST", "ldap/role/app", body).await;
    let made = world.call_as(token, "GET", "ldap/creds/app", Value::Null).await;
    assert_eq!(made.status, 200, "{made:?}");
    let made = made.json();
    let username = text(&made["data"]["username"]);
    assert!(username.starts_with("token-x-ou-groups--dn--cn-victim, \""), "{username}");
    let dn = text(&made["data"]["distinguished_names"][0]);
    assert!(dn.ends_with(&format!("\\22\\2bsn\\3d#,{}", Slapd::PEOPLE)), "{dn}");
    assert!(world.slapd.binds(dn, text(&made["data"]["password"])));
    assert_eq!(world.slapd.search("(cn=readers)").matches("member:").count(), 2);
    world.revoke(&made).await;
    assert_eq!(world.slapd.search("(objectClass=person)").matches("dn:").count(), 2);
    assert_eq!(world.slapd.search("(cn=readers)").matches("member:").count(), 1);

    for path in ["ldap/role/a%20b", "ldap/static-role/a%2Cb", "ldap/library/%C3%A4", "ldap/role/-"]
    {
        let (status, error) = world.fails("POST", path, json!({})).await;
        assert!(status == 400 && error.contains("a name holds letters"), "{path}: {error}");
    }
}
