//! DNS servers that want TLS: their questions go through the companion object, `libmif_tls.so`,
//! which lies beside this library and is opened when a look-up first needs it.
//!
//! `crates/tls/src/edge.rs` is the other side.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{IntoRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use mif_policy::Server;
use mif_resolve::Secure;
use mif_resolve::frame::{framed, unframed};

use crate::errno;
use crate::init::{Active, has_gained_privileges};
use crate::log::Level;

/// The symbol of the companion.
type Exchange = unsafe extern "C" fn(
    connection: c_int,
    name: *const c_char,
    path: *const c_char,
    messages: *const u8,
    length: usize,
    milliseconds: u64,
    tell: unsafe extern "C" fn(*mut c_void, *const u8, usize),
    to: *mut c_void,
) -> c_int;

const COMPANION: &str = "libmif_tls.so";
const SYMBOL: &CStr = c"mif_tls_exchange_1";

impl Secure for Active {
    fn exchange(
        &self,
        server: &Server,
        connection: OwnedFd,
        messages: &[Vec<u8>],
        patience: Duration,
    ) -> Result<Vec<Vec<u8>>, String> {
        // It relies on look-ups being `uncancelled`: the companion calls libc everywhere.
        errno::keeping(|| {
            let exchange = companion()?;
            ask(exchange, server, connection, messages, patience)
        })
    }

    fn complain(&self, server: &Server, why: &str) {
        let line = format_args!("{server}: {why}");
        self.log.line(Level::Refused, line);
    }
}

fn ask(
    exchange: Exchange,
    server: &Server,
    connection: OwnedFd,
    messages: &[Vec<u8>],
    patience: Duration,
) -> Result<Vec<Vec<u8>>, String> {
    let authentication = server.authentication();
    let (name, path) = authentication.ok_or("is spoken to in the clear")?;
    let c_string = |text: &str| CString::new(text).map_err(|_| "has a NUL".to_owned());
    let (name, path) = (c_string(&name)?, path.map(c_string).transpose()?);
    let framed = framed(messages).ok_or("a message is too long")?;
    let mut told: Vec<u8> = Vec::new();
    // SAFETY: the companion's function of this signature; the strings and bytes live until it
    // returns, the connection is given away, and `tell` takes a vector.
    let code = unsafe {
        exchange(
            connection.into_raw_fd(),
            name.as_ptr(),
            path.as_ref().map_or(ptr::null(), |path| path.as_ptr()),
            framed.as_ptr(),
            framed.len(),
            patience.as_millis().try_into().unwrap_or(u64::MAX),
            tell,
            (&raw mut told).cast(),
        )
    };
    if code == 0 {
        unframed(&told).ok_or_else(|| "replies without their lengths".to_owned())
    } else {
        Err(String::from_utf8_lossy(&told).into_owned())
    }
}

/// # Safety
/// `to` is a vector of bytes, and `bytes` has `length` of them.
unsafe extern "C" fn tell(to: *mut c_void, bytes: *const u8, length: usize) {
    // SAFETY: the caller's contract.
    let told = unsafe { &mut *to.cast::<Vec<u8>>() };
    // SAFETY: the caller's contract.
    told.extend_from_slice(unsafe { std::slice::from_raw_parts(bytes, length) });
}

/// The companion's function; opened once, and never closed.
fn companion() -> Result<Exchange, String> {
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    let mut found = FOUND.load(Ordering::Relaxed);
    if found.is_null() {
        found = open()?;
        FOUND.store(found, Ordering::Relaxed);
    }
    // SAFETY: the symbol has this signature, which its name stands for.
    Ok(unsafe { std::mem::transmute::<*mut c_void, Exchange>(found) })
}

fn open() -> Result<*mut c_void, String> {
    if has_gained_privileges() {
        // Its root certificates are where the environment says (SSL_CERT_FILE).
        return Err("is not asked by a program that has gained privileges".to_owned());
    }
    let path = beside_us().ok_or("libmif.so was not preloaded by its whole path")?;
    let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE;
    // SAFETY: a C string. The object's initialisers are Rust's, and do nothing by themselves.
    let object = unsafe { libc::dlopen(path.as_ptr(), flags) };
    if object.is_null() {
        return Err(last_error());
    }
    // SAFETY: an open object and a C string.
    let symbol = unsafe { libc::dlsym(object, SYMBOL.as_ptr()) };
    if symbol.is_null() {
        return Err(last_error());
    }
    Ok(symbol)
}

/// The companion's path, beside the file of this library: never another folder's, whatever the environment
/// says. Programs that link this library find it by a link in another folder.
fn beside_us() -> Option<CString> {
    /// So many links, one to the next, are followed, as the kernel does.
    const MOST: usize = 40;
    let mut path = PathBuf::from(OsStr::from_bytes(own_path()?.to_bytes()));
    if !path.is_absolute() {
        return None;
    }
    for _ in 0..MOST {
        let Ok(target) = rustix::fs::readlink(&path, Vec::new()) else {
            break;
        };
        path.pop();
        path.push(OsStr::from_bytes(target.to_bytes()));
    }
    path.set_file_name(COMPANION);
    CString::new(path.into_os_string().into_vec()).ok()
}

/// The path of this library, as the dynamic linker was told it or found it.
pub(crate) fn own_path() -> Option<&'static CStr> {
    let mut info = MaybeUninit::<libc::Dl_info>::uninit();
    let here: *const AtomicPtr<c_void> = (&raw const HERE).cast();
    // SAFETY: an address of this library, and room for what is said of it.
    if unsafe { libc::dladdr(here.cast(), info.as_mut_ptr()) } == 0 {
        return None;
    }
    // SAFETY: dladdr has filled it in.
    let info = unsafe { info.assume_init() };
    // SAFETY: the path of a library that stays.
    Some(unsafe { CStr::from_ptr(info.dli_fname) })
}

/// Something of this library, for its address.
static HERE: u8 = 0;

/// What the dynamic linker has to say, which names the file.
fn last_error() -> String {
    // SAFETY: takes nothing; the text is this thread's until its next call of these functions.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return "cannot be opened".to_owned();
    }
    // SAFETY: a C string that stays until then.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}
