use base_crypto::Random;
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// The random numbers of the kernel. The cryptography library has a generator of its own, which measures
/// the processor's jitter for many milliseconds before its first number: longer than all that is to be
/// done with most files.
pub(crate) struct KernelRandom;

impl Random for KernelRandom {
    fn fill(&self, bytes: &mut [u8]) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_filled() {
        let mut ored = [0; 1000];
        for _ in 0..20 {
            let mut bytes = [0; 1000];
            KernelRandom.fill(&mut bytes);
            ored.iter_mut().zip(bytes).for_each(|(all, byte)| *all |= byte);
        }
        assert!(ored.iter().all(|byte| *byte != 0));
    }
}
