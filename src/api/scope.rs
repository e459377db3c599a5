//! What a program gets when it chooses a provisioning domain: the policy of the process, narrowed to it.
//! So names, sources, marks and refusals are those of a policy that says `use` of that domain, by the
//! same code.

use std::time::Duration;

use mif_domains::Id;
use mif_host::config::{Environment, LoadError};
use mif_host::defined;
use mif_policy::{AddressSelection, Dns, Input, Interface, Policy, Pvd, Unusable, parse};
use parking_lot::Mutex;
use rustix::io::Errno;

use crate::init::{self, Active, governing};

/// So many choices of one process are kept, and more are not made: each takes some kilobytes for good.
const MOST: usize = 1024;

struct Kept {
    id: Id,
    prefer: bool,
    /// As it was when it was chosen.
    pvd: Pvd,
    made: &'static Active,
}

/// Waited for with an end: a forked child may have inherited it held.
static CHOICES: Mutex<Vec<Kept>> = Mutex::new(Vec::new());
const PATIENCE: Duration = Duration::from_secs(1);

/// What is in force where the program has chosen this domain, as a requirement or as a preference.
///
/// # Errors
/// `ENOENT`: there is no such domain. `EACCES`: the policy does not permit it. `EBADMSG`: `pvds.toml`
/// has a fault. `EAGAIN`: this process has made too many choices, or was forked in the middle of one.
pub(crate) fn of(id: &Id, prefer: bool) -> Result<&'static Active, Errno> {
    let pvd = domain(id)?;
    let mut choices = CHOICES.try_lock_for(PATIENCE).ok_or(Errno::AGAIN)?;
    let is_it = |one: &&Kept| one.id == *id && one.prefer == prefer && one.pvd == pvd;
    if let Some(choice) = choices.iter().find(is_it) {
        return Ok(choice.made);
    }
    if choices.len() == MOST {
        return Err(Errno::AGAIN);
    }
    let within = governing();
    let narrowed = match within {
        Some(within) => within.policy.narrowed(&pvd, prefer),
        None => everything().and_then(|policy| policy.narrowed(&pvd, prefer)),
    };
    let (policy, of_policy) = narrowed.ok_or(Errno::ACCESS)?;
    let choice = init::Choice {
        pvd: of_policy,
        within,
    };
    // Calls of other threads may be in the middle of it at any time, so it stays.
    let made: &'static Active = Box::leak(Box::new(init::choose(choice, policy)));
    choices.push(Kept {
        id: id.clone(),
        prefer,
        pvd,
        made,
    });
    Ok(made)
}

/// Every choice that this process has made.
pub(crate) fn for_each(act: impl FnMut(&'static Active)) {
    let choices = CHOICES.try_lock_for(PATIENCE);
    let choices = choices.iter().flat_map(|choices| choices.iter());
    choices.map(|choice| choice.made).for_each(act);
}

/// The domain of an identifier, as it is now.
///
/// # Errors
/// `ENOENT` and `EBADMSG` as [`of`].
pub(crate) fn domain(id: &Id) -> Result<Pvd, Errno> {
    match id {
        Id::Interface(name) => match mif_host::inspect(*name) {
            Err(Unusable::Missing) => Err(Errno::NOENT),
            _ => Ok(Pvd {
                name: name.as_str().into(),
                interface: Interface::Named(*name),
                sources: Vec::new(),
                mark: None,
                dns: Dns::default(),
                addrsel: AddressSelection::default(),
            }),
        },
        Id::Utf8(name) => {
            let of_policy = governing().map_or(&[][..], |active| &active.policy.pvds);
            let is_it = |one: &&Pvd| one.name == *name;
            if let Some(pvd) = of_policy.iter().find(is_it) {
                return Ok(pvd.clone());
            }
            let defined = defined::defined(&environment()).map_err(|_: LoadError| Errno::BADMSG)?;
            defined
                .into_iter()
                .find(|one| is_it(&one))
                .ok_or(Errno::NOENT)
        }
        Id::Fqdn(name) => defined::announced(name).ok_or(Errno::NOENT),
    }
}

/// Where `pvds.toml` is looked for. Whoever started a process that has gained privileges has no say.
pub(crate) fn environment() -> Environment {
    if init::has_gained_privileges() {
        Environment::of_the_host()
    } else {
        Environment::from_process()
    }
}

/// The policy of a process that has none.
fn everything() -> Option<Policy> {
    parse(&Input::default()).ok()
}
