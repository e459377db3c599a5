//! A DNS server as a policy names it: where it is, and how it is spoken to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::guard::DNS;

/// A recursive resolver of a provisioning domain.
#[derive(Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    /// How messages get there.
    pub transport: DnsTransport,
}

/// How DNS messages get to a server; the names are those of RFC 9499 section 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsTransport {
    /// As they are: by datagram, and by stream where an answer does not fit (RFC 1035, RFC 7766).
    Do53,
    /// Over TLS (RFC 7858).
    DoT {
        /// Whom the certificate has to be for.
        name: ServerName,
    },
    /// Over HTTPS (RFC 8484).
    DoH {
        /// Whom the certificate has to be for.
        name: ServerName,
        /// Path of the URI, with its first slash.
        path: Box<str>,
    },
}

/// Whom a server's certificate has to be for, the *authentication domain name* of RFC 8310.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerName {
    /// This domain name.
    Domain(Box<str>),
    /// The server's address itself: nothing else was said of it.
    Address,
}

impl DnsTransport {
    /// The port where nothing else is said.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Do53 => 53,
            Self::DoT { .. } => 853,
            Self::DoH { .. } => 443,
        }
    }
}

impl Server {
    /// Whether what is asked can be read on the way.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.transport == DnsTransport::Do53
    }

    /// Whether a resolver that knows no more of it than its address can ask it: in the clear, at the
    /// port of the DNS.
    #[must_use]
    pub fn is_of_any_resolver(&self) -> bool {
        self.is_plain() && self.address.port() == DNS
    }

    /// For TLS: whom the certificate has to be for, and the path of the URI of DNS over HTTPS.
    /// `None` of a server that is spoken to in the clear.
    #[must_use]
    pub fn authentication(&self) -> Option<(String, Option<&str>)> {
        let (name, path) = match &self.transport {
            DnsTransport::Do53 => return None,
            DnsTransport::DoT { name } => (name, None),
            DnsTransport::DoH { name, path } => (name, Some(&**path)),
        };
        let name = match name {
            ServerName::Domain(name) => name.to_string(),
            ServerName::Address => self.address.ip().to_string(),
        };
        Some((name, path))
    }
}

/// A server without encryption.
impl From<SocketAddr> for Server {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            transport: DnsTransport::Do53,
        }
    }
}

/// As it is written in a policy; the port only where it is not the usual one.
impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, path, name) = match &self.transport {
            DnsTransport::Do53 => ("", "", &ServerName::Address),
            DnsTransport::DoT { name } => ("tls://", "", name),
            DnsTransport::DoH { name, path } => ("https://", &**path, name),
        };
        f.write_str(scheme)?;
        match (self.address.ip(), self.address.port()) {
            (_, port) if port != self.transport.port() => write!(f, "{}", self.address)?,
            (IpAddr::V6(ip), _) if !self.is_plain() => write!(f, "[{ip}]")?,
            (ip, _) => write!(f, "{ip}")?,
        }
        f.write_str(path)?;
        match name {
            ServerName::Domain(name) => write!(f, "#{name}"),
            ServerName::Address => Ok(()),
        }
    }
}

/// As [`fmt::Display`]: lists of servers are told to people.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
