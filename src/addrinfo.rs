//! `struct addrinfo`: what a caller of getaddrinfo(3) wants, and the list it gets.
//!
//! libc makes every node: each address goes as numeric text through the real `getaddrinfo`, and
//! the lists are joined. So libc's `freeaddrinfo` frees them, whatever the caller cuts or reorders.

mod list;

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_int};
use std::net::{IpAddr, SocketAddr};
use std::ptr::null_mut;

use libc::addrinfo;
use mif_resolve::{Answer, Ask, Failure, idn};

use self::list::List;
use crate::hooks::real;
use crate::memory::is_plausible;
use crate::sockaddr;

/// `netdb.h`: the name may have letters beyond ASCII, and so may the canonical name.
const AI_IDN: c_int = 0x40;
const AI_CANONIDN: c_int = 0x80;
const EAI_IDN_ENCODE: c_int = -105;

/// The arguments of one call, without the name.
pub(crate) struct Request {
    service: *const c_char,
    /// For numeric text: the caller's hints with `AI_NUMERICHOST`, without what is for names.
    numeric: addrinfo,
    flags: c_int,
}

impl Request {
    /// `None` for a call that is libc's alone: one that forbids look-ups.
    ///
    /// # Safety
    /// As getaddrinfo(3), for as long as the request is used.
    pub(crate) unsafe fn new(service: *const c_char, hints: *const addrinfo) -> Option<Self> {
        // SAFETY: all-zero is an addrinfo without hints.
        let mut numeric: addrinfo = unsafe { std::mem::zeroed() };
        // What libc takes for no hints at all (RFC 3493 and getaddrinfo(3)).
        let mut flags = libc::AI_V4MAPPED | libc::AI_ADDRCONFIG;
        if is_plausible(hints) {
            // SAFETY: the caller's contract.
            let hints = unsafe { &*hints };
            flags = hints.ai_flags;
            numeric.ai_family = hints.ai_family;
            numeric.ai_socktype = hints.ai_socktype;
            numeric.ai_protocol = hints.ai_protocol;
        } else if !hints.is_null() {
            return None;
        }
        if flags & libc::AI_NUMERICHOST != 0 {
            return None;
        }
        // Flags that libc does not know stay, for it to refuse.
        let for_names = libc::AI_CANONNAME
            | libc::AI_ADDRCONFIG
            | libc::AI_ALL
            | libc::AI_V4MAPPED
            | AI_IDN
            | AI_CANONIDN;
        numeric.ai_flags = (flags & !for_names) | libc::AI_NUMERICHOST;
        Some(Self {
            service,
            numeric,
            flags,
        })
    }

    /// What libc finds wrong with flags, family, type or service.
    ///
    /// # Errors
    /// The code of `gai_strerror(3)` that the call must return.
    pub(crate) fn check(&self) -> Result<(), c_int> {
        if self.is_plain() {
            return Ok(());
        }
        let any = if self.numeric.ai_family == libc::AF_INET6 {
            c"::1"
        } else {
            c"127.0.0.1"
        };
        let mut found = null_mut();
        // SAFETY: a C string, the caller's service, our hints and our place for the result.
        let code = unsafe {
            real::getaddrinfo(
                any.as_ptr(),
                self.service,
                &raw const self.numeric,
                &raw mut found,
            )
        };
        if code == 0 {
            // SAFETY: libc made the list, and nobody else has it.
            unsafe { libc::freeaddrinfo(found) };
            return Ok(());
        }
        Err(code)
    }

    /// The name as it is asked for. Without `AI_IDN` letters beyond ASCII stay, and libc refuses
    /// such names without asking anybody.
    ///
    /// # Errors
    /// The code for a name that has no such form. Only UTF-8 is converted: libc would convert from
    /// the locale's character set.
    pub(crate) fn name<'n>(&self, name: &'n CStr) -> Result<Cow<'n, str>, c_int> {
        let text = name.to_string_lossy();
        if self.flags & AI_IDN == 0 || text.is_ascii() {
            return Ok(text);
        }
        match name.to_str() {
            Ok(text) if is_utf8() => idn::to_ascii(text).map(Cow::Owned).ok_or(EAI_IDN_ENCODE),
            _ => Err(EAI_IDN_ENCODE),
        }
    }

    /// For `AI_ADDRCONFIG`: the family that is wanted, mapped addresses aside.
    pub(crate) fn addrconfig(&self) -> Option<Ask> {
        (self.flags & libc::AI_ADDRCONFIG != 0).then_some(match self.numeric.ai_family {
            libc::AF_INET => Ask::V4,
            libc::AF_INET6 => Ask::V6,
            _ => Ask::Both,
        })
    }

    /// Whether it is one of the common requests that libc finds nothing wrong with: it need not
    /// be asked then.
    fn is_plain(&self) -> bool {
        let asked = &self.numeric;
        let known = libc::AI_PASSIVE | libc::AI_NUMERICHOST | libc::AI_NUMERICSERV;
        let family = [libc::AF_UNSPEC, libc::AF_INET, libc::AF_INET6].contains(&asked.ai_family);
        let transport = match asked.ai_socktype {
            0 => asked.ai_protocol == 0,
            libc::SOCK_STREAM => [0, libc::IPPROTO_TCP].contains(&asked.ai_protocol),
            libc::SOCK_DGRAM => [0, libc::IPPROTO_UDP].contains(&asked.ai_protocol),
            _ => false,
        };
        family && transport && asked.ai_flags & !known == 0 && self.has_plain_service()
    }

    /// No service, or a port number of up to four digits.
    fn has_plain_service(&self) -> bool {
        if self.service.is_null() {
            return true;
        }
        if !is_plausible(self.service) {
            return false;
        }
        for at in 0..5 {
            // SAFETY: the caller's C string, of which no byte up to here was the NUL.
            let byte = unsafe { self.service.add(at) }.cast::<u8>();
            // SAFETY: as above, so that this byte is still the string's.
            match unsafe { *byte } {
                0 => return at > 0,
                b'0'..=b'9' => {}
                _ => return false,
            }
        }
        false
    }

    /// Which addresses are wanted.
    pub(crate) fn ask(&self) -> Ask {
        match self.numeric.ai_family {
            libc::AF_INET => Ask::V4,
            libc::AF_INET6 if self.wants_mapped() => Ask::Both,
            libc::AF_INET6 => Ask::V6,
            _ => Ask::Both,
        }
    }

    /// Writes the list of an answer to `res`, or leaves it as it is.
    ///
    /// # Safety
    /// `res` as for getaddrinfo(3).
    pub(crate) unsafe fn answer(&self, answer: &Answer, res: *mut *mut addrinfo) -> c_int {
        let mut list = List::new();
        for address in self.wanted(&answer.addresses) {
            if let Err(code) = list.append(self, address) {
                return code;
            }
        }
        if list.is_empty() {
            return libc::EAI_NODATA;
        }
        if self.flags & libc::AI_CANONNAME != 0 {
            let spelled = self.flags & AI_CANONIDN != 0 && is_utf8();
            let spelled = spelled.then(|| idn::to_unicode(&answer.canonical));
            if !list.name(spelled.as_deref().unwrap_or(&answer.canonical)) {
                return libc::EAI_MEMORY;
            }
        }
        // SAFETY: the caller's contract.
        unsafe { *res = list.into_raw() };
        0
    }

    /// The addresses of the family that is wanted, IPv4 as v4-mapped where the flags say so.
    fn wanted<'a>(&'a self, addresses: &'a [IpAddr]) -> impl Iterator<Item = IpAddr> + 'a {
        let has_v6 = addresses.iter().any(IpAddr::is_ipv6);
        let family = self.numeric.ai_family;
        let mapped = self.wants_mapped() && (!has_v6 || self.flags & libc::AI_ALL != 0);
        addresses
            .iter()
            .filter_map(move |&address| match (family, address) {
                (libc::AF_INET6, IpAddr::V4(v4)) => mapped.then(|| IpAddr::V6(v4.to_ipv6_mapped())),
                (libc::AF_INET, IpAddr::V6(_)) => None,
                _ => Some(address),
            })
    }

    fn wants_mapped(&self) -> bool {
        self.numeric.ai_family == libc::AF_INET6 && self.flags & libc::AI_V4MAPPED != 0
    }
}

/// The addresses in a list.
///
/// # Safety
/// `list` must be null or a list of getaddrinfo(3).
pub(crate) unsafe fn addresses(list: *const addrinfo) -> Vec<IpAddr> {
    // SAFETY: the caller's contract.
    let found = unsafe { sockets(list) };
    found.iter().map(SocketAddr::ip).collect()
}

/// The addresses in a list, with their ports.
///
/// # Safety
/// As [`addresses`].
pub(crate) unsafe fn sockets(list: *const addrinfo) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let mut at = list;
    while !at.is_null() {
        // SAFETY: a node of the caller's list.
        let node = unsafe { &*at };
        // SAFETY: each node has an address of the length that it says.
        let given = unsafe { sockaddr::read(node.ai_addr, node.ai_addrlen) };
        found.extend(given.map(|given| given.meant));
        at = node.ai_next;
    }
    found
}

/// Whether the locale of the application writes names in UTF-8.
pub(crate) fn is_utf8() -> bool {
    // SAFETY: reads the locale; what it points to is constant until the locale changes.
    let name = unsafe { libc::nl_langinfo(libc::CODESET) };
    // SAFETY: it is never null, and a C string.
    unsafe { CStr::from_ptr(name) }.to_bytes() == b"UTF-8"
}

/// The code of `gai_strerror(3)` for a failure.
pub(crate) fn error(failure: Failure) -> c_int {
    match failure {
        Failure::NoName => libc::EAI_NONAME,
        Failure::NoData => libc::EAI_NODATA,
        Failure::Again => libc::EAI_AGAIN,
        Failure::Fail => libc::EAI_FAIL,
    }
}

#[cfg(test)]
mod tests {
    use std::ptr::null;

    use super::*;

    fn texts(request: &Request, addresses: &[&str]) -> Vec<String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        request
            .wanted(&addresses)
            .map(|address| address.to_string())
            .collect()
    }

    fn request(family: c_int, flags: c_int) -> Request {
        // SAFETY: all-zero is an addrinfo without hints.
        let mut hints: addrinfo = unsafe { std::mem::zeroed() };
        hints.ai_family = family;
        hints.ai_flags = flags;
        // SAFETY: the hints are read during the call only; there is no service.
        unsafe { Request::new(null(), &raw const hints) }.unwrap()
    }

    #[test]
    fn mapped_addresses_stand_in_for_missing_ones() {
        let plain = request(libc::AF_INET6, 0);
        let mapped = request(libc::AF_INET6, libc::AI_V4MAPPED);
        let all = request(libc::AF_INET6, libc::AI_V4MAPPED | libc::AI_ALL);
        assert_eq!(texts(&plain, &["10.0.0.1", "2001:db8::1"]), ["2001:db8::1"]);
        assert_eq!(
            texts(&mapped, &["10.0.0.1", "2001:db8::1"]),
            ["2001:db8::1"]
        );
        assert_eq!(texts(&mapped, &["10.0.0.1"]), ["::ffff:10.0.0.1"]);
        assert_eq!(
            texts(&all, &["10.0.0.1", "2001:db8::1"]),
            ["::ffff:10.0.0.1", "2001:db8::1"]
        );
    }

    #[test]
    fn libc_judges_the_hints() {
        assert_eq!(request(libc::AF_UNSPEC, 0).check(), Ok(()));
        assert_eq!(request(999, 0).check(), Err(libc::EAI_FAMILY));
        assert_eq!(
            request(libc::AF_UNSPEC, 1 << 30).check(),
            Err(libc::EAI_BADFLAGS)
        );
    }

    #[test]
    fn a_list_is_libcs_own() {
        let request = request(libc::AF_UNSPEC, libc::AI_CANONNAME);
        let addresses = vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let mut list = List::new();
        for address in addresses {
            list.append(&request, address).unwrap();
        }
        assert!(list.name("who.test"));
        let first = list.into_raw();
        let mut families = Vec::new();
        let mut at = first;
        while !at.is_null() {
            // SAFETY: a node of the list above.
            let node = unsafe { &*at };
            families.push((node.ai_family, node.ai_socktype));
            at = node.ai_next;
        }
        let types = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW];
        let wanted: Vec<_> = [libc::AF_INET, libc::AF_INET6]
            .iter()
            .flat_map(|&family| types.map(|socktype| (family, socktype)))
            .collect();
        assert_eq!(families, wanted);
        // SAFETY: the list is ours alone.
        unsafe { libc::freeaddrinfo(first) };
    }
}
