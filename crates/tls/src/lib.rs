//! `libmif_tls.so`, the companion of `libmif.so`: DNS over TLS (RFC 7858) and over HTTPS
//! (RFC 8484), by rustls and hickory.
//!
//! It is an object of its own because nobody should pay for TLS who does not use it: `libmif.so`
//! opens it (dlopen) when a look-up first comes to a server that wants it. It knows nothing of
//! policies and networks: it is handed a connection, on its network already, and messages, and
//! gives replies back.
//!
//! Nothing outlives a call but the root certificates and what TLS is to be like, which are read
//! once. There is no thread, and no descriptor is kept: every call has an executor of its own and
//! ends the connection. No lock of ours is waited for: a forked child may inherit it held.

mod edge;
mod https;
mod tls;

use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use hickory_net::runtime::iocompat::AsyncIoTokioAsStd;
use once_cell::race::OnceBox;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

/// Why there are no replies, for people.
type Why = Box<dyn std::error::Error + Send + Sync>;

/// A connection that writes by `send` with `MSG_NOSIGNAL`, as tokio does for one buffer, and does
/// not for several: a server that goes away must not end the application by SIGPIPE. Where hickory
/// turns it back into tokio's kind, several buffers become several writes.
type Connection = AsyncIoTokioAsStd<tokio::net::TcpStream>;

/// Who is to answer, and what.
pub struct Request<'a> {
    /// A connected stream socket; it is closed at the end.
    pub connection: OwnedFd,
    /// Whom the certificate has to be for: a domain name or an address.
    pub name: &'a str,
    /// The path of the URI of DNS over HTTPS; without one it is DNS over TLS.
    pub path: Option<&'a str>,
    /// DNS messages with ids that differ.
    pub messages: Vec<Vec<u8>>,
    /// For everything, the handshake included.
    pub patience: Duration,
}

/// The reply to each of the messages, in their order; they have the ids, and are not looked into
/// further.
///
/// # Errors
/// In words, for people.
pub fn exchange(request: Request<'_>) -> Result<Vec<Vec<u8>>, Why> {
    let config = config()?;
    let name = ServerName::try_from(request.name)?.to_owned();
    let connection = TcpStream::from(request.connection);
    connection.set_nonblocking(true)?;
    let executor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    let (messages, patience) = (request.messages, request.patience);
    executor.block_on(async {
        let connection = tokio::net::TcpStream::from_std(connection)?;
        // Small messages that are waited for.
        connection.set_nodelay(true)?;
        let connection = AsyncIoTokioAsStd(connection);
        let replies = async {
            match request.path {
                None => tls::exchange(connection, config, name, &messages).await,
                Some(path) => https::exchange(connection, config, &name, path, &messages).await,
            }
        };
        let in_time = tokio::time::timeout(patience, replies).await;
        in_time.map_err(|_| "no answer in time")?
    })
}

/// What TLS is to be like, with the root certificates of the system.
fn config() -> Result<Arc<ClientConfig>, Why> {
    static CONFIG: OnceBox<Arc<ClientConfig>> = OnceBox::new();
    let config = CONFIG.get_or_try_init(|| {
        // Panics do not print into the application's stderr. This object has a std of its own, so
        // the hook of a Rust application is another one.
        std::panic::set_hook(Box::new(|_| {}));
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        // Systems have certificates that nobody can read; what counts is those that can be.
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            let why = "the system has no root certificates (Debian: ca-certificates)";
            return Err([&[why.to_owned()], &errors[..]].concat().join("; "));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| why.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Box::new(Arc::new(config)))
    })?;
    Ok(Arc::clone(config))
}
