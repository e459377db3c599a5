//! The policy that this process's environment gives to a program, as the tool's commands want it:
//! the policy and its file, or a message and the exit status 78.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use mif_host::config::{self, Environment, LoadError, Loaded};
use mif_policy::{Choice, Host as _, Interface, Policy, PvdId, Unusable, Use, Verdict};

use crate::Failure;

/// `EX_CONFIG` of sysexits.h.
pub(crate) const FAULTY: u8 = 78;
/// The program's name when none is given: no program but `apps/default.toml` is meant.
pub(crate) const ANY_PROGRAM: &str = "default";
/// A name as good as any other (RFC 6761 section 6.4); it is not asked for.
const ANY_NAME: &str = "name.invalid.";
/// The index of loopback in every network namespace: `LOOPBACK_IFINDEX` of the kernel.
const LOOPBACK: u32 = 1;

/// Loads the policy of the program that was typed as `program`.
///
/// # Errors
/// Status 78 with all faults, or with the files that were looked for.
pub(crate) fn load(program: &OsStr) -> Result<(Policy, Option<PathBuf>), Failure> {
    match read(program)? {
        Loaded::Policy { policy, file } => Ok((policy, file)),
        Loaded::NoPolicy { searched } => Err(none(&name(program), &searched)),
    }
}

/// Loads the policy of a program that another one starts, if it has one.
///
/// # Errors
/// Status 78 with all faults.
pub(crate) fn of_child(program: &OsStr) -> Result<Option<Policy>, Failure> {
    match read(program)? {
        Loaded::Policy { policy, .. } => Ok(Some(policy)),
        Loaded::NoPolicy { .. } => Ok(None),
    }
}

fn read(program: &OsStr) -> Result<Loaded, Failure> {
    let environment = Environment::from_process();
    let fails = |message| Failure {
        status: FAULTY,
        message,
    };
    config::load(&environment, &name(program)).map_err(|error| match error {
        LoadError::Faults(faults) => fails(format!(
            "the policy is faulty; nothing was started\n\n{faults}"
        )),
        other => fails(format!("{other}; nothing was started")),
    })
}

fn name(program: &OsStr) -> Cow<'_, str> {
    let name = Path::new(program).file_name().unwrap_or(program);
    name.to_string_lossy()
}

fn none(name: &str, searched: &[PathBuf]) -> Failure {
    // A file may be called anything.
    let plain = |name: &str| name.replace(char::is_control, "?");
    let name = plain(name);
    let mut message = format!("no policy for `{name}`; nothing was started. Looked for");
    let files: Vec<_> = searched
        .iter()
        .map(|file| plain(&file.to_string_lossy()))
        .collect();
    for file in &files {
        let _ = write!(message, "\n  {file}");
    }
    let file = files.first().map_or("a policy file", String::as_str);
    let _ = write!(
        message,
        "\nName the network (mif-run -i INTERFACE {name}), or write use = \"INTERFACE\" in {file}."
    );
    if let Ok(names) = interface_names() {
        let _ = write!(message, "\nInterfaces: {}.", names.join(", "));
    }
    Failure {
        status: FAULTY,
        message,
    }
}

/// What a policy needs and the host has not now, one warning a line: a name that neither a
/// provisioning domain nor an interface has, or the interface of a domain. A list that has
/// another way out (`system`) only counts when none of its networks is there.
pub(crate) fn missing(policy: &Policy) -> Vec<String> {
    let host = mif_host::Host::new(policy);
    let mut ids: Vec<PvdId> = Vec::new();
    let lists = policy
        .rules
        .iter()
        .map(|rule| (&rule.choices, policy.place(rule.place)));
    let listen = policy
        .listen
        .iter()
        .map(|list| (list, policy.place(mif_policy::Place::Default)));
    let mut warnings = Vec::new();
    for (list, place) in lists.chain(listen) {
        for id in missing_of(list, &host) {
            if !ids.contains(&id) {
                ids.push(id);
                warnings.push(format!("{} ({place})", missing_text(policy, id)));
            }
        }
    }
    if !warnings.is_empty() {
        warnings.push(there_are(policy));
    }
    warnings
}

/// The warning that names will be refused, because nobody knows a DNS server of the networks of
/// `use` that are there. Where rules by name or zones send names elsewhere, those may be all that
/// the program needs, and nothing is said; nor of loopback, which leads to no names.
pub(crate) fn without_servers(policy: &Policy) -> Option<String> {
    let has_names = policy.rules.iter().any(|rule| !rule.names.is_empty());
    if has_names || policy.pvds.iter().any(|pvd| !pvd.dns.zones.is_empty()) {
        return None;
    }
    let host = mif_host::Host::new(policy);
    let found = policy.resolvers(ANY_NAME, &host);
    let Verdict::Refuse(_) = found.verdict() else {
        return None;
    };
    let mut names: Vec<String> = Vec::new();
    for &(id, why) in &found.passed_over {
        let leads_out = host.link(id).is_ok_and(|link| link.index != LOOPBACK);
        if why == Unusable::NoServers && leads_out {
            names.push(format!("`{}`", policy.pvd(id).name));
        }
    }
    if names.is_empty() {
        return None;
    }
    Some(format!(
        "names will be refused: the host knows no DNS servers of {} ({}); name some with -d, or \
         dns.servers in pvds.toml",
        names.join(", "),
        policy.place(policy.rule(found.rule).place)
    ))
}

fn missing_of(list: &Use, host: &mif_host::Host) -> Vec<PvdId> {
    let pvds = list.0.iter().filter_map(|choice| match *choice {
        Choice::Pvd(id) => Some(id),
        Choice::System | Choice::None => None,
    });
    let count = pvds.clone().count();
    let is_missing =
        |id: &PvdId| matches!(host.link(*id), Err(Unusable::Missing | Unusable::NoSource));
    let missing: Vec<PvdId> = pvds.filter(is_missing).collect();
    if list.is_preference() && missing.len() < count {
        Vec::new()
    } else {
        missing
    }
}

fn missing_text(policy: &Policy, id: PvdId) -> String {
    let pvd = policy.pvd(id);
    match pvd.interface {
        Interface::Named(name) if name.as_str() == &*pvd.name => {
            format!("no provisioning domain and no interface is called `{name}` now")
        }
        Interface::Named(name) => {
            format!(
                "the interface `{name}` of the provisioning domain `{}` is not there",
                pvd.name
            )
        }
        Interface::OfSource => {
            let sources: Vec<String> = pvd.sources.iter().map(ToString::to_string).collect();
            format!(
                "no interface has the source address {} now",
                sources.join(", ")
            )
        }
    }
}

fn there_are(policy: &Policy) -> String {
    let mut text = match interface_names() {
        Ok(names) => format!("there are the interfaces {}", names.join(", ")),
        Err(why) => format!("the kernel does not tell which interfaces there are: {why}"),
    };
    let explicit: Vec<&str> = policy
        .pvds
        .iter()
        .filter(|pvd| match pvd.interface {
            Interface::Named(name) => name.as_str() != &*pvd.name,
            Interface::OfSource => false,
        })
        .map(|pvd| &*pvd.name)
        .collect();
    if !explicit.is_empty() {
        let _ = write!(text, "; provisioning domains {}", explicit.join(", "));
    }
    text
}

fn interface_names() -> std::io::Result<Vec<String>> {
    let all = mif_host::inventory::read()?.interfaces.into_iter();
    let names = all.map(|interface| interface.name);
    Ok(names.filter(|name| name != "lo").collect())
}

/// The program's name in a command, or [`ANY_PROGRAM`].
pub(crate) fn program_of(command: &[OsString]) -> &OsStr {
    command
        .first()
        .map_or(OsStr::new(ANY_PROGRAM), OsString::as_os_str)
}
