//! A person at a terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use crate::Check;
use crate::bench::{Bench, holds};

pub(crate) const CHECKS: &[Check] =
    &[("terminal: passphrases are typed and not shown", passphrase)];

pub(crate) struct Typed {
    pub(crate) works: bool,
    /// All that the terminal showed.
    pub(crate) shown: String,
}

/// Runs our command at a terminal, where each question is answered with the next of these lines.
/// `script` makes the terminal.
pub(crate) fn typed(bench: &Bench, args: &[&str], lines: &[&str]) -> Result<Typed, String> {
    let program = std::env::current_exe().unwrap();
    let call = format!("{} {}", program.display(), args.join(" "));
    let mut child = Command::new("script")
        .args(["-qec", &call, "/dev/null"])
        .current_dir(bench.path(""))
        .env(crate::AS_CLI, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("script is missing: {error}"))?;
    let mut shown = String::new();
    let mut terminal = child.stdout.take().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (at, line) in lines.iter().enumerate() {
        let mut byte = [0];
        // What is typed before the question is thrown away.
        while shown.matches("Passphrase for").count() <= at
            && terminal.read(&mut byte).is_ok_and(|length| length > 0)
        {
            shown.push(byte[0].into());
        }
        let _ = stdin.write_all(format!("{line}\n").as_bytes());
    }
    let mut rest = Vec::new();
    let _ = terminal.read_to_end(&mut rest);
    shown.push_str(&String::from_utf8_lossy(&rest));
    Ok(Typed { works: child.wait().unwrap().success(), shown })
}

fn passphrase(bench: &Bench) -> Result<(), String> {
    bench.write("plain", "some text\n");
    let args = ["encrypt", "-p", "-o", "locked.age", "plain"];
    let differ = typed(bench, &args, &["secret words", "other words"])?;
    holds(&differ.shown, !differ.works && differ.shown.contains("passphrases differ"))?;
    holds("there is no file", !bench.path("locked.age").exists())?;
    let empty = typed(bench, &args, &[""])?;
    holds(&empty.shown, !empty.works && empty.shown.contains("protects nothing"))?;
    let right = typed(bench, &args, &["secret words", "secret words"])?;
    holds(&right.shown, right.works && !right.shown.contains("secret"))?;
    let args = ["decrypt", "-o", "again", "locked.age"];
    let wrong = typed(bench, &args, &["other words"])?;
    holds(&wrong.shown, !wrong.works && wrong.shown.contains("another one"))?;
    holds("there is no file", !bench.path("again").exists())?;
    let args = [
        "encrypt",
        "-r",
        "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
        "plain",
    ];
    let bytes = typed(bench, &args, &[])?;
    holds(&bytes.shown, !bytes.works && bytes.shown.contains("not for a terminal"))
}
