//! What there is to tell between two moments, in the order of the draft: what goes before what comes;
//! what is on something before it when it goes, and after it when it comes.

use crate::message::Message;
use crate::snapshot::{Address, Domain, Interface, Snapshot, Stage};

/// Everything that has changed.
#[must_use]
pub fn changes(old: &Snapshot, new: &Snapshot) -> Vec<Message> {
    let mut told = Vec::new();
    for before in &old.interfaces {
        if before.stage == Stage::Carrying && going_on(before, new).is_none() {
            lose_interface(before, &mut told);
        }
    }
    for before in &old.interfaces {
        if let Some(now) = going_on(before, new) {
            lose_parts(before, now, &mut told);
        }
    }
    for now in &new.interfaces {
        let before = old.interface(now.index);
        match now.stage {
            Stage::Rising if before.is_none_or(|before| before.stage != Stage::Rising) => {
                told.push(Message::GoingUp { index: now.index });
            }
            Stage::Rising | Stage::Lost => {}
            Stage::Carrying => match before.filter(|before| now.goes_on(before)) {
                Some(before) => gain_parts(before, now, &mut told),
                None => gain_interface(before, now, &mut told),
            },
        }
    }
    told
}

fn going_on<'s>(before: &Interface, new: &'s Snapshot) -> Option<&'s Interface> {
    new.interface(before.index)
        .filter(|now| now.goes_on(before))
}

fn lose_interface(before: &Interface, told: &mut Vec<Message>) {
    let index = before.index;
    told.push(Message::GoingAway { index });
    for domain in &before.domains {
        lose_domain(index, domain, told);
    }
    let name = before.name.clone();
    told.push(Message::NoInterface { index, name });
}

fn lose_domain(index: u32, before: &Domain, told: &mut Vec<Message>) {
    let id = || before.id.clone();
    let addresses = before.addresses.iter();
    told.extend(addresses.map(|one| Message::NoAddress {
        id: id(),
        ip: one.ip,
    }));
    let elements = before.elements().into_iter();
    told.extend(elements.map(|element| Message::NoElement { id: id(), element }));
    told.push(Message::NoPvd { index, id: id() });
}

/// What an interface that goes on has lost.
fn lose_parts(before: &Interface, now: &Interface, told: &mut Vec<Message>) {
    for domain in &before.domains {
        let Some(now) = now.domains.iter().find(|now| now.goes_on(domain)) else {
            lose_domain(before.index, domain, told);
            continue;
        };
        let id = || domain.id.clone();
        for gone in &domain.addresses {
            if !now.addresses.iter().any(|one| one.is(gone)) {
                told.push(Message::NoAddress {
                    id: id(),
                    ip: gone.ip,
                });
            }
        }
        let elements = now.elements();
        for element in domain.elements() {
            if !elements.contains(&element) {
                told.push(Message::NoElement { id: id(), element });
            }
        }
    }
}

fn gain_interface(before: Option<&Interface>, now: &Interface, told: &mut Vec<Message>) {
    let index = now.index;
    if before.is_none_or(|before| before.stage != Stage::Rising) {
        told.push(Message::GoingUp { index });
    }
    let name = now.name.clone();
    told.push(Message::Interface { index, name });
    for domain in &now.domains {
        gain_domain(index, domain, told);
    }
}

fn gain_domain(index: u32, now: &Domain, told: &mut Vec<Message>) {
    let id = now.id.clone();
    told.push(Message::Pvd { index, id });
    told.extend(elements(now));
    told.extend(addresses(now, &now.addresses));
}

/// What an interface that goes on has got, and what has changed on it.
fn gain_parts(before: &Interface, now: &Interface, told: &mut Vec<Message>) {
    for domain in &now.domains {
        let Some(before) = before.domains.iter().find(|before| domain.goes_on(before)) else {
            gain_domain(now.index, domain, told);
            continue;
        };
        for element in domain.elements() {
            if !domain.of(element).eq(before.of(element)) {
                let id = domain.id.clone();
                told.push(Message::Element { id, element });
            }
        }
        let is_known = |one: &&Address| {
            let mut before = before.addresses.iter();
            before.any(|old| one.is(old) && one.says_the_same(old))
        };
        let news = domain.addresses.iter().filter(|one| !is_known(one));
        told.extend(addresses(domain, news));
    }
}

/// Which sources a domain has.
pub(crate) fn elements(domain: &Domain) -> impl Iterator<Item = Message> {
    let element = |element| Message::Element {
        id: domain.id.clone(),
        element,
    };
    domain.elements().into_iter().map(element)
}

/// Some of a domain's addresses.
pub(crate) fn addresses<'d>(
    domain: &'d Domain,
    some: impl IntoIterator<Item = &'d Address>,
) -> impl Iterator<Item = Message> {
    some.into_iter().map(|&address| Message::Address {
        id: domain.id.clone(),
        address,
    })
}
