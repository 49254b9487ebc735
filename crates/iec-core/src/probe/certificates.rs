//! The certificates that a host has: the script that prints them, and the reader of its answer.

use std::collections::BTreeMap;

/// The question, as text for `sh -s` run as root. No key is in the answer.
pub const SCRIPT: &str = include_str!("certificates.sh");

/// The longest answer that is read, in bytes: twenty files of the greatest size that are not certificates are no answer.
pub const LONGEST: usize = 256 * 1024;

/// The line before each file.
const HEAD: &str = "iec-certificate ";
/// The last line of a whole answer.
const END: &str = "iec-certificates=end";

/// The first certificate of each file, as PEM; nothing where the answer is not whole. What a host says beside the files
/// that it was asked for is not taken.
#[must_use]
pub fn read(answer: &str) -> Option<BTreeMap<String, String>> {
    let answer = answer.trim_end().strip_suffix(END)?;
    let mut files = BTreeMap::new();
    for part in format!("\n{answer}").split(&format!("\n{HEAD}")).skip(1) {
        let (path, text) = part.split_once('\n').unwrap_or((part, ""));
        if is_asked_for(path) {
            files
                .entry(path.to_owned())
                .or_insert_with(|| text.trim().to_owned());
        }
    }
    Some(files)
}

/// Whether the script asks for this file.
fn is_asked_for(path: &str) -> bool {
    let pki = |path: &str| {
        let name = path.strip_prefix("/etc/kubernetes/pki/")?.strip_suffix(".crt")?;
        Some(name.to_owned())
    };
    let conf = |path: &str| {
        let name = path.strip_prefix("/etc/kubernetes/")?.strip_suffix(".conf")?;
        Some(name.to_owned())
    };
    let words = || SCRIPT.split(|sign: char| sign.is_whitespace() || sign == ';');
    match pki(path).or_else(|| conf(path)) {
        Some(name) => words().any(|word| word == name),
        None => words().any(|word| word == path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_were_asked_for_are_read_and_others_are_not() {
        let answer = "iec-certificate /etc/kubernetes/pki/ca.crt\nA\nB\n\n\
                      iec-certificate /etc/kubernetes/pki/etcd/server.crt\n\n\
                      iec-certificate /etc/kubernetes/admin.conf\nC\n\n\
                      iec-certificate /etc/kubernetes/pki/ca.crt\nX\n\
                      iec-certificate /etc/passwd\nX\n\
                      iec-certificate /etc/kubernetes/pki/../../x.crt\nX\n\
                      iec-certificate /var/lib/kubelet/pki/kubelet-client-current.pem\nD\n\n\
                      iec-certificates=end\n";
        let files = read(answer).expect("whole");
        let found: Vec<_> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("/etc/kubernetes/admin.conf", "C"),
                ("/etc/kubernetes/pki/ca.crt", "A\nB"),
                ("/etc/kubernetes/pki/etcd/server.crt", ""),
                ("/var/lib/kubelet/pki/kubelet-client-current.pem", "D"),
            ]
        );
        assert_eq!(read("iec-certificate /etc/kubernetes/pki/ca.crt\nA\n"), None);
        assert_eq!(read("iec-certificates=end\n"), Some(BTreeMap::new()));
    }
}
