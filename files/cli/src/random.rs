use std::sync::{Mutex, PoisonError};

use base_crypto::Random;
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use zeroize::{Zeroize, Zeroizing};

/// The random numbers of the kernel. The cryptography library has a generator of its own, which measures
/// the processor's jitter for many milliseconds before its first number: longer than all that is to be
/// done with most files.
///
/// Every value of a file takes 32 bytes, so they are fetched for several at a time.
#[derive(Default)]
pub(crate) struct KernelRandom(Mutex<Stock>);

/// Bytes that nobody has had; those before `used` are gone.
struct Stock {
    bytes: Zeroizing<[u8; STOCK]>,
    used: usize,
}

const STOCK: usize = 1024;

impl Default for Stock {
    fn default() -> Self {
        Self { bytes: Zeroizing::new([0; STOCK]), used: STOCK }
    }
}

impl Random for KernelRandom {
    fn fill(&self, bytes: &mut [u8]) {
        let mut stock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() > STOCK {
            return fetch(bytes);
        }
        if bytes.len() > STOCK - stock.used {
            fetch(&mut *stock.bytes);
            stock.used = 0;
        }
        let next = stock.used..stock.used + bytes.len();
        bytes.copy_from_slice(&stock.bytes[next.clone()]);
        stock.bytes[next.clone()].zeroize();
        stock.used = next.end;
    }
}

fn fetch(bytes: &mut [u8]) {
    let mut done = 0;
    while done < bytes.len() {
        match getrandom(&mut bytes[done..], GetRandomFlags::empty()) {
            Ok(count) => done += count,
            Err(Errno::INTR) => {}
            // Without random numbers no secret can be kept.
            Err(_) => std::process::abort(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled() {
        let random = KernelRandom::default();
        for length in [1, 32, 1000, STOCK, STOCK + 1, 5000] {
            let mut ored = vec![0; length];
            for _ in 0..20 {
                let mut bytes = vec![0; length];
                random.fill(&mut bytes);
                ored.iter_mut().zip(bytes).for_each(|(all, byte)| *all |= byte);
            }
            assert!(ored.iter().all(|byte| *byte != 0), "{length}");
        }
    }

    #[test]
    fn no_byte_is_given_twice() {
        let random = KernelRandom::default();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1000 {
            let mut bytes = [0; 24];
            random.fill(&mut bytes);
            assert!(seen.insert(bytes));
            let stock = random.0.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(stock.bytes[..stock.used].iter().all(|byte| *byte == 0));
        }
    }
}
