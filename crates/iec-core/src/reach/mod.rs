//! Fetching nginx's page from a host of the site: the script that does it there, and the reader of its answer.

use std::net::Ipv4Addr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iec_sh::Word;

const SCRIPT: &str = include_str!("fetch.sh");
/// The longest line of an answer, in bytes.
pub const LONGEST_LINE: u64 = 4096;
/// The exit code of `timeout` for a command that took too long.
const TOO_LATE: u8 = 124;
/// What bash prints before the reason for which it could not connect.
const BASH_PREFIX: &str = "connect: ";

/// What a host should fetch: nginx's page from an address and port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostRequest {
    /// Where to connect.
    pub address: Ipv4Addr,
    /// The TCP port.
    pub port: u16,
    /// How long the whole fetch may take.
    pub deadline: Duration,
}

impl HostRequest {
    /// What is sent over the connection, byte for byte; the answer ends when the server closes.
    pub const TEXT: &'static str = "GET / HTTP/1.0\r\nHost: nginx\r\nConnection: close\r\n\r\n";
}

/// What a host got for a [`HostRequest`].
#[derive(Debug, Clone, PartialEq)]
pub enum HostAnswer {
    /// The server answered.
    Response {
        /// The first 2 KiB of the answer: status line, headers, body.
        raw: Vec<u8>,
        /// How long it took.
        seconds: f64,
    },
    /// The fetch ran, and there was no answer: refused, unreachable, too late.
    NoAnswer {
        /// What was seen.
        evidence: String,
        /// How long it took.
        seconds: f64,
    },
    /// The fetch did not run, or nobody knows how it ended: the host cannot be reached, a tool is missing.
    CouldNotTell {
        /// Why.
        reason: String,
    },
}

/// The script that makes all `requests`, for `sh -s` as any user.
#[must_use]
pub fn script(requests: &[HostRequest]) -> String {
    let mut text = format!("{SCRIPT}fetch");
    for (number, request) in requests.iter().enumerate() {
        let seconds = format!("{:.3}", request.deadline.as_secs_f64());
        for word in [
            number.to_string(),
            request.address.to_string(),
            request.port.to_string(),
            seconds,
        ] {
            text.push(' ');
            text.push_str(&Word::new(word).to_string());
        }
    }
    text.push('\n');
    text
}

/// Reads what the script printed: one answer for each of `wanted` requests. What is missing is not known.
#[must_use]
pub fn read(output: &str, wanted: usize) -> Vec<HostAnswer> {
    let missing = HostAnswer::CouldNotTell {
        reason: "the host did not say how the fetch ended".to_owned(),
    };
    let mut answers = vec![missing; wanted];
    for (number, answer) in output.lines().filter_map(read_line) {
        if let Some(place) = answers.get_mut(number) {
            *place = answer;
        }
    }
    answers
}

fn read_line(line: &str) -> Option<(usize, HostAnswer)> {
    let mut fields = line.strip_prefix("fetched=")?.splitn(4, ' ');
    let number = fields.next()?.parse().ok()?;
    let seconds = fields.next()?.parse::<f64>().ok()? / 1e6;
    let code = fields.next()?.parse().ok()?;
    let raw = STANDARD.decode(fields.next()?).ok()?;
    let answer = match code {
        0 if !raw.is_empty() => HostAnswer::Response { raw, seconds },
        0 => HostAnswer::NoAnswer {
            evidence: "the connection was closed without an answer".to_owned(),
            seconds,
        },
        TOO_LATE => HostAnswer::NoAnswer {
            evidence: format!("no answer within {seconds:.1} s"),
            seconds,
        },
        // Not found, or not to be run: `timeout` and the shell say it with these.
        126 | 127 => HostAnswer::CouldNotTell {
            reason: complaint(&raw),
        },
        _ => HostAnswer::NoAnswer {
            evidence: complaint(&raw),
            seconds,
        },
    };
    Some((number, answer))
}

/// What bash said, without its own name and line numbers.
fn complaint(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let line = text
        .lines()
        .find(|line| line.contains(BASH_PREFIX))
        .or_else(|| text.lines().next());
    let line = line.unwrap_or("it failed and did not say why");
    line.split_once(BASH_PREFIX)
        .map_or(line, |(_, reason)| reason)
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(last: u8, port: u16) -> HostRequest {
        HostRequest {
            address: [10, 0, 0, last].into(),
            port,
            deadline: Duration::from_millis(4500),
        }
    }

    #[test]
    fn the_script_sends_the_same_request() {
        let words = HostRequest::TEXT.replace('\r', "\\r").replace('\n', "\\n");
        assert!(SCRIPT.contains(&words), "{words}");
    }

    #[test]
    fn the_last_line_calls_with_every_request() {
        let text = script(&[request(11, 80), request(12, 30123)]);
        let last = text.lines().next_back().expect("a line");
        assert_eq!(last, "fetch 0 10.0.0.11 80 4.500 1 10.0.0.12 30123 4.500");
        assert!(script(&[]).ends_with("}\nfetch\n"));
    }

    fn line(number: usize, code: u8, text: &str) -> String {
        format!("fetched={number} 12000 {code} {}\n", STANDARD.encode(text))
    }

    #[test]
    fn answers_come_in_any_order_and_strange_lines_are_passed_over() {
        let output = format!(
            "motd of the day\n{}fetched=x 1 0 AA==\nfetched=9 1 0 AA==\n{}",
            line(1, 0, "HTTP/1.1 200 OK\r\n\r\nhello"),
            line(
                0,
                1,
                "bash: connect: Connection refused\nbash: line 2: /dev/tcp/10.0.0.1/80: Connection refused"
            ),
        );
        let answers = read(&output, 3);
        let refused = HostAnswer::NoAnswer {
            evidence: "Connection refused".into(),
            seconds: 0.012,
        };
        assert_eq!(answers[0], refused);
        let page = HostAnswer::Response {
            raw: b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(),
            seconds: 0.012,
        };
        assert_eq!(answers[1], page);
        assert!(matches!(answers[2], HostAnswer::CouldNotTell { .. }));
    }

    #[test]
    fn each_ending_has_its_own_meaning() {
        let ending = |code, text: &str| read(&line(0, code, text), 1).remove(0);
        assert!(
            matches!(ending(124, ""), HostAnswer::NoAnswer { evidence, .. } if evidence.contains("within"))
        );
        assert!(
            matches!(ending(0, ""), HostAnswer::NoAnswer { evidence, .. } if evidence.contains("closed"))
        );
        let missing = ending(127, "timeout: failed to run command 'bash'");
        assert!(matches!(missing, HostAnswer::CouldNotTell { reason } if reason.contains("bash")));
        let silent = ending(1, "");
        assert!(matches!(silent, HostAnswer::NoAnswer { evidence, .. } if evidence.contains("did not say")));
    }
}
