//! Whatever a router sends: reading it must end, and never panic. crates/announce/tests/golden.rs
//! does a part of it on stable Rust.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mif_announce::advertisement::parse(bytes);
});
