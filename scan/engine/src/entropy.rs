/// Shannon entropy in bits a character, as gitleaks counts it: characters are those of UTF-8, the length
/// is in bytes.
pub(crate) fn shannon(text: &[u8]) -> f64 {
    if text.is_ascii() {
        let mut counts = [0u32; 128];
        text.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        return of_counts(counts.into_iter().filter(|count| *count > 0), text.len());
    }
    let mut counts = std::collections::BTreeMap::<char, u32>::new();
    String::from_utf8_lossy(text).chars().for_each(|c| *counts.entry(c).or_default() += 1);
    of_counts(counts.into_values(), text.len())
}

fn of_counts(counts: impl Iterator<Item = u32>, length: usize) -> f64 {
    let inverse = 1.0 / length as f64;
    // What begins with 0 does not end with -0, which a report would show.
    counts.fold(0.0, |entropy, count| {
        let frequency = f64::from(count) * inverse;
        entropy - frequency * frequency.log2()
    })
}

#[cfg(test)]
mod tests {
    use super::shannon;

    #[test]
    fn entropy_is_that_of_the_definition() {
        assert_eq!(shannon(b""), 0.0);
        assert_eq!(shannon(b"aaaa"), 0.0);
        assert!(shannon(b"aaaa").is_sign_positive());
        assert_eq!(shannon(b"abcd"), 2.0);
        assert_eq!(shannon(b"0123456789abcdef"), 4.0);
        // Two characters of two bytes each: the length counts bytes.
        assert_eq!(shannon("éè".as_bytes()), 1.0);
    }
}
