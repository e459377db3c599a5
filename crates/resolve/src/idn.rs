//! Names with letters beyond ASCII: to the form that is asked for (A-labels, UTS 46) and back.

use hickory_proto::rr::Name;

/// The name in A-labels; `None` where it has none. What is ASCII stays as it is.
#[must_use]
pub fn to_ascii(name: &str) -> Option<String> {
    if name.is_ascii() {
        return Some(name.to_owned());
    }
    // What East Asian keyboards write for a full stop separates labels, too.
    let name = name.replace(['\u{3002}', '\u{ff0e}', '\u{ff61}'], ".");
    let ascii = Name::from_utf8(name).ok()?.to_ascii();
    // No escapes: a name with what needs one is no host name.
    (!ascii.contains('\\')).then_some(ascii)
}

/// The name with its A-labels spelled out; a label that is none stays as it is.
#[must_use]
pub fn to_unicode(name: &str) -> String {
    Name::from_ascii(name).map_or_else(|_| name.to_owned(), |name| name.to_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for (unicode, ascii) in [
            ("bücher.test", "xn--bcher-kva.test"),
            ("Bücher.TEST.", "xn--bcher-kva.test."),
            ("straße.test", "xn--strae-oqa.test"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("_sip.bücher.test", "_sip.xn--bcher-kva.test"),
        ] {
            assert_eq!(to_ascii(unicode).as_deref(), Some(ascii), "{unicode}");
        }
        assert_eq!(to_ascii("As.It.IS").as_deref(), Some("As.It.IS"));
        for bad in ["b\u{fc}..test", "ü ü.test", &"ü".repeat(64)] {
            assert_eq!(to_ascii(bad), None, "{bad}");
        }
        for (ascii, unicode) in [
            ("xn--bcher-kva.test", "bücher.test"),
            ("who.test", "who.test"),
            ("xn--99999999.test", "xn--99999999.test"),
        ] {
            assert_eq!(to_unicode(ascii), unicode, "{ascii}");
        }
    }
}
