//! Texts that nobody wrote: every golden case cut off at every place, and with letters changed.
//! The parser answers each with a policy or with faults, and never panics.

mod common;

use std::fs;

use common::{cases, policy};
use mif_policy::Choice;

/// Letters that TOML and the language give a meaning to, and some that nobody expects.
const LETTERS: [char; 20] = [
    '"', '\'', '[', ']', '{', '}', '=', ',', '.', '#', '\n', '\t', '-', '/', ':', '0', 'x', '*',
    '\u{0}', '日',
];

#[test]
fn a_text_cut_off_anywhere_is_answered() {
    for case in texts() {
        for (end, _) in case.char_indices() {
            check(&case[..end]);
        }
    }
}

#[test]
fn a_text_with_changed_letters_is_answered() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = move |limit: usize| {
        // Xorshift (Marsaglia 2003): the same mutants on every run.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(limit).unwrap()).unwrap()
    };
    for case in texts() {
        for _ in 0..200 {
            let mut letters: Vec<char> = case.chars().collect();
            for _ in 0..=below(3) {
                let at = below(letters.len());
                match below(3) {
                    0 => letters[at] = LETTERS[below(LETTERS.len())],
                    1 => letters.insert(at, LETTERS[below(LETTERS.len())]),
                    _ => drop(letters.remove(at)),
                }
            }
            check(&letters.into_iter().collect::<String>());
        }
    }
}

fn texts() -> Vec<String> {
    let cases = cases("good").into_iter().chain(cases("bad"));
    // The two cases about size say nothing that smaller ones do not.
    let texts = cases.map(|case| fs::read_to_string(case).unwrap());
    texts.filter(|text| text.len() < 1500).collect()
}

fn check(text: &str) {
    match policy("mutant.toml", text) {
        Err(faults) => {
            assert!(!faults.0.is_empty(), "refused without a fault: {text:?}");
            let said = faults.to_string();
            let quiet = |c: char| !c.is_control() || c == '\n' || c == '\t';
            assert!(said.chars().all(quiet), "{said:?}");
        }
        Ok(policy) => {
            let lists = policy
                .rules
                .iter()
                .map(|rule| &rule.choices)
                .chain(&policy.listen);
            for list in lists {
                assert!(!list.0.is_empty(), "an empty list: {text:?}");
                for choice in &list.0 {
                    assert!(!matches!(choice, Choice::Pvd(id) if policy.pvd(*id).name.is_empty()));
                }
            }
            assert!(policy.rule(policy.last_rule()).prefixes.is_empty());
        }
    }
}
