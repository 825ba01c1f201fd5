use regex_syntax::hir::{Class, Hir, HirKind};

/// Which bytes the first places of a match may have, for a look before the expression is run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Opening {
    places: Vec<[u64; 4]>,
}

/// After so many bytes the expression itself is no slower.
const PLACES_MAX: usize = 8;

impl Opening {
    pub(crate) fn of(hir: &Hir) -> Self {
        let mut opening = Self::default();
        opening.append(hir);
        opening
    }

    /// Whether a match may begin where `text` does.
    pub(crate) fn allows(&self, text: &[u8]) -> bool {
        text.len() >= self.places.len()
            && self.places.iter().zip(text).all(|(place, byte)| contains(place, *byte))
    }

    /// Adds what `hir` begins with; `false` where nothing that follows it is certain.
    fn append(&mut self, hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => true,
            HirKind::Capture(capture) => self.append(&capture.sub),
            HirKind::Literal(literal) => literal.0.iter().all(|byte| self.push(one(*byte))),
            HirKind::Class(class) => bytes(class).is_some_and(|place| self.push(place)),
            HirKind::Concat(list) => list.iter().all(|part| self.append(part)),
            HirKind::Repetition(repetition) => {
                let certain = (0..repetition.min.min(PLACES_MAX as u32))
                    .all(|_| self.append(&repetition.sub));
                certain && repetition.max == Some(repetition.min)
            }
            HirKind::Alternation(list) => self.alternatives(list),
        }
    }

    /// What all alternatives have, place by place; nothing is certain behind them.
    fn alternatives(&mut self, list: &[Hir]) -> bool {
        let all: Vec<Self> = list.iter().map(Self::of).collect();
        let length = all.iter().map(|opening| opening.places.len()).min().unwrap_or(0);
        for place in 0..length {
            let mut union = [0; 4];
            for opening in &all {
                union
                    .iter_mut()
                    .zip(opening.places[place])
                    .for_each(|(union, bits)| *union |= bits);
            }
            if !self.push(union) {
                return false;
            }
        }
        false
    }

    fn push(&mut self, place: [u64; 4]) -> bool {
        if self.places.len() == PLACES_MAX {
            return false;
        }
        self.places.push(place);
        true
    }
}

fn contains(place: &[u64; 4], byte: u8) -> bool {
    place[usize::from(byte >> 6)] & 1 << (byte & 63) != 0
}

fn one(byte: u8) -> [u64; 4] {
    let mut place = [0; 4];
    place[usize::from(byte >> 6)] |= 1 << (byte & 63);
    place
}

/// The bytes of a class of ASCII; of another one the length is not certain.
fn bytes(class: &Class) -> Option<[u64; 4]> {
    let mut place = [0; 4];
    let mut add = |low: u32, high: u32| {
        for byte in low..=high {
            place[byte as usize >> 6] |= 1 << (byte & 63);
        }
    };
    match class {
        Class::Unicode(class) if class.is_ascii() => {
            class.iter().for_each(|range| add(u32::from(range.start()), u32::from(range.end())));
        }
        Class::Bytes(class) => {
            class.iter().for_each(|range| add(u32::from(range.start()), u32::from(range.end())));
        }
        Class::Unicode(_) => return None,
    }
    Some(place)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use scan_rules::Pattern;

    fn check(source: &str, length: usize, yes: &[&str], no: &[&str]) {
        let opening = Opening::of(Pattern::new(source).unwrap().hir());
        assert_eq!(opening.places.len(), length, "{source}");
        for text in yes {
            assert!(opening.allows(text.as_bytes()), "{source}: {text}");
        }
        for text in no {
            assert!(!opening.allows(text.as_bytes()), "{source}: {text}");
        }
    }

    #[test]
    fn the_first_places_tell_most_texts_apart() {
        check(r"\bAC[0-9a-f]{32}\b", 8, &["ACdeadbeef"], &["account00", "ACcount", "AC"]);
        check(r"(?:gh[ps]_|glpat-)x", 4, &["ghp_x", "glpat-"], &["help", "GHP_"]);
        check(r"a?bc", 0, &["bc", "", "x"], &[]);
        check(r"ab+c", 2, &["abbc", "abx"], &["ac"]);
    }
}
