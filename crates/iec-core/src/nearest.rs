//! Finds the word that somebody probably meant.

/// The candidate that is nearest to `word`, if one is near enough to be worth a hint.
///
/// Near enough is one change per three letters; capital letters, `-`, `_` and `.` do not count as changes.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let bare = bare(word);
    candidates
        .into_iter()
        .map(|candidate| (distance(&bare, &self::bare(candidate)), candidate))
        .filter(|(changes, _)| *changes <= bare.len().max(3) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

fn bare(word: &str) -> Vec<char> {
    let letters = word.chars().filter(|letter| !"-_.".contains(*letter));
    // Nobody types a key of a thousand letters, and the comparison takes the product of both lengths.
    letters.take(64).flat_map(char::to_lowercase).collect()
}

/// How many letters must be put in, left out, replaced, or exchanged with their neighbour.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, candidate) in other.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != candidate);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *letter == other[column - 1] && one[row - 1] == *candidate;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_hand_are_recognised() {
        let keys = ["address", "nodeAddress", "role", "labels", "hostKey"];
        for (typed, meant) in [
            ("adress", Some("address")),
            ("addres", Some("address")),
            ("node_address", Some("nodeAddress")),
            ("node-adress", Some("nodeAddress")),
            ("hostkey", Some("hostKey")),
            ("rloe", Some("role")),
            ("label", Some("labels")),
            ("port", None),
            ("", None),
            ("somethingelse", None),
        ] {
            assert_eq!(nearest(typed, keys), meant, "{typed}");
        }
    }
}
