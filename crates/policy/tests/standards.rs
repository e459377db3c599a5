//! docs/standards.md names tests that are there, in all of its rows.

use std::fs;
use std::path::Path;

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
        let tests: Vec<_> = shown
            .split('`')
            .filter_map(|word| word.split_once("::"))
            .collect();
        assert!(
            state != "met" || !tests.is_empty(),
            "nothing shows it: {row}"
        );
        for (file, test) in tests {
            let text =
                fs::read_to_string(root.join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
            assert!(
                text.contains(&format!("#[test]\nfn {test}()")),
                "{file} has no test {test}"
            );
        }
    }
    assert_eq!(numbers, (1..=63).collect::<Vec<_>>());
}
