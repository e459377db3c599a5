//! The language by example: `golden/good/*.toml` and what is meant, `golden/bad/*.toml` and the
//! whole of what is said. `UPDATE_EXPECT=1 cargo test` writes the expectations anew.

mod common;

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use common::{cases, policy};
use mif_policy::{
    AddressSelection, Children, Choice, Dns, Interfaces, Policy, Pvd, Row, Rule, Use,
};

#[test]
fn good_policies_mean_what_they_say() {
    for case in cases("good") {
        let text = fs::read_to_string(&case).unwrap();
        let policy = policy(&name(&case), &text);
        let policy = policy.unwrap_or_else(|faults| panic!("{}:\n{faults}", case.display()));
        expect(&case, &dump(&policy));
    }
}

#[test]
fn bad_policies_are_told_all_their_faults() {
    for case in cases("bad") {
        let text = fs::read_to_string(&case).unwrap();
        match policy(&name(&case), &text) {
            Ok(policy) => panic!("{} has no fault:\n{}", case.display(), dump(&policy)),
            Err(faults) => expect(&case, &format!("{faults}\n")),
        }
    }
}

fn name(case: &Path) -> String {
    case.file_name().unwrap().to_str().unwrap().to_owned()
}

fn expect(case: &Path, actual: &str) {
    let path = case.with_extension("txt");
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if actual == expected {
        return;
    }
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, actual).unwrap();
    } else {
        panic!(
            "{} differs (UPDATE_EXPECT=1 accepts)\n--- expected\n{expected}\n--- actual\n{actual}",
            path.display()
        );
    }
}

/// A policy on as few lines as can be read; what is not said is not printed.
fn dump(policy: &Policy) -> String {
    let mut out = String::new();
    for (id, pvd) in policy.pvds.iter().enumerate() {
        writeln!(out, "pvd {id}: {}", dump_pvd(pvd)).unwrap();
    }
    for rule in &policy.rules {
        writeln!(
            out,
            "rule {}: {}",
            policy.place(rule.place),
            dump_rule(rule)
        )
        .unwrap();
    }
    if let Some(listen) = &policy.listen {
        writeln!(out, "listen {}", dump_use(listen)).unwrap();
    }
    let Policy {
        explicit,
        local,
        interfaces,
        children,
        io_uring,
        families,
        ..
    } = policy;
    writeln!(
        out,
        "explicit {explicit:?}, local {local}, family {families:?}"
    )
    .unwrap();
    if *interfaces != Interfaces::All {
        writeln!(out, "interfaces {interfaces:?}").unwrap();
    }
    if *children != Children::Follow {
        writeln!(out, "children {children:?}").unwrap();
    }
    if *io_uring {
        writeln!(out, "io_uring {io_uring}").unwrap();
    }
    writeln!(out, "dns{}", dump_dns(&policy.dns)).unwrap();
    if policy.addrsel != AddressSelection::default() {
        writeln!(out, "addrsel{}", dump_addrsel(&policy.addrsel)).unwrap();
    }
    writeln!(out, "files {}", policy.files.join(" ")).unwrap();
    out
}

fn dump_pvd(pvd: &Pvd) -> String {
    let Pvd {
        name,
        interface,
        sources,
        mark,
        dns,
        addrsel,
    } = pvd;
    let mut out = format!("{name} {interface:?}");
    if !sources.is_empty() {
        write!(out, " source {sources:?}").unwrap();
    }
    if let Some(mark) = mark {
        write!(out, " mark {mark}").unwrap();
    }
    if *dns != Dns::default() {
        write!(out, " dns{}", dump_dns(dns)).unwrap();
    }
    if *addrsel != AddressSelection::default() {
        write!(out, " addrsel{}", dump_addrsel(addrsel)).unwrap();
    }
    out
}

fn dump_rule(rule: &Rule) -> String {
    let Rule {
        prefixes,
        names,
        ports,
        protocol,
        choices,
        place: _,
    } = rule;
    let mut words: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
    words.extend(names.iter().map(ToString::to_string));
    words.extend(
        ports
            .iter()
            .map(|ports| format!("port {}-{}", ports.start(), ports.end())),
    );
    words.extend(protocol.map(|protocol| protocol.to_string()));
    words.push(dump_use(choices));
    words.join(" ")
}

fn dump_use(choices: &Use) -> String {
    let words = choices.0.iter().map(|choice| match choice {
        Choice::Pvd(id) => id.0.to_string(),
        Choice::System => "system".to_owned(),
        Choice::None => "none".to_owned(),
    });
    format!("-> {}", words.collect::<Vec<_>>().join(", "))
}

fn dump_dns(dns: &Dns) -> String {
    let mut out = String::new();
    if !dns.servers.is_empty() {
        write!(out, " servers {:?}", dns.servers).unwrap();
    }
    if !dns.search.is_empty() {
        write!(out, " search {:?}", dns.search).unwrap();
    }
    if let Some(guard) = dns.guard {
        write!(out, " guard {guard:?}").unwrap();
    }
    for zone in &dns.zones {
        write!(out, " zone {zone}").unwrap();
    }
    if dns.trusted {
        out.push_str(" trusted");
    }
    out
}

fn dump_addrsel(addrsel: &AddressSelection) -> String {
    let mut out = String::new();
    for row in &addrsel.table {
        let Row {
            prefix,
            length,
            precedence,
            label,
        } = row;
        write!(out, " {prefix}/{length} {precedence} {label}").unwrap();
    }
    if let Some(prefer) = addrsel.prefer {
        write!(out, " prefer {prefer:?}").unwrap();
    }
    if let Some(kind) = addrsel.prefer_source {
        write!(out, " source {kind:?}").unwrap();
    }
    out
}
