//! A router advertisement (RFC 4861 4.2), and the provisioning domain that it belongs to.

use crate::name::Name;
use crate::octets::{Fault, Octets};
use crate::option::{self, Item, Kind};

/// The type of a router advertisement among `ICMPv6`'s messages.
pub const TYPE: u8 = 134;

/// Everything that one router advertisement says.
///
/// All of it, whether it stands inside of the option of RFC 8801 or not, is about [`Self::explicit`],
/// or else about the implicit domain of the interface and the router that sent it (RFC 8801 3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The header that counts: the one inside of the option, if it has one.
    pub header: Header,
    /// The domain that the network names.
    pub explicit: Option<Explicit>,
    /// What the options say: those of the message in their order, then those inside of the option.
    pub items: Vec<Item>,
    /// Options that were understood to be wrong, and left out.
    pub left_out: Vec<Fault>,
}

/// What stands in front of the options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The hop limit for what hosts send; `None` where the router does not say.
    pub hop_limit: Option<u8>,
    /// M: addresses by `DHCPv6`.
    pub managed: bool,
    /// O: other configuration by `DHCPv6`.
    pub other: bool,
    /// How it stands among several default routers (RFC 4191); medium where it is none.
    pub preference: Preference,
    /// Seconds for which it is a default router; 0 for one that is none.
    pub router_lifetime: u16,
}

/// A preference among routers or routes (RFC 4191 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preference {
    /// 11.
    Low,
    /// 00.
    Medium,
    /// 01.
    High,
}

/// The head of the option of RFC 8801 3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explicit {
    /// The identifier of the domain.
    pub id: Name,
    /// H: there is additional information to be fetched.
    pub has_information: bool,
    /// L: what DHCP of IPv4 gives on this link belongs to it.
    pub has_legacy: bool,
    /// The additional information is fetched after 0 to 2^(10 + delay) milliseconds; 0 to 15.
    pub delay: u8,
    /// Counts up when the additional information changes (RFC 1982 arithmetic).
    pub sequence: u16,
}

const HEADER: &str = "the header of a router advertisement";

/// Reads a message of `ICMPv6`, from its type on. Whether it came with a hop limit of 255 from a
/// link-local address, and whether its checksum is right, is for the caller to see.
///
/// # Errors
/// It is no router advertisement, or it or its option of RFC 8801 ends in the middle of something:
/// nothing of it may be used then, since nobody knows for which domain it is meant.
pub fn parse(message: &[u8]) -> Result<Advertisement, Fault> {
    let mut octets = Octets::new(message);
    let start = octets;
    let [kind, code] = octets.array("the type and code of ICMPv6")?;
    if (kind, code) != (TYPE, 0) {
        return Err(start.fault(format!(
            "a message of ICMPv6 with type {kind} and code {code} is no router advertisement"
        )));
    }
    let outer = Header::read(&mut octets)?;
    let mut options = Options::default();
    let domain = options.read(&mut octets)?;
    let inner = domain.map(|body| Inner::read(body, &mut options));
    let (explicit, inner) = inner
        .transpose()?
        .map_or((None, None), |inner| (Some(inner.explicit), inner.header));
    Ok(Advertisement {
        header: inner.unwrap_or(outer),
        explicit,
        items: options.items,
        left_out: options.left_out,
    })
}

/// What the options say, and those that are wrong.
#[derive(Default)]
struct Options {
    items: Vec<Item>,
    left_out: Vec<Fault>,
}

impl Options {
    /// Reads all that there are, and returns the content of the first provisioning domain.
    ///
    /// # Errors
    /// They do not fit into their message.
    fn read<'m>(&mut self, octets: &mut Octets<'m>) -> Result<Option<Octets<'m>>, Fault> {
        let mut domain = None;
        while let Some((kind, body)) = option::next(octets)? {
            match option::read(kind, body) {
                Ok(Kind::Item(item)) => self.items.push(item),
                Ok(Kind::Unknown) => {}
                Ok(Kind::ProvisioningDomain) if domain.is_some() => {
                    self.left_out
                        .push(body.fault("a second provisioning domain"));
                }
                Ok(Kind::ProvisioningDomain) => domain = Some(body),
                Err(fault) => self.left_out.push(fault),
            }
        }
        Ok(domain)
    }
}

impl Header {
    /// Reads it from behind the type and the code.
    fn read(octets: &mut Octets<'_>) -> Result<Self, Fault> {
        octets.u16(HEADER)?; // The checksum.
        let hop_limit = octets.u8(HEADER)?;
        let flags = octets.u8(HEADER)?;
        let router_lifetime = octets.u16(HEADER)?;
        octets.array::<8>(HEADER)?; // Reachable time and retransmission timer, which are the kernel's.
        let preference = Preference::from_bits(flags >> 3).filter(|_| router_lifetime > 0);
        Ok(Self {
            hop_limit: (hop_limit > 0).then_some(hop_limit),
            managed: flags & 0x80 != 0,
            other: flags & 0x40 != 0,
            // A reserved value is to be taken for medium (RFC 4191 2.2).
            preference: preference.unwrap_or(Preference::Medium),
            router_lifetime,
        })
    }
}

impl Preference {
    /// `None` for the reserved value, 10.
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        match bits & 3 {
            0 => Some(Self::Medium),
            1 => Some(Self::High),
            3 => Some(Self::Low),
            _ => None,
        }
    }
}

/// The option of RFC 8801 3.1.
struct Inner {
    explicit: Explicit,
    header: Option<Header>,
}

impl Inner {
    /// Reads what is behind the type and the length of the option. The options in it join the others.
    fn read(mut body: Octets<'_>, options: &mut Options) -> Result<Self, Fault> {
        let start = body.at();
        let flags = body.u16("the flags of a provisioning domain")?;
        let sequence = body.u16("the sequence number of a provisioning domain")?;
        let id = Name::read(&mut body)?;
        // What follows begins at a multiple of 8 octets, counted from the option's type.
        let read = body.at() - start + 2;
        let padding = read.next_multiple_of(8) - read;
        body.part(padding, "the padding of an identifier")?;
        let header = if flags & 0x2000 == 0 {
            None
        } else {
            body.u16(HEADER)?; // Type and code say nothing here.
            Some(Header::read(&mut body)?)
        };
        if let Some(nested) = options.read(&mut body)? {
            let fault = nested.fault("a provisioning domain within another");
            options.left_out.push(fault);
        }
        Ok(Self {
            explicit: Explicit {
                id,
                has_information: flags & 0x8000 != 0,
                has_legacy: flags & 0x4000 != 0,
                delay: (flags & 0x000f) as u8,
                sequence,
            },
            header,
        })
    }
}
