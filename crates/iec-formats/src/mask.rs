//! What might be a password in a text made unreadable, with every other byte where it was.

use std::net::Ipv4Addr;

use iec_core::nearest::nearest;

/// The keys whose values may be shown: those that descriptors and inventories have, and IEC reads.
const SHOWN: [&str; 106] = [
    // Pod descriptors.
    "version",
    "details",
    "jumphost",
    "nodes",
    "type",
    "pod_owner",
    "contact",
    "lab",
    "location",
    "link",
    "name",
    "node",
    "disks",
    "os",
    "remote_management",
    "interfaces",
    "remote_params",
    "vendor",
    "model",
    "arch",
    "cpus",
    "cpu_cflags",
    "cores",
    "memory",
    "disk_capacity",
    "disk_type",
    "disk_interface",
    "disk_rotation",
    "versions",
    "address",
    "mac_address",
    "port",
    "privilege_level",
    "user",
    "vlan",
    "speed",
    "features",
    // Installer descriptors.
    "idf",
    "installer",
    "net_config",
    "compass",
    "daisy",
    "fuel",
    "osa",
    "kubespray",
    "xci",
    "network",
    "reclass",
    "maas",
    "interface_mtu",
    "ntp_strata_host1",
    "ntp_strata_host2",
    "busaddr",
    "interface",
    "mask",
    "gateway",
    "dns",
    "ip-range",
    "nodes_roles",
    "hostnames",
    "groups",
    "network_mapping",
    "net_admin",
    "net_mgmt",
    "net_public",
    "kube_pods_subnet",
    "kube_service_addresses",
    "engine",
    "pod_name",
    "pxe_network",
    "public_network",
    "pxe_interface",
    "installers",
    "bridges",
    "admin",
    "mgmt",
    "private",
    "public",
    "oob",
    "timeout_deploying",
    "timeout_comissioning",
    "bmra",
    "profile",
    // Inventories.
    "all",
    "hosts",
    "children",
    "vars",
    "ungrouped",
    "ansible_host",
    "ansible_ssh_host",
    "ansible_port",
    "ansible_ssh_port",
    "ansible_user",
    "ansible_ssh_user",
    "ansible_connection",
    "ansible_become",
    "ansible_ssh_private_key_file",
    "ansible_python_interpreter",
    "ip",
    "access_ip",
    "etcd_member_name",
    "kube_control_plane",
    "kube_node",
    "kube-master",
    "kube-node",
    "etcd",
];

/// What is in the name of a key that has a secret.
const SECRET: [&str; 8] = ["pass", "pwd", "psw", "secret", "token", "cred", "vault", "key"];
/// What such a key may be called, for those who mistype it.
const MISTYPED: [&str; 7] = [
    "password",
    "passwd",
    "pass",
    "secret",
    "token",
    "credentials",
    "passphrase",
];

/// The text with `*` for every byte that might be of a password: places in it stay right.
///
/// More is hidden rather than less. Only the values of keys that IEC knows are shown; what stands behind one that it does
/// not know, to the end of the line and in the lines after it that are indented deeper, might be a password behind a
/// mistyped key. Mappings and lists behind such a key are shown as far as their own keys allow it.
///
/// Comments are hidden whole, since passwords are kept in them too, and so are words that stand where no key gives them a
/// meaning.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut inside: Option<(usize, Deeper)> = None;
    let mut lines = Lines::Others;
    for whole in text.split_inclusive('\n') {
        let (line, comment) = whole.split_at(comment(whole));
        let indentation = line.len() - line.trim_start_matches(' ').len();
        let blank = line.trim().is_empty();
        lines = lines.after(line);
        if let Some((key, deeper)) = inside
            && (blank || indentation > key)
        {
            if deeper == Deeper::Hidden || (!blank && keys(line).next().is_none()) {
                hide(whole, &mut shown);
                continue;
            }
        } else {
            inside = None;
        }
        match hidden_from(line) {
            Some((start, deeper)) => {
                without_bare_words(&line[..start], lines, &mut shown);
                hide(&line[start..], &mut shown);
                inside = Some((indentation, deeper));
            }
            None => {
                without_bare_words(line, lines, &mut shown);
                if keys(line).last().is_some_and(|(key, colon)| {
                    !SHOWN.contains(&key.as_str()) && line[colon + 1..].trim().is_empty()
                }) {
                    inside = Some((indentation, Deeper::Loose));
                }
            }
        }
        hide(comment, &mut shown);
    }
    without_logins(shown)
}

/// Where the comment of a line begins, behind its mark; the end of the line where there is none. Quotes are not looked at:
/// one that is never closed would show what should not be seen.
fn comment(line: &str) -> usize {
    let mark = line.char_indices().find(|(at, letter)| {
        let before = line[..*at].chars().next_back();
        *letter == '#' || (*letter == ';' && before.is_none_or(char::is_whitespace))
    });
    mark.map_or(line.len(), |(at, letter)| at + letter.len_utf8())
}

/// What the lines of an inventory in the INI form are.
#[derive(Clone, Copy, PartialEq)]
enum Lines {
    /// Assignments: a word without a value has no business there.
    Variables,
    /// Names, or something else than such an inventory.
    Others,
}

impl Lines {
    fn after(self, line: &str) -> Self {
        let line = line.trim();
        match line.starts_with('[') && line.contains(']') {
            true if line.contains(":vars]") => Self::Variables,
            true => Self::Others,
            false => self,
        }
    }
}

/// Adds the line with its first word, with its keys, and with what a key gives a meaning; every other word is hidden.
fn without_bare_words(line: &str, lines: Lines, shown: &mut String) {
    let body = line.trim();
    let structure = body.starts_with('[') || body.starts_with(['{', '}', ']', '-', '"', '\'']);
    let first = keys(line).next();
    let has_colon = first.as_ref().is_some_and(|(_, at)| line[*at..].starts_with(':'));
    if structure || has_colon {
        shown.push_str(line);
        return;
    }
    // A line without a key that is indented goes on with the value of the line above it.
    let goes_on = first.is_none() && line.starts_with([' ', '\t']);
    let mut may_be_a_name = !goes_on && (lines == Lines::Others || first.is_some());
    let mut quote = None;
    for word in line.split_inclusive(char::is_whitespace) {
        let marks = word.chars().filter(|letter| ['"', '\''].contains(letter));
        let is_value = word.contains('=') || quote.is_some() || word.trim().is_empty();
        for mark in marks {
            quote = match quote {
                None => Some(mark),
                Some(open) if open == mark => None,
                open => open,
            };
        }
        if is_value || may_be_a_name {
            shown.push_str(word);
        } else {
            hide(word, shown);
        }
        may_be_a_name &= word.trim().is_empty();
    }
}

/// What becomes of the lines below a key.
#[derive(Clone, Copy, PartialEq)]
enum Deeper {
    /// Nobody may see any of it.
    Hidden,
    /// What has a key of its own is judged by that.
    Loose,
}

fn hide(text: &str, shown: &mut String) {
    for letter in text.chars() {
        if letter.is_whitespace() {
            shown.push(letter);
        } else {
            shown.extend(std::iter::repeat_n('*', letter.len_utf8()));
        }
    }
}

/// From where on nothing of this line may be shown.
fn hidden_from(line: &str) -> Option<(usize, Deeper)> {
    let behind = keys(line).find_map(|(key, separator)| {
        let value = line[separator + 1..].trim_start();
        let is_structure = value.is_empty() || value.starts_with(['{', '[', '*', '#']);
        let is_known = SHOWN.contains(&key.as_str()) || is_harmless(value);
        let hidden = is_secret(&key) || (!is_known && !is_structure);
        hidden.then_some(separator + 1)
    });
    behind
        .or_else(|| behind_a_word(line))
        .map(|start| (start, Deeper::Hidden))
}

/// Whether all of a value is an address, a network or a yes or no: no password is.
fn is_harmless(value: &str) -> bool {
    let value = value
        .trim()
        .trim_end_matches(['#', ',', '}'])
        .trim()
        .trim_matches(['"', '\'']);
    let (address, prefix) = value.split_once('/').unwrap_or((value, "0"));
    (address.parse::<Ipv4Addr>().is_ok() && prefix.parse::<u8>().is_ok())
        || ["true", "false", "yes", "no"].contains(&value)
}

/// Every key of a line with the place of the `:` or `=` behind it.
fn keys(line: &str) -> impl Iterator<Item = (String, usize)> + '_ {
    line.match_indices([':', '=']).filter_map(|(separator, sign)| {
        let before = line[..separator].trim_end();
        let unquoted = before.trim_end_matches(['"', '\'']);
        let name = unquoted
            .rsplit(|letter: char| !letter.is_alphanumeric() && !"_-.".contains(letter))
            .next()
            .unwrap_or_default()
            .trim_start_matches('-');
        let ends = line[separator + 1..]
            .chars()
            .next()
            .is_none_or(char::is_whitespace);
        let is_key = sign == "=" || ends || unquoted.len() < before.len() || is_secret(name);
        (is_key && !name.is_empty()).then(|| (name.to_owned(), separator))
    })
}

/// Whether a key of this name has a secret, or is one of those mistyped.
fn is_secret(key: &str) -> bool {
    if SHOWN.contains(&key) {
        return false;
    }
    let lower = key.to_lowercase();
    SECRET.iter().any(|part| lower.contains(part))
        || lower
            .split(['_', '-', '.'])
            .any(|part| part.len() > 2 && nearest(part, MISTYPED).is_some())
}

/// Where the text behind a word such as `password` begins, if no `:` stands between them.
fn behind_a_word(line: &str) -> Option<usize> {
    let mut at = 0;
    line.split_inclusive(char::is_whitespace).find_map(|word| {
        at += word.len();
        let bare = word.trim().trim_matches(|letter: char| !letter.is_alphanumeric());
        (bare.len() > 2 && nearest(bare, MISTYPED).is_some()).then_some(at)
    })
}

/// The text without what stands between `://` and `@` of an address.
fn without_logins(text: String) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        shown.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest
            .find(|letter: char| letter.is_whitespace() || "/\"',".contains(letter))
            .unwrap_or(rest.len());
        if let Some(at) = rest[..end].rfind('@') {
            hide(&rest[..at], &mut shown);
            rest = &rest[at..];
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn values_of_passwords_are_hidden_and_nothing_moves() {
        let text = "name: 1\n  pass: s3cret # x\n  'pass' : |\n     s3cret\n\n     s3cret\nipmi: {user: me, pass: s3cret}\nipmi_pass: sücret\nvendor: passing\n";
        let shown = masked(text);
        assert!(!shown.contains("cret"), "{shown}");
        assert_eq!(shown.len(), text.len());
        assert!(shown.starts_with("name: 1\n  pass: ****** * *\n"), "{shown}");
        assert!(shown.ends_with("vendor: passing\n"), "{shown}");
    }

    #[test]
    fn what_might_be_a_password_behind_a_mistyped_key_is_hidden_too() {
        for text in [
            "remote_management:\n  passwrod: s3cret\n",
            "  pasword: s3cret",
            "{type: ipmi, user: admin, pas: s3cret, address: 10.0.0.1}",
            "{user: admin, paswd: [s3cret]}",
            "sercet: {a: s3cret}",
            "{\"passphrse\":\"s3cret\"}",
            "{pass:s3cret}",
            "whatever: s3cret",
            "whatever:\n  s3cret\n",
            "whatever:\n  - s3cret\n",
            "whatever: >\n  s3cret: 1\n",
            "whatever: &anchor s3cret",
            "  pass s3cret",
            "- password s3cret",
            "whatever: {user: me, more: s3cret}",
            "node1 ansible_host=10.0.0.1 ansible_become_pasword=s3cret",
            "node1 ansible_user=me vault_it='s3cret two'",
            "api_token = s3cret",
            "address: qemu+ssh://root:s3cret@10.0.0.1/system",
            "Pässword: s3cret",
        ] {
            let shown = masked(text);
            assert!(!shown.contains("s3cret"), "{text}: {shown}");
            assert_eq!(shown.len(), text.len(), "{text}");
        }
    }

    #[test]
    fn what_is_read_is_shown() {
        for text in [
            "net_config:\n  oob: {interface: 0, ip-range: 10.9.0.11-10.9.0.20, vlan: native, mask: 24}\n",
            "  storage:\n    interface: 1\n    network: 10.1.0.0\n",
            "  - name: nic1\n    mac_address: \"02:00:00:00:01:10\"\n",
            "link: https://example.com/sites/0417\n",
            "node1 ansible_host=10.0.0.1 ip=10.0.0.2\n",
            "[kube_node:children]\n",
            "[all:vars]\nansible_user=core\n",
            "all:\n  children:\n    kube_node:\n      hosts:\n        n1: {ansible_host: 10.0.0.1}\n",
            "  access_address: 10.0.0.0/24\n  becomes: true\n",
        ] {
            assert_eq!(masked(text), text);
        }
    }

    #[test]
    fn comments_and_words_without_a_key_are_hidden() {
        for (text, shown) in [
            ("# hunter2\n", "# *******\n"),
            ("; hunter2\n", "; *******\n"),
            ("name: a # hunter2\n", "name: a # *******\n"),
            ("ip: 10.0.0.1 # it's hunter2\n", "ip: 10.0.0.1 # **** *******\n"),
            (
                "n1 ansible_host=10.0.0.1#hunter2\n",
                "n1 ansible_host=10.0.0.1#*******\n",
            ),
            (
                "n1 ansible_host=10.0.0.1 hunter2\n",
                "n1 ansible_host=10.0.0.1 *******\n",
            ),
            (
                "n1 hunter2 ansible_host=10.0.0.1\n",
                "n1 ******* ansible_host=10.0.0.1\n",
            ),
            ("[all:vars]\nhunter2\n", "[all:vars]\n*******\n"),
            (
                "[all:vars]\nansible_user=core hunter2\n",
                "[all:vars]\nansible_user=core *******\n",
            ),
            ("name: a\n  hunter2\n", "name: a\n  *******\n"),
            ("[kube_node]\nn1\n", "[kube_node]\nn1\n"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
