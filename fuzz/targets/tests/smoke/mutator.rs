/// Changes seeds a little, always in the same way for the same number.
pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) fn new(seed: u64, round: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round.wrapping_mul(0xd1b5_4a32_d192_ed03))
    }

    /// One of the seeds after one to six changes.
    pub(crate) fn mutate(&mut self, seeds: &[&[u8]], words: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(seeds).to_vec();
        for _ in 0..=self.below(6) {
            self.change(&mut input, seeds, words);
        }
        input.truncate(LENGTH_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[&[u8]], words: &[Vec<u8>]) {
        let (start, end) = self.range(input.len());
        match self.below(8) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 => input.truncate(start),
            2 => drop(input.drain(start..end)),
            3 => {
                let copy = input[start..end].repeat(1 + self.below(4));
                input.splice(start..start, copy);
            }
            4 => {
                let other = self.pick(seeds).to_vec();
                let (from, to) = self.range(other.len());
                input.splice(start..end, other[from..to].iter().copied());
            }
            5 => {
                let byte = *self.pick(b"\0\n\r\"'\\/.{}[]:,=<#*+-%09aA \x7f\xc3\xff");
                let count = if self.below(16) == 0 { 100 } else { 1 };
                input.splice(start..start, vec![byte; count]);
            }
            _ => {
                let word = self.pick(words).clone();
                let end = if self.below(2) == 0 { start } else { end };
                input.splice(start..end, word);
            }
        }
    }

    /// A part of something of this length, usually a short one.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length + 1);
        let most = if self.below(4) == 0 { length - start } else { (length - start).min(8) };
        (start, start + self.below(most + 1))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// SplitMix64, <https://prng.di.unimi.it/splitmix64.c>, reduced to a number below `limit`.
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % limit as u64) as usize
    }
}

/// Keeps the search among inputs that take no time.
const LENGTH_MAX: usize = 8192;

/// The words of a libFuzzer dictionary: one in quotes on each line, where `\"`, `\\` and `\xHH`
/// stand for a byte.
pub(crate) fn dictionary(text: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| Some(line.strip_prefix('"')?.strip_suffix('"')?.to_owned());
    text.lines().filter_map(quoted).map(|word| unescape(&word)).collect()
}

fn unescape(word: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        match after.strip_prefix('x') {
            Some(digits) => {
                bytes.push(u8::from_str_radix(&digits[..2], 16).unwrap());
                rest = &digits[2..];
            }
            None => {
                bytes.extend(after.bytes().take(1));
                rest = &after[1..];
            }
        }
    }
    bytes.extend(rest.bytes());
    bytes
}
