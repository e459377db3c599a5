//! What keeps the start of every process short (docs/performance.md): libgcc's unwinder is linked
//! statically, since `libgcc_s.so` is more than half of what a Rust preload adds to it; and where this
//! library itself calls a function that it exports, the dynamic linker does not search for it. And the
//! library gets the name by which programs that link it ask for it: one that is preloaded answers to it,
//! from whatever file it came.

use std::{env, fs, path::PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(dir.join("libgcc_s.so"), "INPUT(-lgcc_eh -lgcc)\n").expect("OUT_DIR is writable");
    println!("cargo::rustc-link-search=native={}", dir.display());
    println!("cargo::rustc-cdylib-link-arg=-nostartfiles");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libmif.so.0");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
}
