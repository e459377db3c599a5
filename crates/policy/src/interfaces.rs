//! Which of the host's interfaces an application finds when it lists them (`interfaces`).

use crate::model::{Choice, Interfaces, Policy, PvdId};

impl Policy {
    /// Whether some interfaces are kept from an application that lists them. A policy that may
    /// choose `system` anywhere has use for all of them.
    #[must_use]
    #[inline]
    pub fn hides_interfaces(&self) -> bool {
        self.interfaces == Interfaces::Policy
            && self.choices().all(|choice| choice != Choice::System)
    }

    /// The provisioning domains whose interfaces are shown all the same: those that rules, `use`
    /// or `listen` may choose, some of them more than once.
    pub fn shown(&self) -> impl Iterator<Item = PvdId> {
        self.choices().filter_map(|choice| match choice {
            Choice::Pvd(id) => Some(id),
            Choice::System | Choice::None => None,
        })
    }

    /// All entries of all lists.
    fn choices(&self) -> impl Iterator<Item = Choice> {
        let listen = self.listen.iter().flat_map(|list| &list.0);
        self.rules.choices().iter().chain(listen).copied()
    }
}
