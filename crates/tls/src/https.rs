//! DNS over HTTPS (RFC 8484), over HTTP/2: one request for each message.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use hickory_net::h2;
use hickory_net::xfer::DnsRequestSender;
use hickory_proto::op::{DnsRequest, DnsRequestOptions, Message};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::{Connection, Why};

pub(crate) async fn exchange(
    connection: Connection,
    config: Arc<ClientConfig>,
    name: &ServerName<'static>,
    path: &str,
    messages: &[Vec<u8>],
) -> Result<Vec<Vec<u8>>, Why> {
    // Told in traces only.
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let connected = async { Ok(connection) };
    let name = name.to_str();
    let mut sender = h2::connect(
        connected,
        config,
        nowhere,
        (*name).into(),
        path.into(),
        None,
    )
    .await?;
    let mut requests = Vec::new();
    for message in messages {
        let request = DnsRequest::new(Message::from_vec(message)?, DnsRequestOptions::default());
        requests.push(sender.send_message(request));
    }
    let replies = requests
        .into_iter()
        .zip(messages)
        .map(async |(mut stream, asked)| {
            let reply = stream.next().await.ok_or("no reply")??;
            let mut reply = reply.into_buffer();
            // Requests have the id 0, so that caches of HTTP see the same question.
            if let (Some(id), Some(asked)) = (reply.get_mut(..2), asked.get(..2)) {
                id.copy_from_slice(asked);
            }
            Ok(reply)
        });
    try_join_all(replies).await
}
