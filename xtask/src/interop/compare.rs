use std::collections::BTreeSet;

use serde_json::Value;

/// One place in which two answers are not the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Difference {
    /// `status`, `header/NAME`, `body/JSON/pointer`, `output/FIRST-WORD` or `errors/FIRST-WORD`.
    pub(crate) field: String,
    pub(crate) theirs: String,
    pub(crate) ours: String,
}

/// What a server answered, with everything random already replaced.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
    /// What a command wrote to its error output.
    pub(crate) errors: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Json(Value),
    Lines(Vec<String>),
}

/// Two clocks read in turn: a remaining time to live may differ by this many seconds.
const TTL_TOLERANCE: f64 = 2.0;

pub(crate) fn answers(theirs: &Answer, ours: &Answer) -> Vec<Difference> {
    let mut found = Vec::new();
    text("status", &theirs.status, &ours.status, &mut found);
    for ((name, theirs), (_, ours)) in theirs.headers.iter().zip(&ours.headers) {
        text(&format!("header/{name}"), theirs, ours, &mut found);
    }
    match (&theirs.body, &ours.body) {
        (Body::Json(theirs), Body::Json(ours)) => values("body", theirs, ours, &mut found),
        (Body::Lines(theirs), Body::Lines(ours)) => lines("output", theirs, ours, &mut found),
        (theirs, ours) => text("body", &theirs.shown(), &ours.shown(), &mut found),
    }
    lines("errors", &theirs.errors, &ours.errors, &mut found);
    found
}

impl Body {
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Json(value) => value.to_string(),
            Self::Lines(lines) => lines.join("\n"),
        }
    }
}

/// Names and types of a JSON value without its content.
pub(crate) fn shape(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(_) => "string".into(),
        Value::Array(items) => items.first().map(shape).into_iter().collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect()
        }
    }
}

fn text(field: &str, theirs: &str, ours: &str, found: &mut Vec<Difference>) {
    if theirs != ours {
        let (field, theirs, ours) = (field.to_owned(), theirs.to_owned(), ours.to_owned());
        found.push(Difference { field, theirs, ours });
    }
}

fn values(field: &str, theirs: &Value, ours: &Value, found: &mut Vec<Difference>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let field = format!("{field}/{name}");
                match (a.get(name), b.get(name)) {
                    (Some(theirs), Some(ours)) => values(&field, theirs, ours, found),
                    (theirs, ours) => text(&field, &present(theirs), &present(ours), found),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (theirs, ours)) in a.iter().zip(b).enumerate() {
                values(&format!("{field}/{index}"), theirs, ours, found);
            }
        }
        (Value::Number(a), Value::Number(b)) if is_ttl(field) => {
            let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else { return };
            if (a - b).abs() > TTL_TOLERANCE {
                text(field, &a.to_string(), &b.to_string(), found);
            }
        }
        (Value::String(a), Value::String(b)) if same_line(a, b) => {}
        _ => text(field, &theirs.to_string(), &ours.to_string(), found),
    }
}

/// A value as text, where nothing at all is `-`.
fn present(value: Option<&Value>) -> String {
    value.map_or_else(|| "-".to_owned(), Value::to_string)
}

fn is_ttl(field: &str) -> bool {
    let name = field.rsplit('/').next().unwrap_or_default();
    name.contains("ttl") || name.contains("duration")
}

/// Compares lines as a person would: those that both have in the same order are equal, a line of
/// one side is set against the line of the other that begins with the same word.
fn lines(field: &str, theirs: &[String], ours: &[String], found: &mut Vec<Difference>) {
    let (only_theirs, mut only_ours) = unmatched(theirs, ours);
    for line in only_theirs {
        let name = first_word(line);
        let partner = only_ours.iter().position(|other| first_word(other) == name);
        let other = partner.map_or("-", |place| only_ours.remove(place));
        text(&format!("{field}/{name}"), line, other, found);
    }
    for line in only_ours {
        text(&format!("{field}/{}", first_word(line)), "-", line, found);
    }
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// The lines outside the longest common subsequence of the two.
fn unmatched<'a>(a: &'a [String], b: &'a [String]) -> (Vec<&'a str>, Vec<&'a str>) {
    let mut longest = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = match same_line(&a[i], &b[j]) {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut only_a, mut only_b) = (0, 0, Vec::new(), Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && same_line(&a[i], &b[j]) {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && longest[i + 1][j] >= longest[i][j + 1]) {
            only_a.push(a[i].as_str());
            i += 1;
        } else {
            only_b.push(b[j].as_str());
            j += 1;
        }
    }
    (only_a, only_b)
}

/// Whether two lines are equal word by word, durations within the tolerance.
fn same_line(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (a_words, b_words) = (a.split(' '), b.split(' '));
    let ttl = is_ttl(first_word(a));
    a_words.clone().count() == b_words.clone().count()
        && a_words.zip(b_words).all(|(a, b)| a == b || near(seconds(a, ttl), seconds(b, ttl)))
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    a.zip(b).is_some_and(|(a, b)| (a - b).abs() <= TTL_TOLERANCE)
}

/// The seconds of a duration such as `767h59m58s`, quoted or not; a plain number counts where
/// `plain` says so.
fn seconds(word: &str, plain: bool) -> Option<f64> {
    let word = word.trim_matches(['"', ';', '.']);
    if plain && let Ok(number) = word.parse() {
        return Some(number);
    }
    let (mut total, mut rest) = (0.0, word);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount: f64 = rest[..digits].parse().ok()?;
        let (scale, length) = match &rest[digits..] {
            unit if unit.starts_with("ms") => (0.001, 2),
            unit if unit.starts_with('h') => (3600.0, 1),
            unit if unit.starts_with('m') => (60.0, 1),
            unit if unit.starts_with('s') => (1.0, 1),
            _ => return None,
        };
        total += amount * scale;
        rest = &rest[digits + length..];
    }
    (!word.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_json(theirs: Value, ours: Value) -> Vec<String> {
        let answer = |body| Answer {
            status: "200".to_owned(),
            headers: Vec::new(),
            body: Body::Json(body),
            errors: Vec::new(),
        };
        let found = answers(&answer(theirs), &answer(ours));
        found.into_iter().map(|d| format!("{} {} {}", d.field, d.theirs, d.ours)).collect()
    }

    fn of_lines(theirs: &str, ours: &str) -> Vec<String> {
        let split = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let mut found = Vec::new();
        lines("output", &split(theirs), &split(ours), &mut found);
        found.into_iter().map(|d| format!("{}: {} | {}", d.field, d.theirs, d.ours)).collect()
    }

    #[test]
    fn json_differences_are_named_by_their_pointer() {
        let theirs = json!({"a": 1, "b": [1, {"c": 2}], "ttl": 100, "only": true});
        let ours = json!({"a": 1, "b": [1, {"c": "2"}], "ttl": 98, "uses": 5});
        assert_eq!(
            of_json(theirs, ours),
            ["body/b/1/c 2 \"2\"", "body/only true -", "body/uses - 5"]
        );
        assert_eq!(of_json(json!("of \"1h\"; x"), json!("of \"59m59s\"; x")), [""; 0]);
        assert_eq!(of_json(json!("two  words"), json!("two words")).len(), 1);
        assert_eq!(of_json(json!({"ttl": 100}), json!({"ttl": 97})), ["body/ttl 100 97"]);
        assert_eq!(of_json(json!([1, 2]), json!([1])), ["body [1,2] [1]"]);
    }

    #[test]
    fn lines_are_paired_by_their_first_word() {
        assert_eq!(of_lines("a 1\nttl 767h59m59s\nz", "a 1\nttl 768h\nz"), [""; 0]);
        assert_eq!(
            of_lines("a 1\nb 2\nc 3", "a 1\nb 5\nd 4"),
            ["output/b: b 2 | b 5", "output/c: c 3 | -", "output/d: - | d 4"]
        );
    }

    #[test]
    fn a_shape_keeps_names_and_types() {
        let value = json!({"a": [1, 2], "b": {"c": "x"}, "d": null});
        assert_eq!(shape(&value), json!({"a": ["number"], "b": {"c": "string"}, "d": null}));
    }
}
