//! What is known of one network's names, and whose word counts.
//!
//! Servers, search list and zones are each taken from the first that says something of them: the
//! application's own `[dns]` or `-d`, the provisioning domain in the files, the network itself. But
//! whoever names servers of their own takes nothing from the network (RFC 7556 5.1: one consistent
//! set, never a mix), and what it claims about zones counts only for a domain that the files call
//! trusted (RFC 6731 4.5, RFC 7556 7.1).

use std::sync::Arc;

use crate::model::{Choice, Dns, Policy, PvdId, RuleId};
use crate::names::Zone;
use crate::server::Server;
use crate::verdict::{Host, Route};

/// The words about one network's names, the one that counts first.
#[derive(Clone, Debug)]
pub struct Known<'p> {
    app: &'p Dns,
    pvd: &'p Dns,
    /// `None` where it does not count, or nothing is known of it.
    network: Option<Arc<Dns>>,
}

impl<'p> Known<'p> {
    /// Nothing is said.
    pub(crate) fn nothing() -> Self {
        static NOTHING: Dns = Dns {
            servers: Vec::new(),
            search: Vec::new(),
            guard: None,
            zones: Vec::new(),
            trusted: false,
        };
        Self {
            app: &NOTHING,
            pvd: &NOTHING,
            network: None,
        }
    }

    /// What the policy itself says to look-ups that `rule` decides, on no network.
    pub(crate) fn of_rule(policy: &'p Policy, rule: RuleId) -> Self {
        let nothing = Self::nothing();
        let own = rule == policy.last_rule();
        Self {
            app: if own { &policy.dns } else { nothing.app },
            ..nothing
        }
    }

    /// And what it says on a provisioning domain, without the network's own word.
    pub(crate) fn said_of(policy: &'p Policy, rule: RuleId, pvd: PvdId) -> Self {
        Self {
            pvd: &policy.pvd(pvd).dns,
            ..Self::of_rule(policy, rule)
        }
    }

    /// What a provisioning domain says whose zone has the name, and its network if that counts.
    pub(crate) fn of_pvd(policy: &'p Policy, pvd: PvdId, host: &impl Host) -> Self {
        let said = Self {
            pvd: &policy.pvd(pvd).dns,
            ..Self::nothing()
        };
        said.learned(pvd, host)
    }

    /// And with it, if it counts: only then is the host asked.
    pub(crate) fn of(policy: &'p Policy, rule: RuleId, pvd: PvdId, host: &impl Host) -> Self {
        Self::said_of(policy, rule, pvd).learned(pvd, host)
    }

    fn learned(mut self, pvd: PvdId, host: &impl Host) -> Self {
        if self.servers().is_empty() {
            self.network = host.network(pvd);
        }
        self
    }

    /// Recursive resolvers in the order they are asked; none where none is known.
    #[must_use]
    pub fn servers(&self) -> &[Server] {
        let mut all = self.words().map(|dns| &dns.servers[..]);
        all.find(|servers| !servers.is_empty()).unwrap_or(&[])
    }

    /// The search list.
    #[must_use]
    pub fn search(&self) -> &[Box<str>] {
        let mut all = self.words().map(|dns| &dns.search[..]);
        all.find(|search| !search.is_empty()).unwrap_or(&[])
    }

    /// Names that the servers may be asked; none at all means all.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        // Servers of the application's own are not what the zones speak of.
        if !self.app.servers.is_empty() {
            return &[];
        }
        match &self.network {
            Some(network) if self.pvd.zones.is_empty() && self.pvd.trusted => &network.zones,
            _ => &self.pvd.zones,
        }
    }

    /// Whether the servers are the network's own word.
    #[must_use]
    pub fn is_learned(&self) -> bool {
        self.network.is_some()
    }

    pub(crate) fn is_trusted(&self) -> bool {
        self.pvd.trusted
    }

    fn words(&self) -> impl Iterator<Item = &Dns> {
        [self.app, self.pvd]
            .into_iter()
            .chain(self.network.as_deref())
    }
}

impl Policy {
    /// Whether look-ups of this policy may be asked of servers that are not the host's.
    #[must_use]
    pub fn may_have_servers(&self) -> bool {
        !self.pvds.is_empty() || !self.dns.servers.is_empty()
    }

    /// What answers the names that the list of a route's rule decides, on this network.
    #[must_use]
    pub fn names_on<'p>(&'p self, route: &Route<'_>, host: &impl Host) -> Known<'p> {
        Known::of(self, route.rule, route.pvd, host)
    }

    /// Whether the policy itself names servers.
    #[must_use]
    pub fn names_servers(&self) -> bool {
        self.servers().next().is_some()
    }

    /// Whether one of them wants TLS.
    #[must_use]
    pub fn has_encrypted_servers(&self) -> bool {
        self.servers().any(|server| !server.is_plain())
    }

    /// Whether the policy is not kept by asking the servers of one network in the clear: it has rules by
    /// name, zones, or servers that are asked otherwise.
    #[must_use]
    pub fn decides_by_name(&self) -> bool {
        let has_zones = |dns: &Dns| !dns.zones.is_empty() || dns.trusted;
        self.has_rules_by_name()
            || self.pvds.iter().any(|pvd| has_zones(&pvd.dns))
            || !self.servers().all(Server::is_of_any_resolver)
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        let pvds = self.pvds.iter().map(|pvd| &pvd.dns);
        pvds.chain([&self.dns]).flat_map(|dns| &dns.servers)
    }

    /// What the first network of a rule's list says that has servers of the policy's own.
    pub(crate) fn first_with_servers(&self, rule: RuleId) -> Option<PvdId> {
        let mut choices = self.rule(rule).choices.0.iter();
        choices.find_map(|choice| match *choice {
            Choice::Pvd(id) => (!self.pvd(id).dns.servers.is_empty()).then_some(id),
            Choice::System | Choice::None => None,
        })
    }
}
