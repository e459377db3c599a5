//! Messages as programs hand them to `sendmsg` and `sendmmsg`, copied.

use rustix::io::Errno;

use crate::address::Address;
use crate::answer::Asked;

/// No IP datagram is longer.
pub(crate) const LONGEST: usize = 65_535;
/// `UIO_MAXIOV`: the kernel takes no more pieces, nor messages.
pub(crate) const MOST: usize = 1024;
/// More ancillary data than `net.core.optmem_max` allows by default.
const MOST_CONTROL: usize = 128 * 1024;

pub(crate) const HEADER: usize = size_of::<libc::msghdr>();
const PIECE: usize = size_of::<libc::iovec>();

/// What is sent by one call, or as one of many.
pub(crate) struct Message {
    pub(crate) to: Option<Address>,
    pub(crate) data: Vec<u8>,
    pub(crate) control: Vec<u8>,
}

impl Message {
    /// What a `struct msghdr` of the caller's leads to.
    pub(crate) fn read(asked: &Asked<'_>, header: u64) -> Result<Self, Errno> {
        let call = asked.call;
        let header = call.memory(header, HEADER)?;
        // struct msghdr: name, its length, pieces, their count, control, its length, flags.
        let word = |n: usize| {
            header[8 * n..]
                .first_chunk()
                .map_or(0, |&word| u64::from_ne_bytes(word))
        };
        #[allow(clippy::cast_possible_truncation)] // The length is an `int` before padding.
        let to = match (word(0), word(1) as i32) {
            (0, _) | (_, 0) => None,
            (name, length) => Some(Address::read(call, name, length.min(128))?),
        };
        let count = usize::try_from(word(3)).unwrap_or(usize::MAX);
        let control = usize::try_from(word(5)).unwrap_or(usize::MAX);
        if count > MOST {
            return Err(Errno::MSGSIZE);
        }
        if control > MOST_CONTROL {
            return Err(Errno::NOBUFS);
        }
        let mut data = Vec::new();
        for piece in call.memory(word(2), count * PIECE)?.chunks_exact(PIECE) {
            let word = |n: usize| {
                piece[8 * n..]
                    .first_chunk()
                    .map_or(0, |&word| u64::from_ne_bytes(word))
            };
            let length = usize::try_from(word(1)).unwrap_or(usize::MAX);
            if length > LONGEST - data.len() {
                return Err(Errno::MSGSIZE);
            }
            data.extend(call.memory(word(0), length)?);
        }
        let control = match word(4) {
            0 => Vec::new(),
            place => call.memory(place, control)?,
        };
        let message = Self { to, data, control };
        asked.is_waiting().then_some(message).ok_or(Errno::INTR)
    }
}
