//! Names made by rule: the part of Go's template language in which Vault's engines are told how to
//! name the users they make, such as `{{ printf "v-%s-%s" .RoleName (random 20) | truncate 63 }}`.
//!
//! There are fields, texts, numbers, parentheses, pipes, comments, conditions and the functions of
//! [`Function`]; there are no loops or variables. All is checked when a template is
//! parsed, but for what depends on the values. <https://pkg.go.dev/text/template>

mod function;
mod layout;
mod parse;

use base_crypto::Random;
use base_types::{Error, Result, Timestamp};

use function::Function;

/// A parsed template.
#[derive(Debug)]
pub struct Template(Vec<Node>);

/// Where the values of a template come from.
pub struct Source<'a> {
    /// The value of each field, by its name without the dot.
    pub fields: &'a [(&'static str, &'a str)],
    pub random: &'a dyn Random,
    pub now: Timestamp,
}

#[derive(Debug)]
enum Node {
    Action(Pipeline),
    If { condition: Pipeline, then: Vec<Self>, otherwise: Vec<Self> },
    Text(String),
}

/// Commands of which each is given the value of the one before as its last argument.
#[derive(Debug)]
struct Pipeline(Vec<Command>);

#[derive(Debug)]
enum Command {
    Call { function: Function, arguments: Vec<Operand> },
    Value(Operand),
}

#[derive(Debug)]
enum Operand {
    Field(String),
    Nested(Pipeline),
    Value(Value),
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(i64),
    Text(String),
    Truth(bool),
}

/// A part of what a template makes.
#[derive(Debug, Eq, PartialEq)]
pub enum Piece<'t> {
    /// Text of the template itself.
    Literal(&'t str),
    /// What an action gave.
    Value(String),
}

/// Of all pieces together.
const PIECES_MAX: usize = 65_536;
/// Longer than any database's limit on names, and short enough to be harmless.
const LENGTH_MAX: usize = 4096;
/// A template names one thing; more text than this only costs time.
const TEMPLATE_MAX: usize = 8192;

impl Template {
    /// `fields` are the names that may stand after a dot.
    ///
    /// # Errors
    /// `Invalid` with line and column, in the words of Go's parser where it has any, or if `text` is
    /// longer than 8192 bytes.
    pub fn parse(text: &str, fields: &[&str]) -> Result<Self> {
        if text.len() > TEMPLATE_MAX {
            return Err(Error::invalid("template: it is longer than 8192 bytes"));
        }
        parse::template(text, fields).map(Self)
    }

    /// # Errors
    /// `Invalid` if a function does not take the value it is given, or what it makes or the whole
    /// result is longer than 4096 bytes.
    pub fn render(&self, source: &Source<'_>) -> Result<String> {
        let text: String = self.pieces(source)?.iter().map(Piece::text).collect();
        check_length(&text)?;
        Ok(text)
    }

    /// Renders without joining, for whoever must tell values from the text around them.
    ///
    /// # Errors
    /// `Invalid` if a function does not take the value it is given, or what it makes is longer than
    /// 4096 bytes, or all pieces together than 65536.
    pub fn pieces(&self, source: &Source<'_>) -> Result<Vec<Piece<'_>>> {
        let mut pieces = Pieces { all: Vec::new(), length: 0 };
        render(&self.0, source, &mut pieces)?;
        Ok(pieces.all)
    }

    /// Renders a name for what is later removed by its name alone.
    ///
    /// # Errors
    /// As [`Template::render`]; `Invalid` if the same values give the same name again. Two leases would
    /// then share it, or it might belong to something that was there before, and the end of a lease
    /// would remove that.
    pub fn render_unique(&self, source: &Source<'_>) -> Result<String> {
        let name = self.render(source)?;
        if name == self.render(source)? {
            return Err(Error::invalid(
                "template: it gives different things the same name: keep something random in the \
                 name, such as (random 20)",
            ));
        }
        Ok(name)
    }
}

struct Pieces<'t> {
    all: Vec<Piece<'t>>,
    /// Of their texts, in bytes.
    length: usize,
}

impl<'t> Pieces<'t> {
    fn push(&mut self, piece: Piece<'t>) -> Result<()> {
        self.length += piece.text().len();
        if self.length > PIECES_MAX {
            return Err(Error::invalid("template: the result is longer than 65536 bytes"));
        }
        self.all.push(piece);
        Ok(())
    }
}

impl Piece<'_> {
    pub fn text(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Value(text) => text,
        }
    }
}

fn render<'t>(nodes: &'t [Node], source: &Source<'_>, pieces: &mut Pieces<'t>) -> Result<()> {
    for node in nodes {
        match node {
            Node::Action(pipeline) => {
                pieces.push(Piece::Value(pipeline.value(source)?.into_text()))?
            }
            Node::If { condition, then, otherwise } => {
                let holds = condition.value(source)?.holds();
                render(if holds { then } else { otherwise }, source, pieces)?;
            }
            Node::Text(literal) => pieces.push(Piece::Literal(literal))?,
        }
    }
    Ok(())
}

/// Also of what comes in between: a few replacements in a row would make any text of one letter.
fn check_length(text: &str) -> Result<()> {
    match text.len() {
        0..=LENGTH_MAX => Ok(()),
        _ => Err(Error::invalid("template: the result is longer than 4096 bytes")),
    }
}

impl Pipeline {
    fn value(&self, source: &Source<'_>) -> Result<Value> {
        let mut last = None;
        for command in &self.0 {
            last = Some(match command {
                Command::Call { function, arguments } => {
                    let values = arguments.iter().map(|operand| operand.value(source));
                    let mut values = values.collect::<Result<Vec<_>>>()?;
                    values.extend(last.take());
                    function.call(values, source)?
                }
                Command::Value(operand) => operand.value(source)?,
            });
        }
        last.ok_or_else(|| Error::internal("a pipeline without commands"))
    }
}

impl Operand {
    fn value(&self, source: &Source<'_>) -> Result<Value> {
        match self {
            Self::Field(name) => {
                let found = source.fields.iter().find(|(field, _)| field == name);
                let value = found.map(|(_, value)| Value::Text((*value).to_owned()));
                value.ok_or_else(|| Error::internal(format!("no value for the field {name}")))
            }
            Self::Nested(pipeline) => pipeline.value(source),
            Self::Value(value) => Ok(value.clone()),
        }
    }
}

impl Value {
    fn into_text(self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
            Self::Truth(truth) => truth.to_string(),
        }
    }

    /// Whether the two can be compared.
    fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// For a condition.
    fn holds(&self) -> bool {
        match self {
            Self::Number(number) => *number != 0,
            Self::Text(text) => !text.is_empty(),
            Self::Truth(truth) => *truth,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use base_crypto::SeededRandom;

    use super::*;

    const FIELDS: [&str; 2] = ["DisplayName", "RoleName"];

    fn render(text: &str) -> Result<String> {
        let source = Source {
            fields: &[("DisplayName", "token"), ("RoleName", "my-Rôle")],
            random: &SeededRandom::new(1),
            now: Timestamp(1_795_318_841_123_456_789),
        };
        Template::parse(text, &FIELDS)?.render(&source)
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(render(text).unwrap(), expected, "{text}");
    }

    fn refuse(text: &str, expected: &str) {
        assert_eq!(render(text).unwrap_err().public(), expected, "{text}");
    }

    #[test]
    fn renders_what_go_renders() {
        check("plain", "plain");
        check("", "");
        check("{{.DisplayName}}-{{ .RoleName }}", "token-my-Rôle");
        check("a {{- .DisplayName -}} \n b", "atokenb");
        check("{{/* a comment */}}{{- /* another */ -}} x", "x");
        check(r#"{{"a\tb\"c"}}{{`raw \n`}}"#, "a\tb\"craw \\n");
        check("{{12}}{{-3}}", "12-3");
        check("{{.RoleName | uppercase}}", "MY-RÔLE");
        check("{{lowercase .RoleName}}", "my-rôle");
        check("{{.RoleName | truncate 2}}", "my");
        check("{{truncate 99 .RoleName}}", "my-Rôle");
        check(r#"{{.RoleName | replace "-" "_"}}"#, "my_Rôle");
        check(
            r#"{{ printf "v-%s-%s-%s" (.DisplayName | truncate 3) (.RoleName | truncate 2) (unix_time) | truncate 63 }}"#,
            "v-tok-my-1795318841",
        );
        check(r#"{{printf "%d%%%v %x %q" 5 "a" "hi" "q\"s"}}"#, "5%a 6869 \"q\\\"s\"");
        check("{{unix_time_millis}}", "1795318841123");
        check(
            r#"{{timestamp "2006-01-02T15:04:05.000Z07:00 Mon Jan PM 3"}}"#,
            "2026-11-22T03:40:41.123Z Sun Nov AM 3",
        );
        check(
            "{{.DisplayName | sha256}}",
            "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0",
        );
        check(r#"{{printf "%s" unix_time}}"#, "1795318841");
        check("{{.DisplayName | base64}}", "dG9rZW4=");
    }

    #[test]
    fn pieces_tell_values_from_the_text_around_them() {
        let template = Template::parse("cn={{.RoleName}}{{if 1}},x{{end}}", &FIELDS).unwrap();
        let source = Source {
            fields: &[("RoleName", "a,b")],
            random: &SeededRandom::new(1),
            now: Timestamp(0),
        };
        let pieces = template.pieces(&source).unwrap();
        let value = Piece::Value("a,b".to_owned());
        assert_eq!(pieces, [Piece::Literal("cn="), value, Piece::Literal(",x")]);
    }

    #[test]
    fn active_directory_takes_passwords_in_utf_16() {
        check("{{ \"a\" | utf16le | base64 }}", "YQA=");
        refuse("{{ .RoleName | utf16le }}", "template: utf16le takes a text of ASCII");
    }

    #[test]
    fn a_condition_chooses() {
        check(r#"{{if eq .DisplayName "token"}}a{{else}}b{{end}}"#, "a");
        check(r#"{{if (ne .DisplayName "token")}}a{{else}}b{{end}}c"#, "bc");
        check(r#"x{{ if .DisplayName }} a {{ end }}y"#, "x a y");
        check(r#"{{ if "" }}a{{ else if 0 }}b{{ else if eq 1 1 }}c{{ else }}d{{ end }}"#, "c");
        check(r#"{{if 1}}{{if 0}}a{{else}}b{{end}}{{else}}c{{end}}"#, "b");
        check("a {{- if 1 -}} b {{- else -}} c {{- end -}} d", "abd");
        check(r#"{{eq 1 2}} {{printf "%v" (ne 1 2)}}"#, "false true");
        refuse("{{if 1}}a", "template: 1:1: unexpected EOF");
        refuse("{{if 1}}a{{else}}b", "template: 1:1: unexpected EOF");
        refuse("a{{end}}", "template: 1:2: unexpected {{end}}");
        refuse("a{{else}}", "template: 1:2: unexpected {{else}}");
        refuse(
            "{{if 1}}a{{else}}b{{else}}c{{end}}",
            "template: 1:19: expected end; found {{else}}",
        );
        refuse("{{if}}a{{end}}", "template: 1:5: missing value for command");
        refuse("{{end 1}}", "template: 1:7: unexpected character '1'");
        refuse("{{if 1 2}}a{{end}}", "template: 1:8: can't give argument to non-function");
        refuse(r#"{{eq 1 "a"}}"#, "template: eq takes two values of the same kind");
        let deep = format!("{}{}", "{{if 1}}".repeat(40), "{{end}}".repeat(40));
        refuse(&deep, "template: 1:257: nested too deeply");
    }

    /// The cut-off part is replaced by the first eight digits of its hash.
    #[test]
    fn a_name_cut_with_its_hash_stays_different_from_its_neighbours() {
        check(r#"{{truncate_sha256 20 "short"}}"#, "short");
        let [a, b] = ["x", "y"].map(|end| {
            let text = format!("{{{{truncate_sha256 20 \"{}{end}\"}}}}", "a".repeat(30));
            render(&text).unwrap()
        });
        assert_eq!((a.len(), &a[..12]), (20, &b[..12]));
        assert_ne!(a, b);
        refuse(
            r#"{{truncate_sha256 8 "a text that is long"}}"#,
            "template: max length must be larger than 8",
        );
    }

    proptest::proptest! {
        /// No text is too strange: it is a template or it is refused.
        #[test]
        fn any_text_is_read(text in "([{}()|.\"`%/* \n-]|[a-zé0-9]|random|printf|truncate|if|else|end|eq|\\{\\{|\\}\\}){0,20}") {
            if let Err(error) = render(&text) {
                proptest::prop_assert!(error.public().starts_with("template: "), "{}", error.public());
            }
        }
    }

    #[test]
    fn randomness_has_the_length_asked_for() {
        assert_eq!(render("{{random 20}}").unwrap().len(), 20);
        let both = render("{{random 20}}{{random 20}}").unwrap();
        assert_ne!(both[..20], both[20..]);
        assert_eq!(render("{{uuid}}").unwrap().len(), 36);
        refuse("{{random 0}}", "template: random takes a length from 1 to 1024");
        refuse("{{random 1025}}", "template: random takes a length from 1 to 1024");
    }

    #[test]
    fn a_unique_name_needs_randomness_and_not_time() {
        let (random, now) = (SeededRandom::new(1), Timestamp::from_seconds(1));
        for (text, is_unique) in [
            ("{{.RoleName}}-{{random 20}}", true),
            ("{{uuid}}", true),
            ("{{.RoleName}}-{{unix_time}}", false),
            ("{{.RoleName}}", false),
            // What is random is cut off behind a long name.
            (r#"{{printf "%s-%s" .DisplayName (random 20) | truncate 5}}"#, false),
        ] {
            let template = Template::parse(text, &["DisplayName", "RoleName"]).unwrap();
            let fields = &[("DisplayName", "userpass-alice"), ("RoleName", "app")];
            let name = template.render_unique(&Source { fields, random: &random, now });
            assert_eq!(name.is_ok(), is_unique, "{text}: {name:?}");
        }
    }

    #[test]
    fn a_fault_is_named_with_its_place() {
        refuse("{{bogus}}", "template: 1:3: function \"bogus\" not defined");
        refuse("ab\n c{{.DisplayName", "template: 2:3: unclosed action");
        refuse("{{}}", "template: 1:3: missing value for command");
        refuse("{{ .DisplayName | }}", "template: 1:19: missing value for command");
        refuse(
            "{{.Nothing}}",
            "template: 1:3: there is no field .Nothing: there are .DisplayName, .RoleName",
        );
        refuse("{{\"abc}}", "template: 1:3: unterminated quoted string");
        refuse("{{(random 3}}", "template: 1:3: unclosed left paren");
        refuse("{{random 3)}}", "template: 1:11: unexpected right paren");
        refuse("{{random}}", "template: 1:3: wrong number of arguments for random: want 1, got 0");
        refuse("{{uuid 3}}", "template: 1:3: wrong number of arguments for uuid: want 0, got 1");
        refuse("{{3 | uuid}}", "template: 1:7: wrong number of arguments for uuid: want 0, got 1");
        refuse("{{3 4}}", "template: 1:5: can't give argument to non-function");
        refuse("{{3 | 4}}", "template: 1:7: non executable command in pipeline");
        refuse("{{ # }}", "template: 1:4: unexpected character '#'");
        refuse("{{99999999999999999999}}", "template: 1:3: bad number");
        refuse("{{truncate \"a\" \"b\"}}", "template: truncate takes a number and a text");
        refuse("{{/* open }}", "template: 1:3: unclosed comment");
        refuse(&format!("{{{{{}", "(".repeat(40)), "template: 1:35: nested too deeply");
        refuse(
            r#"{{printf "%y" 1}}"#,
            "template: printf knows %s, %v, %d, %q, %x and %%, and not %y",
        );
        refuse(r#"{{printf "%s"}}"#, "template: printf has more verbs than arguments");
        refuse(r#"{{printf "a" 1}}"#, "template: printf has more arguments than verbs");
        refuse(r#"{{printf "%d" "a"}}"#, "template: printf was given a text for %d");
        let grows = format!("{{{{\"a\"{}}}}}", " | replace \"a\" \"aaaaaaaaaa\"".repeat(30));
        refuse(&grows, "template: the result is longer than 4096 bytes");
        refuse(&"a".repeat(8193), "template: it is longer than 8192 bytes");
        refuse(
            "{{random 1024}}{{random 1024}}{{random 1024}}{{random 1024}}a",
            "template: the result is longer than 4096 bytes",
        );
    }
}
