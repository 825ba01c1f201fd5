use regex_syntax::hir::{Class, Hir, HirKind, Look};
use scan_rules::Pattern;

/// Draws texts that match expressions, the same ones after the same seed.
pub struct Draw {
    state: u64,
}

/// How often something is repeated that has no upper bound.
const MORE_MAX: u32 = 12;

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number below `end`, which is not 0. SplitMix64: <https://prng.di.unimi.it/splitmix64.c>.
    pub fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) % end as u64) as usize
    }

    /// A text that matches `pattern`, but for what it says of its surroundings.
    pub fn matching(&mut self, pattern: &Pattern) -> String {
        let mut text = Vec::new();
        self.append(pattern.hir(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// A template with each expression between `<<` and `>>` replaced by a text that matches it, and each `\n` by a line
    /// break; and the texts that were drawn.
    ///
    /// # Errors
    ///
    /// A sentence, if an expression is none.
    pub fn fill(&mut self, template: &str) -> Result<(String, Vec<String>), String> {
        let mut filled = String::new();
        let mut drawn = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("<<") {
            let (source, after) =
                after.split_once(">>").ok_or_else(|| format!("{template}: << without >>"))?;
            let pattern = Pattern::new(source).map_err(|e| format!("{template}: {e}"))?;
            let text = self.matching(&pattern);
            filled.push_str(&before.replace(r"\n", "\n"));
            filled.push_str(&text);
            drawn.push(text);
            rest = after;
        }
        filled.push_str(&rest.replace(r"\n", "\n"));
        Ok((filled, drawn))
    }

    fn append(&mut self, hir: &Hir, text: &mut Vec<u8>) {
        match hir.kind() {
            HirKind::Look(Look::EndLF) => text.push(b'\n'),
            HirKind::Look(Look::StartLF) if text.last().is_some_and(|byte| *byte != b'\n') => {
                text.push(b'\n')
            }
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
            HirKind::Class(class) => text.extend(self.member(class).to_string().bytes()),
            HirKind::Capture(capture) => self.append(&capture.sub, text),
            HirKind::Concat(list) => list.iter().for_each(|part| self.append(part, text)),
            HirKind::Alternation(list) => {
                let chosen = self.below(list.len());
                self.append(&list[chosen], text);
            }
            HirKind::Repetition(repetition) => {
                let max = repetition
                    .max
                    .unwrap_or(repetition.min + MORE_MAX)
                    .min(repetition.min + 4 * MORE_MAX);
                let times =
                    repetition.min as usize + self.below((max - repetition.min) as usize + 1);
                (0..times).for_each(|_| self.append(&repetition.sub, text));
            }
        }
    }

    /// One of a class, of what can be printed if there is any.
    fn member(&mut self, class: &Class) -> char {
        let ranges: Vec<(u32, u32)> = match class {
            Class::Unicode(class) => {
                class.iter().map(|r| (r.start().into(), r.end().into())).collect()
            }
            Class::Bytes(class) => {
                class.iter().map(|r| (r.start().into(), r.end().into())).collect()
            }
        };
        let printable =
            |(low, high): &(u32, u32)| (*low.max(&0x21)..=*high.min(&0x7E)).collect::<Vec<_>>();
        let mut members: Vec<u32> = ranges.iter().flat_map(printable).collect();
        if members.is_empty() {
            members = ranges.iter().map(|(low, _)| *low).collect();
        }
        let chosen = self.below(members.len());
        char::from_u32(members[chosen]).unwrap_or(' ')
    }
}
