#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::scan_git_sha256(data));
