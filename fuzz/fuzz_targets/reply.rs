#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mif_fuzz::any_reply(bytes));
