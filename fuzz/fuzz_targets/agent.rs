//! Whatever an agent's file contains: `mif_host::network::read_any_file`, which reads the bytes as
//! the file of each agent, must end, and never panic. The same runs on stable Rust in
//! crates/host/src/network/tests; crates/host/tests/agents has seeds.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = mif_host::network::read_any_file(bytes);
});
