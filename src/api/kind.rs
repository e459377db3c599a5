//! The types of messages, `enum mif_type`: N of section 3.2.7.N of the draft, and beyond its sections 0x100
//! and more.

pub(super) const ANNOUNCE_INTERFACES: u32 = 1;
pub(super) const STOP_INTERFACES: u32 = 2;
pub(super) const INTERFACE: u32 = 3;
pub(super) const NO_INTERFACE: u32 = 4;
pub(super) const ANNOUNCE_PVDS: u32 = 5;
pub(super) const STOP_PVDS: u32 = 6;
pub(super) const PVD: u32 = 7;
pub(super) const NO_PVD: u32 = 8;
pub(super) const ANNOUNCE_ELEMENTS: u32 = 9;
pub(super) const ELEMENT: u32 = 10;
pub(super) const NO_ELEMENT: u32 = 11;
pub(super) const STOP_ELEMENTS: u32 = 12;
pub(super) const ANNOUNCE_ADDRESSES: u32 = 13;
pub(super) const ADDRESS: u32 = 14;
pub(super) const STOP_ADDRESSES: u32 = 15;
pub(super) const NO_ADDRESS: u32 = 16;
pub(super) const GET_CONFIGURATION: u32 = 17;
pub(super) const TRANSLATE_NAME: u32 = 18;
pub(super) const STOP_TRANSLATING: u32 = 19;
pub(super) const NAME: u32 = 20;
pub(super) const CONNECT_PVD: u32 = 21;
pub(super) const CONNECT: u32 = 22;
pub(super) const CONNECT_FROM: u32 = 23;
pub(super) const CONNECTED: u32 = 24;
pub(super) const NOT_CONNECTED: u32 = 25;
pub(super) const CONFIGURATION: u32 = 0x111;
pub(super) const NO_CONFIGURATION: u32 = 0x112;
pub(super) const NAME_DONE: u32 = 0x114;
pub(super) const STOP_CONNECTING: u32 = 0x119;
pub(super) const APP_WANTS: u32 = 0x1a1;
pub(super) const APP_IDLE: u32 = 0x1a2;
pub(super) const APP_BREAKABLE: u32 = 0x1a3;
pub(super) const INTERFACE_GOING_AWAY: u32 = 0x1a4;
pub(super) const INTERFACE_GOING_UP: u32 = 0x1a5;

/// All of `enum mif_type`.
pub(super) const KINDS: [u32; 34] = [
    ANNOUNCE_INTERFACES,
    STOP_INTERFACES,
    INTERFACE,
    NO_INTERFACE,
    ANNOUNCE_PVDS,
    STOP_PVDS,
    PVD,
    NO_PVD,
    ANNOUNCE_ELEMENTS,
    ELEMENT,
    NO_ELEMENT,
    STOP_ELEMENTS,
    ANNOUNCE_ADDRESSES,
    ADDRESS,
    STOP_ADDRESSES,
    NO_ADDRESS,
    GET_CONFIGURATION,
    TRANSLATE_NAME,
    STOP_TRANSLATING,
    NAME,
    CONNECT_PVD,
    CONNECT,
    CONNECT_FROM,
    CONNECTED,
    NOT_CONNECTED,
    CONFIGURATION,
    NO_CONFIGURATION,
    NAME_DONE,
    STOP_CONNECTING,
    APP_WANTS,
    APP_IDLE,
    APP_BREAKABLE,
    INTERFACE_GOING_AWAY,
    INTERFACE_GOING_UP,
];

/// Their names, one behind the other: a table of pointers would be relocated at every start.
const NAMES: &[u8] = b"MIF_ANNOUNCE_INTERFACES\0\
    MIF_STOP_INTERFACES\0\
    MIF_INTERFACE\0\
    MIF_NO_INTERFACE\0\
    MIF_ANNOUNCE_PVDS\0\
    MIF_STOP_PVDS\0\
    MIF_PVD\0\
    MIF_NO_PVD\0\
    MIF_ANNOUNCE_ELEMENTS\0\
    MIF_ELEMENT\0\
    MIF_NO_ELEMENT\0\
    MIF_STOP_ELEMENTS\0\
    MIF_ANNOUNCE_ADDRESSES\0\
    MIF_ADDRESS\0\
    MIF_STOP_ADDRESSES\0\
    MIF_NO_ADDRESS\0\
    MIF_GET_CONFIGURATION\0\
    MIF_TRANSLATE_NAME\0\
    MIF_STOP_TRANSLATING\0\
    MIF_NAME\0\
    MIF_CONNECT_PVD\0\
    MIF_CONNECT\0\
    MIF_CONNECT_FROM\0\
    MIF_CONNECTED\0\
    MIF_NOT_CONNECTED\0\
    MIF_CONFIGURATION\0\
    MIF_NO_CONFIGURATION\0\
    MIF_NAME_DONE\0\
    MIF_STOP_CONNECTING\0\
    MIF_APP_WANTS\0\
    MIF_APP_IDLE\0\
    MIF_APP_BREAKABLE\0\
    MIF_INTERFACE_GOING_AWAY\0\
    MIF_INTERFACE_GOING_UP\0";

/// The name of a type, with the NUL that ends it.
pub(super) fn name_of(kind: u32) -> Option<&'static [u8]> {
    let mut names = NAMES.split_inclusive(|&byte| byte == 0);
    names.nth(KINDS.iter().position(|number| *number == kind)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_name() {
        assert_eq!(name_of(PVD), Some(&b"MIF_PVD\0"[..]));
        let last: &[u8] = b"MIF_INTERFACE_GOING_UP\0";
        assert_eq!(name_of(INTERFACE_GOING_UP), Some(last));
        assert_eq!(name_of(0), None);
        let names = NAMES.split_inclusive(|&byte| byte == 0);
        assert_eq!(names.count(), KINDS.len());
    }
}
