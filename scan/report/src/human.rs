use std::collections::BTreeMap;
use std::io::{self, Write};

use scan_sources::{Gap, Leak};

use crate::redact::Redaction;

/// How many places of one secret are listed.
const PLACES_MAX: usize = 5;
/// How much of a line is shown on each side of a secret, in characters.
const CONTEXT_MAX: usize = 40;

/// Writes findings for people: each secret once with all places that have it, and what to do next.
///
/// # Errors
///
/// Those of `output`.
pub fn write_human(leaks: &[Leak], redaction: Redaction, output: &mut dyn Write) -> io::Result<()> {
    let groups = group(leaks);
    for group in groups.values() {
        write_group(group, redaction, output)?;
    }
    if groups.is_empty() {
        return Ok(());
    }
    let (secrets, places) = (count(groups.len(), "secret"), count(leaks.len(), "place"));
    writeln!(output, "{secrets} in {places}.\n")?;
    let has_history = leaks.iter().any(|leak| leak.commit_id().is_some());
    output.write_all(next_steps(has_history).as_bytes())
}

/// Writes what could not be scanned, and what helps.
///
/// # Errors
///
/// Those of `output`.
pub fn write_gaps(gaps: &[Gap], output: &mut dyn Write) -> io::Result<()> {
    for gap in gaps {
        writeln!(output, "not scanned: {}: {}", visible(&gap.place), visible(&gap.reason))?;
    }
    Ok(())
}

/// Writes one finding as `gitleaks --verbose` does.
///
/// # Errors
///
/// Those of `output`.
pub fn write_verbose(leak: &Leak, redaction: Redaction, output: &mut dyn Write) -> io::Result<()> {
    let row = crate::row::Row::of(leak, redaction);
    let mut field =
        |name: &str, value: &str| writeln!(output, "{:<12} {}", format!("{name}:"), visible(value));
    field("Finding", row.matched.trim())?;
    field("Secret", row.secret.trim())?;
    field("RuleID", &row.rule_id)?;
    field("Entropy", &format!("{:.6}", row.entropy))?;
    if !row.file.is_empty() {
        if !row.tags.is_empty() {
            field("Tags", &format!("[{}]", row.tags.join(" ")))?;
        }
        field("File", &row.file)?;
        field("Line", &row.start_line.to_string())?;
        if row.commit.is_empty() {
            field("Fingerprint", &row.fingerprint)?;
        } else {
            let fields = [
                ("Commit", &row.commit),
                ("Author", &row.author),
                ("Email", &row.email),
                ("Date", &row.date),
                ("Fingerprint", &row.fingerprint),
            ];
            fields.into_iter().try_for_each(|(name, value)| field(name, value))?;
            if !row.link.is_empty() {
                field("Link", &row.link)?;
            }
        }
    }
    for (number, component) in leak.finding.required.iter().enumerate() {
        let name = if number == 0 { "Required:" } else { "" };
        let secret = redaction.secret(component.secret.expose());
        let secret = visible(&String::from_utf8_lossy(&secret));
        writeln!(output, "{name:<12} {}:{}:{secret}", component.rule_id, component.start_line)?;
    }
    writeln!(output)
}

/// By rule and secret, so that a secret in a hundred commits is one.
fn group(leaks: &[Leak]) -> BTreeMap<(&str, &[u8]), Vec<&Leak>> {
    let mut groups: BTreeMap<(&str, &[u8]), Vec<&Leak>> = BTreeMap::new();
    for leak in leaks {
        let secret = match leak.finding.secret.expose().as_slice() {
            // A file that is found by its name has no secret to be grouped by.
            [] => leak.finding.matched.expose().as_slice(),
            secret => secret,
        };
        groups.entry((&leak.finding.rule_id, secret)).or_default().push(leak);
    }
    groups
}

fn write_group(leaks: &[&Leak], redaction: Redaction, output: &mut dyn Write) -> io::Result<()> {
    let Some(first) = leaks.first() else { return Ok(()) };
    let finding = &first.finding;
    writeln!(output, "{}: {}", finding.rule_id, visible(&finding.description))?;
    writeln!(output, "  {}", in_line(first, redaction))?;
    for leak in leaks.iter().take(PLACES_MAX) {
        writeln!(output, "  {}", place(leak))?;
    }
    if leaks.len() > PLACES_MAX {
        writeln!(output, "  and {}", count(leaks.len() - PLACES_MAX, "more place"))?;
    }
    writeln!(output)
}

/// The line around a secret, cut on both sides.
fn in_line(leak: &Leak, redaction: Redaction) -> String {
    let finding = &leak.finding;
    let (line, secret) = (finding.line.expose(), finding.secret.expose());
    let shown = |bytes: &[u8]| visible(&String::from_utf8_lossy(&redaction.within(bytes, secret)));
    let Some(range) = finding.in_line.clone().filter(|range| line.get(range.clone()).is_some())
    else {
        return shown(finding.matched.expose());
    };
    let before = shown(&line[..range.start]);
    let after = shown(&line[range.end..]);
    let skipped = before.chars().count().saturating_sub(CONTEXT_MAX);
    let before: String = before.chars().skip(skipped).collect();
    let cut: String = after.chars().take(CONTEXT_MAX).collect();
    let (dots, more) =
        (if skipped > 0 { "…" } else { "" }, if cut.len() < after.len() { "…" } else { "" });
    format!("{dots}{}{}{cut}{more}", before.trim_start(), shown(&line[range]))
}

fn place(leak: &Leak) -> String {
    let finding = &leak.finding;
    let file = match leak.file.as_str() {
        "" => "standard input".into(),
        file => visible(file),
    };
    let mut place = match finding.start_line {
        0 => file,
        line => format!("{file}:{line}:{}", finding.column()),
    };
    if let (Some(id), Some(commit)) = (leak.commit_id(), &leak.commit) {
        let id = id.get(..10).unwrap_or(id);
        let day = commit.date.get(..10).unwrap_or_default();
        let title = commit.message.lines().next().unwrap_or_default();
        let title: String = title.chars().take(50).collect();
        place.push_str(&format!("  {id}  {day}  {}: {}", visible(&commit.author), visible(&title)));
    }
    place
}

fn next_steps(has_history: bool) -> String {
    let history = if has_history {
        "3. Only then take it out of the history (git filter-repo); copies and caches of it stay.\n"
    } else {
        ""
    };
    format!(
        "What to do:\n\
         1. Revoke or rotate each secret where it was issued. Whoever has read it has it.\n\
         2. Put the new one into the server and let the program fetch it; take the old one out of the file.\n\
         {history}\
         A finding that is none: run the same scan with --accept and a --reason.\n"
    )
}

fn count(number: usize, name: &str) -> String {
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

/// Without what a terminal would obey.
fn visible(text: &str) -> String {
    let shown = |character: char| match character {
        '\n' => '⏎',
        '\t' => ' ',
        character if character.is_control() => '\u{fffd}',
        character => character,
    };
    text.chars().map(shown).collect()
}
