#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_targets::store_log(data));
