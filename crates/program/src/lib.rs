//! Whether a preload gets into a program, judged by its open file: what `mif-run` asks of the program
//! that is typed, and `libmif.so` of those that it starts in turn.
//!
//! - [`window`] reads a file piece by piece;
//! - [`elf`] and [`shebang`] say what it is;
//! - [`barrier`] says what is in the way of the preload, and what helps instead.
//!
//! `libmif.so` asks between `vfork` and `exec`, in the memory of a process that goes on. So nothing
//! here allocates, opens a file or calls libc. Finding files is the caller's.
#![forbid(unsafe_code)]

pub mod barrier;
pub mod elf;
pub mod shebang;
pub mod text;
pub mod window;

pub use barrier::{Barrier, Unreachable};
pub use elf::{Elf, Target};
pub use window::Window;
