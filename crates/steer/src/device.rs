//! A device that the application puts a socket on itself (`SO_BINDTODEVICE`, `SO_BINDTOIFINDEX`),
//! where the policy's choice stands (`explicit = "override"`): without privileges it could not be
//! taken back, so one outside of the policy is not to be set.

use libc::c_int;
use mif_policy::{Host, InterfaceName, Policy, PvdId};

/// How much of a value the kernel looks at.
pub const DEVICE: usize = 15;

/// Whether the value of an option is the device of no network that the policy names. Clearing is
/// not. `value` is of the option's length, or its first [`DEVICE`] bytes; `index_of` asks for the
/// interface of a name.
pub fn is_outside(
    option: c_int,
    value: &[u8],
    policy: &Policy,
    host: &impl Host,
    index_of: impl FnOnce(InterfaceName) -> Option<u32>,
) -> bool {
    let index = if option == libc::SO_BINDTOIFINDEX {
        value.first_chunk().map(|&index| u32::from_ne_bytes(index))
    } else {
        let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).ok();
        name.and_then(|name| index_of(name.parse().ok()?))
    };
    let Some(index) = index.filter(|&index| index != 0) else {
        return false;
    };
    let pvds = u16::try_from(policy.pvds.len()).unwrap_or(u16::MAX);
    let mut links = (0..pvds).map(|pvd| host.link(PvdId(pvd)));
    !links.any(|link| link.is_ok_and(|link| link.index == index))
}
