//! Advertisements and additional information by example: `golden/*.hex` and `golden/*.json`, and
//! what is understood of each. `UPDATE_EXPECT=1 cargo test` writes the expectations anew.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{env, fs};

use mif_announce::{Advertisement, Information, Name, advertisement, information};

#[test]
fn advertisements_are_understood() {
    for case in cases("hex") {
        let text = match advertisement::parse(&octets(&case)) {
            Ok(found) => dump(&found),
            Err(fault) => format!("{fault}\n"),
        };
        expect(&case, &text);
    }
}

#[test]
fn additional_information_is_understood_or_refused_with_the_reason() {
    let id = Name::new("cafe.example.com").unwrap();
    // 2020-06-01T00:00:00Z
    let now = SystemTime::UNIX_EPOCH + Duration::from_hours(441_936);
    for case in cases("json") {
        let text = match Information::read(&fs::read(&case).unwrap(), &id, now) {
            Ok(found) => format!("{found:#?}\n"),
            Err(why) => format!("{why}\n"),
        };
        expect(&case, &text);
    }
}

/// An advertisement that ends between two options is a shorter one, and whole; any other end is
/// told.
#[test]
fn every_truncation_is_told() {
    for case in cases("hex") {
        let whole = octets(&case);
        let Ok(understood) = advertisement::parse(&whole) else {
            continue;
        };
        let ends = ends(&whole);
        for length in 0..whole.len() {
            let found = advertisement::parse(&whole[..length]);
            let at = format!("{} octets of {}", length, case.display());
            if ends.contains(&length) {
                let found = found.unwrap_or_else(|fault| panic!("{at}: {fault}"));
                assert!(understood.items.starts_with(&found.items), "{at}");
            } else {
                let fault = found.expect_err(&at);
                assert!(fault.at <= length && !fault.why.is_empty(), "{at}: {fault}");
            }
        }
    }
}

/// Whatever a single octet is, there is an end, and no panic.
#[test]
fn any_octet_may_be_another() {
    let mut understood = 0;
    for case in cases("hex") {
        let mut message = octets(&case);
        for at in 0..message.len() {
            let was = message[at];
            for other in [0, 1, 2, 3, 0x40, 0x7f, 0xff, was ^ 1, was ^ 0x80] {
                message[at] = other;
                understood += usize::from(advertisement::parse(&message).is_ok());
            }
            message[at] = was;
        }
    }
    assert!(understood > 1000);
}

/// RFC 8801 4.4: each prefix of the advertisement lies in one of the list.
#[test]
fn the_prefixes_of_an_advertisement_have_to_be_covered() {
    let pvd = octets(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pvd.hex"));
    let found = advertisement::parse(&pvd).unwrap();
    let covered = |prefixes: &str| {
        let text = format!(
            r#"{{"identifier": "example.org", "expires": "2020-01-01T00:00:00Z", "prefixes": [{prefixes}]}}"#
        );
        let id = &found.explicit.as_ref().unwrap().id;
        let read = Information::read(text.as_bytes(), id, SystemTime::UNIX_EPOCH).unwrap();
        information::covers(&read.prefixes, &found.items).map_err(|why| why.to_string())
    };
    for prefixes in [
        r#""2001:db8:cafe::/64", "2001:db8:f00d::/64""#,
        r#""2001:db8:cafe::/48", "2001:db8:f00d:ffff::/47""#,
        r#""::/0""#,
    ] {
        assert_eq!(covered(prefixes), Ok(()), "{prefixes}");
    }
    for prefixes in [
        "",
        r#""2001:db8:cafe::/64""#,
        r#""2001:db8:cafe::/64", "2001:db8:f00d::/65""#,
        r#""2001:db8:cafe::/64", "2001:db8:f00e::/48""#,
    ] {
        let why = covered(prefixes).unwrap_err();
        assert!(
            why.starts_with("its prefixes do not cover 2001:db8:"),
            "{why}"
        );
    }
}

/// Where options end, the last aside whose end is that of the whole.
fn ends(message: &[u8]) -> Vec<usize> {
    let mut ends = vec![16];
    while let Some(&units) = message.get(ends.last().unwrap() + 1) {
        ends.push(ends.last().unwrap() + usize::from(units) * 8);
    }
    ends.pop();
    ends
}

/// Golden files of a kind; there are some.
fn cases(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut cases: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|one| one == kind))
        .collect();
    cases.sort();
    assert!(cases.len() > 5);
    cases
}

/// Pairs of hexadecimal digits; `#` begins a comment.
fn octets(case: &Path) -> Vec<u8> {
    let text = fs::read_to_string(case).unwrap();
    let lines = text.lines().map(|line| line.split('#').next().unwrap());
    let digits: Vec<u32> = lines
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap())
        .collect();
    let (pairs, []) = digits.as_chunks::<2>() else {
        panic!("an odd number of digits in {}", case.display());
    };
    let octet = |[high, low]: &[u32; 2]| u8::try_from(high * 16 + low).unwrap();
    pairs.iter().map(octet).collect()
}

fn dump(found: &Advertisement) -> String {
    let mut text = format!("{:?}\n{:?}\n", found.header, found.explicit);
    for item in &found.items {
        writeln!(text, "{item:?}").unwrap();
    }
    for fault in &found.left_out {
        writeln!(text, "left out: {fault}").unwrap();
    }
    text
}

fn expect(case: &Path, actual: &str) {
    let path = PathBuf::from(format!("{}.txt", case.display()));
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        actual,
        expected,
        "{} (UPDATE_EXPECT=1 accepts)",
        path.display()
    );
}
