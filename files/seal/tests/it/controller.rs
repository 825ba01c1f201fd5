//! What a controller is asked, at its own address and through an API server.

use crate::Check;
use crate::bench::{Bench, holds, same};

pub(crate) const CHECKS: &[Check] = &[
    ("controller: its certificate, validation and sealing anew", everything),
    ("controller: through the API server, as kubeconfigs say", kubeconfig),
    ("controller: a program that gives credentials", credentials),
    ("controller: what it cannot open is named", refused),
];

const SEAL: [&str; 6] = ["--cert", "cert.pem", "-o", "yaml", "-f", "secret.yaml"];
const UNSEAL: [&str; 3] = ["--recovery-unseal", "--recovery-private-key", "key.pem"];

fn everything(bench: &Bench) -> Result<(), String> {
    let controller = bench.controller("key.pem", "cert.pem")?;
    let at = ["--controller-url", controller.address.as_str()];
    let certificate = bench.output(&[&at[..], &["--fetch-cert"]].concat(), "")?;
    same("the certificate", &certificate, &bench.text("cert.pem"))?;
    let url = format!("{}/v1/cert.pem", controller.address);
    let sealed = bench.output(&["--cert", &url, "-o", "yaml", "-f", "secret.yaml"], "")?;
    bench.output(&[&at[..], &["--validate"]].concat(), &sealed)?;
    // Through the environment, and with the controller's certificate fetched on the way.
    let variable = [("SEALED_SECRETS_CONTROLLER_URL", controller.address.as_str())];
    let answer = bench.run_with(&[], &bench.text("secret.yaml"), &variable);
    bench.output(&[&at[..], &["--validate"]].concat(), &answer.stdout)?;

    let anew = bench.output(&[&at[..], &["--re-encrypt"]].concat(), &sealed)?;
    holds("it is JSON unless asked otherwise", anew.starts_with("{\n"))?;
    same("it says the same", &bench.output(&UNSEAL, &anew)?, &bench.output(&UNSEAL, &sealed)?)?;
    // In place: only the values differ, comments stay.
    let commented = sealed.replace("  template:\n", "  # What it becomes.\n  template:\n");
    bench.write("sealed.yaml", &commented);
    bench.output(&[&at[..], &["--re-encrypt", "-f", "sealed.yaml"]].concat(), "")?;
    let after = bench.text("sealed.yaml");
    let differ: Vec<&str> = commented
        .lines()
        .zip(after.lines())
        .filter(|(old, new)| old != new)
        .filter_map(|(old, _)| Some(old.trim().split_once(':')?.0))
        .collect();
    same("what differs", &differ.join(" "), "password user")?;
    same("it says the same", &bench.output(&UNSEAL, &after)?, &bench.output(&UNSEAL, &sealed)?)
}

fn kubeconfig(bench: &Bench) -> Result<(), String> {
    let controller = bench.controller("key.pem", "cert.pem")?;
    let sealed = bench.output(&SEAL, "")?;
    bench.write("token", "cluster-token\n");
    let config = |user: &str| {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: \
             {{cluster: c, user: u, namespace: team}}\nclusters:\n- name: c\n  cluster:\n    server: \
             {}\nusers:\n- name: u\n  user: {user}\n",
            controller.address
        )
    };
    bench.write("config", config("{tokenFile: token}"));
    let with = ["--kubeconfig", "config"];
    same(
        "the certificate",
        &bench.output(&[&with[..], &["--fetch-cert"]].concat(), "")?,
        &bench.text("cert.pem"),
    )?;
    bench.output(&[&with[..], &["--validate"]].concat(), &sealed)?;
    bench.output(&[&with[..], &["--re-encrypt"]].concat(), &sealed)?;
    // The namespace of the context is that of secrets without one.
    let secret = bench.text("secret.yaml").replace("  namespace: team\n", "");
    let answer = bench.run_with(&["--cert", "cert.pem"], &secret, &[("KUBECONFIG", "config")]);
    holds(&answer.stderr, answer.stdout.contains("\"namespace\": \"team\""))?;
    let missing = [&with[..], &["--validate", "--controller-name", "other"]].concat();
    let answer = bench.run(&missing, &sealed);
    holds(&answer.stderr, answer.stderr.starts_with("error: cannot get sealed secret service: services not found.\nPlease, use the flag --controller-name"))?;
    bench.write("config", config("{token: wrong}"));
    let answer = bench.run(&[&with[..], &["--validate"]].concat(), &sealed);
    holds(&answer.stderr, answer.code == 1 && answer.stderr.contains("Unauthorized"))
}

fn credentials(bench: &Bench) -> Result<(), String> {
    let controller = bench.controller("key.pem", "cert.pem")?;
    bench.write(
        "login",
        "#!/bin/sh\ntest -n \"$KUBERNETES_EXEC_INFO\" || exit 1\nprintf \
         '{\"status\": {\"token\": \"%s-%s\"}}' \"$1\" \"$PART\"\n",
    );
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bench.path("login"), mode).unwrap();
    let config = |program: &str| {
        format!(
            "current-context: x\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\nclusters: \
             [{{name: c, cluster: {{server: \"{}\"}}}}]\nusers:\n- name: u\n  user:\n    exec:\n      \
             command: {program}\n      args: [cluster]\n      env:\n      - {{name: PART, value: token}}\n",
            controller.address
        )
    };
    bench.write("config", config("./login"));
    bench.output(&["--kubeconfig", "config", "--fetch-cert"], "")?;
    bench.write("config", config("./missing"));
    let answer = bench.run(&["--kubeconfig", "config", "--fetch-cert"], "");
    holds(&answer.stderr, answer.stderr.contains("getting credentials with './missing'"))
}

fn refused(bench: &Bench) -> Result<(), String> {
    let controller = bench.controller("other-key.pem", "cert.pem")?;
    let at = ["--controller-url", controller.address.as_str()];
    let sealed = bench.output(&SEAL, "")?;
    let answer = bench.run(&[&at[..], &["--validate"]].concat(), &sealed);
    same("validate", &answer.stderr, "error: unable to decrypt sealed secret: login\n")?;
    bench.write("sealed.yaml", &sealed);
    let answer = bench.run(&[&at[..], &["--re-encrypt", "-f", "sealed.yaml"]].concat(), "");
    holds(&answer.stderr, answer.stderr.starts_with("error: cannot re-encrypt secret: "))?;
    same("the file is as it was", &bench.text("sealed.yaml"), &sealed)?;
    drop(controller);
    let answer = bench.run(&["--controller-url", "http://127.0.0.1:1", "--fetch-cert"], "");
    holds(&answer.stderr, answer.code == 1 && answer.stderr.contains("cannot connect"))
}
