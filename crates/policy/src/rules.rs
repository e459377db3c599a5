//! The rules of a policy, and the tables by which one is found among many: what a flow costs
//! grows with the logarithm of their number. Nothing here allocates once they are made.

use std::cmp::Ordering;
use std::net::IpAddr;
use std::ops::Deref;

use crate::model::{Choice, Rule, RuleId};
use crate::names::{NamePattern, Prefix};
use crate::verdict::Flow;

/// The rules in order, the first that matches decides. The last one is always `use` itself and
/// matches every flow.
#[derive(Clone, Debug)]
pub struct Rules {
    all: Box<[Rule]>,
    /// Rules that hold for every destination, though perhaps for some ports or a protocol only.
    anywhere: Box<[RuleId]>,
    /// The first rule without any condition.
    general: RuleId,
    v4: Prefixes,
    v6: Prefixes,
    names: Names,
    /// What the rules choose from, each once, in the order in which they name it.
    choices: Box<[Choice]>,
}

/// Prefixes of one family, each with its rule, sorted by network and then by length.
#[derive(Clone, Debug)]
struct Prefixes(Box<[Entry]>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The network's bits, the first one of the address on top.
    network: u128,
    length: u8,
    rule: RuleId,
    /// The entry before this one that holds all of it; itself where there is none.
    around: u32,
}

/// Patterns as (rule, which of its names), sorted by their text.
#[derive(Clone, Debug)]
struct Names(Box<[(RuleId, u32)]>);

impl Rules {
    /// The tables of these rules.
    #[must_use]
    pub fn new(all: Vec<Rule>) -> Self {
        let ids = || (0..).map(RuleId).zip(&all);
        let anywhere: Box<_> = ids()
            .filter(|(_, rule)| rule.has_no_destination())
            .map(|(id, _)| id)
            .collect();
        let general = ids().find(|(_, rule)| rule.is_general());
        let most = all.iter().map(|rule| rule.prefixes.len()).sum();
        let prefixes = |v4: bool| {
            let entries = ids().flat_map(move |(id, rule)| {
                let of_family = rule.prefixes.iter().filter(move |p| p.is_ipv4() == v4);
                of_family.map(move |prefix| Entry::new(prefix, id))
            });
            Prefixes::new(most, entries)
        };
        let mut choices = Vec::new();
        for choice in all.iter().flat_map(|rule| &rule.choices.0) {
            if !choices.contains(choice) {
                choices.push(*choice);
            }
        }
        Self {
            choices: choices.into(),
            general: general.map_or(RuleId(0), |(id, _)| id),
            anywhere,
            v4: prefixes(true),
            v6: prefixes(false),
            names: Names::new(&all),
            all: all.into(),
        }
    }

    /// All entries of all their lists, each once, in the order in which they come first.
    pub(crate) fn choices(&self) -> &[Choice] {
        &self.choices
    }

    /// The first rule that matches a flow.
    #[must_use]
    #[inline]
    pub(crate) fn first(&self, flow: &Flow<'_>) -> RuleId {
        if self.all.len() == 1 {
            return RuleId(0);
        }
        let fits = |id: &RuleId| self.all[id.0 as usize].fits(flow);
        let of_names = flow.named.iter().copied();
        self.anywhere
            .iter()
            .copied()
            .find(fits)
            .into_iter()
            .chain(self.holding(flow.destination.ip()).filter(fits))
            .chain(of_names.filter(|id| self.has_names(*id) && fits(id)))
            .min()
            .unwrap_or(self.general)
    }

    /// The first rule with a pattern for `name`, or with no condition at all.
    pub(crate) fn first_for_name(&self, name: &str) -> RuleId {
        self.naming(name).fold(self.general, RuleId::min)
    }

    /// The first rule with a prefix for `ip`, a pattern for `name`, or no condition at all, or one
    /// of `named`.
    pub(crate) fn first_for_address(&self, ip: IpAddr, name: &str, named: &[RuleId]) -> RuleId {
        let named = named.iter().copied().filter(|id| self.has_names(*id));
        named
            .chain(self.holding(ip))
            .fold(self.first_for_name(name), RuleId::min)
    }

    /// The rules with a pattern for `name`, in no order; one with several is named as often.
    pub(crate) fn naming<'s>(&'s self, name: &'s str) -> impl Iterator<Item = RuleId> + 's {
        let name = name.strip_suffix('.').unwrap_or(name);
        let dots = name.bytes().enumerate().filter(|&(_, byte)| byte == b'.');
        // The name itself, and every part of it that begins behind a dot.
        let parts = std::iter::once(0).chain(dots.map(|(dot, _)| dot + 1));
        parts
            .flat_map(|start| self.names.of(&self.all, &name[start..]))
            .filter(|&(id, nth)| self.all[id.0 as usize].names[nth as usize].matches(name))
            .map(|(id, _)| id)
    }

    /// The rules with a prefix that an address lies in.
    fn holding(&self, ip: IpAddr) -> impl Iterator<Item = RuleId> + '_ {
        let prefixes = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        prefixes.holding(bits(ip))
    }

    fn has_names(&self, id: RuleId) -> bool {
        self.get(id.0 as usize)
            .is_some_and(|rule| !rule.names.is_empty())
    }
}

impl Deref for Rules {
    type Target = [Rule];

    fn deref(&self) -> &[Rule] {
        &self.all
    }
}

impl<'r> IntoIterator for &'r Rules {
    type Item = &'r Rule;
    type IntoIter = std::slice::Iter<'r, Rule>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.iter()
    }
}

impl Prefixes {
    /// Of at most so many entries. There is room for all of them at once, since a list that grows would
    /// be moved again and again, and memory that is never written to costs next to nothing.
    fn new(most: usize, entries: impl Iterator<Item = Entry>) -> Self {
        let mut all = Vec::with_capacity(most);
        all.extend(entries);
        let mut entries = all.into_boxed_slice();
        entries.sort_unstable_by_key(|entry| (entry.network, entry.length));
        for i in 1..entries.len() {
            // Whatever holds this entry holds the one before it, or is that one.
            let mut around = i - 1;
            while !entries[around].contains(entries[i].network) {
                let next = entries[around].around as usize;
                if next == around {
                    around = i;
                    break;
                }
                around = next;
            }
            entries[i].around = u32::try_from(around).unwrap_or(u32::MAX);
        }
        Self(entries)
    }

    /// The rules of the prefixes that hold an address, the longest first: the last one that begins
    /// at the address or before it, and those around that.
    #[inline]
    fn holding(&self, address: u128) -> impl Iterator<Item = RuleId> + '_ {
        let before = self.0.partition_point(|entry| entry.network <= address);
        let mut next = before.checked_sub(1);
        std::iter::from_fn(move || {
            let this = next?;
            let entry = self.0[this];
            let around = entry.around as usize;
            next = (around != this).then_some(around);
            Some(entry)
        })
        .filter(move |entry| entry.contains(address))
        .map(|entry| entry.rule)
    }
}

impl Entry {
    fn new(prefix: &Prefix, rule: RuleId) -> Self {
        Self {
            network: bits(prefix.network()),
            length: prefix.length(),
            rule,
            around: 0,
        }
    }

    #[inline]
    fn contains(&self, address: u128) -> bool {
        let behind = 128 - u32::from(self.length);
        (self.network ^ address).checked_shr(behind).unwrap_or(0) == 0
    }
}

impl Names {
    fn new(rules: &[Rule]) -> Self {
        let mut names: Box<[_]> = (0..)
            .map(RuleId)
            .zip(rules)
            .flat_map(|(id, rule)| (0..).zip(&rule.names).map(move |(nth, _)| (id, nth)))
            .collect();
        names.sort_unstable_by(|&a, &b| by_letters(text(rules, a), text(rules, b)));
        Self(names)
    }

    /// The patterns with exactly this text.
    fn of<'s>(
        &'s self,
        rules: &'s [Rule],
        wanted: &'s str,
    ) -> impl Iterator<Item = (RuleId, u32)> + 's {
        let start = self
            .0
            .partition_point(|&at| by_letters(text(rules, at), wanted).is_lt());
        let from = self.0[start..].iter().copied();
        from.take_while(move |&at| by_letters(text(rules, at), wanted).is_eq())
    }
}

/// What a pattern ends in.
fn text(rules: &[Rule], (rule, nth): (RuleId, u32)) -> &str {
    match &rules[rule.0 as usize].names[nth as usize] {
        NamePattern::Exact(text) | NamePattern::Below(text) => text,
    }
}

/// The order of names in which their case does not count.
fn by_letters(a: &str, b: &str) -> Ordering {
    let a = a.bytes().map(|byte| byte.to_ascii_lowercase());
    a.cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[inline]
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u128::from(u32::from(v4)) << 96,
        IpAddr::V6(v6) => v6.into(),
    }
}
