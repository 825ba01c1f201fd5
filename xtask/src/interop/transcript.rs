use std::path::Path;

use crate::Result;

/// One area's commands and requests, read from a text file of `tests/interop`.
///
/// ```text
/// # A comment.
/// $ bao kv put secret/a x=1          a command; words are quoted as in a shell, ${name} is replaced
/// $ [status] bao path-help sys       only the exit code (or the HTTP status) is compared
/// > POST /v1/auth/token/create       a request
/// + X-Vault-Wrap-TTL: 60s            a header of the request above
/// | {"ttl": "1h"}                    its body, or what the command above reads from its input
/// = token /auth/client_token         keeps a value of the last answer as ${token}
/// = key                              keeps the whole output of the last command
/// @ as ${token}                      from here on with this token; also `root` and `nobody`
/// @ namespace team                   from here on in this namespace; alone: in the root
/// @ file policy.hcl                  writes the `|` lines that follow to a file
/// @ uninitialised                    first in the file: the server is not initialised for it
/// @ postgres                         first in the file: there is a database at ${postgres}
/// ```
pub(crate) struct Transcript {
    pub(crate) area: String,
    pub(crate) initialised: bool,
    pub(crate) with_postgres: bool,
    pub(crate) steps: Vec<Step>,
}

pub(crate) struct Step {
    pub(crate) line: usize,
    /// The command or request as written, to show and to match known differences.
    pub(crate) text: String,
    pub(crate) action: Action,
    pub(crate) check: Check,
    /// What is sent in: a request's body, a command's input or a file's content.
    pub(crate) input: String,
    pub(crate) keeps: Vec<Keep>,
}

pub(crate) enum Action {
    As(String),
    Command { words: Vec<String> },
    File { name: String },
    Namespace(String),
    Request { method: String, path: String, headers: Vec<(String, String)> },
}

/// How much of an answer must be the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    /// Everything.
    Full,
    /// JSON names and types, but not values.
    Shape,
    /// The exit code or the HTTP status.
    Status,
    /// As `Full`, once the HTTP status is this one; until then the request is repeated.
    Until(u16),
}

/// A value of an answer that later steps use and that is masked wherever it is printed.
pub(crate) struct Keep {
    pub(crate) name: String,
    /// A JSON pointer; empty for the whole output.
    pub(crate) pointer: String,
}

impl Transcript {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        let area = path.file_stem().unwrap_or_default().to_string_lossy();
        Self::parse(&area, &text)
    }

    fn parse(area: &str, text: &str) -> Result<Self> {
        let mut transcript = Self {
            area: area.to_owned(),
            initialised: true,
            with_postgres: false,
            steps: Vec::new(),
        };
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            transcript
                .take_line(number, line)
                .map_err(|message| format!("{area}.txt line {number}: {message}"))?;
        }
        Ok(transcript)
    }

    fn take_line(&mut self, number: usize, line: &str) -> Result<()> {
        let (mark, rest) = line.split_at_checked(1).unwrap_or((line, ""));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "" | "#" => {}
            "$" => {
                let (check, text) = take_check(rest)?;
                self.push(number, text, Action::Command { words: words(text)? }, check);
            }
            ">" => {
                let (check, text) = take_check(rest)?;
                let (method, path) = text.split_once(' ').ok_or("a request is `METHOD /path`")?;
                let (method, path) = (method.to_owned(), path.trim().to_owned());
                let action = Action::Request { method, path, headers: Vec::new() };
                self.push(number, text, action, check);
            }
            "@" if rest == "uninitialised" => self.initialised = false,
            "@" if rest == "postgres" => self.with_postgres = true,
            "@" => {
                let action = setting(rest)?;
                self.push(number, rest, action, Check::Full);
            }
            "|" => {
                let input = &mut self.last()?.input;
                input.push_str(rest);
                input.push('\n');
            }
            "+" => {
                let (name, value) = rest.split_once(':').ok_or("a header is `+ Name: value`")?;
                let Action::Request { headers, .. } = &mut self.last()?.action else {
                    return Err("a header stands below a request".to_owned());
                };
                headers.push((name.to_owned(), value.trim().to_owned()));
            }
            "=" => {
                let (name, pointer) = rest.split_once(' ').unwrap_or((rest, ""));
                let keep = Keep { name: name.to_owned(), pointer: pointer.trim().to_owned() };
                self.last()?.keeps.push(keep);
            }
            _ => return Err(format!("a line starts with one of # $ > @ | + =, not '{mark}'")),
        }
        Ok(())
    }

    fn push(&mut self, line: usize, text: &str, action: Action, check: Check) {
        let (text, input) = (text.to_owned(), String::new());
        self.steps.push(Step { line, text, action, check, input, keeps: Vec::new() });
    }

    fn last(&mut self) -> Result<&mut Step> {
        self.steps.last_mut().ok_or_else(|| "there is no step above this line".to_owned())
    }
}

fn setting(text: &str) -> Result<Action> {
    match text.split_once(' ').unwrap_or((text, "")) {
        ("as", who) => Ok(Action::As(who.to_owned())),
        ("file", name) => Ok(Action::File { name: name.to_owned() }),
        ("namespace", path) => Ok(Action::Namespace(path.to_owned())),
        (other, _) => Err(format!("'@ {other}' is unknown; there are as, file, namespace")),
    }
}

/// Takes `[status]` and its like from the front.
fn take_check(text: &str) -> Result<(Check, &str)> {
    let Some((word, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) else {
        return Ok((Check::Full, text));
    };
    let check = match word.split_once(' ') {
        None if word == "shape" => Check::Shape,
        None if word == "status" => Check::Status,
        Some(("until", status)) => {
            Check::Until(status.parse().map_err(|_| format!("'{status}' is no HTTP status"))?)
        }
        _ => return Err(format!("[{word}] is unknown; there are shape, status, until N")),
    };
    Ok((check, rest))
}

/// Splits a command into words as a shell does, with '…' and "…" and no other magic.
pub(crate) fn words(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == ' ' => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        assert_eq!(
            words("bao  kv put a x='1 2' y=\"\" ''").unwrap(),
            ["bao", "kv", "put", "a", "x=1 2", "y=", ""]
        );
        assert!(words("bao 'kv").is_err());
    }

    #[test]
    fn a_transcript_is_read() {
        let text = "# Words.\n@ uninitialised\n@ postgres\n$ [status] bao status\n> POST /v1/a\n+ A: b\n| {\"a\":\n| 1}\n= token /auth/x\n@ as root\n";
        let transcript = Transcript::parse("area", text).unwrap();
        assert!(!transcript.initialised && transcript.with_postgres);
        let [command, request, setting] = &transcript.steps[..] else { panic!("three steps") };
        assert_eq!(command.check, Check::Status);
        assert_eq!(request.input, "{\"a\":\n1}\n");
        assert_eq!(request.keeps[0].pointer, "/auth/x");
        assert!(matches!(&request.action, Action::Request { headers, .. } if headers[0].1 == "b"));
        assert!(matches!(&setting.action, Action::As(who) if who == "root"));
    }

    #[test]
    fn mistakes_name_their_line() {
        for text in ["! x", "| x", "> GET", "@ colour red", "$ [sometimes] bao", "$ bao 'x"] {
            let error = Transcript::parse("kv", text).err().unwrap();
            assert!(error.starts_with("kv.txt line 1: "), "{error}");
        }
    }
}
