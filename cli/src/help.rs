use crate::command::{COMMON, Command, Flag};
use crate::commands;

const WIDTH: usize = 78;

/// All commands, grouped: what is shown when no command is named.
pub(crate) fn overview(program: &str) -> String {
    let top: Vec<_> = commands::all().filter(|command| !command.name.contains(' ')).collect();
    let width = top.iter().map(|command| command.name.len()).max().unwrap_or(0);
    let list = |common: bool| {
        let mut chosen: Vec<_> = top
            .iter()
            .filter(|command| commands::COMMON.contains(&command.name) == common)
            .collect();
        if common {
            chosen.sort_by_key(|command| {
                commands::COMMON.iter().position(|name| *name == command.name)
            });
        } else {
            chosen.sort_by_key(|command| command.name);
        }
        lines(chosen.iter().map(|command| (command.name, command.synopsis)), width)
    };
    format!(
        "Usage: {program} <command> [args]\n\nCommon commands:\n{}\n\nOther commands:\n{}",
        list(true),
        list(false)
    )
}

/// The help page of one command.
pub(crate) fn page(program: &str, command: &Command) -> String {
    let name = command.name;
    let children: Vec<_> = commands::children(name).collect();
    let usage = match (children.is_empty(), command.args) {
        (false, _) => format!("Usage: {program} {name} <subcommand> [options] [args]"),
        (true, "") => format!("Usage: {program} {name} [options]"),
        (true, args) => format!("Usage: {program} {name} [options] {args}"),
    };
    let mut text = format!("{usage}\n\n  {}.\n", command.synopsis);
    for paragraph in command.about.trim().split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        text.push('\n');
        text.push_str(&indent(&paragraph.replace("{program}", program)));
        text.push('\n');
    }
    if !children.is_empty() {
        let last = |name: &'static str| name.rsplit(' ').next().unwrap_or(name);
        let width = children.iter().map(|child| last(child.name).len()).max().unwrap_or(0);
        let children = children.iter().map(|child| (last(child.name), child.synopsis));
        text.push_str(&format!("\nSubcommands:\n{}", lines(children, width)));
        return text;
    }
    if !command.flags.is_empty() {
        text.push_str(&format!("\nOptions:\n\n{}", flags(command.flags)));
    }
    if command.run.is_some() {
        text.push_str(&format!("\nConnection options:\n\n{}", flags(COMMON)));
    }
    text.trim_end().to_owned()
}

fn lines<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>, width: usize) -> String {
    rows.map(|(name, synopsis)| format!("    {name:<width$}    {synopsis}"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn flags(flags: &[Flag]) -> String {
    let mut text = String::new();
    for flag in flags {
        let example = match flag.kind.example() {
            "" => String::new(),
            example => format!("=<{example}>"),
        };
        text.push_str(&format!("  -{}{example}\n", flag.name));
        let mut help = flag.help.to_owned();
        if !flag.default.is_empty() {
            help.push_str(&format!(" The default is {}.", flag.default));
        }
        if !flag.alias.is_empty() {
            help.push_str(&format!(" Short: -{}.", flag.alias));
        }
        if !flag.env.is_empty() {
            help.push_str(&format!(
                " Environment: STRONGROOM_{0}, BAO_{0} or VAULT_{0}.",
                flag.env
            ));
        }
        text.push_str(&wrap(&help, 6));
        text.push_str("\n\n");
    }
    text
}

/// A paragraph: examples keep their lines, prose is wrapped.
fn indent(paragraph: &str) -> String {
    if paragraph.starts_with("    ") {
        let lines: Vec<_> = paragraph.lines().map(|line| format!("  {line}")).collect();
        return lines.join("\n");
    }
    wrap(paragraph, 2)
}

/// `text` in lines of at most 78 columns, each after `margin` spaces.
pub(crate) fn wrap(text: &str, margin: usize) -> String {
    let space = " ".repeat(margin);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("starts with one line");
        if !line.is_empty() && margin + line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.into_iter().map(|line| format!("{space}{line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_narrow_and_show_an_example() {
        for command in commands::all() {
            let page = page("strongroom", command);
            assert!(page.lines().all(|line| line.chars().count() <= 80), "{page}");
            assert!(!page.contains("{program}"), "{page}");
            if command.run.is_some() {
                assert!(page.contains("$ "), "{} has no example", command.name);
            }
        }
    }

    #[test]
    fn the_overview_lists_every_top_command_once() {
        let text = overview("vault");
        assert!(text.starts_with("Usage: vault <command> [args]"));
        for command in commands::all().filter(|command| !command.name.contains(' ')) {
            let found =
                text.lines().filter(|line| line.split_whitespace().next() == Some(command.name));
            assert_eq!(found.count(), 1, "{}", command.name);
        }
    }
}
