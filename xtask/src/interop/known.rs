use std::cell::Cell;
use std::path::Path;

use super::compare::Difference;
use crate::Result;

/// The list of differences that are meant, `tests/interop/differences.toml`.
pub(crate) struct KnownDifferences(Vec<Known>);

/// One entry. In each pattern `*` stands for any text, and `<same>` in what both answer for a text
/// that is the same on both sides.
struct Known {
    area: Patterns,
    step: Patterns,
    field: Patterns,
    theirs: String,
    ours: String,
}

/// The places that an entry is about, one or several, each with whether it covered anything.
struct Patterns(Vec<(String, Cell<bool>)>);

impl KnownDifferences {
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Self::parse(&text).map_err(|message| format!("{}: {message}", path.display()))
    }

    fn parse(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|error| format!("{error}"))?;
        if let Some(name) = table.keys().find(|name| *name != "difference") {
            return Err(format!("'{name}' is unknown; the file holds [[difference]] entries"));
        }
        let entries = match table.get("difference") {
            Some(value) => value.as_array().ok_or("write entries as [[difference]]")?.as_slice(),
            None => &[],
        };
        entries.iter().map(Known::read).collect::<Result<_>>().map(Self)
    }

    /// Whether an entry covers this difference.
    pub(crate) fn covers(&self, area: &str, step: &str, difference: &Difference) -> bool {
        self.0.iter().any(|known| known.covers(area, step, difference))
    }

    /// The places of entries that covered nothing, as text.
    pub(crate) fn unused(&self) -> Vec<String> {
        let unused = |known: &Known| {
            let Known { area, step, field, .. } = known;
            let whole = field.first().to_owned();
            let parts = [area, step, field].into_iter().flat_map(Patterns::unused);
            parts.map(move |part| format!("{part} (of {whole})")).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(unused).collect()
    }
}

impl Known {
    fn read(entry: &toml::Value) -> Result<Self> {
        const FIELDS: [&str; 6] = ["area", "step", "field", "theirs", "ours", "reason"];
        let entry = entry.as_table().ok_or("an entry is a table")?;
        if let Some(name) = entry.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(format!("'{name}' is unknown; an entry has {}", FIELDS.join(", ")));
        }
        let text = |name: &str| entry.get(name).and_then(toml::Value::as_str);
        let pattern = |name| text(name).unwrap_or("*").to_owned();
        let field = Patterns::read(entry.get("field").ok_or("an entry lacks its field")?)?;
        if text("reason").is_none_or(|reason| reason.trim().is_empty()) {
            return Err(format!("the entry for '{}' lacks its reason", field.first()));
        }
        let place = |name| entry.get(name).map_or_else(|| Ok(Patterns::any()), Patterns::read);
        Ok(Self {
            area: place("area")?,
            step: place("step")?,
            field,
            theirs: pattern("theirs"),
            ours: pattern("ours"),
        })
    }

    fn covers(&self, area: &str, step: &str, difference: &Difference) -> bool {
        let Difference { field, theirs, ours } = difference;
        let places = [(&self.area, area), (&self.step, step), (&self.field, field.as_str())];
        let found = places.map(|(patterns, text)| patterns.find(text));
        if found.contains(&None) || !both_match(&self.theirs, theirs, &self.ours, ours) {
            return false;
        }
        found.into_iter().flatten().for_each(|used| used.set(true));
        true
    }
}

impl Patterns {
    fn any() -> Self {
        Self(vec![("*".to_owned(), Cell::new(false))])
    }

    fn read(value: &toml::Value) -> Result<Self> {
        let one = std::slice::from_ref(value);
        let texts = value.as_array().map_or(one, Vec::as_slice).iter().map(toml::Value::as_str);
        let patterns: Option<Vec<_>> =
            texts.map(|text| Some((text?.to_owned(), Cell::new(false)))).collect();
        let patterns = patterns.filter(|patterns| !patterns.is_empty());
        patterns.map(Self).ok_or_else(|| "a place is a text or a list of texts".to_owned())
    }

    fn first(&self) -> &str {
        self.0.first().map_or("", |(pattern, _)| pattern)
    }

    /// Where to note that the first pattern that fits has been of use.
    fn find(&self, text: &str) -> Option<&Cell<bool>> {
        self.0.iter().find(|(pattern, _)| matches(pattern, text)).map(|(_, used)| used)
    }

    fn unused(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, used)| !used.get()).map(|(pattern, _)| pattern.as_str())
    }
}

/// What stands in both patterns for the same text.
const SAME: &str = "<same>";

fn both_match(theirs_pattern: &str, theirs: &str, ours_pattern: &str, ours: &str) -> bool {
    let fits = |same: &str| {
        let fill = |pattern: &str| pattern.replacen(SAME, same, 1);
        matches(&fill(theirs_pattern), theirs) && matches(&fill(ours_pattern), ours)
    };
    let Some((before, _)) = ours_pattern.split_once(SAME) else { return fits("") };
    // The text begins where the pattern of ours says; how long it is, is tried.
    let Some(rest) = ours.strip_prefix(before) else { return false };
    (0..=rest.len()).rev().filter_map(|end| rest.get(..end)).any(fits)
}

/// Whether `text` fits `pattern`, where `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let Some((middle, end)) = rest.rsplit_once('*') else { return text.ends_with(rest) };
    for part in middle.split('*') {
        let Some(place) = text.find(part) else { return false };
        text = &text[place + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("body/*", "body/data", true),
            ("body/*", "header/x", false),
            ("*/x", "a/x", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("a*c*c", "abc", false),
            ("ab*ba", "aba", false),
            ("abc", "abcd", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_same_text_may_stand_in_two_forms() {
        let pair = |theirs, ours| both_match("1: <same>!", theirs, "<same>", ours);
        assert!(pair("1: gone!", "gone"));
        assert!(!pair("1: gone!", "lost"));
        assert!(!pair("1: gone!", "gone!"));
        let pair = |theirs, ours| both_match("x <same>: *", theirs, "<same>: *", ours);
        assert!(pair("x field \"a\": go", "field \"a\": rust"));
        assert!(!pair("x field \"a\": go", "field \"b\": rust"));
        assert!(both_match("*", "a", "*", "b"));
    }

    #[test]
    fn entries_cover_and_tell_when_they_do_not() {
        let text = "[[difference]]\narea = \"kv\"\nfield = \"body/a\"\nours = \"2\"\nreason = \"Because.\"\n";
        let known = KnownDifferences::parse(text).unwrap();
        let difference = |ours: &str| Difference {
            field: "body/a".to_owned(),
            theirs: "1".to_owned(),
            ours: ours.to_owned(),
        };
        assert!(!known.covers("kv", "GET /", &difference("3")));
        assert_eq!(known.unused(), ["kv (of body/a)", "* (of body/a)", "body/a (of body/a)"]);
        assert!(known.covers("kv", "GET /", &difference("2")));
        assert_eq!(known.unused(), [""; 0]);
    }

    #[test]
    fn each_place_of_a_list_must_be_of_use() {
        let text = "[[difference]]\nstep = [\"GET /a\", \"GET /b\"]\nfield = [\"status\"]\nreason = \"Because.\"\n";
        let known = KnownDifferences::parse(text).unwrap();
        let difference =
            Difference { field: "status".to_owned(), theirs: "1".to_owned(), ours: "2".to_owned() };
        assert!(known.covers("kv", "GET /b", &difference));
        assert!(!known.covers("kv", "GET /c", &difference));
        assert_eq!(known.unused(), ["GET /a (of status)"]);
    }

    #[test]
    fn entries_need_a_reason_and_known_fields() {
        for text in [
            "[[difference]]\nfield = \"a\"\n",
            "[[difference]]\nreason = \"Because.\"\n",
            "[[difference]]\nfield = []\nreason = \"Because.\"\n",
            "[[difference]]\nfield = \"a\"\nstep = [1]\nreason = \"Because.\"\n",
            "[[difference]]\nfield = \"a\"\nreason = \"Because.\"\ncolour = \"red\"\n",
            "[[diference]]\nfield = \"a\"\nreason = \"Because.\"\n",
        ] {
            assert!(KnownDifferences::parse(text).is_err(), "{text}");
        }
    }
}
