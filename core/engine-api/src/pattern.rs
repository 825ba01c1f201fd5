/// The path of an endpoint below its mount: literal segments, `{name}` for one segment, and
/// `{name..}` for any number of segments, none included, wherever it stands.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    segments: Vec<Segment>,
}

/// Ordered by how specific a segment is, most specific first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Segment {
    Literal(&'static str),
    One(&'static str),
    Rest(&'static str),
}

pub(crate) type Params = Vec<(&'static str, String)>;

impl Pattern {
    pub(crate) fn parse(text: &'static str) -> Self {
        let parse =
            |part: &'static str| match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                None => Segment::Literal(part),
                Some(name) => match name.strip_suffix("..") {
                    None => Segment::One(name),
                    Some(name) => Segment::Rest(name),
                },
            };
        let segments = text.split('/').filter(|part| !part.is_empty()).map(parse).collect();
        Self { segments }
    }

    /// The literal segment that every matching path starts with, if there is one.
    pub(crate) fn head(&self) -> Option<&'static str> {
        match self.segments.first() {
            Some(Segment::Literal(literal)) => Some(literal),
            _ => None,
        }
    }

    /// `self` is to be tried before `other`.
    pub(crate) fn precedence(&self, other: &Self) -> std::cmp::Ordering {
        let rank = |segment: &Segment| match segment {
            Segment::Literal(_) => 0,
            Segment::One(_) => 1,
            Segment::Rest(_) => 2,
        };
        let pairs = self.segments.iter().zip(&other.segments);
        pairs.map(|(a, b)| rank(a).cmp(&rank(b))).find(|order| order.is_ne()).unwrap_or_else(|| {
            let (mine, theirs) = (self.segments.len(), other.segments.len());
            // A path that ends is more specific than one that goes on with any rest.
            let goes_on = |longer: &Self, at: usize| {
                matches!(longer.segments.get(at), Some(Segment::Rest(_)))
            };
            if goes_on(self, theirs) || goes_on(other, mine) {
                mine.cmp(&theirs)
            } else {
                theirs.cmp(&mine)
            }
        })
    }

    pub(crate) fn matches(&self, path: &str) -> Option<Params> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut params = Params::new();
        self.fits(&self.segments, &parts, &mut params).then_some(params)
    }

    fn fits(&self, segments: &[Segment], parts: &[&str], params: &mut Params) -> bool {
        match (segments.split_first(), parts.split_first()) {
            (None, None) => true,
            (None, Some(_)) => false,
            (Some((Segment::Rest(name), tail)), _) => {
                // What stands behind a rest is literal or single, so its length is known.
                let Some(taken) = parts.len().checked_sub(tail.len()) else { return false };
                params.push((name, parts[..taken].join("/")));
                self.fits(tail, &parts[taken..], params)
            }
            (Some(_), None) => false,
            (Some((Segment::Literal(literal), tail)), Some((part, rest))) => {
                literal == part && self.fits(tail, rest, params)
            }
            (Some((Segment::One(name), tail)), Some((part, rest))) => {
                params.push((name, (*part).to_owned()));
                self.fits(tail, rest, params)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &'static str, path: &str, expect: Option<&[(&str, &str)]>) {
        let found = Pattern::parse(pattern).matches(path);
        let found: Option<Vec<_>> =
            found.as_ref().map(|params| params.iter().map(|(n, v)| (*n, v.as_str())).collect());
        assert_eq!(found.as_deref(), expect, "{pattern} on {path}");
    }

    #[test]
    fn segments_bind_as_written() {
        check("config", "config", Some(&[]));
        check("config", "config/a", None);
        check("role/{name}", "role/a", Some(&[("name", "a")]));
        check("role/{name}", "role", None);
        check("role/{name}/id", "role/a/id", Some(&[("name", "a")]));
        check("data/{path..}", "data", Some(&[("path", "")]));
        check("data/{path..}", "data/a/b", Some(&[("path", "a/b")]));
        check("{path..}", "", Some(&[("path", "")]));
        check("mounts/{path..}/tune", "mounts/a/b/tune", Some(&[("path", "a/b")]));
        check("mounts/{path..}/tune", "mounts/tune", Some(&[("path", "")]));
        check("mounts/{path..}/tune", "mounts/a", None);
    }

    #[test]
    fn an_end_comes_before_any_rest() {
        let mut patterns =
            ["a/{p..}", "a", "a/{p..}/tune", "{p..}"].map(|text| (text, Pattern::parse(text)));
        patterns.sort_by(|a, b| a.1.precedence(&b.1));
        assert_eq!(patterns.map(|(text, _)| text), ["a", "a/{p..}/tune", "a/{p..}", "{p..}"]);
    }

    #[test]
    fn the_more_specific_comes_first() {
        let mut patterns = ["{path..}", "role/{name}", "role/{name}/id", "role/tidy", "role/{n..}"]
            .map(|text| (text, Pattern::parse(text)));
        patterns.sort_by(|a, b| a.1.precedence(&b.1));
        assert_eq!(
            patterns.map(|(text, _)| text),
            ["role/tidy", "role/{name}/id", "role/{name}", "role/{n..}", "{path..}"]
        );
    }
}
