//! Finding the library, and its functions that do one thing at once.

use std::cell::RefCell;
use std::error::Error;
use std::ffi::CString;
use std::marker::PhantomData;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use std::{fmt, io};

use crate::raw::{Functions, Object, c_string};
use crate::{Families, Handle, LookupError, Pvd, Strength};

/// The MIF API of this process. It costs nothing to copy, and holds nothing open.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    functions: Functions,
}

impl Api {
    /// The name by which the dynamic linker knows the library.
    pub const LIBRARY: &str = "libmif.so.0";

    /// Finds libmif in the process, where `mif-run` or a linker has put it, or else opens
    /// [`Api::LIBRARY`] as the dynamic linker finds it.
    ///
    /// # Errors
    /// It is in neither place, or too old.
    ///
    /// ```no_run
    /// use mif_api::Api;
    ///
    /// match Api::load() {
    ///     Ok(api) => println!("{:?}", api.pvds(Default::default())?),
    ///     Err(error) => eprintln!("going on without provisioning domains: {error}"),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn load() -> Result<Self, LoadError> {
        if Object::PROCESS.has(c"mif_open") {
            return Self::of(Object::PROCESS, "the libmif of this process");
        }
        Self::load_from(Self::LIBRARY).map_err(|mut error| {
            error
                .said
                .insert_str(0, "libmif is not in this process, and ");
            error
        })
    }

    /// Opens this file, or finds it where it is open already.
    ///
    /// # Errors
    /// It is not there, is no library for this process, or too old.
    pub fn load_from(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let name = CString::new(path.as_os_str().as_bytes());
        let name = name.map_err(|_| LoadError::new(format!("{} has a NUL", path.display())))?;
        let object = Object::open(&name).map_err(LoadError::new)?;
        Self::of(object, &path.display().to_string())
    }

    fn of(object: Object, whose: &str) -> Result<Self, LoadError> {
        let missing = |name| LoadError::new(format!("{whose} has no {name}"));
        let functions = Functions::find(object).map_err(missing)?;
        Ok(Self { functions })
    }

    /// The domains that this program may use now, in the order in which the policy prefers them.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn pvds(&self, families: Families) -> io::Result<Vec<Pvd>> {
        let list = self.functions.pvd_list(families.flags())?;
        Ok(list.iter().filter_map(Pvd::from_raw).collect())
    }

    /// The domain that people call so: by the name of a `[pvd.NAME]`, of an interface, or the one that a network
    /// announces; with `utf8:`, `if:` or `fqdn:` in front if it is to be of that kind.
    ///
    /// # Errors
    /// `NotFound`: there is none.
    pub fn find(&self, text: &str) -> io::Result<Pvd> {
        let id = self.functions.pvd_from_text(&c_string(text)?)?;
        let unknown = || io::Error::new(io::ErrorKind::Unsupported, "a kind of domain that is new");
        Pvd::from_raw(&id).ok_or_else(unknown)
    }

    /// Puts a socket on a domain, before it is connected, bound or sent from.
    ///
    /// # Errors
    /// `PermissionDenied`: the policy does not permit it (`EACCES`), or it is too late (`EPERM`).
    /// `NetworkDown`: the domain is not there.
    ///
    /// ```no_run
    /// # use mif_api::{Api, Strength};
    /// # use std::net::UdpSocket;
    /// # let api = Api::load()?;
    /// let socket = UdpSocket::bind("[::]:0")?;
    /// api.put(&socket, &api.find("lte")?, Strength::Require)?;
    /// socket.send_to(b"hello", "[2001:db8::1]:7000")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn put(&self, socket: impl AsFd, pvd: &Pvd, strength: Strength) -> io::Result<()> {
        let (id, flags) = (pvd.to_raw(), strength.flags());
        self.functions.socket_pvd(socket.as_fd(), &id, flags)
    }

    /// The domain that a socket is on; `None`: it goes where the host's routing has it.
    ///
    /// # Errors
    /// It is no socket of IP, or the kernel does not tell.
    pub fn pvd_of(&self, socket: impl AsFd) -> io::Result<Option<Pvd>> {
        match self.functions.sock_get_pvd(socket.as_fd()) {
            Ok(id) => Ok(Pvd::from_raw(&id)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// From now on sockets and look-ups of this thread use this domain, as if a policy said so, until the
    /// guard is dropped: then the thread has the choice that it had before.
    ///
    /// # Errors
    /// `PermissionDenied`: the policy does not permit it. `NotFound`: there is no such domain. `Unsupported`:
    /// libmif was opened by this program and not preloaded, and so does not see the calls of the thread.
    ///
    /// ```no_run
    /// # use mif_api::{Api, Strength};
    /// # use std::net::TcpStream;
    /// # let api = Api::load()?;
    /// let office = api.choose_for_thread(&api.find("office")?, Strength::Require)?;
    /// let stream = TcpStream::connect("intranet.example:443")?;
    /// drop(office);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn choose_for_thread(&self, pvd: &Pvd, strength: Strength) -> io::Result<ThreadChoice> {
        let (id, flags) = (pvd.to_raw(), strength.flags());
        self.functions.thread_pvd(Some(&id), flags)?;
        let choice = Some((pvd.clone(), strength));
        Ok(ThreadChoice {
            api: *self,
            before: CHOSEN.with(|chosen| chosen.replace(choice)),
            of_this_thread: PhantomData,
        })
    }

    /// The same for every thread that has not chosen for itself, until another choice; `None`: as before.
    ///
    /// # Errors
    /// As [`Api::choose_for_thread`].
    pub fn choose_for_process(&self, pvd: Option<&Pvd>, strength: Strength) -> io::Result<()> {
        let id = pvd.map(Pvd::to_raw);
        self.functions.process_pvd(id.as_ref(), strength.flags())
    }

    /// The addresses of a name for TCP, asked of a domain's servers; `None`: as the policy chooses. An address
    /// is good within the domain that it is of.
    ///
    /// # Errors
    /// As getaddrinfo(3).
    ///
    /// ```no_run
    /// # use mif_api::Api;
    /// # let api = Api::load()?;
    /// let lte = api.find("lte")?;
    /// for address in api.lookup(Some(&lte), "example.org", "https")? {
    ///     println!("{address} by {lte}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lookup(
        &self,
        pvd: Option<&Pvd>,
        name: &str,
        service: &str,
    ) -> Result<Vec<SocketAddr>, LookupError> {
        let (name, service) = (c_string(name)?, c_string(service)?);
        let id = pvd.map(Pvd::to_raw);
        let found = self.functions.getaddrinfo(id.as_ref(), &name, &service);
        found.map_err(|(code, system)| LookupError::new(code, Some(system)))
    }

    /// A connection to a name by whichever of these domains answers first: Happy Eyeballs (RFC 8305) over domains
    /// and addresses, the first domain preferred. No domains: all of [`Api::pvds`].
    ///
    /// # Errors
    /// `TimedOut`: none has answered in time; `None` waits for as long as TCP does. `NotFound`: the name has
    /// no address. `WouldBlock`: no server has answered. Else the first attempt's.
    pub fn connect(
        &self,
        pvds: &[Pvd],
        name: &str,
        service: &str,
        timeout: Option<Duration>,
    ) -> io::Result<TcpStream> {
        let ids: Vec<_> = pvds.iter().map(Pvd::to_raw).collect();
        let (name, service) = (c_string(name)?, c_string(service)?);
        let functions = &self.functions;
        let fd = functions.connect_name(&ids, Families::Any.flags(), &name, &service, timeout)?;
        Ok(fd.into())
    }

    /// A handle, by which to post requests and get events. There is no thread before the first.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub fn open(&self) -> io::Result<Handle> {
        self.functions.open().map(Handle::new)
    }
}

thread_local! {
    static CHOSEN: RefCell<Option<(Pvd, Strength)>> = const { RefCell::new(None) };
}

/// Takes the choice of [`Api::choose_for_thread`] back when it is dropped.
///
/// Where the choice that was in force before cannot be made any more, for its domain has gone, this one stays:
/// nothing goes by a network that was not chosen.
#[derive(Debug)]
#[must_use = "the choice ends when this is dropped"]
pub struct ThreadChoice {
    api: Api,
    before: Option<(Pvd, Strength)>,
    /// It is not sent to another thread.
    of_this_thread: PhantomData<*const ()>,
}

impl Drop for ThreadChoice {
    fn drop(&mut self) {
        let before = self.before.take();
        let id = before.as_ref().map(|(pvd, _)| pvd.to_raw());
        let flags = before.as_ref().map_or(0, |(_, strength)| strength.flags());
        if self.api.functions.thread_pvd(id.as_ref(), flags).is_ok() {
            CHOSEN.with(|chosen| chosen.replace(before));
        }
    }
}

/// libmif was not found, or is not what this crate needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    said: String,
}

impl LoadError {
    fn new(said: String) -> Self {
        Self { said }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_looked_for_is_said() {
        let missing = Api::load_from("/nothing/libmif.so.0").unwrap_err();
        assert!(
            missing.to_string().contains("/nothing/libmif.so.0"),
            "{missing}"
        );
        let other = Api::load_from("libc.so.6").unwrap_err();
        assert_eq!(other.to_string(), "libc.so.6 has no mif_open");
        let text = Api::load_from("a\0b").unwrap_err().to_string();
        assert!(text.ends_with("has a NUL"), "{text}");
    }
}
