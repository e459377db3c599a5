//! Messages behind their lengths in two octets (RFC 1035 4.2.2): how they go over a stream, and
//! between libmif.so and its companion.

/// The messages one after the other; `None` if one of them is too long for its length.
#[must_use]
pub fn framed(messages: &[impl AsRef<[u8]>]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for message in messages {
        let message = message.as_ref();
        bytes.extend(u16::try_from(message.len()).ok()?.to_be_bytes());
        bytes.extend(message);
    }
    Some(bytes)
}

/// `None` where the lengths and the bytes do not fit.
#[must_use]
pub fn unframed(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut messages = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk()?;
        let (message, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        messages.push(message.to_vec());
        bytes = rest;
    }
    Some(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_their_frames() {
        let messages = [vec![1, 2, 3], vec![], vec![0; 300]];
        let mut bytes = framed(&messages).unwrap();
        assert_eq!(unframed(&bytes).unwrap(), messages);
        bytes.pop();
        assert_eq!(unframed(&bytes), None);
        assert_eq!(unframed(&[0]), None);
        assert!(framed(&[vec![0; 65_536]]).is_none());
    }
}
