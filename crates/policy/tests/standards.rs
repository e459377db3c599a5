//! docs/standards.md and docs/security.md name tests that are there, in all rows and for all claims.

use std::fs;
use std::path::Path;

/// The tests that a text names, each of which has to be there.
fn tests(text: &str) -> usize {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let named = text.split('`').filter_map(|word| word.split_once(".rs::"));
    named
        .map(|(file, test)| {
            let path = root.join(file).with_extension("rs");
            let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{file}: {why}"));
            let is_there = ["", "    "]
                .iter()
                .any(|indent| text.contains(&format!("{indent}#[test]\n{indent}fn {test}()")));
            assert!(is_there, "{file} has no test {test}");
        })
        .count()
}

#[test]
fn every_claim_about_security_has_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let claims = page.split("\n## How it is checked").next().unwrap();
    let claims: Vec<_> = claims.split("\n- ").skip(1).collect();
    for claim in &claims {
        assert!(tests(claim) > 0, "nothing shows it: {claim}");
    }
    assert!(claims.len() > 15, "{}", claims.len());
}

#[test]
fn every_test_that_a_row_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/standards.md")).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    let mut numbers = Vec::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, number, _, _, state, shown, _] = cells[..] else {
            panic!("a row has five cells: {row}");
        };
        numbers.push(number.parse::<usize>().unwrap());
        assert!(["met", "partly", "not"].contains(&state), "{row}");
        let tests = tests(shown);
        assert!(state != "met" || tests > 0, "nothing shows it: {row}");
    }
    assert_eq!(numbers, (1..=63).collect::<Vec<_>>());
}
