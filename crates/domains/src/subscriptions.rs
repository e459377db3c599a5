//! What one program wants to be told.

use std::net::IpAddr;

use mif_policy::Families;

use crate::Id;
use crate::changes::{addresses, elements};
use crate::message::Message;
use crate::snapshot::{Element, Info, Snapshot, Stage};

/// Everything that it has asked for and not stopped.
#[derive(Clone, Debug, Default)]
pub struct Subscriptions {
    interfaces: bool,
    /// The domains of every interface.
    all_domains: bool,
    /// The domains of these.
    domains_of: Vec<u32>,
    elements: Vec<Id>,
    addresses: Vec<(Id, Families)>,
}

/// There is no such interface or domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent;

impl Subscriptions {
    /// 3.2.7.1: interfaces, now and from now on.
    pub fn announce_interfaces(&mut self, now: &Snapshot) -> Vec<Message> {
        self.interfaces = true;
        let interfaces = now.interfaces.iter().map(|one| {
            let index = one.index;
            match one.stage {
                Stage::Carrying => Message::Interface {
                    index,
                    name: one.name.clone(),
                },
                Stage::Rising | Stage::Lost => Message::GoingUp { index },
            }
        });
        interfaces.collect()
    }

    /// 3.2.7.2.
    pub fn stop_interfaces(&mut self) {
        self.interfaces = false;
    }

    /// 3.2.7.5: the domains of an interface, or with 0 of every one.
    ///
    /// # Errors
    /// No such interface is up.
    pub fn announce_domains(&mut self, index: u32, now: &Snapshot) -> Result<Vec<Message>, Absent> {
        if index == 0 {
            self.all_domains = true;
        } else {
            now.interface(index).ok_or(Absent)?;
            add(&mut self.domains_of, index);
        }
        let wanted = |one: &u32| index == 0 || index == *one;
        let interfaces = now.interfaces.iter().filter(|one| wanted(&one.index));
        let domains = interfaces.flat_map(|one| {
            let pvd = |id| Message::Pvd {
                index: one.index,
                id,
            };
            one.domains.iter().map(move |domain| pvd(domain.id.clone()))
        });
        Ok(domains.collect())
    }

    /// 3.2.7.6.
    pub fn stop_domains(&mut self, index: u32) {
        if index == 0 {
            self.all_domains = false;
        }
        self.domains_of.retain(|one| *one != index);
    }

    /// 3.2.7.9: the elements of a domain.
    ///
    /// # Errors
    /// There is no such domain.
    pub fn announce_elements(&mut self, id: &Id, now: &Snapshot) -> Result<Vec<Message>, Absent> {
        is_there(id, now)?;
        add(&mut self.elements, id.clone());
        Ok(now.domains(id).flat_map(elements).collect())
    }

    /// 3.2.7.12.
    pub fn stop_elements(&mut self, id: &Id) {
        self.elements.retain(|one| one != id);
    }

    /// 3.2.7.13: the addresses of a domain, of these families.
    ///
    /// # Errors
    /// There is no such domain.
    pub fn announce_addresses(
        &mut self,
        id: &Id,
        families: Families,
        now: &Snapshot,
    ) -> Result<Vec<Message>, Absent> {
        is_there(id, now)?;
        self.stop_addresses(id);
        self.addresses.push((id.clone(), families));
        let domains = now.domains(id);
        let all = domains.flat_map(|domain| addresses(domain, &domain.addresses));
        Ok(all.filter(|message| self.wants(message)).collect())
    }

    /// 3.2.7.15.
    pub fn stop_addresses(&mut self, id: &Id) {
        self.addresses.retain(|(one, _)| one != id);
    }

    /// Whether a message is for this program.
    #[must_use]
    pub fn wants(&self, message: &Message) -> bool {
        let has_address = |id: &Id, ip: IpAddr| {
            let mut subscribed = self.addresses.iter();
            subscribed.any(|(one, families)| one == id && families.allow(ip))
        };
        match message {
            Message::Interface { .. }
            | Message::NoInterface { .. }
            | Message::GoingAway { .. }
            | Message::GoingUp { .. } => self.interfaces,
            Message::Pvd { index, .. } | Message::NoPvd { index, .. } => {
                self.all_domains || self.domains_of.contains(index)
            }
            Message::Element { id, .. } | Message::NoElement { id, .. } => {
                self.elements.contains(id)
            }
            Message::Address { id, address } => has_address(id, address.ip),
            Message::NoAddress { id, ip } => has_address(id, *ip),
            Message::Configuration { .. } | Message::NoConfiguration { .. } => true,
        }
    }

    /// What this program is told of what has changed. What it wanted to know of an interface by its
    /// number ends with the interface (3.2.7.4).
    pub fn told<'m>(&mut self, changes: impl IntoIterator<Item = &'m Message>) -> Vec<Message> {
        let mut told = Vec::new();
        for message in changes {
            if self.wants(message) {
                told.push(message.clone());
            }
            if let Message::NoInterface { index, .. } = message {
                self.domains_of.retain(|one| one != index);
            }
        }
        told
    }
}

/// The answer to 3.2.7.17: the values of one kind, from one element or from any.
///
/// # Errors
/// There is no such domain.
pub fn configuration(
    id: &Id,
    element: Option<Element>,
    info: Info,
    now: &Snapshot,
) -> Result<Vec<Message>, Absent> {
    is_there(id, now)?;
    let values = now.domains(id).flat_map(|domain| &domain.values);
    let wanted = values.filter(|value| {
        value.info == info && element.is_none_or(|element| element == value.element)
    });
    let mut messages: Vec<Message> = wanted
        .map(|value| Message::Configuration {
            id: id.clone(),
            element: value.element,
            info,
            text: value.text.clone(),
            is_last: false,
        })
        .collect();
    match messages.last_mut() {
        Some(Message::Configuration { is_last, .. }) => *is_last = true,
        _ => messages.push(Message::NoConfiguration {
            id: id.clone(),
            info,
        }),
    }
    Ok(messages)
}

fn is_there(id: &Id, now: &Snapshot) -> Result<(), Absent> {
    now.domains(id).next().map(|_| ()).ok_or(Absent)
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}
