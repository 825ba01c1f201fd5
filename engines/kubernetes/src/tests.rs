#![allow(clippy::unwrap_used)]

mod in_pod;
mod replayed;

use base_types::Ttl;
use core_engine_api::testing::{Answer, Harness, PlainHttp};
use serde_json::{Value, json};

use super::*;
use in_pod::InPod;
use replayed::ReplayedCluster;

#[tokio::test]
async fn answers_as_openbao_does() {
    let harness = Harness::open::<Kubernetes>().await;
    let recording = include_str!("../tests/fixtures/kubernetes.json");
    assert_eq!(harness.replay(recording).await, 53);
}

/// An engine towards a cluster that plays the exchange of this name, with a role `web`.
async fn world(exchange: &str, role: Value) -> (Harness, ReplayedCluster) {
    let cluster = ReplayedCluster::start(exchange).await;
    let harness = Harness::open_towards::<Kubernetes>(Arc::new(PlainHttp::default())).await;
    let config = json!({"kubernetes_host": cluster.url(), "service_account_jwt": "engine-jwt"});
    harness.ok(Verb::Write, "config", config).await;
    harness.ok(Verb::Write, "roles/web", role).await;
    (harness, cluster)
}

async fn creds(harness: &Harness, body: Value) -> Answer {
    harness.send(Verb::Write, "creds/web", body).await
}

fn name(answer: &Answer) -> &str {
    assert_eq!(answer.data["service_account_namespace"], "app", "{answer:?}");
    answer.data["service_account_name"].as_str().unwrap()
}

#[tokio::test]
async fn a_token_of_an_account_that_exists() {
    let role = json!({
        "allowed_kubernetes_namespaces": "app",
        "service_account_name": "web",
        "token_default_ttl": "1h",
        "token_default_audiences": "vault",
    });
    let (harness, cluster) = world("existing_account", role).await;
    let answer = creds(&harness, json!({})).await;
    assert_eq!((name(&answer), &answer.warnings), ("web", &Vec::new()));
    assert_eq!(answer.data["service_account_token"].as_str().unwrap().split('.').count(), 3);
    let lease = answer.lease.unwrap();
    assert_eq!((lease.ttl, lease.renewable), (Ttl::from_seconds(3600), false));
    harness.revoke(&lease).await.unwrap();
    cluster.check("web");
}

#[tokio::test]
async fn a_lease_ends_with_its_token() {
    let role = json!({"allowed_kubernetes_namespaces": "app", "service_account_name": "web"});
    let (harness, cluster) = world("shortened", role.clone()).await;
    let answer = creds(&harness, json!({"ttl": "2h"})).await;
    assert_eq!(
        answer.warnings,
        ["the created Kubernetes service account token TTL 1h0m0s is less than the lease TTL \
          2h0m0s; capping the lease TTL accordingly"]
    );
    assert_eq!(answer.lease.unwrap().ttl, Ttl::from_seconds(3600));
    cluster.check("web");

    let (harness, cluster) = world("existing_account", role).await;
    let limits = json!({"token_max_ttl": "1h", "token_default_audiences": "vault"});
    harness.ok(Verb::Write, "roles/web", limits).await;
    let answer = creds(&harness, json!({"ttl": "3h"})).await;
    assert_eq!(
        answer.warnings,
        ["ttl of 3h0m0s is greater than the role's token_max_ttl of 1h0m0s; capping accordingly"]
    );
    cluster.check("web");
}

#[tokio::test]
async fn an_account_with_a_role_that_exists() {
    let role = json!({
        "allowed_kubernetes_namespaces": "app",
        "kubernetes_role_name": "existing",
        "token_default_ttl": "1h",
    });
    let (mut harness, cluster) = world("existing_role", role).await;
    harness.caller.display_name = "token-Someone".into();
    let answer = creds(&harness, json!({"kubernetes_namespace": "app"})).await;
    let name = name(&answer).to_owned();
    assert!(name.starts_with("v-token-so-web-1767225600-"), "{name}");
    assert!(answer.warnings[0].contains("TTL 30m0s is less than the lease TTL 1h0m0s"));
    let lease = answer.lease.unwrap();
    // Revoking is repeatable: the second time nothing is there any more.
    harness.revoke(&lease).await.unwrap();
    harness.revoke(&lease).await.unwrap();
    cluster.check(&name);
}

#[tokio::test]
async fn an_account_with_a_role_of_its_own() {
    let role = json!({
        "allowed_kubernetes_namespaces": "*",
        "generated_role_rules": "rules:\n- apiGroups: [\"\"]\n  resources: [pods]\n  verbs: [get, list]\n",
        "kubernetes_role_type": "ClusterRole",
        "extra_labels": {"team": "a", "app.kubernetes.io/managed-by": "somebody else"},
        "extra_annotations": {"note": "b"},
    });
    let (harness, cluster) = world("generated_role", role).await;
    let body = json!({"kubernetes_namespace": "app", "cluster_role_binding": true, "ttl": "1h"});
    let answer = creds(&harness, body).await;
    let name = name(&answer).to_owned();
    harness.revoke(&answer.lease.unwrap()).await.unwrap();
    cluster.check(&name);
}

#[tokio::test]
async fn what_was_begun_is_taken_back() {
    let role = json!({"allowed_kubernetes_namespaces": "app", "kubernetes_role_name": "existing"});
    let (harness, cluster) = world("refused_half_way", role).await;
    let answer = creds(&harness, json!({})).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let error = &answer.errors[0];
    assert!(error.starts_with("failed to create service account 'app/v-"), "{error}");
    assert!(error.contains(": serviceaccounts is forbidden: User "), "{error}");
    let name = error.split(['/', '\'']).nth(2).unwrap();
    cluster.check(name);
}

#[tokio::test]
async fn a_namespace_is_selected_by_its_labels() {
    let role = json!({
        "allowed_kubernetes_namespace_selector": "matchLabels:\n  stage: prod\n",
        "service_account_name": "web",
        "token_default_ttl": "1h",
    });
    let (harness, cluster) = world("selected_namespace", role.clone()).await;
    let answer = creds(&harness, json!({"kubernetes_namespace": "app"})).await;
    assert_eq!(name(&answer), "web");
    cluster.check("web");

    let (harness, cluster) = world("other_namespace", role).await;
    let answer = creds(&harness, json!({"kubernetes_namespace": "app"})).await;
    assert!(
        answer.errors[0].starts_with("kubernetes_namespace 'app' is not present"),
        "{answer:?}"
    );
    cluster.check("web");
}

#[tokio::test]
async fn no_name_leads_to_another_place() {
    let role = json!({"allowed_kubernetes_namespaces": "*", "service_account_name": "web"});
    let (harness, cluster) = world("nothing", role).await;
    for hostile in ["..", ".", "a/b", "../kube-system", "%2e%2e", "a%2Fb"] {
        let answer = creds(&harness, json!({"kubernetes_namespace": hostile})).await;
        assert_eq!(answer.status, 400, "{hostile}: {answer:?}");
        assert!(answer.errors[0].contains("cannot be the name of an object"), "{answer:?}");
        let role = json!({"allowed_kubernetes_namespaces": "*", "service_account_name": hostile});
        assert_eq!(harness.send(Verb::Write, "roles/other", role).await.status, 400, "{hostile}");
    }
    let role = json!({
        "allowed_kubernetes_namespaces": "*",
        "service_account_name": "",
        "kubernetes_role_name": "r",
        "name_template": "{{ .DisplayName }}/{{ random 8 }}",
    });
    harness.ok(Verb::Write, "roles/web", role).await;
    let answer = creds(&harness, json!({"kubernetes_namespace": "app"})).await;
    assert!(answer.errors[0].starts_with("the name that name_template gives, "), "{answer:?}");
    let answer = creds(&harness, json!({})).await;
    assert!(
        answer.errors[0]
            .starts_with("error verifying namespace: 'kubernetes_namespace' is required")
    );
    cluster.check("");
}

#[tokio::test]
async fn bad_settings_are_refused_before_they_are_stored() {
    let harness = Harness::open::<Kubernetes>().await;
    for (body, fault) in [
        (json!({"kubernetes_host": "10.0.0.1:6443"}), "kubernetes_host: the URL"),
        (
            json!({"kubernetes_host": "https://h", "kubernetes_ca_cert": "hunter2"}),
            "kubernetes_ca_cert: ",
        ),
    ] {
        let answer = harness.send(Verb::Write, "config", body).await;
        assert!(answer.errors[0].starts_with(fault), "{answer:?}");
    }
    assert_eq!(harness.send(Verb::Read, "config", Value::Null).await.status, 404);
    let role = json!({"allowed_kubernetes_namespaces": "a", "service_account_name": "web"});
    harness.ok(Verb::Write, "roles/web", role.clone()).await;
    harness.ok(Verb::Write, "config", json!({"kubernetes_host": "https://h"})).await;
    let answer = creds(&harness, json!({})).await;
    assert!(answer.errors[0].starts_with("service_account_jwt is not set, and"), "{answer:?}");
    harness.ok(Verb::Write, "config", json!({"service_account_jwt": "jwt"})).await;
    let answer = creds(&harness, json!({})).await;
    assert!(answer.errors[0].starts_with("kubernetes_ca_cert is not set, and"), "{answer:?}");
    let fixed = json!({"name_template": "fixed"});
    let answer = harness.send(Verb::Write, "roles/web", fixed).await;
    assert!(answer.errors[0].contains("it gives different things the same name"));
}

/// An engine within a pod of a cluster that plays the exchange of an account that exists, configured
/// so, with a role `web`.
async fn in_pod(config: Value) -> (Harness, Arc<InPod>) {
    let pod = Arc::new(InPod::start("existing_account").await);
    let harness = Harness::open_towards::<Kubernetes>(pod.clone()).await;
    let role = json!({
        "allowed_kubernetes_namespaces": "app",
        "service_account_name": "web",
        "token_default_ttl": "1h",
        "token_default_audiences": "vault",
    });
    harness.ok(Verb::Write, "config", config).await;
    harness.ok(Verb::Write, "roles/web", role).await;
    (harness, pod)
}

#[tokio::test]
async fn what_is_not_configured_comes_from_the_pod() {
    let (harness, pod) = in_pod(json!({})).await;
    assert_eq!(harness.send(Verb::Read, "check", Value::Null).await.status, 204);
    assert_eq!(name(&creds(&harness, json!({})).await), "web");
    pod.cluster.check("web");
    pod.was_asked("https://10.0.0.1:443", in_pod::AUTHORITY);
    harness.ok(Verb::Write, "config", json!({"disable_local_ca_jwt": true})).await;
    let answer = creds(&harness, json!({})).await;
    assert!(answer.errors[0].starts_with("service_account_jwt is not set, and"), "{answer:?}");
}

/// By its name, say, instead of its address.
#[tokio::test]
async fn the_cluster_of_the_pod_may_be_named() {
    for ca in ["", in_pod::AUTHORITY] {
        let host = "https://kubernetes.default.svc";
        let config = json!({"kubernetes_host": host, "kubernetes_ca_cert": ca});
        let (harness, pod) = in_pod(config).await;
        assert_eq!(name(&creds(&harness, json!({})).await), "web");
        pod.cluster.check("web");
        pod.was_asked(host, in_pod::AUTHORITY);
    }
}

#[tokio::test]
async fn the_token_of_the_pod_goes_to_no_other_cluster() {
    for (host, ca) in [
        ("http://kubernetes.default.svc", ""),
        ("http://kubernetes.default.svc", in_pod::AUTHORITY),
        ("HTTP://kubernetes.default.svc", ""),
        (" http://kubernetes.default.svc", ""),
        ("https://kubernetes.default.svc", include_str!("../tests/fixtures/other.pem")),
    ] {
        let mut config = json!({"kubernetes_host": host, "kubernetes_ca_cert": ca});
        let (harness, pod) = in_pod(config.clone()).await;
        let answer = creds(&harness, json!({})).await;
        let fault = "service_account_jwt is not set, and the pod's own token is for the pod's own";
        assert!(answer.errors[0].starts_with(fault), "{host}: {answer:?}");
        pod.was_not_asked();
        // Another cluster has a token of its own.
        config["service_account_jwt"] = "engine-jwt".into();
        harness.ok(Verb::Write, "config", config).await;
        assert_eq!(name(&creds(&harness, json!({})).await), "web", "{host}");
        pod.cluster.check("web");
    }
}
