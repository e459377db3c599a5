//! The meant form of a policy. The written form is in `file`; only `file` makes one from the other.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::addrsel::AddressSelection;
use crate::names::{InterfaceName, NamePattern, Prefix, Zone};
use crate::rules::Rules;
use crate::server::Server;
use crate::verdict::Protocol;

/// Everything one application is to do, checked and ready to be asked.
#[derive(Debug)]
pub struct Policy {
    /// The provisioning domains that this policy names, explicit and implicit ones; a [`PvdId`]
    /// is an index here.
    pub pvds: Vec<Pvd>,
    /// The rules in order, the first that matches decides. The last one is always `use` itself
    /// and matches every flow.
    pub rules: Rules,
    /// The networks on which a wildcard listener is reachable; `None` where the policy does not
    /// say, and then it is as the last rule.
    pub listen: Option<Use>,
    /// What happens to sockets that the application itself bound or pinned elsewhere.
    pub explicit: Explicit,
    /// Whether loopback and the host's own addresses are exempt.
    pub local: bool,
    /// Which interfaces the application finds when it lists them.
    pub interfaces: Interfaces,
    /// Whether the programs that the application starts are under this policy, too.
    pub children: Children,
    /// Whether the application may use `io_uring`, whose calls pass mif by.
    pub io_uring: bool,
    /// Address families that flows and answers may have.
    pub families: Families,
    /// The application's own `[dns]` table or `-d`: it stands before the one of the provisioning
    /// domain in look-ups that the last rule decides.
    pub dns: Dns,
    /// The application's own `[addrsel]`: it stands before that of a provisioning domain.
    pub addrsel: AddressSelection,
    /// The files that [`Place`]s point into.
    pub files: Vec<Box<str>>,
}

/// One provisioning domain (RFC 7556): a network's consistent set of configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pvd {
    /// The name in `pvds.toml`, or the interface's for an implicit one.
    pub name: Box<str>,
    /// Where its packets leave.
    pub interface: Interface,
    /// Source addresses that may be used; empty means the kernel's choice on that interface. A
    /// list with addresses of one family only leaves the domain without the other family.
    pub sources: Vec<IpAddr>,
    /// `SO_MARK` for `ip rule` to pick the first hop by.
    pub mark: Option<u32>,
    /// What answers its names.
    pub dns: Dns,
    /// In which order addresses that were looked up on it are tried.
    pub addrsel: AddressSelection,
}

impl Pvd {
    /// Whether it is the implicit domain of its interface, all that the interface offers: nobody has
    /// defined it, or no further than by its name.
    #[must_use]
    pub fn is_implicit(&self) -> bool {
        matches!(self.interface, Interface::Named(name) if *name.as_str() == *self.name)
            && self.sources.is_empty()
            && self.mark.is_none()
            && self.dns == Dns::default()
    }
}

/// How the interface of a provisioning domain is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// By name, looked up anew whenever the kernel may have changed its index.
    Named(InterfaceName),
    /// It is whichever carries the first source address now (`-s` without `-i`).
    OfSource,
}

/// Which of [`Policy::pvds`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PvdId(pub u16);

/// Which of [`Policy::rules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u32);

/// One entry of a `use` or `listen` list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// This provisioning domain.
    Pvd(PvdId),
    /// As if mif were not there.
    System,
    /// Refuse.
    None,
}

/// A list in order of preference; its end is a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use(pub Box<[Choice]>);

impl Use {
    /// Whether the list ends in `system`, that is, whether it is a preference and no requirement.
    #[must_use]
    pub fn is_preference(&self) -> bool {
        self.0.contains(&Choice::System)
    }
}

/// Servers and search list for names; empty lists mean "not said here".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Recursive resolvers in the order they are asked.
    pub servers: Vec<Server>,
    /// Suffixes for names with fewer dots than `ndots`.
    pub search: Vec<Box<str>>,
    /// Names that the servers may be asked; none at all means all.
    pub zones: Vec<Zone>,
    /// Names of this domain cannot be taken away by the zones of one that is not trusted.
    pub trusted: bool,
    /// Which other servers the guard refuses; `None` means "not said here".
    pub guard: Option<Guard>,
}

/// `dns.guard`: which DNS servers, other than those of its network, an application with a resolver
/// of its own may not ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Those that the host is configured with.
    Host,
    /// All.
    Strict,
    /// None.
    Off,
}

/// `explicit`: what holds where the application itself bound or pinned a socket outside the
/// network that the policy chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explicit {
    /// The call fails and nothing is sent.
    Refuse,
    /// The application's choice stands.
    Respect,
    /// The policy's choice stands.
    Override,
}

/// `interfaces`: what an application finds that lists the host's interfaces and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interfaces {
    /// All of them.
    All,
    /// Loopback and those of the networks that the policy may choose.
    Policy,
}

/// `children`: whether the programs that an application starts are under its policy, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    /// Whatever environment the application gives them.
    Follow,
    /// If the environment that the application gives them says so.
    Inherit,
    /// Never.
    Drop,
}

/// `family`: which address families flows may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// Both.
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Which flows, and by which networks. A list that is empty matches everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Destination prefixes; a flow matches if it is in one of them, or its name in `names`.
    pub prefixes: Vec<Prefix>,
    /// Destination names; a flow matches if its address came from a look-up of such a name.
    pub names: Vec<NamePattern>,
    /// Destination ports.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Transport protocol, `None` for any.
    pub protocol: Option<Protocol>,
    /// The networks.
    pub choices: Use,
    /// Where it is written.
    pub place: Place,
}

/// Where a rule is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In `Policy::files[file]`, from this line (1 is the first).
    File {
        /// Index into [`Policy::files`].
        file: u16,
        /// Line number, from 1.
        line: u32,
    },
    /// An option of `mif-run` or the variable that carries it: `-i`, `-s`, `-d`.
    Option(&'static str),
    /// Nowhere: no `use` is written, so all is as if mif were not there.
    Default,
}

impl Policy {
    /// The policy of a process whose real one has a fault: nothing leaves the host.
    #[must_use]
    pub fn refusing() -> Self {
        Self {
            pvds: Vec::new(),
            rules: Rules::new(vec![Rule {
                prefixes: Vec::new(),
                names: Vec::new(),
                ports: Vec::new(),
                protocol: None,
                choices: Use(Box::new([Choice::None])),
                place: Place::Default,
            }]),
            listen: None,
            explicit: Explicit::Refuse,
            local: true,
            interfaces: Interfaces::All,
            children: Children::Follow,
            io_uring: false,
            families: Families::Any,
            dns: Dns::default(),
            addrsel: AddressSelection::default(),
            files: Vec::new(),
        }
    }

    /// The provisioning domain of an id of this policy.
    #[must_use]
    pub fn pvd(&self, id: PvdId) -> &Pvd {
        &self.pvds[usize::from(id.0)]
    }

    /// The rule of an id of this policy.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> &Rule {
        &self.rules[id.0 as usize]
    }

    /// Whether a flow that no rule decides may take none but the networks that `use` names.
    #[must_use]
    pub fn is_requirement(&self) -> bool {
        !self.rule(self.last_rule()).choices.is_preference()
    }

    /// The last rule: `use` itself.
    ///
    /// # Panics
    /// Never for a policy from [`crate::parse`], which always has one.
    #[must_use]
    pub fn last_rule(&self) -> RuleId {
        RuleId(u32::try_from(self.rules.len() - 1).unwrap_or(u32::MAX))
    }

    /// A place in words: `FILE:LINE`, or the option's name.
    #[must_use]
    pub fn place(&self, place: Place) -> impl fmt::Display + use<'_> {
        PlaceIn {
            policy: self,
            place,
        }
    }
}

struct PlaceIn<'p> {
    policy: &'p Policy,
    place: Place,
}

impl fmt::Display for PlaceIn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::File { file, line } => {
                let path = self.policy.files.get(usize::from(file)).map_or("?", |p| p);
                write!(f, "{path}:{line}")
            }
            Place::Option(name) => f.write_str(name),
            Place::Default => f.write_str("default"),
        }
    }
}
