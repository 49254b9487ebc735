//! Fetching from a pod: the words of the probe script, and reading what it prints.

use super::objects::PROBE_SCRIPT;
use crate::fetch::{Answer, Fetched, NoAnswer, Page, printable};

/// curl's exit code for "could not connect": refused, no route.
const CURL_NO_CONNECTION: i32 = 7;
/// curl's exit code for "too late".
const CURL_TIMEOUT: i32 = 28;

/// How many URLs the script fetches at the same time.
pub(crate) const AT_ONCE: usize = 12;

/// The command that fetches `urls` in a pod, each within `seconds`.
pub(crate) fn command(seconds: u64, urls: &[String]) -> Vec<String> {
    let head = [
        "/bin/sh".to_owned(),
        PROBE_SCRIPT.to_owned(),
        seconds.max(1).to_string(),
    ];
    head.into_iter().chain(urls.iter().cloned()).collect()
}

/// Reads the script's output: one answer for each of `wanted` URLs. What is missing or garbled is unknown.
pub(crate) fn parse(output: &str, wanted: usize) -> Vec<Fetched> {
    let mut fetched: Vec<Fetched> = output.lines().take(wanted).map(parse_line).collect();
    fetched.resize_with(wanted, || {
        Fetched::unknown("the probe ended before it came to this")
    });
    fetched
}

fn parse_line(line: &str) -> Fetched {
    let garbled = || Fetched::unknown(format!("the probe printed {line:?}"));
    let fields: Vec<&str> = line.splitn(7, '\t').collect();
    let [code, status, seconds, bytes, served_by, page, message] = fields[..] else {
        return garbled();
    };
    let (Ok(code), Ok(status), Ok(seconds), Ok(bytes)) = (
        code.parse::<i32>(),
        status.parse(),
        seconds.parse(),
        bytes.parse(),
    ) else {
        return garbled();
    };
    let answer = if code == 0 {
        Answer::Http(Page {
            status,
            bytes,
            served_by: (!served_by.is_empty()).then(|| served_by.to_owned()),
            is_nginx: page == "yes",
            head: printable(message),
        })
    } else {
        Answer::None {
            how: match code {
                CURL_NO_CONNECTION => NoAnswer::Refused,
                CURL_TIMEOUT if !message.contains("Resolving") => NoAnswer::TimedOut,
                _ => NoAnswer::Other,
            },
            evidence: format!("curl: ({code}) {}", printable(message)),
        }
    };
    Fetched { answer, seconds }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test runs the script in a real shell, with a stand-in for curl"
)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn lines_are_read_field_by_field() {
        let output = "0\t200\t0.0021\t615\tnginx-abc\tyes\t<!DOCTYPE html> <html>\n\
            28\t000\t4.0010\t0\t\tno\tConnection timed out after 4001 milliseconds\n\
            7\t000\t0.0010\t0\t\tno\tFailed to connect to 10.0.0.1 port 80\n\
            28\t000\t4.0010\t0\t\tno\tResolving timed out after 4000 milliseconds\n\
            6\t000\t0.0100\t0\t\tno\tCould not resolve host: nginx\n";
        let fetched = parse(output, 5);
        assert!(fetched[0].is_nginx());
        assert_eq!(
            fetched[0].page().and_then(|page| page.served_by.as_deref()),
            Some("nginx-abc")
        );
        let how: Vec<(bool, bool)> = fetched[1..]
            .iter()
            .map(|each| (each.is_refused(), each.is_blocked()))
            .collect();
        assert_eq!(how, [(false, true), (true, true), (false, false), (false, false)]);
        assert!(fetched[4].describe().contains("curl: (6) Could not resolve host"));
    }

    #[test]
    fn what_is_missing_or_garbled_is_unknown_and_never_a_pass() {
        let fetched = parse("0\t200\n", 3);
        assert_eq!(fetched.len(), 3);
        for each in &fetched {
            assert!(matches!(each.answer, Answer::Unknown { .. }), "{each:?}");
        }
        assert!(parse("0\t200\t0.1\t615\t\tyes\t\nextra\n", 1)[0].is_nginx());
    }

    #[test]
    fn the_command_is_words_and_never_waits_zero_seconds() {
        let words = command(0, &["http://10.0.0.1/".into()]);
        assert_eq!(
            words,
            ["/bin/sh", "/iec-verify/probe.sh", "1", "http://10.0.0.1/"]
        );
    }

    #[test]
    fn the_script_fetches_as_many_at_once_as_deadlines_suppose() {
        assert!(include_str!("probe.sh").contains(&format!("number % {AT_ONCE}")));
    }

    #[test]
    fn the_script_is_valid_posix_shell() {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/proof/probe.sh");
        let checked = Command::new("/bin/sh")
            .args(["-n", script])
            .output()
            .expect("a shell");
        assert!(checked.status.success(), "{checked:?}");
    }

    /// Runs the real script with a stand-in for curl that writes what curl would write.
    #[test]
    fn the_script_prints_one_line_for_each_url_in_their_order() {
        let folder = std::env::temp_dir().join(format!("iec-probe-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let curl = r#"#!/bin/sh
while [ $# -gt 1 ]; do case $1 in --output) body=$2; shift;; esac; shift; done
case $1 in
    *slow*) sleep 0.3; printf '<h1>Welcome to nginx!</h1>\n' >"$body"
        printf '0\t200\t0.300\t27\tpod-a\n\n';;
    *down*) printf '7\t000\t0.001\t0\t\nFailed to connect\n'; exit 7;;
    *) printf 'other\tpage' >"$body"; printf '0\t404\t0.001\t10\t\n\n';;
esac
"#;
        let stand_in = folder.join("curl");
        std::fs::write(&stand_in, curl).expect("written");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&stand_in, executable).expect("made executable");
        let urls = ["http://slow/", "http://down/", "http://else/"].repeat(4);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/proof/probe.sh");
        let path = format!(
            "{}:{}",
            folder.display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let output = Command::new("/bin/sh")
            .arg(script)
            .arg("4")
            .args(&urls)
            .env("PATH", path)
            .output()
            .expect("a shell");
        std::fs::remove_dir_all(&folder).expect("removed");
        let fetched = parse(&String::from_utf8_lossy(&output.stdout), urls.len());
        for three in fetched.chunks(3) {
            assert!(three[0].is_nginx(), "{output:?}");
            assert!(three[1].is_refused(), "{output:?}");
            assert_eq!(
                three[2].page().map(|page| (page.status, page.head.as_str())),
                Some((404, "other page"))
            );
        }
    }
}
