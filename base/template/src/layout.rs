use base_types::{Error, Result, Timestamp};
use jiff::tz::TimeZone;

/// The parts of Go's reference time, and what jiff calls them. Where one begins like another, the
/// longer stands first. <https://pkg.go.dev/time#pkg-constants>
const PARTS: [(&str, &str); 27] = [
    ("January", "%B"),
    ("Jan", "%b"),
    ("Monday", "%A"),
    ("Mon", "%a"),
    ("MST", "UTC"),
    ("2006", "%Y"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("002", "%j"),
    ("15", "%H"),
    ("1", "%-m"),
    ("_2", "%e"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("Z07:00", "Z"),
    ("Z0700", "Z"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    (".000", ".%3f"),
];

/// `now` in UTC, written like the reference time is in `layout`.
pub(crate) fn format(layout: &str, now: Timestamp) -> Result<String> {
    let mut pattern = String::new();
    let mut rest = layout;
    while let Some(first) = rest.chars().next() {
        match PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
            Some((part, directive)) => {
                pattern.push_str(directive);
                rest = &rest[part.len()..];
            }
            None => {
                pattern.push_str(if first == '%' { "%%" } else { &rest[..first.len_utf8()] });
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    let instant = jiff::Timestamp::from_nanosecond(i128::from(now.0)).map_err(Error::internal)?;
    let time = instant.to_zoned(TimeZone::UTC);
    jiff::fmt::strtime::format(&pattern, &time).map_err(|_| {
        Error::invalid("template: timestamp takes a layout of Go's, such as 2006-01-02")
    })
}
