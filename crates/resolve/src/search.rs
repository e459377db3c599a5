//! The names that a name may stand for: itself, and itself below each suffix of the search list.
//!
//! As in resolv.conf(5) with `ndots:1`, which is all a provisioning domain has; the host's own
//! `options` are not the domain's.

use hickory_proto::rr::Name;

/// Whether the name is asked as it is before the search list is gone through: it has a dot.
pub(crate) fn as_is_first(name: &str) -> bool {
    name.contains('.')
}

/// The candidates in the order they are asked. What is no domain name (an empty label, too long)
/// is left out.
pub(crate) fn candidates<'n>(
    name: &'n str,
    search: &'n [Box<str>],
) -> impl Iterator<Item = Name> + 'n {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let listed: &[Box<str>] = if name.ends_with('.') { &[] } else { search };
    let first = as_is_first(name).then(|| domain_name(bare, ""));
    let last = (!as_is_first(name)).then(|| domain_name(bare, ""));
    let below = listed.iter().map(move |suffix| domain_name(bare, suffix));
    first.into_iter().chain(below).chain(last).flatten()
}

/// Labels are taken as the bytes they are: what the application wrote has no escapes.
fn domain_name(name: &str, suffix: &str) -> Option<Name> {
    let suffix = suffix.trim_matches('.');
    let mut domain = Name::root();
    for label in name
        .split('.')
        .chain(suffix.split('.').filter(|_| !suffix.is_empty()))
    {
        domain = domain.append_label(label.as_bytes()).ok()?;
    }
    domain.set_fqdn(true);
    Some(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_come_as_resolv_conf_says() {
        let search: [Box<str>; 2] = ["corp.test".into(), ".lab.".into()];
        let long = "x".repeat(64);
        for (name, wanted) in [
            ("host", &["host.corp.test.", "host.lab.", "host."][..]),
            ("host.", &["host."]),
            ("a.host", &["a.host.", "a.host.corp.test.", "a.host.lab."]),
            ("a.host.", &["a.host."]),
            (
                "a\\.host",
                &["a\\\\.host.", "a\\\\.host.corp.test.", "a\\\\.host.lab."],
            ),
            ("a..host", &[]),
            (".", &[]),
            ("", &[]),
            (&long, &[]),
            (&"a.".repeat(128), &[]),
        ] {
            let names: Vec<_> = candidates(name, &search)
                .map(|name| name.to_ascii())
                .collect();
            assert_eq!(names, wanted, "{name:?}");
        }
        assert_eq!(candidates("host", &[]).count(), 1);
    }
}
