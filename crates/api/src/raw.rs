//! The C edge: the symbols of `libmif.so`, and a safe function for each of its functions. All `unsafe` of this
//! crate is here.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::time::Duration;

use libc::{addrinfo, nfds_t, pollfd};

use crate::layout::{Address, Message, PvdId};

/// Where symbols are looked for.
#[derive(Clone, Copy)]
pub(crate) struct Object(*mut c_void);

impl Object {
    /// Everything that was loaded with the program.
    pub(crate) const PROCESS: Self = Self(libc::RTLD_DEFAULT);

    /// Opens a library, for as long as the process lives. The error is the dynamic linker's, and names it.
    pub(crate) fn open(path: &CStr) -> Result<Self, String> {
        // SAFETY: a C string. The initialisers are libmif's, which may be loaded at any time.
        let object = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if object.is_null() {
            return Err(last_error());
        }
        Ok(Self(object))
    }

    pub(crate) fn has(self, name: &CStr) -> bool {
        self.find(name).is_some()
    }

    fn find(self, name: &CStr) -> Option<NonNull<c_void>> {
        // SAFETY: an open object and a C string.
        NonNull::new(unsafe { libc::dlsym(self.0, name.as_ptr()) })
    }
}

fn last_error() -> String {
    // SAFETY: takes nothing; the text is this thread's until its next call of these functions.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "it cannot be opened".to_owned();
    }
    // SAFETY: a C string that stays until then.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// `mif_t`.
#[repr(C)]
struct Mif {
    _opaque: [u8; 0],
}

macro_rules! functions {
    ($(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)*) => {
        /// The functions of mif.h that this crate calls.
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Functions {
            $($name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
        }

        impl Functions {
            /// # Errors
            /// The name of one that is not there.
            pub(crate) fn find(object: Object) -> Result<Self, &'static str> {
                Ok(Self {
                    $($name: {
                        let name = concat!(stringify!($name), "\0");
                        let name = CStr::from_bytes_with_nul(name.as_bytes()).unwrap_or_default();
                        let found = object.find(name).ok_or(stringify!($name))?;
                        // SAFETY: the function of this name has this signature, by mif.h.
                        unsafe {
                            std::mem::transmute::<
                                NonNull<c_void>,
                                unsafe extern "C" fn($($argument),*) $(-> $result)?,
                            >(found)
                        }
                    },)*
                })
            }
        }
    };
}

functions! {
    fn mif_open(c_uint) -> *mut Mif;
    fn mif_close(*mut Mif);
    fn mif_fd(*const Mif) -> c_int;
    fn mif_post(*mut Mif, *const Message) -> c_int;
    fn mif_check(*mut Mif, *mut pollfd, nfds_t, c_int) -> c_int;
    fn mif_get(*mut Mif, *mut Message) -> c_int;
    fn mif_pvd_list(c_uint, *mut PvdId, *mut usize) -> c_int;
    fn mif_pvd_from_text(*const c_char, *mut PvdId) -> c_int;
    fn mif_socket_pvd(c_int, *const PvdId, c_uint) -> c_int;
    fn mif_thread_pvd(*const PvdId, c_uint) -> c_int;
    fn mif_process_pvd(*const PvdId, c_uint) -> c_int;
    fn mif_sock_get_pvd(c_int, *mut PvdId) -> c_int;
    fn mif_getaddrinfo(
        *const PvdId, *const c_char, *const c_char, *const addrinfo, *mut *mut addrinfo
    ) -> c_int;
    fn mif_connect_name(
        *const PvdId, usize, c_uint, *const c_char, *const c_char, c_int
    ) -> c_int;
}

impl Functions {
    pub(crate) fn pvd_list(&self, flags: u32) -> io::Result<Vec<PvdId>> {
        let mut list = vec![PvdId::NONE; 16];
        loop {
            let mut count = list.len();
            // SAFETY: so many are writable.
            done(unsafe { (self.mif_pvd_list)(flags, list.as_mut_ptr(), &raw mut count) })?;
            let is_whole = count <= list.len();
            list.resize(count, PvdId::NONE);
            if is_whole {
                return Ok(list);
            }
        }
    }

    pub(crate) fn pvd_from_text(&self, text: &CStr) -> io::Result<PvdId> {
        let mut id = PvdId::NONE;
        // SAFETY: a C string, and an identifier that is writable.
        done(unsafe { (self.mif_pvd_from_text)(text.as_ptr(), &raw mut id) })?;
        Ok(id)
    }

    pub(crate) fn socket_pvd(&self, fd: BorrowedFd<'_>, id: &PvdId, flags: u32) -> io::Result<()> {
        // SAFETY: an identifier that is readable.
        done(unsafe { (self.mif_socket_pvd)(fd.as_raw_fd(), id, flags) })
    }

    pub(crate) fn thread_pvd(&self, id: Option<&PvdId>, flags: u32) -> io::Result<()> {
        // SAFETY: an identifier that is readable, or null.
        done(unsafe { (self.mif_thread_pvd)(pointer(id), flags) })
    }

    pub(crate) fn process_pvd(&self, id: Option<&PvdId>, flags: u32) -> io::Result<()> {
        // SAFETY: an identifier that is readable, or null.
        done(unsafe { (self.mif_process_pvd)(pointer(id), flags) })
    }

    pub(crate) fn sock_get_pvd(&self, fd: BorrowedFd<'_>) -> io::Result<PvdId> {
        let mut id = PvdId::NONE;
        // SAFETY: an identifier that is writable.
        done(unsafe { (self.mif_sock_get_pvd)(fd.as_raw_fd(), &raw mut id) })?;
        Ok(id)
    }

    /// # Errors
    /// An `EAI_*`, with errno as it was then.
    pub(crate) fn getaddrinfo(
        &self,
        id: Option<&PvdId>,
        node: &CStr,
        service: &CStr,
    ) -> Result<Vec<SocketAddr>, (c_int, io::Error)> {
        // SAFETY: a structure of numbers and pointers, which may be zero and null.
        let mut hints: addrinfo = unsafe { std::mem::zeroed() };
        hints.ai_socktype = libc::SOCK_STREAM;
        hints.ai_flags = libc::AI_ADDRCONFIG;
        let mut list = ptr::null_mut();
        let [node, service] = [node.as_ptr(), service.as_ptr()];
        let call = self.mif_getaddrinfo;
        // SAFETY: an identifier or null, C strings, hints, and room for the result.
        let code = unsafe { call(pointer(id), node, service, &raw const hints, &raw mut list) };
        if code != 0 {
            return Err((code, io::Error::last_os_error()));
        }
        let mut addresses = Vec::new();
        let mut at: *const addrinfo = list;
        // SAFETY: null, or an entry of the list, which is not freed yet.
        while let Some(entry) = unsafe { at.as_ref() } {
            // SAFETY: the address of an entry, of the length that the entry says.
            let address = unsafe { address_of(entry) };
            addresses.extend(address);
            at = entry.ai_next;
        }
        // SAFETY: the list is libc's, and not used any more.
        unsafe { libc::freeaddrinfo(list) };
        Ok(addresses)
    }

    pub(crate) fn connect_name(
        &self,
        ids: &[PvdId],
        flags: u32,
        node: &CStr,
        service: &CStr,
        timeout: Option<Duration>,
    ) -> io::Result<OwnedFd> {
        let [node, service] = [node.as_ptr(), service.as_ptr()];
        let (count, timeout) = (ids.len(), milliseconds(timeout));
        let call = self.mif_connect_name;
        // SAFETY: so many identifiers, and C strings.
        let fd = unsafe { call(ids.as_ptr(), count, flags, node, service, timeout) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that is the caller's.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    pub(crate) fn open(self) -> io::Result<Opened> {
        // SAFETY: takes a number.
        let mif = NonNull::new(unsafe { (self.mif_open)(0) });
        let mif = mif.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: a handle that is open.
        let fd = unsafe { (self.mif_fd)(mif.as_ptr()) };
        let opened = Opened {
            mif,
            fd,
            functions: self,
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(opened)
    }
}

/// A handle that is open.
#[derive(Debug)]
pub(crate) struct Opened {
    mif: NonNull<Mif>,
    fd: c_int,
    functions: Functions,
}

// SAFETY: mif.h lets any thread call all of its functions.
unsafe impl Send for Opened {}
// SAFETY: the same, at the same time.
unsafe impl Sync for Opened {}

impl Opened {
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the handle's descriptor, which stays for as long as it.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }

    pub(crate) fn post(&self, message: &Message) -> io::Result<()> {
        // SAFETY: a handle that is open, and a message.
        done(unsafe { (self.functions.mif_post)(self.mif.as_ptr(), message) })
    }

    pub(crate) fn check(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let call = self.functions.mif_check;
        // SAFETY: a handle that is open, and no other descriptors.
        let ready = unsafe { call(self.mif.as_ptr(), ptr::null_mut(), 0, milliseconds(timeout)) };
        done(ready.min(0))?;
        Ok(ready > 0)
    }

    /// A message, and the descriptor that it brings.
    pub(crate) fn get(&self) -> io::Result<Option<(Message, Option<OwnedFd>)>> {
        let mut message = Message::new(0);
        // SAFETY: a handle that is open, and a message that is writable.
        let got = unsafe { (self.functions.mif_get)(self.mif.as_ptr(), &raw mut message) };
        done(got.min(0))?;
        if got == 0 {
            return Ok(None);
        }
        // SAFETY: the descriptor of a message is the program's from here on.
        let fd = (message.fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(message.fd) });
        Ok(Some((message, fd)))
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: a handle that is open, and used by nobody any more.
        unsafe { (self.functions.mif_close)(self.mif.as_ptr()) };
    }
}

/// What an `EAI_*` means, in words.
pub(crate) fn lookup_text(code: c_int) -> String {
    // SAFETY: takes a number.
    let text = unsafe { libc::gai_strerror(code) };
    // SAFETY: a C string of libc's, for good.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// # Errors
/// `InvalidInput`: it has a NUL in it.
pub(crate) fn c_string(text: &str) -> io::Result<CString> {
    CString::new(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// # Safety
/// The address of the entry is null, or readable for its length.
unsafe fn address_of(entry: &addrinfo) -> Option<SocketAddr> {
    let mut address = Address::NONE;
    let length = usize::try_from(entry.ai_addrlen).ok()?;
    let room = address.0.get_mut(..length)?;
    if entry.ai_addr.is_null() {
        return None;
    }
    // SAFETY: the caller's contract, and room for as much.
    unsafe { ptr::copy_nonoverlapping(entry.ai_addr.cast(), room.as_mut_ptr(), length) };
    address.read()
}

fn pointer(id: Option<&PvdId>) -> *const PvdId {
    id.map_or(ptr::null(), ptr::from_ref)
}

/// As poll(2) takes them: rounded up, and without end for `None`.
fn milliseconds(timeout: Option<Duration>) -> c_int {
    timeout.map_or(-1, |timeout| {
        let whole = timeout.as_nanos().div_ceil(1_000_000);
        c_int::try_from(whole).unwrap_or(c_int::MAX)
    })
}

/// The result of a function that returns 0, or -1 and errno.
fn done(result: c_int) -> io::Result<()> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_rounded_up_and_ends_where_c_does() {
        for (timeout, wanted) in [
            (None, -1),
            (Some(Duration::ZERO), 0),
            (Some(Duration::from_nanos(1)), 1),
            (Some(Duration::from_millis(5)), 5),
            (Some(Duration::MAX), c_int::MAX),
        ] {
            assert_eq!(milliseconds(timeout), wanted, "{timeout:?}");
        }
    }
}
