//! Bytes that are nearly always text, for people.

use std::fmt::{self, Write};

/// Shows bytes as text, with U+FFFD for what is none.
#[must_use]
pub fn lossy(bytes: &[u8]) -> impl fmt::Display + use<'_> {
    fmt::from_fn(move |f| {
        for chunk in bytes.utf8_chunks() {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    })
}
