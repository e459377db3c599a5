//! The kernel's labels of address selection (`ip addrlabel`, RFC 6724 section 2.1).

use std::io;
use std::net::Ipv6Addr;

use mif_policy::Prefix;
use netlink_packet_route::addrlabel::{AddrLabelAttribute, AddrLabelMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::netlink::dump;

/// The label table.
#[derive(Clone, Debug, Default)]
pub struct Labels(Vec<Row>);

#[derive(Clone, Debug)]
struct Row {
    prefix: Prefix,
    /// Only for addresses of this interface; 0 is all.
    interface: u32,
    label: u32,
}

/// The labels as they are now.
///
/// # Errors
/// The kernel's.
pub fn labels() -> io::Result<Labels> {
    let mut request = AddrLabelMessage::default();
    request.header.family = AddressFamily::Inet6;
    let answers = dump(RouteNetlinkMessage::GetAddrLabel(request))?;
    let rows = answers.into_iter().filter_map(|answer| match answer {
        RouteNetlinkMessage::NewAddrLabel(message) => row(&message),
        _ => None,
    });
    Ok(Labels(rows.collect()))
}

fn row(message: &AddrLabelMessage) -> Option<Row> {
    let (mut address, mut label) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            AddrLabelAttribute::Address(ip) => address = Some(*ip),
            AddrLabelAttribute::Label(number) => label = Some(*number),
            _ => {}
        }
    }
    Some(Row {
        prefix: Prefix::new(address?, message.header.prefix_len)?,
        interface: message.header.index,
        label: label?,
    })
}

impl Labels {
    /// The label of an address, which may be one of the interface with this index.
    #[must_use]
    pub fn of(&self, address: Ipv6Addr, interface: u32) -> Option<u32> {
        let holds = |row: &&Row| {
            row.prefix.contains(address.into())
                && (row.interface == 0 || row.interface == interface)
        };
        let rows = self.0.iter().filter(holds);
        rows.max_by_key(|row| (row.prefix.length(), row.interface))
            .map(|row| row.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_gives_the_label() {
        let labels = labels().unwrap();
        let of = |address: &str| labels.of(address.parse().unwrap(), 1);
        assert_eq!(of("2001:db8::1"), of("2a00::1"));
        assert_ne!(of("fd00::1"), of("2001:db8::1"));
        assert_ne!(of("::ffff:192.0.2.1"), of("2001:db8::1"));
        assert!(of("::1").is_some());
    }
}
