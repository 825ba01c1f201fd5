use crate::json::Json;

/// Splits cells of rows whose values may hold a `|`; nobody has this character in a secret.
pub(crate) const DELIMITER: &str = "♨";

/// Rows as aligned columns, four spaces apart. Cells are trimmed; an empty one reads `n/a`.
/// The last cell of a row is not padded.
pub(crate) fn columns(rows: &[String], delimiter: &str) -> String {
    let rows: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| {
            row.split(delimiter)
                .map(str::trim)
                .map(|cell| if cell.is_empty() { "n/a" } else { cell })
        })
        .map(Iterator::collect)
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<&str>| {
        let last = row.len() - 1;
        let cells = row.iter().zip(&widths).enumerate().map(|(index, (cell, width))| {
            if index == last { (*cell).to_owned() } else { format!("{cell:<width$}    ") }
        });
        cells.collect::<String>()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// `columns`, where the first row is a heading and gets underlined.
pub(crate) fn table(rows: &[String], delimiter: &str) -> String {
    let Some((heading, rest)) = rows.split_first() else { return String::new() };
    let underline: Vec<_> =
        heading.split(delimiter).map(|name| "-".repeat(name.trim().len())).collect();
    let mut all = vec![heading.clone(), underline.join(delimiter)];
    all.extend_from_slice(rest);
    columns(&all, delimiter)
}

/// The members of a map under `Key` and `Value`; `None` if there are none.
pub(crate) fn map(members: &[(String, Json)]) -> Option<String> {
    key_values(members.iter().map(|(key, value)| row(key, value)).collect())
}

/// Rows made by [`row`] under `Key` and `Value`.
pub(crate) fn key_values(mut rows: Vec<String>) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    rows.insert(0, format!("Key{DELIMITER}Value"));
    Some(table(&rows, DELIMITER))
}

/// One row of a key-value table; a number under a name like `ttl` is shown as a duration.
pub(crate) fn row(key: &str, value: &Json) -> String {
    format!("{key} {DELIMITER} {}", cell(key, value))
}

pub(crate) fn cell(key: &str, value: &Json) -> String {
    match value.as_integer() {
        Some(seconds) if is_duration(key) => duration(seconds),
        _ => value.to_string(),
    }
}

fn is_duration(key: &str) -> bool {
    let names = ["period", "ttl", "duration"];
    matches!(key, "lease_max" | "ttl_max")
        || names.iter().any(|name| key == *name || key.ends_with(&format!("_{name}")))
}

/// Seconds as `1h30m`: units that are zero are left out, except for `0s`.
pub(crate) fn duration(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let text = base_types::Ttl::from_seconds(seconds).to_string();
    let text = if text.ends_with("m0s") { &text[..text.len() - 2] } else { &text };
    let text = if text.contains("h0m") { text.replacen("h0m", "h", 1) } else { text.to_owned() };
    format!("{sign}{text}")
}

/// `== Data ==` as wide as the table of `members` that follows it.
pub(crate) fn banner_for(title: &str, members: &[(String, Json)]) -> String {
    let key = members.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    // Four spaces between the columns, five letters in "Value".
    banner(title, key + 4 + 5)
}

/// `title` between equal signs, about `width` wide.
pub(crate) fn banner(title: &str, width: usize) -> String {
    let signs = match width.saturating_sub(title.len() + 2) {
        0 => 4,
        signs => signs.next_multiple_of(2),
    };
    let signs = "=".repeat(signs / 2);
    format!("{signs} {title} {signs}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_underlined() {
        let rows = ["Path | Type | Description", "a/ | kv | ", "long-path/ | é | all of it"];
        let rows = rows.map(str::to_owned);
        assert_eq!(
            table(&rows, "|"),
            "Path          Type    Description\n\
             ----          ----    -----------\n\
             a/            kv      n/a\n\
             long-path/    é       all of it"
        );
        assert_eq!(table(&[], "|"), "");
    }

    #[test]
    fn durations_read_well() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (90, "1m30s"),
            (3600, "1h"),
            (3605, "1h5s"),
            (36_000, "10h"),
            (2_764_800, "768h"),
            (-5, "-5s"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
        assert_eq!(cell("max_ttl", &Json::number(60)), "1m");
        assert_eq!(cell("ttl", &Json::text("60")), "60");
        assert_eq!(cell("throttle", &Json::number(60)), "60");
    }

    #[test]
    fn banners_fit_their_tables() {
        assert_eq!(banner("Data", 12), "=== Data ===");
        assert_eq!(banner("Data", 13), "==== Data ====");
        assert_eq!(banner("Metadata", 3), "== Metadata ==");
    }
}
