//! What networks announced, as values for JSON and as rows for people. The fields of the JSON are
//! described in docs/mif.md and are not renamed.

use std::net::Ipv6Addr;
use std::time::SystemTime;

use mif_host::announced::{Announced, Domain, Timed};
use serde::Serialize;

use super::text::duration;

/// One provisioning domain that was announced on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct View {
    /// `None` for an implicit one.
    pub(crate) id: Option<String>,
    routers: Vec<Router>,
    prefixes: Vec<For>,
    servers: Vec<For>,
    search: Vec<For>,
    /// What was fetched and holds.
    information: Option<Information>,
    /// Everything else, in the words of the file.
    more: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Router {
    address: Ipv6Addr,
    /// `None` for one that is no default router.
    preference: Option<&'static str>,
    seconds: Option<u64>,
}

/// Something and for how much longer it holds; null is for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct For {
    value: String,
    seconds: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Information {
    seconds: Option<u64>,
    no_internet: bool,
    zones: Vec<String>,
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

/// What still holds of what was announced.
pub(super) fn views(announced: &Announced) -> Vec<View> {
    let now = now();
    let views = announced.domains.iter().map(|domain| view(domain, now));
    views.collect()
}

fn view(domain: &Domain, now: u64) -> View {
    let routers = domain.routers.iter().filter(|one| one.holds(now));
    let information = domain.information.as_ref().filter(|one| one.holds(now));
    View {
        id: domain.id.as_deref().map(str::to_owned),
        routers: routers
            .map(|one| Router {
                address: one.value.0,
                preference: preference(one.value.1),
                seconds: left(one, now),
            })
            .collect(),
        prefixes: each(&domain.prefixes, now),
        servers: each(&domain.servers, now),
        search: each(&domain.search, now),
        information: information.map(|one| Information {
            seconds: left(one, now),
            no_internet: one.value.no_internet,
            zones: one.value.zones.iter().map(ToString::to_string).collect(),
        }),
        more: domain
            .more
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect(),
    }
}

fn each<T: ToString>(list: &[Timed<T>], now: u64) -> Vec<For> {
    let list = list.iter().filter(|one| one.holds(now)).map(|one| For {
        value: one.value.to_string(),
        seconds: left(one, now),
    });
    list.collect()
}

fn left<T>(timed: &Timed<T>, now: u64) -> Option<u64> {
    timed.until.map(|until| until.saturating_sub(now))
}

fn preference(number: u8) -> Option<&'static str> {
    match number {
        0 => None,
        1 => Some("low"),
        2 => Some("medium"),
        _ => Some("high"),
    }
}

impl View {
    /// Takes away for how much longer things hold: that runs down all the time.
    pub(super) fn forget_time(&mut self) {
        self.routers.iter_mut().for_each(|one| one.seconds = None);
        let lists = [&mut self.prefixes, &mut self.servers, &mut self.search];
        for one in lists.into_iter().flatten() {
            one.seconds = None;
        }
        if let Some(information) = &mut self.information {
            information.seconds = None;
        }
    }

    /// What it is called.
    pub(super) fn title(&self) -> String {
        match &self.id {
            Some(id) => id.clone(),
            None => "the domain without a name".to_owned(),
        }
    }

    /// Labels and values.
    pub(super) fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        for router in &self.routers {
            let about = match router.preference {
                Some(preference) => format!("preference {preference}"),
                None => "no default router".to_owned(),
            };
            let address = router.address;
            rows.push((
                "router",
                format!("{address}, {about}{}", time(router.seconds)),
            ));
        }
        for (label, list) in [
            ("prefix", &self.prefixes),
            ("DNS server", &self.servers),
            ("search", &self.search),
        ] {
            for one in list {
                rows.push((label, format!("{}{}", one.value, time(one.seconds))));
            }
        }
        if let Some(information) = &self.information {
            let leads = if information.no_internet {
                "does not lead"
            } else {
                "leads"
            };
            let mut text = format!("{leads} to the internet{}", time(information.seconds));
            if !information.zones.is_empty() {
                text = format!("{text}; zones {}", information.zones.join(" "));
            }
            rows.push(("information", text));
        }
        rows.extend(self.more.iter().map(|line| ("also", line.clone())));
        rows
    }
}

fn time(seconds: Option<u64>) -> String {
    seconds.map_or(String::new(), |seconds| format!(", {}", duration(seconds)))
}
