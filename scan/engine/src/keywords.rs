use crate::words;

/// All literals that the rules want to know of, looked for in one pass that does not look at the case of ASCII letters.
///
/// At each place four bytes are hashed into a table of bits that is small enough for the nearest cache; only where the bit
/// is set, and that of a second hash in a second table, are the literals of that hash compared. It is several times as fast as an automaton of some hundred literals,
/// because nothing is carried from one byte to the next.
pub(crate) struct Keywords {
    bits: Box<Bits>,
    second_bits: Box<Bits>,
    /// By the bucket of a hash: where its entries begin; and one number more.
    firsts: Vec<u32>,
    entries: Vec<Entry>,
    literals: Vec<Vec<u8>>,
    /// The literals that are too short for this; each is looked for on its own when somebody asks.
    short: Vec<usize>,
    has_line_break: bool,
}

/// A literal in a bucket: up to eight bytes of it in one word, so that most comparisons are one instruction.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Entry {
    word: u64,
    mask: u64,
    number: u16,
    /// Where in the literal the four bytes are that were hashed.
    offset: u16,
}

/// Literals while they are collected; each text has one number.
#[derive(Default)]
pub(crate) struct Collector {
    list: Vec<Vec<u8>>,
    numbers: std::collections::HashMap<Vec<u8>, usize>,
}

/// Shorter ones than this are not found by [`Keywords::each`].
pub(crate) const LENGTH_MIN: usize = 3;

/// So many bits a hash has: 32 KiB of table.
const HASH_BITS: u32 = 18;

/// A bit for each hash. Of a known length, so that the compiler sees that no hash lies outside.
type Bits = [u64; WORDS];
const WORDS: usize = 1 << (HASH_BITS - 6);

/// So many places of a long literal are considered.
const OFFSETS_MAX: usize = 24;

/// As many buckets as bits would be mostly empty.
const BUCKET_BITS: u32 = 14;

/// The bit that tells small letters from capital ones, in all bytes.
const SMALL: u32 = 0x2020_2020;
const SMALL_WORD: u64 = 0x2020_2020_2020_2020;

impl Collector {
    /// The number of `literal`, which is in lower case.
    pub(crate) fn number(&mut self, literal: &[u8]) -> usize {
        if let Some(number) = self.numbers.get(literal) {
            return *number;
        }
        let number = self.list.len();
        self.list.push(literal.to_vec());
        self.numbers.insert(literal.to_vec(), number);
        number
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn finish(self) -> Keywords {
        let mut keywords = Keywords {
            bits: Box::new([0; WORDS]),
            second_bits: Box::new([0; WORDS]),
            firsts: Vec::with_capacity((1 << BUCKET_BITS) + 1),
            entries: Vec::new(),
            short: (0..self.list.len())
                .filter(|number| self.list[*number].len() < LENGTH_MIN)
                .collect(),
            has_line_break: self.list.iter().any(|literal| literal.contains(&b'\n')),
            literals: self.list,
        };
        let mut entries: Vec<(usize, Entry)> = Vec::new();
        for number in 0..keywords.literals.len() {
            keywords.insert(number, &mut entries);
        }
        entries.sort_unstable_by_key(|(bucket, entry)| (*bucket, entry.number));
        entries.dedup();
        let mut first = 0;
        for bucket in 0..=1 << BUCKET_BITS {
            first += entries[first..].iter().take_while(|(of, _)| *of < bucket).count();
            keywords.firsts.push(first as u32);
        }
        keywords.entries = entries.into_iter().map(|(_, entry)| entry).collect();
        keywords
    }
}

impl Keywords {
    /// Calls `found` with the number of each literal in `bytes` and the place where it begins, all of them, overlapping
    /// ones too; those that are near to one another in any order. Short literals are left out.
    pub(crate) fn each(&self, bytes: &[u8], mut found: impl FnMut(usize, usize)) {
        for (at, window) in bytes.windows(4).enumerate() {
            let four = u32::from_le_bytes([window[0], window[1], window[2], window[3]]) | SMALL;
            let hash = hash(four);
            if is_set(&self.bits, hash) && is_set(&self.second_bits, second_hash(four)) {
                self.compare(hash, bytes, at, &mut found);
            }
        }
        // The last three bytes, as if a fourth one followed.
        if let Some([a, b, c]) = bytes.last_chunk::<3>() {
            let hash = hash(u32::from_le_bytes([*a, *b, *c, 0]) | SMALL);
            self.compare(hash, bytes, bytes.len() - 3, &mut found);
        }
    }

    /// Whether a literal goes over the end of a line.
    pub(crate) fn has_line_break(&self) -> bool {
        self.has_line_break
    }

    /// Calls `found` with the number of each short literal that is in `bytes`.
    pub(crate) fn each_short(&self, bytes: &[u8], mut found: impl FnMut(usize)) {
        for number in &self.short {
            let literal = &self.literals[*number];
            if literal.is_empty()
                || bytes.windows(literal.len()).any(|window| window.eq_ignore_ascii_case(literal))
            {
                found(*number);
            }
        }
    }

    fn compare(&self, hash: usize, bytes: &[u8], at: usize, found: &mut impl FnMut(usize, usize)) {
        let bucket = bucket(hash);
        let entries = self.firsts[bucket] as usize..self.firsts[bucket + 1] as usize;
        for entry in &self.entries[entries] {
            let Some(start) = at.checked_sub(usize::from(entry.offset)) else { continue };
            if (first_word(&bytes[start..]) | SMALL_WORD) & entry.mask != entry.word {
                continue;
            }
            let number = usize::from(entry.number);
            let literal = &self.literals[number];
            let text = bytes.get(start..start + literal.len());
            if text.is_some_and(|text| text.eq_ignore_ascii_case(literal)) {
                found(number, start);
            }
        }
    }

    /// Sets the bit of the most seldom four bytes of a literal; one of three has a bit for each byte that may follow.
    fn insert(&mut self, number: usize, entries: &mut Vec<(usize, Entry)>) {
        let literal = &self.literals[number];
        let offset = rarest(literal);
        let fours: Vec<u32> = match &literal[offset..] {
            [a, b, c, d, ..] => vec![u32::from_le_bytes([*a, *b, *c, *d]) | SMALL],
            [a, b, c] => {
                (0..=u8::MAX).map(|d| u32::from_le_bytes([*a, *b, *c, d]) | SMALL).collect()
            }
            _ => Vec::new(),
        };
        let mask = u64::MAX >> (64 - 8 * literal.len().clamp(1, 8));
        let word = (first_word(literal) | SMALL_WORD) & mask;
        // The scanner refuses more literals than this counts; an offset is one of the first bytes.
        let small = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let entry = Entry { word, mask, number: small(number), offset: small(offset) };
        for four in fours {
            let hash = hash(four);
            set(&mut self.bits, hash);
            set(&mut self.second_bits, second_hash(four));
            entries.push((bucket(hash), entry));
        }
    }
}

/// Where the four bytes of a literal begin that are the most seldom in other texts, among its first ones.
fn rarest(literal: &[u8]) -> usize {
    let windows = literal.windows(4).take(OFFSETS_MAX).enumerate();
    let frequency = |window: &[u8]| {
        window.windows(2).map(|pair| words::frequency(pair[0], pair[1])).sum::<usize>()
    };
    windows.min_by_key(|(_, window)| frequency(window)).map_or(0, |(offset, _)| offset)
}

/// The first eight bytes as a number, with zeros for those that are not there.
fn first_word(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => {
            let mut chunk = [0; 8];
            chunk[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(chunk)
        }
    }
}

/// The highest bits of a product by the golden ratio. <https://en.wikipedia.org/wiki/Hash_function#Fibonacci_hashing>
fn hash(bytes: u32) -> usize {
    (bytes.wrapping_mul(0x9E37_79B1) >> (32 - HASH_BITS)) as usize
}

fn bucket(hash: usize) -> usize {
    hash >> (HASH_BITS - BUCKET_BITS)
}

/// Another odd number for the same purpose, from the square root of two.
fn second_hash(bytes: u32) -> usize {
    (bytes.wrapping_mul(0xB504_F333) >> (32 - HASH_BITS)) as usize
}

fn is_set(bits: &Bits, hash: usize) -> bool {
    bits[hash >> 6] & 1 << (hash & 63) != 0
}

fn set(bits: &mut Bits, hash: usize) {
    bits[hash >> 6] |= 1 << (hash & 63);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(literals: &[&str], text: &str) -> Vec<(String, usize)> {
        let mut collector = Collector::default();
        literals.iter().for_each(|literal| _ = collector.number(literal.as_bytes()));
        let keywords = collector.finish();
        let mut list = Vec::new();
        keywords.each(text.as_bytes(), |number, at| list.push((literals[number].to_owned(), at)));
        list
    }

    #[test]
    fn every_literal_is_found_everywhere_and_in_any_case() {
        let text = "APIKEY key Key_ xkey";
        let expect =
            [("apikey", 0), ("key", 3), ("key", 7), ("key", 11), ("key_", 11), ("key", 17)];
        let mut list = found(&["key", "apikey", "key_", "missing"], text);
        list.sort_by_key(|(literal, at)| (*at, literal.len()));
        let mut sorted: Vec<(String, usize)> =
            expect.iter().map(|(l, at)| ((*l).to_owned(), *at)).collect();
        sorted.sort_by_key(|(literal, at)| (*at, literal.len()));
        assert_eq!(list, sorted);
    }

    #[test]
    fn what_is_shorter_than_a_window_is_no_panic() {
        for text in ["", "k", "ke", "key", "KEY\n"] {
            assert_eq!(found(&["key"], text).len(), usize::from(text.len() >= 3), "{text}");
        }
    }

    #[test]
    fn letters_alone_have_two_cases() {
        // An underscore differs from the byte 0x7F by the same bit as `A` from `a`.
        assert!(found(&["a_bc"], "a\u{7f}bc").is_empty());
        assert_eq!(found(&["a_bc"], "A_BC").len(), 1);
    }
}
