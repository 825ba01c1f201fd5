use serde_json::{Map, Value};

/// Replaces what differs from run to run by a name in angle brackets, so that the answers of two
/// servers can be compared: identifiers, instants, versions and every value a transcript keeps.
#[derive(Clone, Default)]
pub(crate) struct Normaliser {
    /// Values and their names, longest value first.
    masks: Vec<(String, String)>,
}

/// Below this length a kept value might well occur in other places by chance.
const MASK_LENGTH_MIN: usize = 8;

/// Names of fields whose values are random, whatever they look like.
const RANDOM_FIELDS: [&str; 9] = [
    "accessor",
    "client_token",
    "cluster_name",
    "secret_id_accessor",
    "token",
    "token_accessor",
    "wrapping_accessor",
    "wrapping_token",
    "wrapping_token:",
];

/// What the two call themselves, in sentences and as commands.
const PRODUCTS: [&str; 2] = ["OpenBao", "Strongroom"];
const COMMANDS: [&str; 2] = ["bao", "strongroom"];

/// Unix times from 2020 to 2040: a number in this range is an instant and nothing else.
const UNIX_TIMES: std::ops::Range<u64> = 1_577_836_800..2_208_988_800;

impl Normaliser {
    /// From now on `value` is shown as `<name>`.
    pub(crate) fn mask(&mut self, value: &str, name: &str) {
        let known = self.masks.iter().any(|(mask, _)| mask == value);
        if value.len() >= MASK_LENGTH_MIN && !known {
            self.masks.push((value.to_owned(), format!("<{name}>")));
            self.masks.sort_by_key(|(mask, _)| std::cmp::Reverse(mask.len()));
        }
    }

    /// Lines with their runs of spaces and dashes collapsed, since the width of a table's columns
    /// follows the length of its values.
    pub(crate) fn text(&self, text: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for line in text.lines().map(|line| self.line(line)) {
            // A point of a list goes on over lines that break where its words happen to be long.
            let goes_on = !line.is_empty() && !line.starts_with("* ");
            match lines.last_mut().filter(|last| last.starts_with("* ") && goes_on) {
                Some(last) => *last = format!("{last} {line}"),
                None => lines.push(line),
            }
        }
        sort_if_random(&mut lines, String::clone);
        lines
    }

    pub(crate) fn json(&self, value: &Value) -> Value {
        self.named("", value)
    }

    fn named(&self, name: &str, value: &Value) -> Value {
        match value {
            Value::String(text) if text.is_empty() => value.clone(),
            Value::String(_) if RANDOM_FIELDS.contains(&name) => format!("<{name}>").into(),
            Value::String(text) => self.valued(name, text).into(),
            Value::Number(number) if number.as_u64().is_some_and(|n| UNIX_TIMES.contains(&n)) => {
                "<unix time>".into()
            }
            Value::Array(items) => {
                let mut items: Vec<Value> = items.iter().map(|item| self.named("", item)).collect();
                let text = |item: &Value| item.as_str().unwrap_or_default().to_owned();
                match name {
                    // They come from several places, in whatever order these are asked.
                    "warnings" => items.sort_by_key(text),
                    _ => sort_if_random(&mut items, text),
                }
                items.into()
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, v)| (self.words(key), self.named(key, v)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn line(&self, line: &str) -> String {
        let mut words: Vec<String> = Vec::new();
        for word in self.words(line).split_whitespace() {
            let rule = word.len() >= 3 && word.bytes().all(|byte| byte == b'-');
            words.push(if rule { "---".to_owned() } else { word.to_owned() });
        }
        match &words[..] {
            [name, _] if RANDOM_FIELDS.contains(&name.as_str()) => format!("{name} <{name}>"),
            [cluster, name, _] if cluster == "Cluster" && name == "Name" => {
                "Cluster Name <cluster_name>".to_owned()
            }
            [name, value] => format!("{name} {}", self.valued(name, value)),
            _ => words.join(" "),
        }
    }

    /// The value of a field. An `id` is random whatever it looks like, unless it is a path.
    fn valued(&self, name: &str, text: &str) -> String {
        let words = self.words(text);
        let plain = words.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if name == "id" && plain && text != "n/a" { "<id>".to_owned() } else { words }
    }

    /// The text with its masks applied and each identifier, instant and version in it replaced.
    fn words(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        for (mask, name) in &self.masks {
            masked = masked.replace(mask, name);
        }
        let mut result = String::with_capacity(masked.len());
        let mut rest = masked.as_str();
        while !rest.is_empty() {
            let end = rest.find(|c| !in_word(c)).unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches(['.', ':']);
            result.push_str(&replacement(word));
            result.push_str(&rest[word.len()..end]);
            let gap = rest[end..].find(in_word).map_or(rest.len(), |length| end + length);
            result.push_str(&rest[end..gap]);
            rest = &rest[gap..];
        }
        result
    }
}

fn in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '+')
}

fn replacement(word: &str) -> String {
    let fixed = [
        (is_uuid as fn(&str) -> bool, "<uuid>"),
        (is_time, "<time>"),
        (|word| has_shape(word, "0000-00-00"), "<date>"),
        (|word| has_shape(word.split('.').next().unwrap_or_default(), "00:00:00"), "<clock>"),
        (is_version, "<version>"),
        (is_token, "<token>"),
        (is_accessor, "<accessor>"),
        (is_unix_time, "<unix time>"),
        (|word| PRODUCTS.contains(&word), "<product>"),
        (|word| COMMANDS.contains(&word), "<command>"),
    ];
    if let Some((_, name)) = fixed.iter().find(|(fits, _)| fits(word)) {
        return (*name).to_owned();
    }
    if let Some((id, namespace)) = word.split_once('.')
        && is_uuid(id)
    {
        return format!("<uuid>.{}", "<id>".repeat(usize::from(!namespace.is_empty())));
    }
    if let Some(port) = word.strip_prefix("127.0.0.1:")
        && port.parse::<u16>().is_ok_and(|port| port >= 1024)
    {
        return "127.0.0.1:<port>".to_owned();
    }
    if let Some((kind, id)) = word.rsplit_once(['_', '-'])
        && is_hex(id, 8)
    {
        return format!("{kind}_<id>");
    }
    match word.split_once(':') {
        Some((name, value)) => format!("{name}:{}", replacement(value)),
        None => word.to_owned(),
    }
}

fn is_unix_time(word: &str) -> bool {
    word.parse().is_ok_and(|number| UNIX_TIMES.contains(&number))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_uuid(word: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let mut groups = word.split('-');
    lengths.iter().all(|length| groups.next().is_some_and(|group| is_hex(group, *length)))
        && groups.next().is_none()
}

/// RFC 3339, as `2026-01-02T03:04:05Z` with or without fraction and offset.
fn is_time(word: &str) -> bool {
    word.get(..19).is_some_and(|start| has_shape(start, "0000-00-00T00:00:00"))
}

/// Whether `word` is `shape` once each digit in it is a zero.
fn has_shape(word: &str, shape: &str) -> bool {
    let zeroed = word.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    zeroed.eq(shape.bytes())
}

/// `1.2.3`, `v1.2.3` or `v1.2.3+builtin`.
fn is_version(word: &str) -> bool {
    let number = word.strip_prefix('v').unwrap_or(word);
    let number = number.split_once('+').map_or(number, |(number, _)| number);
    number.split('.').count() == 3
        && number
            .split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

/// `s.…`, `b.…` and their like, and ours `srs_…` and `srb_…`: a short kind and at least twenty random characters, then perhaps
/// the short name of a namespace.
fn is_token(word: &str) -> bool {
    let word = word
        .strip_prefix("srs_")
        .or(word.strip_prefix("srb_"))
        .map_or_else(|| word.to_owned(), |rest| format!("s.{rest}"));
    let mut parts = word.splitn(3, '.');
    let (Some(kind), Some(random)) = (parts.next(), parts.next()) else { return false };
    kind.len() <= 3
        && kind.bytes().all(|b| b.is_ascii_lowercase())
        && random.len() >= 20
        && random.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && parts.next().is_none_or(|namespace| namespace.len() <= 8)
}

/// Twenty-four random letters and digits, of which few or none may be digits.
fn is_accessor(word: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    word.len() == 24
        && word.bytes().all(|b| b.is_ascii_alphanumeric())
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
}

/// A list in the order of random values has no order once they are masked.
fn sort_if_random<T>(items: &mut [T], text: impl Fn(&T) -> String) {
    if items.iter().any(|item| text(item).starts_with('<')) {
        items.sort_by_key(text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normaliser() -> Normaliser {
        let mut normaliser = Normaliser::default();
        normaliser.mask("abcdefghijkl", "secret");
        normaliser.mask("short", "never");
        normaliser
    }

    #[test]
    fn random_words_are_replaced() {
        for (text, expected) in [
            ("id 0b5f2e9c-1a2b-3c4d-5e6f-708192a3b4c5.", "id <uuid>."),
            ("at 2026-11-22T00:01:20.102Z, then", "at <time>, then"),
            ("Version    2.7.2", "Version <version>"),
            ("creation_time 1800000000", "creation_time <unix time>"),
            ("time: 2026-11-22 00:27:04.893353836 +0000 UTC", "time: <date> <clock> +0000 UTC"),
            ("0b5f2e9c-1a2b-3c4d-5e6f-708192a3b4c5.uKW7QM", "<uuid>.<id>"),
            ("s.QGOwSOZoAxbWBBTcP3y6b89O.uKW7QM", "<token>"),
            ("uuid:0b5f2e9c-1a2b-3c4d-5e6f-708192a3b4c5", "uuid:<uuid>"),
            ("id 6AkytN", "id <id>"),
            ("https://127.0.0.1:43740", "https://127.0.0.1:<port>"),
            ("ip 127.0.0.1 stays", "ip 127.0.0.1 stays"),
            ("kv_1a2b3c4d/ kv_config", "kv_<id>/ kv_config"),
            ("map[created_time:2026-11-22T00:01:20Z x:1]", "map[created_time:<time> x:1]"),
            ("s.QGOwSOZoAxbWBBTcP3y6b89O", "<token>"),
            ("srs_X8VVKBnc8Zc3cFGccWGRNmHyTik83z3km0", "<token>"),
            ("o0Y20qxbiZHKs1mLRn1uJOcr", "<accessor>"),
            ("x=abcdefghijkl; short", "x=<secret>; short"),
            ("token    whatever", "token <token>"),
            ("use 'bao kv get' of OpenBao's", "use '<command> kv get' of <product>'s"),
            ("Cluster Name    vault-cluster-1a2b3c4d", "Cluster Name <cluster_name>"),
            ("  * one\n  more\n  * two\n\nend", "* one more\n* two\n\nend"),
            ("Key          Value\n---          -----", "Key Value\n--- ---"),
        ] {
            assert_eq!(normaliser().text(text).join("\n"), expected, "{text}");
        }
    }

    #[test]
    fn json_is_replaced_by_value_and_by_name() {
        let given = json!({"accessor": "x", "token": "", "n": 1_800_000_000, "version": 1, "keys": ["b", "abcdefghijkl", "a"], "warnings": ["y", "x"]});
        let expected = json!({"accessor": "<accessor>", "token": "", "n": "<unix time>", "version": 1, "keys": ["<secret>", "a", "b"], "warnings": ["x", "y"]});
        assert_eq!(normaliser().json(&given), expected);
    }
}
