//! What is to be told about one name: whose look-up it is, which network's servers are asked, and
//! what is remembered of their answer.

use std::net::IpAddr;
use std::os::fd::BorrowedFd;

use mif_policy::{Families, Need, Origin, Resolvers, Verdict};
use mif_resolve::{Answer, Ask, Failure, Plan, Scope};

use crate::guard::{has_memory, uncancelled, unless_panic};
use crate::init::Active;
use crate::learned::Known;
use crate::log::Level;
use crate::network::{Otherwise, may_ask, plan, selection, way};
use crate::nss;

/// What became of a look-up.
pub(crate) enum Names {
    /// libc is to resolve it.
    Libc,
    Found(Answer),
    Failed(Failure),
}

/// The addresses of a name. With `addrconfig`, the families that `ai_family` allows, those that
/// the network has no address of are not asked for (`AI_ADDRCONFIG`).
pub(crate) fn resolve(
    active: &Active,
    call: &str,
    name: &str,
    ask: Ask,
    addrconfig: Option<Ask>,
) -> Names {
    resolve_until(active, call, name, ask, addrconfig, None)
}

/// The same, and no answer once `stop` can be read.
pub(crate) fn resolve_until(
    active: &Active,
    call: &str,
    name: &str,
    ask: Ask,
    addrconfig: Option<Ask>,
    stop: Option<BorrowedFd<'_>>,
) -> Names {
    if !has_memory() {
        return Names::Failed(Failure::Again);
    }
    uncancelled(Names::Failed(Failure::Fail), || {
        find(active, call, name, ask, addrconfig, stop)
    })
}

fn find(
    active: &Active,
    call: &str,
    name: &str,
    ask: Ask,
    addrconfig: Option<Ask>,
    stop: Option<BorrowedFd<'_>>,
) -> Names {
    let services = nss::services();
    if services.has_name(name) {
        return Names::Libc;
    }
    let view = active.view();
    let resolvers = active.policy.resolvers(name, &view);
    let mut families = active.policy.families;
    if let Some(wanted) = addrconfig
        && let Verdict::Route(route) = resolvers.verdict()
    {
        let has = |need| {
            let policy = &active.policy;
            policy.route(route.pvd, route.rule, need, &view).is_ok()
        };
        families = match (wanted, has(Need::V4), has(Need::V6)) {
            (Ask::V4, false, _) | (Ask::V6, _, false) => return Names::Failed(Failure::NoName),
            (Ask::Both, true, false) if families == Families::Any => Families::V4,
            (Ask::Both, false, true) if families == Families::Any => Families::V6,
            _ => families,
        };
    }
    let way = |ip: IpAddr| way(active, &resolvers.verdict(), ip);
    // libc reads the hosts file as well.
    if services.files
        && !is_libcs(&resolvers)
        && let Some(mut answer) = active.hosts_file.lookup(name, ask)
    {
        mif_resolve::arrange(&mut answer.addresses, &way, &selection(&resolvers));
        remember(active, name, &answer.addresses, None);
        return Names::Found(answer);
    }
    match may_ask(active, call, name, &resolvers) {
        Ok(()) => {}
        Err(Otherwise::Libc) => return Names::Libc,
        Err(Otherwise::Failed(failure)) => return Names::Failed(failure),
    }
    let plan = Plan {
        families,
        ask,
        stop,
        ..plan(active, &resolvers, &way)
    };
    let route = match resolvers.verdict() {
        Verdict::Route(route) => Some(route),
        _ => None,
    };
    let scope = Scope {
        pvd: route.map(|route| route.pvd),
        index: route.map_or(0, |route| route.index),
        addresses: view.addresses(),
    };
    match active.cache.lookup(name, &plan, scope) {
        Ok(answer) => {
            remember(active, name, &answer.addresses, resolvers.origin());
            Names::Found(answer)
        }
        Err(failure) => {
            active.log.line(
                Level::Decisions,
                format_args!(
                    "{call} {name}: no answer ({failure:?}) from {:?}",
                    plan.servers
                ),
            );
            Names::Failed(failure)
        }
    }
}

/// Whether a name is asked of a network's servers, or refused.
pub(crate) fn is_steered(active: &Active, name: &str) -> bool {
    !has_memory()
        || uncancelled(true, || {
            let resolvers = active.policy.resolvers(name, &active.view());
            !nss::services().has_name(name) && !is_libcs(&resolvers)
        })
}

/// Whether the network of a name has no servers, so that the host's resolver is asked.
fn is_libcs(resolvers: &Resolvers<'_>) -> bool {
    resolvers.servers().is_empty() && !matches!(resolvers.verdict(), Verdict::Refuse(_))
}

/// Remembers what flows to the addresses found have to be told.
pub(crate) fn remember(active: &Active, name: &str, addresses: &[IpAddr], origin: Option<Origin>) {
    unless_panic((), || {
        let (rules, origin) = active.policy.told_by(name, origin);
        for &address in addresses {
            let (address, rules) = (mif_socket::canonical(address), &*rules);
            active.learned.remember(address, Known { rules, origin });
        }
    });
}
