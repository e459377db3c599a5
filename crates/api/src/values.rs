//! The small types that requests and events are made of.

/// Address families.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Families {
    /// IPv4 and IPv6.
    #[default]
    Any,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
}

impl Families {
    pub(crate) fn flags(self) -> u32 {
        match self {
            Self::Any => 0,
            Self::V4 => 1,
            Self::V6 => 2,
        }
    }
}

/// How much a choice of a domain counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strength {
    /// While the domain is not there, calls fail.
    #[default]
    Require,
    /// While the domain is not there, another network will do.
    Prefer,
}

impl Strength {
    pub(crate) fn flags(self) -> u32 {
        match self {
            Self::Require => 0,
            Self::Prefer => 4,
        }
    }
}

/// What a connection is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SocketType {
    /// TCP.
    #[default]
    Stream,
    /// UDP: the socket is connected, and nothing has been sent.
    Datagram,
}

impl SocketType {
    pub(crate) fn raw(self) -> u32 {
        match self {
            Self::Stream => libc::SOCK_STREAM.cast_unsigned(),
            Self::Datagram => libc::SOCK_DGRAM.cast_unsigned(),
        }
    }
}

/// An enum whose values have numbers in `mif.h`.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $number:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_doc])* $variant = $number,)*
        }

        impl $name {
            pub(crate) fn raw(self) -> u32 {
                self as u32
            }

            pub(crate) fn from_raw(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

numbered! {
    /// Where an element of a domain's configuration is from (3.2.5 of the draft).
    Element {
        /// Router advertisements (RFC 4861).
        RouterAdvertisement = 1,
        /// `DHCPv6` (RFC 8415).
        Dhcpv6 = 2,
        /// `DHCPv4` (RFC 2131).
        Dhcpv4 = 3,
        /// `pvds.toml`, and what the host's agents were given by hand.
        Static = 4,
        /// The additional information that a domain publishes (RFC 8801 section 4).
        AdditionalInformation = 5,
    }
}

numbered! {
    /// Which information of a domain's configuration. Each value of it is one text.
    Info {
        /// `192.0.2.53`, `tls://192.0.2.53#dns.example`.
        DnsServers = 1,
        /// `corp.example`.
        DnsSearch = 2,
        /// Names that this domain's servers are to be asked for: `corp.example`.
        DnsZones = 3,
        /// `192.0.2.1`, `fe80::1`.
        Gateways = 4,
        /// `192.0.2.0/24`.
        Prefixes = 5,
        /// `1500`.
        Mtu = 6,
        /// The NAT64 prefix (RFC 8781): `64:ff9b::/96`.
        Pref64 = 7,
        /// `https://portal.example/api` (RFC 8910).
        CaptivePortal = 8,
    }
}
