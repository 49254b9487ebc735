//! Host patterns: the names that one stands for, and the port behind it.

use std::net::Ipv6Addr;

/// More hosts than these are no edge site but a mistyped range.
const MAXIMUM_HOSTS: usize = 10_000;

/// The letters of ranges, in Ansible's order.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// The hosts of a pattern, and the port that Ansible takes for each of them; `None` where it is no pattern.
pub(super) fn hosts(pattern: &str) -> Option<(Vec<String>, Option<String>)> {
    let (pattern, port) = with_port(pattern);
    // To Ansible no port is 0: it asks whether there is one.
    let port = port
        .map(|port| port.trim_start_matches('0'))
        .filter(|port| !port.is_empty());
    Some((names(pattern)?, port.map(str::to_owned)))
}

/// The name or pattern, and the port behind it. Where Ansible sees neither an address nor a name of DNS before the port,
/// all of it is the name.
fn with_port(pattern: &str) -> (&str, Option<&str>) {
    let port = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, after)) = bracketed(pattern) {
        return (address, after.strip_prefix(':').filter(|text| port(text)));
    }
    let Some((name, text)) = pattern.rsplit_once(':') else {
        return (pattern, None);
    };
    let labels = without_ranges(name);
    let is_name = !labels.is_empty() && labels.split('.').all(is_label);
    if is_name && port(text) {
        (name, Some(text))
    } else {
        (pattern, None)
    }
}

/// An address of IPv6 in brackets, and what follows it.
pub(super) fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (inside, after) = text.strip_prefix('[')?.split_once(']')?;
    inside.parse::<Ipv6Addr>().is_ok().then_some((inside, after))
}

/// The pattern with a digit for each range, whose colons and dots are none of the name's.
fn without_ranges(pattern: &str) -> String {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('[') {
        text.push_str(before);
        text.push('0');
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    text + rest
}

fn is_label(label: &str) -> bool {
    let mut letters = label.chars();
    letters
        .next()
        .is_some_and(|first| first.is_alphanumeric() || first == '_')
        && letters.all(|letter| letter.is_alphanumeric() || "_-".contains(letter))
        && !label.ends_with(['_', '-'])
}

/// The names that a pattern such as `edge-[01:12]` or `rack-[a:c]-[1:9:2]` stands for; `None` where it is no pattern.
fn names(pattern: &str) -> Option<Vec<String>> {
    let Some((before, rest)) = pattern.split_once('[') else {
        return Some(vec![pattern.to_owned()]);
    };
    let (range, after) = rest.split_once(']')?;
    let tails = names(after)?;
    let mut all = Vec::new();
    for middle in range_values(range)? {
        for tail in &tails {
            all.push(format!("{before}{middle}{tail}"));
            if all.len() > MAXIMUM_HOSTS {
                return None;
            }
        }
    }
    Some(all)
}

/// What a range stands for; one that runs backwards is none. Without a beginning it begins with 0.
fn range_values(range: &str) -> Option<Vec<String>> {
    let mut parts = range.split(':');
    let (first, last) = (parts.next()?, parts.next()?);
    let first = if first.is_empty() { "0" } else { first };
    let step: usize = parts.next().map_or(Some(1), |step| step.parse().ok())?;
    if parts.next().is_some() || step == 0 {
        return None;
    }
    if let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) {
        // A leading zero gives all numbers the same width, which both ends then have to have.
        let width = if first.starts_with('0') && first.len() > 1 {
            first.len()
        } else {
            0
        };
        if from > to || (width > 0 && width != last.len()) {
            return None;
        }
        let values = (from..=to).step_by(step).take(MAXIMUM_HOSTS + 1);
        return Some(values.map(|number| format!("{number:0width$}")).collect());
    }
    let at = |text: &str| LETTERS.find(text).filter(|_| text.len() == 1);
    let (from, to) = (at(first)?, at(last)?);
    let values = LETTERS.get(from..=to)?.chars().step_by(step);
    Some(values.map(String::from).collect())
}

#[cfg(test)]
mod tests {
    use super::{hosts, names};

    #[test]
    fn patterns_stand_for_names() {
        let of = |pattern: &str| names(pattern).unwrap_or_default().join(" ");
        assert_eq!(of("edge-[1:3]"), "edge-1 edge-2 edge-3");
        assert_eq!(of("edge-[08:10].x"), "edge-08.x edge-09.x edge-10.x");
        assert_eq!(of("r[a:b]-[1:5:2]"), "ra-1 ra-3 ra-5 rb-1 rb-3 rb-5");
        assert_eq!(of("R[A:C]"), "RA RB RC");
        assert_eq!(of("a[y:B]"), "ay az aA aB");
        assert_eq!(of("n[:2]"), "n0 n1 n2");
        assert_eq!(of("n[0:2]"), "n0 n1 n2");
        assert_eq!(of("plain"), "plain");
        for bad in [
            "a[1:2",
            "a[1]",
            "a[1:2:0]",
            "a[1:x]",
            "a[0:99999]",
            "a[3:1]",
            "a[c:a]",
            "a[A:c]",
            "a[1:]",
            "a[01:100]",
            "a[é:z]",
        ] {
            assert_eq!(names(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_port_is_what_stands_behind_a_name_or_behind_brackets() {
        for (pattern, name, port) in [
            ("n1", "n1", None),
            ("n1:2222", "n1", Some("2222")),
            ("n1:022", "n1", Some("22")),
            ("n1:0", "n1", None),
            ("10.0.0.1:2222", "10.0.0.1", Some("2222")),
            ("n[1:1]", "n1", None),
            ("n[1:1]:2222", "n1", Some("2222")),
            ("2001:db8::1", "2001:db8::1", None),
            ("fe80::22", "fe80::22", None),
            ("[2001:db8::5]:2222", "2001:db8::5", Some("2222")),
            ("[2001:db8::5]", "2001:db8::5", None),
            ("-bad:22", "-bad:22", None),
            ("bad_:22", "bad_:22", None),
        ] {
            let (names, found) = hosts(pattern).expect("a pattern");
            assert_eq!(
                (names.join(" ").as_str(), found.as_deref()),
                (name, port),
                "{pattern}"
            );
        }
    }
}
