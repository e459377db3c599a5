//! The nearest right spelling of a word. It knows nothing of what the words mean.

use crate::fault::quoted;

/// `; did you mean X?` for the candidate nearest to `word`, or nothing where none is near.
pub(super) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> String {
    match nearest(word, candidates) {
        Some(right) => format!("; did you mean {}?", quoted(right)),
        None => String::new(),
    }
}

/// The candidate that fewest slips of the pen lead from: at most one in three letters, and at
/// least one in a short word; the case of letters does not count.
fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.to_lowercase().chars().take(64).collect();
    let slips = |right: &str| distance(&word, &right.to_lowercase().chars().collect::<Vec<_>>());
    let near = candidates.into_iter().map(|right| (slips(right), right));
    let (slips, right) = near.min_by_key(|&(slips, _)| slips)?;
    (slips <= word.len().max(right.chars().count()).div_ceil(3).min(3)).then_some(right)
}

/// Letters to add, drop, change or swap with their neighbour (optimal string alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in 0..=from.len() {
        for j in 0..=to.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = usize::from(from[i - 1] != to[j - 1]);
                let swapped =
                    i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                let best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                let best = best.min(rows[i - 1][j - 1] + changed);
                if swapped {
                    best.min(rows[i - 2][j - 2] + 1)
                } else {
                    best
                }
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_of_the_pen_are_found_and_other_words_are_not() {
        let keys = [
            "use",
            "listen",
            "explicit",
            "local",
            "source",
            "interface",
            "to",
        ];
        for (word, right) in [
            ("suorce", Some("source")),
            ("sources", Some("source")),
            ("explict", Some("explicit")),
            ("Use", Some("use")),
            ("uses", Some("use")),
            ("iface", None),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, keys), right, "{word}");
        }
        assert_eq!(nearest("use", []), None);
    }
}
