//! Socket addresses, from the bytes that a program passes.

use mif_steer::Given;
use rustix::io::{Errno, Result};

use crate::caller::Call;

/// `sizeof(struct sockaddr_storage)`: the kernel takes no longer address.
const LONGEST: usize = 128;

/// An address of the caller's, as bytes of ours.
#[derive(Clone, Debug)]
pub(crate) struct Address(Vec<u8>);

impl Address {
    /// # Errors
    /// Those that the kernel answers to such an address: `EINVAL`, `EFAULT`.
    pub(crate) fn read(call: &Call, from: u64, length: i32) -> Result<Self> {
        match usize::try_from(length) {
            Ok(length @ ..=LONGEST) => call.memory(from, length).map(Self),
            _ => Err(Errno::INVAL),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn family(&self) -> Option<i32> {
        self.0
            .first_chunk()
            .map(|&family| u16::from_ne_bytes(family).into())
    }

    /// The IP address; `None` of what the kernel takes for none either.
    pub(crate) fn ip(&self) -> Option<Given> {
        Given::of_bytes(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    fn v6(ip: &str, scope: u32) -> Vec<u8> {
        let mut bytes = vec![0; 28];
        bytes[..2].copy_from_slice(&10u16.to_ne_bytes());
        bytes[2..4].copy_from_slice(&[1, 187]);
        bytes[8..24].copy_from_slice(&ip.parse::<Ipv6Addr>().unwrap().octets());
        bytes[24..].copy_from_slice(&scope.to_ne_bytes());
        bytes
    }

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let meant = |bytes: &[u8]| Address(bytes.to_vec()).ip().map(|ip| ip.meant.to_string());
        let v4 = [2, 0, 0, 80, 10, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(meant(&v4).unwrap(), "10.2.0.1:80");
        assert_eq!(meant(&v4[..15]), None);
        assert_eq!(meant(&v6("fe80::1", 3)).unwrap(), "[fe80::1%3]:443");
        assert_eq!(meant(&v6("fe80::1", 3)[..24]).unwrap(), "[fe80::1]:443");
        assert_eq!(meant(&v6("fe80::1", 3)[..23]), None);
        assert_eq!(meant(&v6("::ffff:10.2.0.1", 0)).unwrap(), "10.2.0.1:443");
        assert_eq!(meant(&[1, 0, b'/']), None);
        assert_eq!(meant(&[]), None);
    }
}
