//! Provisioning domains for programs that want more than a policy: a safe interface to the MIF API of
//! `libmif.so` (draft-ietf-mif-api-extension-05; `include/mif.h` and `docs/api.md`).
//!
//! A provisioning domain, [`Pvd`], is a network's consistent set of configuration: its addresses, routers and
//! name servers (RFC 7556). A host with several of them has several networks, and a program may
//!
//! - list them ([`Api::pvds`]), and resolve and connect by one ([`Api::lookup`], [`Api::put`]) or by whichever
//!   answers first ([`Api::connect`]);
//! - choose one for all that a thread or the process does ([`Api::choose_for_thread`],
//!   [`Api::choose_for_process`]);
//! - follow what happens to them: [`Handle::post`] a [`Request`], [`Handle::get`] an [`Event`].
//!
//! Where a policy of mif is in force, the program sees the domains that the policy lets it use, and chooses
//! among these.
//!
//! # How the library is found
//!
//! Nothing is linked. [`Api::load`] finds libmif where it is in the process already, preloaded by `mif-run`
//! or linked, and else opens it. A program can so go on by itself where mif is not installed.
//!
//! # Example
//!
//! ```no_run
//! use std::io::Write;
//! use mif_api::{Api, Families};
//!
//! let api = Api::load()?;
//! for pvd in api.pvds(Families::Any)? {
//!     println!("{pvd}");
//! }
//! let wanted = [api.find("lte")?, api.find("wan1")?];
//! let mut stream = api.connect(&wanted, "example.org", "http", None)?;
//! stream.write_all(b"HEAD / HTTP/1.0\r\n\r\n")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it lacks on purpose
//!
//! Threads, an executor, and a dependency on one: a [`Handle`] has a descriptor that any event loop can wait
//! for.
#![cfg(target_os = "linux")]

mod api;
mod event;
mod handle;
mod layout;
mod lookup;
mod pvd;
mod raw;
mod request;
mod values;

pub use api::{Api, LoadError, ThreadChoice};
pub use event::Event;
pub use handle::Handle;
pub use lookup::LookupError;
pub use pvd::{ParsePvdError, Pvd, PvdKind};
pub use request::Request;
pub use values::{Element, Families, Info, SocketType, Strength};
