//! Whatever a server sends as a domain's additional information: reading it must end, and never panic.
#![no_main]

use std::time::SystemTime;

use mif_announce::{Information, Name};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(id) = Name::new("cafe.example.com") else {
        return;
    };
    let _ = Information::read(bytes, &id, SystemTime::UNIX_EPOCH);
});
