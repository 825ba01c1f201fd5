//! How well a text falls into the tokens of a language model: what was drawn at random needs many, words need few.
//!
//! Texts are cut as those of GPT-4 are, by the published vocabulary `cl100k_base`: <https://github.com/openai/tiktoken>.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex_automata::meta::Regex;

/// All tokens in the order of their ranks, each after a byte that is its length.
const VOCABULARY: &[u8] = include_bytes!("../../data/cl100k.bin");

/// English words of four letters and more, without those that have another one of them in them.
const WORDS: &str = include_str!("../../data/words.txt");

/// Where a text may be cut, by the rules of `cl100k_base`. What they say of spaces before a word is in [`pieces`].
const PIECE: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}",
    r"| ?[^\p{L}\p{N}\t-\r \x{85}\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+[\r\n]*",
    r"|[\t-\r \x{85}\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]*[\r\n]+",
    r"|[\t-\r \x{85}\xa0\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+",
);

/// A longer piece is cut here, so that the work grows with the length of the text alone.
const PIECE_BYTES_MAX: usize = 512;

/// A text with at least so many bytes a token is made of words.
const RATIO_MAX: f64 = 2.5;
/// The same for a short text that has a word of four letters in it.
const RATIO_MAX_OF_SHORT: f64 = 2.1;
/// What is shorter than this is short.
const SHORT: usize = 12;
/// What is shorter than this is one text in spite of line breaks.
const ONE_LINE: usize = 20;

/// Bytes a token, or 0 for an empty text.
pub(super) fn ratio(text: &[u8]) -> f64 {
    if text.is_empty() { 0.0 } else { text.len() as f64 / count(text) as f64 }
}

/// Whether a text looks like words more than like a secret.
pub(crate) fn is_too_efficient(text: &[u8]) -> bool {
    let joined: Vec<u8>;
    let text = if text.len() < ONE_LINE {
        joined = text.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')).collect();
        &joined
    } else {
        text
    };
    let words = Words::of_english();
    if text.is_empty() {
        return false;
    }
    if words.has_one(text, 5) {
        return true;
    }
    let is_short = text.len() < SHORT && words.has_one(text, 4);
    ratio(text) >= if is_short { RATIO_MAX_OF_SHORT } else { RATIO_MAX }
}

/// The number of tokens that a text falls into.
fn count(text: &[u8]) -> usize {
    let ranks = ranks();
    let text = String::from_utf8_lossy(text);
    pieces(&text)
        .flat_map(|piece| piece.as_bytes().chunks(PIECE_BYTES_MAX))
        .map(|piece| tokens(ranks, piece))
        .sum()
}

/// The pieces that are cut into tokens on their own.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    static REGEX: OnceLock<Regex> = OnceLock::new();
    let regex = REGEX.get_or_init(|| Regex::new(PIECE).expect("the expression is a constant"));
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let found = regex.find(rest)?;
        let mut piece = &rest[found.range()];
        // The last of several spaces belongs to the word behind them.
        if found.end() < rest.len()
            && piece.chars().all(char::is_whitespace)
            && !piece.ends_with(['\r', '\n'])
        {
            let last = piece.char_indices().next_back().map_or(0, |(at, _)| at);
            piece = if last > 0 { &piece[..last] } else { piece };
        }
        at += found.start() + piece.len();
        Some(piece)
    })
}

/// So many tokens a piece falls into: pairs are joined, the one with the least rank first, until no pair is a token.
fn tokens(ranks: &HashMap<&[u8], u32>, piece: &[u8]) -> usize {
    if ranks.contains_key(piece) {
        return 1;
    }
    let mut starts: Vec<usize> = (0..=piece.len()).collect();
    loop {
        let pairs = starts.windows(3).enumerate();
        let ranked = pairs.filter_map(|(i, w)| Some((*ranks.get(&piece[w[0]..w[2]])?, i)));
        match ranked.min() {
            Some((_, i)) => starts.remove(i + 1),
            None => return starts.len() - 1,
        };
    }
}

fn ranks() -> &'static HashMap<&'static [u8], u32> {
    static RANKS: OnceLock<HashMap<&[u8], u32>> = OnceLock::new();
    RANKS.get_or_init(|| {
        let mut ranks = HashMap::with_capacity(100_256);
        let mut rest = VOCABULARY;
        let mut rank = 0;
        while let Some((length, behind)) = rest.split_first() {
            let (token, behind) = behind.split_at(usize::from(*length));
            ranks.insert(token, rank);
            rank += 1;
            rest = behind;
        }
        ranks
    })
}

/// Words to be found in texts.
struct Words(std::collections::HashSet<&'static [u8]>);

impl Words {
    fn of_english() -> &'static Self {
        static WORDS_SET: OnceLock<Words> = OnceLock::new();
        WORDS_SET.get_or_init(|| Self(WORDS.lines().map(str::as_bytes).collect()))
    }

    /// Whether a word of at least so many letters is somewhere in the text.
    fn has_one(&self, text: &[u8], letters: usize) -> bool {
        let text = String::from_utf8_lossy(text).to_lowercase();
        let text = text.as_bytes();
        let has = |length: usize| text.windows(length).any(|part| self.0.contains(part));
        (letters..=LETTERS_MAX).any(has)
    }
}

/// The longest of the words has so many letters.
const LETTERS_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    /// The first two are the examples of tiktoken's documentation, the others what its rules for cutting say.
    #[test]
    fn texts_fall_into_the_tokens_of_the_vocabulary() {
        for (text, expect) in [
            ("tiktoken is great!", 6),
            ("antidisestablishmentarianism", 6),
            ("1234567", 3),
            ("hello  world", 3),
            ("hello \n world", 3),
            ("", 0),
        ] {
            assert_eq!(count(text.as_bytes()), expect, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_takes_no_longer_than_its_length_says() {
        let text = "xq".repeat(200_000);
        assert!(count(text.as_bytes()) > 100_000);
    }

    #[test]
    fn words_are_no_secrets() {
        for words in ["password", "correcthorse", "internationalization"] {
            assert!(is_too_efficient(words.as_bytes()), "{words}");
        }
        for secret in ["xK9pQ2vL8m", "f3a9c1d7e5b2", "", "\n"] {
            assert!(!is_too_efficient(secret.as_bytes()), "{secret:?}");
        }
    }
}
