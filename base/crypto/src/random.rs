use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroize;

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
        // To ask the library costs much the same for 16 bytes and for 512, and most ask for few.
        if bytes.len() > RESERVE / 4 {
            return draw(bytes);
        }
        RESERVED.with_borrow_mut(|reserved| reserved.take(bytes));
    }
}

fn draw(bytes: &mut [u8]) {
    if aws_lc_rs::rand::fill(bytes).is_err() {
        std::process::abort();
    }
}

const RESERVE: usize = 512;

thread_local! {
    static RESERVED: RefCell<Reserve> = const { RefCell::new(Reserve { bytes: [0; RESERVE], left: 0 }) };
}

/// Bytes drawn in advance for one thread; what is taken is wiped here.
struct Reserve {
    bytes: [u8; RESERVE],
    left: usize,
}

impl Reserve {
    fn take(&mut self, wanted: &mut [u8]) {
        if self.left < wanted.len() {
            draw(&mut self.bytes);
            self.left = RESERVE;
        }
        let taken = &mut self.bytes[self.left - wanted.len()..self.left];
        wanted.copy_from_slice(taken);
        taken.zeroize();
        self.left -= wanted.len();
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
    let mut text = String::with_capacity(36);
    for (at, byte) in bytes.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(b"0123456789abcdef"[usize::from(digit)].into());
        }
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
    fn no_part_of_what_the_system_gives_stays_empty() {
        for length in [1, 12, 16, RESERVE / 4, RESERVE / 4 + 1, 2 * RESERVE] {
            let mut seen = vec![0; length];
            // That a byte is zero forty times in a row does not happen.
            for _ in 0..40 {
                let mut bytes = vec![0; length];
                SystemRandom.fill(&mut bytes);
                seen.iter_mut().zip(bytes).for_each(|(seen, byte)| *seen |= byte);
            }
            assert!(seen.iter().all(|byte| *byte != 0), "{length}");
        }
    }

    #[test]
    fn what_was_taken_from_the_reserve_is_wiped() {
        let mut reserve = Reserve { bytes: [7; RESERVE], left: RESERVE };
        let mut taken = [0; 16];
        reserve.take(&mut taken);
        assert_eq!(taken, [7; 16]);
        assert_eq!(reserve.bytes[RESERVE - 16..], [0; 16]);
        assert_eq!(reserve.left, RESERVE - 16);
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
            let hex: [u8; 16] = random_array(&SeededRandom::new(seed));
            assert!(uuid.starts_with(&crate::hex(&hex[..4])), "{uuid}");
            assert_eq!(uuid.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        }
    }
}
