//! What a user wants, as values: the policy language and the decisions that follow from it.
//!
//! Texts become a [`Policy`] ([`parse`]), a [`Flow`] and a view of the host become a [`Verdict`]
//! ([`Policy::decide`]). The crate deliberately lacks a file, a socket, a clock and an
//! environment: who reads texts hands them in, and who knows the host answers through [`Host`].
//! So every decision can be tested, explained and repeated anywhere.
#![forbid(unsafe_code)]

mod addrsel;
mod decide;
mod fault;
mod file;
mod guard;
mod interfaces;
mod known;
mod model;
mod names;
mod narrow;
mod outcome;
mod resolv_conf;
mod resolvers;
mod rules;
mod server;
mod uniform;
mod verdict;

pub use addrsel::{AddressSelection, Prefer, PreferSource, Row};
pub use fault::{Fault, Faults};
pub use file::{Input, Lists, Options, Text, domains, keys, parse, parse_with};
pub use known::Known;
pub use model::{
    Children, Choice, Dns, Explicit, Families, Guard, Interface, Interfaces, Place, Policy, Pvd,
    PvdId, Rule, RuleId, Use,
};
pub use names::{InterfaceName, NamePattern, Prefix, Zone};
pub use resolv_conf::ResolvConf;
pub use resolvers::{Looked, Resolver, Resolvers, Why};
pub use rules::Rules;
pub use server::{DnsTransport, Server, ServerName};
pub use uniform::{is_ordinary, is_ordinary_v4, is_ordinary_v6};
pub use verdict::{
    Bound, Flow, Gave, Host, Link, Need, Origin, Pass, Protocol, Refusal, Route, Unusable, Verdict,
};
