use std::mem::align_of;
use std::process::Command;
use std::{env, fs};

use super::*;
use crate::{Element, Event, Families, Info, Pvd, Request, SocketType};

/// What the C compiler says of mif.h.
fn of_the_header(text: &str) -> String {
    let dir = env::temp_dir().join(format!("mif-api-{}", std::process::id()));
    fs::create_dir_all(&dir).unwrap();
    let (source, program) = (dir.join("layout.c"), dir.join("layout"));
    fs::write(&source, text).unwrap();
    let include = concat!(env!("CARGO_MANIFEST_DIR"), "/../../include");
    let compiled = Command::new("gcc")
        .args(["-I", include, "-o"])
        .args([&program, &source])
        .output()
        .expect("gcc is installed");
    let said = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{said}");
    let out = Command::new(&program).output().unwrap();
    fs::remove_dir_all(&dir).unwrap();
    String::from_utf8(out.stdout).unwrap()
}

/// Each name of C's beside its value here.
macro_rules! agree {
    ($($name:literal => $value:expr;)*) => {
        let mut source = String::from(
            "#include <stddef.h>\n#include <stdio.h>\n#include <mif.h>\n\
            #define AT(field) offsetof(struct mif_msg, field)\n\
            int main(void) {\n",
        );
        let mut wanted = String::new();
        $(
            source += &format!("printf(\"{} %lu\\n\", (unsigned long)({}));\n", $name, $name);
            wanted += &format!("{} {}\n", $name, $value);
        )*
        source += "return 0; }\n";
        assert_eq!(of_the_header(&source), wanted);
    };
}

#[test]
fn structures_and_numbers_are_those_of_the_header() {
    agree! {
        "sizeof(mif_pvdid_t)" => size_of::<PvdId>();
        "sizeof(struct mif_msg)" => size_of::<Message>();
        "_Alignof(struct mif_msg)" => align_of::<Message>();
        "AT(size)" => offset_of!(Message, size);
        "AT(type)" => offset_of!(Message, kind);
        "AT(flags)" => offset_of!(Message, flags);
        "AT(ifid)" => offset_of!(Message, ifid);
        "AT(id)" => offset_of!(Message, id);
        "AT(status)" => offset_of!(Message, status);
        "AT(fd)" => offset_of!(Message, fd);
        "AT(socktype)" => offset_of!(Message, socktype);
        "AT(element)" => offset_of!(Message, element);
        "AT(info)" => offset_of!(Message, info);
        "AT(valid_lifetime)" => offset_of!(Message, valid_lifetime);
        "AT(preferred_lifetime)" => offset_of!(Message, preferred_lifetime);
        "AT(pvd)" => offset_of!(Message, pvd);
        "AT(src)" => offset_of!(Message, src);
        "AT(dst)" => offset_of!(Message, dst);
        "AT(text)" => offset_of!(Message, text);
        "offsetof(mif_pvdid_t, length)" => offset_of!(PvdId, length);
        "offsetof(mif_pvdid_t, value)" => offset_of!(PvdId, value);
        "MIF_TEXT_MAX" => TEXT;
        "MIF_INFINITE" => u32::MAX;
        "MIF_PVDID_UTF8" => "utf8:x".parse::<Pvd>().unwrap().to_raw().kind;
        "MIF_PVDID_FQDN" => "fqdn:x".parse::<Pvd>().unwrap().to_raw().kind;
        "MIF_PVDID_INTERFACE" => "if:x".parse::<Pvd>().unwrap().to_raw().kind;
        "MIF_F_V4" => Families::V4.flags();
        "MIF_F_V6" => Families::V6.flags();
        "MIF_F_PREFER" => crate::Strength::Prefer.flags();
        "MIF_ANNOUNCE_INTERFACES" => kind::ANNOUNCE_INTERFACES;
        "MIF_STOP_INTERFACES" => kind::STOP_INTERFACES;
        "MIF_INTERFACE" => kind::INTERFACE;
        "MIF_NO_INTERFACE" => kind::NO_INTERFACE;
        "MIF_ANNOUNCE_PVDS" => kind::ANNOUNCE_PVDS;
        "MIF_STOP_PVDS" => kind::STOP_PVDS;
        "MIF_PVD" => kind::PVD;
        "MIF_NO_PVD" => kind::NO_PVD;
        "MIF_ANNOUNCE_ELEMENTS" => kind::ANNOUNCE_ELEMENTS;
        "MIF_ELEMENT" => kind::ELEMENT;
        "MIF_NO_ELEMENT" => kind::NO_ELEMENT;
        "MIF_STOP_ELEMENTS" => kind::STOP_ELEMENTS;
        "MIF_ANNOUNCE_ADDRESSES" => kind::ANNOUNCE_ADDRESSES;
        "MIF_ADDRESS" => kind::ADDRESS;
        "MIF_STOP_ADDRESSES" => kind::STOP_ADDRESSES;
        "MIF_NO_ADDRESS" => kind::NO_ADDRESS;
        "MIF_GET_CONFIGURATION" => kind::GET_CONFIGURATION;
        "MIF_TRANSLATE_NAME" => kind::TRANSLATE_NAME;
        "MIF_STOP_TRANSLATING" => kind::STOP_TRANSLATING;
        "MIF_NAME" => kind::NAME;
        "MIF_CONNECT_PVD" => kind::CONNECT_PVD;
        "MIF_CONNECT" => kind::CONNECT;
        "MIF_CONNECT_FROM" => kind::CONNECT_FROM;
        "MIF_CONNECTED" => kind::CONNECTED;
        "MIF_NOT_CONNECTED" => kind::NOT_CONNECTED;
        "MIF_APP_WANTS" => kind::APP_WANTS;
        "MIF_APP_IDLE" => kind::APP_IDLE;
        "MIF_APP_BREAKABLE" => kind::APP_BREAKABLE;
        "MIF_INTERFACE_GOING_AWAY" => kind::INTERFACE_GOING_AWAY;
        "MIF_INTERFACE_GOING_UP" => kind::INTERFACE_GOING_UP;
        "MIF_CONFIGURATION" => kind::CONFIGURATION;
        "MIF_NO_CONFIGURATION" => kind::NO_CONFIGURATION;
        "MIF_NAME_DONE" => kind::NAME_DONE;
        "MIF_STOP_CONNECTING" => kind::STOP_CONNECTING;
        "MIF_ELEMENT_RA" => Element::RouterAdvertisement.raw();
        "MIF_ELEMENT_DHCPV6" => Element::Dhcpv6.raw();
        "MIF_ELEMENT_DHCPV4" => Element::Dhcpv4.raw();
        "MIF_ELEMENT_STATIC" => Element::Static.raw();
        "MIF_ELEMENT_PVD" => Element::AdditionalInformation.raw();
        "MIF_INFO_DNS_SERVERS" => Info::DnsServers.raw();
        "MIF_INFO_DNS_SEARCH" => Info::DnsSearch.raw();
        "MIF_INFO_DNS_ZONES" => Info::DnsZones.raw();
        "MIF_INFO_GATEWAYS" => Info::Gateways.raw();
        "MIF_INFO_PREFIXES" => Info::Prefixes.raw();
        "MIF_INFO_MTU" => Info::Mtu.raw();
        "MIF_INFO_PREF64" => Info::Pref64.raw();
        "MIF_INFO_CAPTIVE_PORTAL" => Info::CaptivePortal.raw();
    }
}

#[test]
fn addresses_go_to_c_and_back() {
    for text in ["192.0.2.1:80", "[2001:db8::1]:443", "[fe80::1%3]:53"] {
        let address: SocketAddr = text.parse().unwrap();
        assert_eq!(Address::from(address).read(), Some(address));
    }
    assert_eq!(Address::NONE.read(), None);
}

#[test]
fn requests_say_what_they_are() {
    let pvd: Pvd = "if:wan1".parse().unwrap();
    let destination = "[2001:db8::1]:443".parse().unwrap();
    let raw = Request::ConnectFrom {
        id: 7,
        pvd: Some(pvd.clone()),
        destination,
        source: "2001:db8::2".parse().unwrap(),
        socket_type: SocketType::Datagram,
    };
    let raw = raw.to_raw().unwrap();
    assert_eq!((raw.kind, raw.id, raw.fd), (kind::CONNECT_FROM, 7, -1));
    assert_eq!(raw.socktype, libc::SOCK_DGRAM.cast_unsigned());
    assert_eq!(raw.destination(), Some(destination));
    assert_eq!(raw.source(), Some("[2001:db8::2]:0".parse().unwrap()));
    assert_eq!(Pvd::from_raw(&raw.pvd), Some(pvd));

    let name = |name: &str| {
        let (pvd, families) = (None, Families::V6);
        let name = name.to_owned();
        let request = Request::TranslateName {
            id: 1,
            pvd,
            name,
            families,
        };
        request.to_raw()
    };
    let raw = name("www.example").unwrap();
    assert_eq!((raw.text(), raw.flags), ("www.example".to_owned(), 2));
    assert_eq!(Pvd::from_raw(&raw.pvd), None);
    assert!(name("a\0b").is_none());
    assert!(name(&"a".repeat(TEXT - 1)).is_some());
    assert!(name(&"a".repeat(TEXT)).is_none());
}

#[test]
fn events_say_what_they_are() {
    let event = |raw: &Message| format!("{:?}", Event::from_raw(raw, None));
    let mut raw = Message::new(kind::ADDRESS);
    raw.set_source("192.0.2.1".parse().unwrap());
    (raw.valid_lifetime, raw.preferred_lifetime) = (u32::MAX, 20);
    assert_eq!(event(&raw), "Unknown { kind: 14 }", "without its domain");
    raw.pvd = "if:wan1".parse::<Pvd>().unwrap().to_raw();
    let wanted = "Address { pvd: Pvd { kind: Interface, name: \"wan1\" }, \
        address: 192.0.2.1, valid: None, preferred: Some(20s) }";
    assert_eq!(event(&raw), wanted);
    raw.kind = kind::NOT_CONNECTED;
    raw.status = libc::ECONNREFUSED;
    assert!(event(&raw).contains("ConnectionRefused"), "{}", event(&raw));
    assert_eq!(event(&Message::new(99)), "Unknown { kind: 99 }");
}
