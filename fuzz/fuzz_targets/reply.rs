//! Whatever a server sends: `mif_resolve::read_any_reply` must end, and never panic. What it does
//! is there; the same runs on stable Rust in crates/resolve/tests/mutants.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mif_resolve::read_any_reply(bytes);
});
