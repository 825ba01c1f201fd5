use std::cmp::Ordering;

use crate::json::Json;

/// `value` as YAML 1.1 in block style, the text that Go's yaml.v2 writes for the same data: keys in
/// natural order, strings quoted where they would be read as something else, long lines folded
/// at 80 columns. Without a newline at the end.
pub(crate) fn emit(value: &Json) -> String {
    let mut emitter = Emitter { out: String::new(), column: 0 };
    emitter.node(value, Place::Top);
    emitter.out.trim().to_owned()
}

struct Emitter {
    out: String,
    column: usize,
}

/// Where a node stands; the number is the column of its parent.
#[derive(Clone, Copy)]
enum Place {
    Top,
    /// After `key:`.
    Member(usize),
    /// After `- `.
    Item(usize),
}

const WIDTH: usize = 80;

impl Emitter {
    fn node(&mut self, value: &Json, place: Place) {
        let text = match value {
            Json::List(items) if items.is_empty() => "[]".to_owned(),
            Json::Map(members) if members.is_empty() => "{}".to_owned(),
            Json::List(items) => return self.list(items, place),
            Json::Map(members) => return self.map(members, place),
            Json::Text(text) => return self.text(text, place),
            Json::Null => "null".to_owned(),
            Json::Bool(value) => value.to_string(),
            Json::Number(digits) => number(digits),
        };
        self.gap(place);
        self.put(&text);
    }

    fn list(&mut self, items: &[Json], place: Place) {
        // A list under a key starts in the key's own column.
        let indent = match place {
            Place::Top => 0,
            Place::Member(column) => column,
            Place::Item(column) => column + 2,
        };
        for (index, item) in items.iter().enumerate() {
            self.start_line(indent, index == 0, place);
            self.put("-");
            self.node(item, Place::Item(indent));
        }
    }

    fn map(&mut self, members: &[(String, Json)], place: Place) {
        let indent = match place {
            Place::Top => 0,
            Place::Member(column) | Place::Item(column) => column + 2,
        };
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by(|a, b| natural_order(&a.0, &b.0));
        for (index, (key, value)) in members.into_iter().enumerate() {
            self.start_line(indent, index == 0, place);
            self.key(key, indent);
            self.node(value, Place::Member(indent));
        }
    }

    /// Goes to `indent` on a new line; the first line of a node below `- ` goes on where it is.
    fn start_line(&mut self, indent: usize, first: bool, place: Place) {
        match place {
            Place::Item(_) if first => self.put(" "),
            _ => {
                if self.column > 0 {
                    self.line_break();
                }
                self.put(&" ".repeat(indent));
            }
        }
    }

    fn key(&mut self, key: &str, indent: usize) {
        if key.len() > 128 || key.contains('\n') {
            self.put("?");
            self.text(key, Place::Member(indent));
            self.start_line(indent, false, Place::Top);
        } else {
            match style(key) {
                Style::Plain => self.put(key),
                Style::Single => self.single_quoted(key, None),
                Style::Double | Style::Literal => self.double_quoted(key, None),
            }
        }
        self.put(":");
    }

    fn text(&mut self, text: &str, place: Place) {
        let indent = match place {
            Place::Top => 2,
            Place::Member(column) | Place::Item(column) => column + 2,
        };
        self.gap(place);
        match style(text) {
            Style::Plain => self.folded(text, indent, str::to_owned),
            Style::Single => self.single_quoted(text, Some(indent)),
            Style::Double => self.double_quoted(text, Some(indent)),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn gap(&mut self, place: Place) {
        if !matches!(place, Place::Top) {
            self.put(" ");
        }
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.put("|");
        if text.starts_with([' ', '\n']) {
            self.put("2");
        }
        match text.strip_suffix('\n') {
            None => self.put("-"),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.put("+"),
            Some(_) => {}
        }
        self.line_break();
        for line in text.split_inclusive('\n') {
            let (line, ends) = line.strip_suffix('\n').map_or((line, false), |line| (line, true));
            if !line.is_empty() {
                self.put(&" ".repeat(indent));
                self.put(line);
            }
            if ends {
                self.line_break();
            }
        }
    }

    fn single_quoted(&mut self, text: &str, indent: Option<usize>) {
        self.put("'");
        match indent {
            Some(indent) => self.folded(text, indent, |word| word.replace('\'', "''")),
            None => self.put(&text.replace('\'', "''")),
        }
        self.put("'");
    }

    /// Writes `text`, breaking at single spaces once the line is longer than it should be.
    fn folded(&mut self, text: &str, indent: usize, escape: impl Fn(&str) -> String) {
        let mut words = text.split(' ').peekable();
        let mut first = true;
        let mut after_space = false;
        while let Some(word) = words.next() {
            if !first {
                let next_is_space = word.is_empty() && words.peek().is_some();
                if self.column > WIDTH && !after_space && !next_is_space && !word.is_empty() {
                    self.line_break();
                    self.put(&" ".repeat(indent));
                } else {
                    self.put(" ");
                }
                after_space = word.is_empty();
            }
            first = false;
            self.put(&escape(word));
        }
    }

    fn double_quoted(&mut self, text: &str, indent: Option<usize>) {
        self.put("\"");
        let mut previous_space = false;
        let length = text.len();
        for (at, c) in text.char_indices() {
            let inside = at > 0 && at < length - 1;
            match indent {
                Some(indent) if c == ' ' && !previous_space && self.column > WIDTH && inside => {
                    self.line_break();
                    self.put(&" ".repeat(indent));
                    if text[at + 1..].starts_with(' ') {
                        self.put("\\");
                    }
                }
                _ => self.put(&escaped(c)),
            }
            previous_space = c == ' ';
        }
        self.put("\"");
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }
}

fn escaped(c: char) -> String {
    match c {
        '\0' => "\\0".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\r' => "\\r".to_owned(),
        '\u{1b}' => "\\e".to_owned(),
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{85}' => "\\N".to_owned(),
        '\u{a0}' => "\\_".to_owned(),
        '\u{2028}' => "\\L".to_owned(),
        '\u{2029}' => "\\P".to_owned(),
        c if printable(c) && c != '\u{feff}' => c.to_string(),
        c => match u32::from(c) {
            code @ 0..=0xff => format!("\\x{code:02X}"),
            code @ 0x100..=0xffff => format!("\\u{code:04X}"),
            code => format!("\\U{code:08X}"),
        },
    }
}

enum Style {
    Double,
    Literal,
    Plain,
    Single,
}

/// How a string is written so that it is read back as itself.
fn style(text: &str) -> Style {
    let last_space = text.ends_with(' ');
    let is_break = |c| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut pairs = text.chars().zip(text.chars().skip(1));
    let space_before_break = pairs.clone().any(|(a, b)| a == ' ' && is_break(b));
    let break_before_space = pairs.any(|(a, b)| is_break(a) && b == ' ');
    let special = space_before_break || text.chars().any(|c| !printable(c));
    if text.contains('\n') {
        return if special || last_space { Style::Double } else { Style::Literal };
    }
    if means_something_else(text) || special || break_before_space {
        return Style::Double;
    }
    let bare =
        !text.starts_with(' ') && !last_space && !text.contains(is_break) && !has_indicator(text);
    if bare { Style::Plain } else { Style::Single }
}

fn has_indicator(text: &str) -> bool {
    let blank = |c: Option<char>| c.is_none_or(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    let mut chars = text.chars();
    let opens = match chars.next() {
        Some(
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`',
        ) => true,
        Some('?' | ':' | '-') => blank(chars.next()),
        _ => false,
    };
    let document = text.starts_with("---") || text.starts_with("...");
    let colon =
        text.match_indices(':').any(|(at, _)| at > 0 && blank(text[at + 1..].chars().next()));
    let comment = [" #", "\t#"].iter().any(|hash| text.contains(hash));
    opens || document || colon || comment
}

fn printable(c: char) -> bool {
    matches!(c, '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && c != '\u{feff}'
}

/// Whether a bare `text` would be read as a boolean, null, number, time or merge key.
fn means_something_else(text: &str) -> bool {
    let words = [
        "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no",
        "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", "", "~", "null", "Null",
        "NULL", ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
        "-.Inf", "-.INF",
    ];
    words.contains(&text) || is_number(text) || is_time(text) || is_sexagesimal(text)
}

fn is_number(text: &str) -> bool {
    if text.starts_with('.') {
        return is_decimal(text.trim_end_matches('_'));
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-')) {
        return false;
    }
    let plain = text.replace('_', "");
    let digits = plain.strip_prefix(['+', '-']).unwrap_or(&plain);
    let lower = digits.to_ascii_lowercase();
    let in_base = |prefix: &str, base| {
        lower.strip_prefix(prefix).is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphanumeric())
                && u64::from_str_radix(rest, base).is_ok()
        })
    };
    in_base("0x", 16) || in_base("0b", 2) || in_base("0o", 8) || is_decimal(digits)
}

/// Digits, perhaps a point and an exponent.
fn is_decimal(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
        }
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// `190:20:30`, a number to the base of 60 in YAML 1.1.
fn is_sexagesimal(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut parts = text.split(':');
    let first = parts.next().unwrap_or_default();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let rest: Vec<_> = parts.collect();
    let in_minute = |part: &str| {
        (1..=2).contains(&part.len()) && part.parse::<u8>().is_ok_and(|number| number < 60)
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && digits(first)
        && !rest.is_empty()
        && rest.iter().enumerate().all(|(index, part)| match part.split_once('.') {
            Some((whole, fraction)) => {
                index + 1 == rest.len() && in_minute(whole) && digits(fraction)
            }
            None => in_minute(part),
        })
}

/// A date, or a date with a time: `2001-12-14`, `2001-12-14T21:59:43.1Z`, `2001-12-14 21:59:43`.
fn is_time(text: &str) -> bool {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    let date: Vec<_> = date.split('-').collect();
    let [year, month, day] = date[..] else { return false };
    let number = |text: &str,
                  digits: std::ops::RangeInclusive<usize>,
                  range: std::ops::RangeInclusive<u16>| {
        let fits = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits && text.parse().is_ok_and(|number: u16| range.contains(&number))
    };
    let dated =
        number(year, 4..=4, 0..=9999) && number(month, 1..=2, 1..=12) && number(day, 1..=2, 1..=31);
    let Some((separator, time)) = time else { return dated };
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let clock: Vec<_> = clock.split(':').collect();
    let [hour, minute, second] = clock[..] else { return false };
    let zone_fits = match separator {
        " " => zone.is_empty(),
        _ => {
            zone == "Z"
                || zone.get(1..).and_then(|zone| zone.split_once(':')).is_some_and(
                    |(hours, minutes)| {
                        number(hours, 2..=2, 0..=24) && number(minutes, 2..=2, 0..=60)
                    },
                )
        }
    };
    dated
        && zone_fits
        && number(hour, 1..=2, 0..=23)
        && number(minute, 1..=2, 0..=59)
        && number(second, 1..=2, 0..=59)
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// An integer as it is; any other number in Go's shortest form.
fn number(digits: &str) -> String {
    if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
        return digits.to_owned();
    }
    let Ok(value) = digits.parse::<f64>() else { return digits.to_owned() };
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Go's shortest `%g` has an exponent below -4 and from 6 on.
    if (-4..6).contains(&exponent) {
        return format!("{value}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// Letters by code, other characters before letters, runs of digits by their number.
fn natural_order(a: &str, b: &str) -> Ordering {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = (0..a.len().min(b.len())).find(|at| a[*at] != b[*at]) else {
        return a.len().cmp(&b.len());
    };
    let (left, right) = (a[at], b[at]);
    match (left.is_alphabetic(), right.is_alphabetic()) {
        (true, true) => left.cmp(&right),
        (false, true) => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, false) => digits_at(&a, at, right == '0')
            .cmp(&digits_at(&b, at, left == '0'))
            .then(left.cmp(&right)),
    }
}

/// The number that starts at `at` and its end; a difference in zeros inside a longer number
/// counts as a difference of that number.
fn digits_at(text: &[char], at: usize, other_is_zero: bool) -> (u64, usize) {
    let inside = (text[at] == '0' || other_is_zero)
        && text[..at].iter().rev().take_while(|c| c.is_numeric()).any(|c| *c != '0');
    let mut number = u64::from(inside);
    let mut end = at;
    while let Some(digit) = text.get(end).and_then(|c| c.to_digit(10)) {
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        end += 1;
    }
    (number, end)
}
