/// Whether a text is made of words, as names in code and placeholders are, and so was not drawn at random.
///
/// It looks at pairs of neighbouring letters: in words some are frequent, at random all are.
pub(crate) fn is_words(text: &[u8]) -> bool {
    // Of hexadecimal digits only `a` to `f` are letters, and these are frequent neighbours.
    let is_hex = text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    if is_hex && text.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let levels = text.windows(2).filter_map(|pair| level(pair[0], pair[1]));
    let (count, sum) = levels.fold((0, 0), |(count, sum), level| (count + 1, sum + level));
    let digits = text
        .chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit())
        .filter(|run| run[0].is_ascii_digit());
    let least = if digits.count() > 1 { MEAN_MIN_TENTHS } else { MEAN_MIN_TENTHS_OF_ONE_NUMBER };
    count >= PAIRS_MIN && 10 * sum >= least * count
}

/// With fewer pairs than these nothing is certain.
const PAIRS_MIN: usize = 6;

/// The mean level from which on a text is words; of what is random, it has one of a thousand with sixteen characters.
const MEAN_MIN_TENTHS: usize = 47;

/// Names in code have one number at most.
const MEAN_MIN_TENTHS_OF_ONE_NUMBER: usize = 40;

fn letter(byte: u8) -> Option<usize> {
    byte.is_ascii_alphabetic().then(|| usize::from(byte.to_ascii_lowercase() - b'a'))
}

/// How frequent two neighbouring bytes are in texts, from 0 to 9.
pub(crate) fn frequency(first: u8, second: u8) -> usize {
    level(first, second).unwrap_or(1)
}

fn level(first: u8, second: u8) -> Option<usize> {
    Some(usize::from(LEVELS[letter(first)?][letter(second)?] - b'0'))
}

/// How frequent each pair is among the distinct words of source code and English text: 4 is what it would be by
/// chance, each level above it twice as much. Rows are first letters, columns second ones.
const LEVELS: [&[u8; 26]; 26] = [
    b"25652351504766150767433341",
    b"53324111430521420442400031",
    b"61436216405532720546410020",
    b"53247310601332520453421020",
    b"63675542302657353877244630",
    b"41224510600410510433400020",
    b"40216124400324320442310000",
    b"50126101400221500324300020",
    b"55655550112658640566050305",
    b"20003000101000200010200000",
    b"30125110400302110131202000",
    b"62347211702622630155420051",
    b"64136100501342550143400020",
    b"62666472514324530267441020",
    b"34562441403557450755545210",
    b"61226223501512541645402040",
    b"00000000000000000100400000",
    b"62448340603354640465432040",
    b"41527235613433551267522040",
    b"62437316701443640665522151",
    b"44434330400546240555000000",
    b"50006010400010310000020000",
    b"40124103400103300330000100",
    b"21313200300110140114000200",
    b"11112100200223140243011020",
    b"20004000300000200000000000",
];

#[cfg(test)]
mod tests {
    use super::is_words;

    #[test]
    fn words_are_told_from_what_is_random() {
        for words in [
            "secret_key_base_of_the_application",
            "getElementsByTagNameAndClass",
            "production-database-primary-2",
            "CorrectHorseBatteryStaple",
            "YOUR_ACCESS_TOKEN_GOES_HERE",
            "kubernetes.io/dockerconfigjson",
            "com.acme.billing.InvoiceService",
            "X509HardwareKeyUsageFlags",
        ] {
            assert!(is_words(words.as_bytes()), "{words}");
        }
        for random in [
            "q7Zt0vLxWm3KpR9sYb2N",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "9fX2kQvB7mTzL4hWc8Rj",
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "12345",
        ] {
            assert!(!is_words(random.as_bytes()), "{random}");
        }
    }
}
