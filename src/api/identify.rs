//! Provisioning domains by name, by socket and by packet.

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::slice;

use libc::{cmsghdr, in_pktinfo, in6_pktinfo, msghdr};
use mif_domains::Id;
use rustix::io::Errno;

use super::choose::done;
use super::id::CId;
use super::{list, scope};
use crate::connect::borrow;
use crate::memory::is_there;

/// The rest is in `mif.h`.
///
/// # Safety
/// `n` must be null or readable and writable, `pvds` writable for so many.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_pvd_list(
    flags: c_uint,
    pvds: *mut CId,
    n: *mut usize,
) -> c_int {
    done(|| {
        if !is_there(n) {
            return Err(Errno::FAULT);
        }
        let visible = list::visible(flags)?;
        // SAFETY: the caller's contract.
        let room = unsafe { *n };
        let room = if pvds.is_null() { 0 } else { room };
        for (at, id) in visible.iter().take(room).enumerate() {
            // SAFETY: the caller's contract.
            unsafe { *pvds.wrapping_add(at) = CId::from(id) };
        }
        // SAFETY: the caller's contract.
        unsafe { *n = visible.len() };
        Ok(())
    })
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `text` must be null or a C string, `pvd` null or writable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_pvd_from_text(
    text: *const c_char,
    pvd: *mut CId,
) -> c_int {
    done(|| {
        if !is_there(text) || !is_there(pvd) {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller's contract.
        let text = unsafe { CStr::from_ptr(text) };
        let id = named(text.to_str().map_err(|_| Errno::INVAL)?)?;
        // SAFETY: the caller's contract.
        unsafe { *pvd = CId::from(&id) };
        Ok(())
    })
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvd` must be null or readable, `text` null or writable for `size` bytes.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_pvd_to_text(
    pvd: *const CId,
    text: *mut c_char,
    size: usize,
) -> c_int {
    let mut length = 0;
    let code = done(|| {
        // SAFETY: the caller's contract.
        let id = unsafe { pvd.as_ref() }.ok_or(Errno::INVAL)?.id()?;
        let name = id.name().as_bytes();
        length = c_int::try_from(name.len()).map_err(|_| Errno::INVAL)?;
        if size > 0 && !text.is_null() {
            // SAFETY: the caller's contract.
            let room = unsafe { slice::from_raw_parts_mut(text.cast::<u8>(), size) };
            let fits = name.len().min(size - 1);
            room[..fits].copy_from_slice(&name[..fits]);
            room[fits] = 0;
        }
        Ok(())
    });
    if code == 0 { length } else { code }
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `pvd` must be null or writable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_sock_get_pvd(fd: c_int, pvd: *mut CId) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { identify(pvd, || of_socket(fd)) }
}

/// The rest is in `mif.h`.
///
/// # Safety
/// `msg` must be null or what recvmsg(2) filled, `pvd` null or writable.
#[cfg_attr(not(test), unsafe(no_mangle))]
pub(crate) unsafe extern "C-unwind" fn mif_cmsg_pvd(msg: *const msghdr, pvd: *mut CId) -> c_int {
    let arrival = || {
        if !is_there(msg) {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller's contract.
        let (index, address) = unsafe { arrival(msg) }.ok_or(Errno::NOENT)?;
        list::of_packets(index, Some(address))
    };
    // SAFETY: the caller's contract.
    unsafe { identify(pvd, arrival) }
}

/// # Safety
/// `pvd` must be null or writable.
unsafe fn identify(pvd: *mut CId, find: impl FnOnce() -> Result<Id, Errno>) -> c_int {
    done(|| {
        if !is_there(pvd) {
            return Err(Errno::FAULT);
        }
        let id = find()?;
        // SAFETY: the caller's contract.
        unsafe { *pvd = CId::from(&id) };
        Ok(())
    })
}

/// The domain that people call so. With a word in front of it that says of which kind it is, it need not be
/// there now.
///
/// # Errors
/// `EINVAL`: nothing can be called so. `ENOENT`: nothing is.
fn named(text: &str) -> Result<Id, Errno> {
    let of = |kind, name: &str| Id::new(kind, name.as_bytes()).map_err(|_| Errno::INVAL);
    match text.split_once(':') {
        Some(("utf8", name)) => return of(Id::UTF8, name),
        Some(("if", name)) => return of(Id::INTERFACE, name),
        Some(("fqdn", name)) => return of(Id::FQDN, name),
        _ => {}
    }
    let kinds = [Id::UTF8, Id::INTERFACE, Id::FQDN];
    let mut ids = kinds.into_iter().filter_map(|kind| of(kind, text).ok());
    let found = ids.find(|id| scope::domain(id).is_ok());
    found.ok_or(Errno::NOENT)
}

fn of_socket(fd: c_int) -> Result<Id, Errno> {
    let fd = borrow(fd).ok_or(Errno::BADF)?;
    let local = mif_socket::local_address(fd);
    let local = local.map(|local| mif_socket::canonical(local.ip()));
    let local = local.filter(|ip| !ip.is_unspecified());
    let is_v4 = rustix::net::sockopt::socket_domain(fd)? == rustix::net::AddressFamily::INET;
    let device = mif_socket::bound_index(fd)?;
    let index = match device {
        // A datagram socket has its interface by another option.
        0 => mif_socket::unicast_index(fd, is_v4).unwrap_or(0),
        index => index,
    };
    if index == 0 {
        return Err(Errno::NOENT);
    }
    list::of_packets(index, local)
}

/// The interface that a datagram came by, and the address of this host that it came to.
///
/// # Safety
/// `msg` must be what recvmsg(2) filled.
unsafe fn arrival(msg: *const msghdr) -> Option<(u32, IpAddr)> {
    // SAFETY: the caller's contract.
    let mut next: *mut cmsghdr = unsafe { libc::CMSG_FIRSTHDR(msg) };
    while !next.is_null() {
        // SAFETY: a whole header, as the macros found it.
        let header = unsafe { *next };
        // SAFETY: the same.
        let data = unsafe { libc::CMSG_DATA(next) };
        let has = |size: usize| header.cmsg_len >= size_of::<cmsghdr>() + size;
        match (header.cmsg_level, header.cmsg_type) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if has(size_of::<in_pktinfo>()) => {
                // SAFETY: so much is there.
                let info = unsafe { data.cast::<in_pktinfo>().read_unaligned() };
                let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                let index = info.ipi_ifindex.cast_unsigned();
                return Some((index, ip.into()));
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if has(size_of::<in6_pktinfo>()) => {
                // SAFETY: so much is there.
                let info = unsafe { data.cast::<in6_pktinfo>().read_unaligned() };
                let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                return Some((info.ipi6_ifindex, mif_socket::canonical(ip.into())));
            }
            _ => {}
        }
        // SAFETY: the caller's contract, and a header of it.
        next = unsafe { libc::CMSG_NXTHDR(msg, next) };
    }
    None
}
