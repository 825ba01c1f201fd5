use std::sync::atomic::{AtomicU64, Ordering};

/// Where unpredictable bytes come from. Everything that needs them is given one; tests own theirs.
pub trait Random: Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]);
}

/// The cryptographic generator of the library, seeded by the operating system.
///
/// Without entropy no secret can be made and no promise be kept, so the process aborts then.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// A predictable sequence for tests: SplitMix64 from a seed. Never for real secrets.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    // https://prng.di.unimi.it/splitmix64.c
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub fn random_array<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// `length` characters of `0-9A-Za-z`, each of the 62 equally likely: 5.95 bits per character.
pub fn random_base62(random: &dyn Random, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    // 248 is the largest multiple of 62 in a byte; the few bytes above it would favour the
    // first characters and are drawn again.
    const LIMIT: u8 = 248;
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let bytes: [u8; 32] = random_array(random);
        let fair = bytes.iter().filter(|byte| **byte < LIMIT);
        for byte in fair.take(length - text.len()) {
            text.push(ALPHABET[usize::from(byte % 62)].into());
        }
    }
    text
}

/// A UUID of version 4 (RFC 9562, section 5.4) in lower case with hyphens.
pub fn random_uuid(random: &dyn Random) -> String {
    let mut bytes: [u8; 16] = random_array(random);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = crate::hex(&bytes);
    for at in [8, 13, 18, 23] {
        text.insert(at, '-');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_seeded_sequence_is_splitmix64() {
        let random = SeededRandom::new(1_234_567);
        // The first outputs for this seed, as published with the Rosetta Code task.
        for expected in [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973] {
            assert_eq!(u64::from_le_bytes(random_array(&random)), expected);
        }
    }

    #[test]
    fn the_system_never_repeats_itself() {
        let drawn: HashSet<[u8; 16]> = (0..1000).map(|_| random_array(&SystemRandom)).collect();
        assert_eq!(drawn.len(), 1000);
    }

    #[test]
    fn base62_has_the_length_and_every_character_about_equally_often() {
        let random = SeededRandom::new(1);
        for length in [0, 1, 31, 32, 33, 100] {
            assert_eq!(random_base62(&random, length).len(), length);
        }
        let text = random_base62(&random, 62_000);
        let mut counts = [0_u32; 128];
        for byte in text.bytes() {
            assert!(byte.is_ascii_alphanumeric());
            counts[usize::from(byte)] += 1;
        }
        // A biased draw (byte % 62 without rejection) would give the first eight 1211.
        let seen: Vec<u32> = counts.into_iter().filter(|count| *count > 0).collect();
        assert_eq!(seen.len(), 62);
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_uuid_says_its_version() {
        for seed in 0..100 {
            let uuid = random_uuid(&SeededRandom::new(seed));
            assert_eq!(uuid.len(), 36);
            assert_eq!(uuid.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
            assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        }
    }
}
