use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::bench::{Bench, Who};
use crate::{AS_CLI, Check};

pub(crate) const CHECKS: &[Check] = &[
    ("grammar: exit codes as those of gitleaks", codes),
    ("grammar: exit codes of ours", our_codes),
    ("grammar: rules chosen by name", rules),
    ("grammar: help", help),
    ("grammar: hooks", hooks),
];

fn codes(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.write("clean/b.txt", "nothing\n");
    bench.git(&["init", "-q"]);
    for args in [
        &["dir", "."][..],
        &["dir", "clean"],
        &["dir", "--exit-code", "7", "."],
        &["dir", "--exit-code=0", "."],
        &["dir", "-v", "--redact", "."],
        &["dir", "--nonsense", "."],
        &["dir", "--report-path", "out.unknown", "."],
        &["dir", "--report-path", "/no/such/folder/out.json", "."],
        &["dir", "--enable-rule", "nonsense", "."],
        &["git", "."],
        &["git", "one", "two"],
        &["nonsense"],
        &["dir", "nowhere"],
        &["dir", "--baseline-path", "a.txt", "clean"],
    ] {
        let (theirs, ours) = (bench.run(Who::Gitleaks, args), bench.run(Who::Like, args));
        // A baseline that cannot be read, or a path where nothing is, is no error to gitleaks. Ours calls neither clean.
        if args.contains(&"--baseline-path") || args.contains(&"nowhere") {
            assert_eq!((theirs.code, ours.code), (0, 1), "{args:?}");
        } else {
            assert_eq!(ours.code, theirs.code, "{args:?}: {}{}", theirs.stderr, ours.stderr);
        }
    }
}

fn our_codes(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    bench.write("clean/b.txt", "nothing\n");
    for (args, code) in [
        (&["dir", "."][..], 1),
        (&["dir", "--exit-code", "9", "."], 9),
        (&["dir", "clean"], 0),
        (&["dir", "--nonsense"], 2),
        (&["dir", "nowhere"], 2),
        (&["dir", "--accept", "."], 2),
        (&["detect"], 2),
    ] {
        assert_eq!(bench.run(Who::Ours, args).code, code, "{args:?}");
    }
}

fn rules(bench: &Bench) {
    bench.write("a.txt", "tkt_aaaaaaaaaaaa password = \"one\"\n");
    bench.agree(&["dir", "."], 2);
    bench.agree(&["dir", "--enable-rule", "pass", "."], 1);
    bench.agree(&["dir", "--enable-rule=pass,ticket", "."], 2);
    bench.write("b.txt", "tkt_bbbbbbbbbbbb # gitleaks:allow\n");
    bench.agree(&["dir", "."], 2);
    bench.agree(&["dir", "--ignore-gitleaks-allow", "."], 3);
    // The file beside what is scanned counts where no other is given.
    fs::copy(bench.rules(), bench.path(".gitleaks.toml")).unwrap();
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.env(AS_CLI, "gitleaks").args(["dir", "."]);
    assert_eq!(bench.start(alone, b"").code, 1);
}

fn help(bench: &Bench) {
    for (args, part) in
        [(&["--help"][..], "Exit codes"), (&["git", "--help"], "--staged"), (&[], "git")]
    {
        let answer = bench.run(Who::Ours, args);
        // The bench adds `-c`, which is no command.
        if !args.is_empty() {
            assert_eq!(answer.code, 0);
            assert!(answer.stdout.contains(part), "{}", answer.stdout);
        }
    }
    assert!(bench.run(Who::Ours, &["git", "--help"]).stdout.contains("--range"));
    assert!(!bench.run(Who::Like, &["git", "--help"]).stdout.contains("--range"));
}

fn hooks(bench: &Bench) {
    bench.git(&["init", "-q"]);
    bench.write("start.txt", "nothing\n");
    bench.commit("start");
    fs::copy(bench.rules(), bench.path(".git/rules.toml")).unwrap();
    // The hook finds the program on the path.
    let program = bench.path(".git/bin/strongroom");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let this = std::env::current_exe().unwrap();
    let rules = bench.path(".git/rules.toml");
    let script = format!(
        "#!/bin/sh\nexec env {AS_CLI}=strongroom GITLEAKS_CONFIG='{}' '{}' \"$@\"\n",
        rules.display(),
        this.display()
    );
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    for hook in ["pre-commit", "pre-push"] {
        assert_eq!(bench.run(Who::Ours, &["install-hook", hook]).code, 0);
    }
    // Again is no harm, over another's it refuses.
    assert_eq!(bench.run(Who::Ours, &["install-hook", "pre-push"]).code, 0);
    fs::write(bench.path(".git/hooks/pre-push.other"), "").unwrap();
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        let path = format!(
            "{}:{}",
            bench.path(".git/bin").display(),
            std::env::var_os("PATH").unwrap().display()
        );
        git.env("PATH", path).args(["-c", "user.name=a", "-c", "user.email=a"]).args(args);
        bench.start(git, b"")
    };
    git(&["clone", "-q", "--bare", ".", "../remote.git"]);
    git(&["remote", "add", "origin", "../remote.git"]);
    git(&["fetch", "-q", "origin"]);
    bench.write("a.txt", "tkt_aaaaaaaaaaaa\n");
    git(&["add", "a.txt"]);
    let refused = git(&["commit", "-q", "-m", "secret"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(
        !refused.stdout.contains("tkt_aaaaaaaaaaaa")
            && !refused.stderr.contains("tkt_aaaaaaaaaaaa")
    );
    assert_eq!(git(&["commit", "-q", "--no-verify", "-m", "secret"]).code, 0);
    let refused = git(&["push", "-q", "origin", "HEAD:main"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    git(&["reset", "-q", "--hard", "HEAD~1"]);
    bench.write("b.txt", "nothing\n");
    git(&["add", "b.txt"]);
    assert_eq!(git(&["commit", "-q", "-m", "clean"]).code, 0);
    let pushed = git(&["push", "-q", "origin", "HEAD:main"]);
    assert_eq!(pushed.code, 0, "{}", pushed.stderr);
    fs::write(bench.path(".git/hooks/pre-commit"), "#!/bin/sh\n").unwrap();
    assert_eq!(bench.run(Who::Ours, &["install-hook", "pre-commit"]).code, 2);
}
