//! POST MESSAGE: what a program asks for (3.2.7).

use std::ffi::CString;
use std::sync::Arc;

use mif_domains::{Absent, Element, Id, Info, configuration};
use mif_policy::Families;
use rustix::io::Errno;
use rustix::net::SocketType;

use super::connections::{self, Wanted};
use super::handle::{Handle, State};
use super::message::{CMessage, F_PREFER, Message, address};
use super::names;
use super::scope;
use super::{kind, list};

/// # Errors
/// Those of `mif_post` in mif.h.
pub(super) fn post(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    if posted.size != CMessage::SIZE {
        return Err(Errno::INVAL);
    }
    match posted.kind {
        kind::ANNOUNCE_INTERFACES
        | kind::ANNOUNCE_PVDS
        | kind::ANNOUNCE_ELEMENTS
        | kind::ANNOUNCE_ADDRESSES => announce(handle, posted),
        kind::STOP_INTERFACES | kind::STOP_PVDS | kind::STOP_ELEMENTS | kind::STOP_ADDRESSES => {
            stop_announcing(handle, posted)
        }
        kind::GET_CONFIGURATION => tell_configuration(handle, posted),
        kind::TRANSLATE_NAME => translate(handle, posted),
        kind::STOP_TRANSLATING => names::stop(handle, posted.id),
        kind::CONNECT_PVD => choose(handle, posted),
        kind::CONNECT | kind::CONNECT_FROM => connect(handle, posted),
        kind::STOP_CONNECTING => connections::stop(handle, posted.id),
        kind::APP_WANTS => want(posted),
        // Nothing here puts a network to sleep, or moves a connection.
        kind::APP_IDLE | kind::APP_BREAKABLE => Ok(()),
        _ => Err(Errno::INVAL),
    }
}

/// Asks for something, and tells what there is of it now.
fn announce(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    let watch = handle.process.watched()?;
    match try_to_announce(handle, posted)? {
        Ok(()) => return Ok(()),
        // It may just have come: then the program knows it, and who watches does not yet.
        Err(Absent) => handle.process.look(&watch)?,
    }
    try_to_announce(handle, posted)?.map_err(|Absent| Errno::NOENT)
}

fn try_to_announce(handle: &Handle, posted: &CMessage) -> Result<Result<(), Absent>, Errno> {
    let mut state = handle.lock();
    // What it has been told so far, so that nothing of it is told twice.
    let told = state.told.take().or_else(|| handle.process.now());
    let now = told.ok_or(Errno::BADF)?;
    state.told = Some(Arc::clone(&now));
    let wants = &mut state.subscriptions;
    let messages = match posted.kind {
        kind::ANNOUNCE_INTERFACES => Ok(wants.announce_interfaces(&now)),
        kind::ANNOUNCE_PVDS => wants.announce_domains(posted.ifid, &now),
        kind::ANNOUNCE_ELEMENTS => wants.announce_elements(&posted.pvd.id()?, &now),
        _ => {
            let (id, families) = (posted.pvd.id()?, list::families(posted.flags)?);
            wants.announce_addresses(&id, families, &now)
        }
    };
    Ok(messages.map(|messages| state.tell_all(messages)))
}

/// Ends what was asked for; what the program has not read of it is taken back.
fn stop_announcing(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    let mut state = handle.lock();
    let wants = &mut state.subscriptions;
    match posted.kind {
        kind::STOP_INTERFACES => wants.stop_interfaces(),
        kind::STOP_PVDS => wants.stop_domains(posted.ifid),
        kind::STOP_ELEMENTS => wants.stop_elements(&posted.pvd.id()?),
        _ => wants.stop_addresses(&posted.pvd.id()?),
    }
    state.keep(|message, wants| match message {
        Message::Host(message) => wants.wants(message),
        _ => true,
    });
    Ok(())
}

/// Takes a domain for what is posted without one, if it is there: a message says so. None takes it back.
fn choose(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    if posted.pvd.is_none() {
        handle.lock().domain = None;
        return Ok(());
    }
    let (id, pvd) = (posted.id, posted.pvd.id()?);
    permitted(scope::of(&pvd, false))?;
    let is_there = is_there(&pvd)?;
    let mut state = handle.lock();
    if state.is_in_use(id) {
        return Err(Errno::EXIST);
    }
    if is_there {
        state.domain = Some(pvd.clone());
        let (ends, fd) = (None, None);
        state.tell(Message::Connected { pvd, id, ends, fd });
    } else {
        let why = Errno::NETDOWN;
        state.tell(Message::NotConnected { pvd, id, why });
    }
    Ok(())
}

/// A program wants a network: nothing here can bring one up.
fn want(posted: &CMessage) -> Result<(), Errno> {
    let is_there = is_there(&posted.pvd.id()?)?;
    is_there.then_some(()).ok_or(Errno::NETDOWN)
}

fn is_there(id: &Id) -> Result<bool, Errno> {
    Ok(list::host()?.domains(id).next().is_some())
}

fn tell_configuration(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    let id = posted.pvd.id()?;
    let info = Info::of_number(posted.info).ok_or(Errno::INVAL)?;
    let element = match posted.element {
        0 => None,
        number => Some(Element::of_number(number).ok_or(Errno::INVAL)?),
    };
    let now = list::host()?;
    let told = configuration(&id, element, info, &now).map_err(|Absent| Errno::NOENT)?;
    handle.lock().tell_all(told);
    Ok(())
}

fn translate(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    let name = posted.read()?;
    let name = CString::new(name).map_err(|_| Errno::INVAL)?;
    if name.is_empty() {
        return Err(Errno::INVAL);
    }
    let (prefer, families) = preference(posted)?;
    let pvd = domain(&handle.lock(), posted)?;
    permitted(names::begin(handle, posted.id, pvd, prefer, name, families))
}

fn connect(handle: &Handle, posted: &CMessage) -> Result<(), Errno> {
    let socket_type = match posted.socket_type {
        0 => SocketType::STREAM,
        kind if kind == libc::SOCK_STREAM.cast_unsigned() => SocketType::STREAM,
        kind if kind == libc::SOCK_DGRAM.cast_unsigned() => SocketType::DGRAM,
        _ => return Err(Errno::INVAL),
    };
    let destination = address(&posted.destination)?.ok_or(Errno::INVAL)?;
    let source = address(&posted.source)?;
    let has_source = source.is_some_and(|source| !source.ip().is_unspecified());
    let is_from = posted.kind == kind::CONNECT_FROM;
    let same_family = source.is_none_or(|source| source.is_ipv4() == destination.is_ipv4());
    if destination.port() == 0 || has_source != is_from || !same_family {
        return Err(Errno::INVAL);
    }
    let (prefer, families) = preference(posted)?;
    if !families.allow(destination.ip()) {
        return Err(Errno::INVAL);
    }
    let wanted = Wanted {
        id: posted.id,
        pvd: domain(&handle.lock(), posted)?,
        prefer,
        socket_type,
        destination,
        source: source.filter(|_| is_from),
    };
    permitted(connections::begin(handle, wanted))
}

/// Whether the domain is a preference, and the families that are wanted.
fn preference(posted: &CMessage) -> Result<(bool, Families), Errno> {
    let prefer = posted.flags & F_PREFER != 0;
    Ok((prefer, list::families(posted.flags & !F_PREFER)?))
}

/// The domain of a message, or that of what is posted without one.
fn domain(state: &State, posted: &CMessage) -> Result<Id, Errno> {
    if posted.pvd.is_none() {
        state.domain.clone().ok_or(Errno::INVAL)
    } else {
        posted.pvd.id()
    }
}

/// A program does not learn whether what the policy hides is there.
fn permitted<T>(result: Result<T, Errno>) -> Result<T, Errno> {
    result.map_err(|why| match why {
        Errno::ACCESS => Errno::NOENT,
        why => why,
    })
}

/// A message for the program to read, if there is one.
pub(super) fn next(handle: &Handle) -> Option<CMessage> {
    let message = handle.next()?;
    Some(CMessage::of(message, crate::clock::milliseconds()))
}
