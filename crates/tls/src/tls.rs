//! DNS over TLS (RFC 7858): messages behind their lengths, in any order.

use std::sync::Arc;

use hickory_net::runtime::iocompat::AsyncIoStdAsTokio;
use mif_resolve::frame::framed;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use crate::{Connection, Why};

pub(crate) async fn exchange(
    connection: Connection,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    messages: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, Why> {
    let connector = TlsConnector::from(config);
    let mut stream = connector
        .connect(name, AsyncIoStdAsTokio(connection))
        .await?;
    let framed = framed(messages).ok_or("a message is too long")?;
    stream.write_all(&framed).await?;
    stream.flush().await?;
    // Behind the handshake servers send session tickets. Those that do not turn Nagle's algorithm off
    // keep the reply back until these are acknowledged, which we would leave for 40 ms.
    stream.get_ref().0.0.0.set_quickack(true)?;
    let mut replies = vec![None; messages.len()];
    while replies.contains(&None) {
        let mut reply = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut reply).await?;
        // Anything else is no reply to what was asked, and another may follow.
        if let Some(place) = messages.iter().position(|asked| id(asked) == id(&reply)) {
            replies[place] = Some(reply);
        }
    }
    Ok(replies.into_iter().flatten().collect())
}

fn id(message: &[u8]) -> Option<&[u8]> {
    message.get(..2)
}
