use std::fs::File;
use std::io::BufReader;
use std::process::ExitCode;

use base_types::{Error, Result};
use core_audit::{Head, Report, verify};

use crate::words::{Words, say};

/// `audit verify [-key=HEX]… [-head=NUMBER:HASH] FILE…`: oldest file first.
///
/// Without a key it is read from `FILE.pub`, which the server writes beside the log. Whoever can
/// change the log can change that file too, so for a proof against them keep the key elsewhere.
pub(crate) fn run(args: &[&str]) -> Result<ExitCode> {
    let words = Words::parse(args, &[], &["key", "head"])?;
    let Some(newest) = words.rest.last() else {
        return Err(Error::invalid("name the audit log: audit verify FILE"));
    };
    let mut keys = words.all("key").map(parse_key).collect::<Result<Vec<_>>>()?;
    let beside = format!("{newest}.pub");
    if keys.is_empty() {
        let text = std::fs::read_to_string(&beside).map_err(|error| {
            Error::invalid(format!(
                "the key of the log is not in {beside} ({error}); give it with -key=HEX"
            ))
        })?;
        keys = text.split_whitespace().map(parse_key).collect::<Result<_>>()?;
    }
    let head = words.last("head").map(str::parse::<Head>).transpose()?;
    let open = |name: &&str| {
        let file = File::open(name)
            .map_err(|error| Error::invalid(format!("{name} cannot be read: {error}")))?;
        Ok(((*name).to_owned(), BufReader::new(file)))
    };
    let files = words.rest.iter().map(open).collect::<Result<Vec<_>>>()?;
    let report = verify(files, &keys, head)
        .map_err(|error| Error::invalid(format!("the log cannot be read: {error}")))?;
    print(&report);
    Ok(if report.is_intact() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn print(report: &Report) {
    for problem in &report.problems {
        say(format_args!("{}:{}: {}", problem.file, problem.line, problem.kind));
    }
    let further = report.problem_count - report.problems.len() as u64;
    if further > 0 {
        say(format_args!("and {further} more problems"));
    }
    say(format_args!("entries      {}", report.entries));
    say(format_args!("checkpoints  {}", report.checkpoints));
    if let Some((first, last)) = report.times {
        say(format_args!("from         {first}"));
        say(format_args!("to           {last}"));
    }
    if report.lost > 0 {
        say(format_args!(
            "lost         {} entries that this device could not write; see the other devices",
            report.lost
        ));
    }
    if report.unsigned > 0 {
        say(format_args!("unsigned     {} lines after the last checkpoint", report.unsigned));
    }
    if let Some(head) = report.head {
        say(format_args!("head         {head}"));
    }
    say(if report.is_intact() {
        "The log is whole and unchanged."
    } else {
        "The log is NOT intact."
    });
}

fn parse_key(text: &str) -> Result<[u8; 32]> {
    base_crypto::unhex(text)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Error::invalid("a key of the audit log is 64 hexadecimal digits"))
}
