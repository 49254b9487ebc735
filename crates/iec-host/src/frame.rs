//! Framing of a script on its way to a shell, and of what the shell says on its way back.
//!
//! A long script travels compressed, for links of edge sites are slow: `gzip` and `base64` are on every Debian and Ubuntu.
//!
//! The script becomes the body of a function whose call is the last line, so a shell that did not get all of it runs
//! none of it. Around the body the shell prints a line with a number used once, on both streams: what comes before
//! the first belongs to the login shell, what comes after the second to nobody.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::outcome::Privilege;

/// From how many bytes on a script is compressed: below, two more programs on the host cost more than the bytes.
const LONG_SCRIPT: usize = 4 << 10;
/// How much of a stream's end is kept as evidence.
const TAIL: usize = 16 << 10;

/// A number used once, by which the lines of one run's frame are known.
#[derive(Debug, Clone)]
pub(crate) struct Nonce(String);

impl Nonce {
    /// A new nonce. The standard library's hasher keys are random, which is all that is needed to be different each time.
    pub(crate) fn new() -> Self {
        let random = || RandomState::new().build_hasher().finish();
        Self(format!("{:016x}{:016x}", random(), random()))
    }

    fn begin(&self) -> String {
        format!("iec-begin {}", self.0)
    }

    fn end(&self) -> String {
        format!("iec-end {}", self.0)
    }

    /// `script` with its frame: the text for the shell's standard input.
    ///
    /// The script runs in a subshell, so that its `exit` and its traps end there and the last line is always printed.
    ///
    /// Start-up files that replace the shell make another program read it, without the rights that it should have: that
    /// one is told by its variables, or by its user, and runs nothing of it.
    pub(crate) fn wrap(&self, script: &str, privilege: Privilege) -> String {
        let (begin, end) = (self.begin(), self.end());
        let script = if script.len() < LONG_SCRIPT {
            script.to_owned()
        } else {
            compressed(script)
        };
        let root = match privilege {
            Privilege::Root => {
                "[ \"$(id -u)\" = 0 ] || { echo 'iec: what reads the script does not run as root' >&2; exit 1; }\n"
            }
            Privilege::Login => "",
        };
        format!(
            "[ -z \"${{ZSH_VERSION-}}\" ] || {{ echo 'iec: zsh reads the script in place of /bin/sh' >&2; exit 1; }}\n\
             {root}iec_frame() {{\n\
             printf '\\n%s\\n' '{begin}'\n\
             printf '\\n%s\\n' '{begin}' >&2\n\
             (\n{script}\n)\n\
             iec_status=$?\n\
             printf '\\n%s\\n' '{end}' >&2\n\
             printf '\\n%s %s\\n' '{end}' \"$iec_status\"\n\
             }}\n\
             iec_frame </dev/null; exit\n"
        )
    }
}

/// Shell that unpacks `script` and runs it: all of it, or nothing where it cannot be unpacked.
fn compressed(script: &str) -> String {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder
        .write_all(script.as_bytes())
        .and_then(|()| encoder.finish())
        .expect("memory can be written to");
    format!(
        "iec_script=$(base64 -d <<'iec' | gzip -d\n{}\niec\n) || exit\neval \"$iec_script\"",
        STANDARD.encode(packed)
    )
}

/// Where in the frame a stream is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Before,
    Inside,
    After,
}

/// Takes the bytes of one stream apart into lines, and keeps those inside the frame.
#[derive(Debug)]
pub(crate) struct FrameReader {
    begin: String,
    end: String,
    stage: Stage,
    status: Option<u8>,
    partial: Vec<u8>,
    /// An empty line was read but may be the one that the frame's last line begins with.
    held_empty_line: bool,
    /// The last lines from outside or inside the frame, whichever is current.
    tail: Tail,
    /// The last lines from before the frame, once it has begun.
    chatter: Tail,
}

impl FrameReader {
    pub(crate) fn new(nonce: &Nonce) -> Self {
        Self {
            begin: nonce.begin(),
            end: nonce.end(),
            stage: Stage::Before,
            status: None,
            partial: Vec::new(),
            held_empty_line: false,
            tail: Tail::default(),
            chatter: Tail::default(),
        }
    }

    /// Takes the next bytes of the stream and hands the script's lines to `sink`. Who calls it counts the bytes.
    pub(crate) fn push(&mut self, mut bytes: &[u8], sink: &mut (dyn FnMut(&str) + Send)) {
        while let Some(newline) = bytes.iter().position(|byte| *byte == b'\n') {
            let (head, rest) = bytes.split_at(newline);
            bytes = &rest[1..];
            if self.partial.is_empty() {
                self.line(&String::from_utf8_lossy(head), sink);
            } else {
                self.partial.extend_from_slice(head);
                let line = std::mem::take(&mut self.partial);
                self.line(&String::from_utf8_lossy(&line), sink);
            }
        }
        self.partial.extend_from_slice(bytes);
    }

    fn line(&mut self, line: &str, sink: &mut (dyn FnMut(&str) + Send)) {
        match self.stage {
            Stage::Before if line == self.begin => {
                self.stage = Stage::Inside;
                self.chatter = std::mem::take(&mut self.tail);
            }
            Stage::Before => self.tail.push(line),
            Stage::Inside => {
                if let Some(rest) = line.strip_prefix(&self.end) {
                    self.stage = Stage::After;
                    self.status = rest.trim().parse().ok();
                    return;
                }
                if std::mem::take(&mut self.held_empty_line) {
                    self.tail.push("");
                    sink("");
                }
                if line.is_empty() {
                    self.held_empty_line = true;
                } else {
                    self.tail.push(line);
                    sink(line);
                }
            }
            Stage::After => {}
        }
    }

    /// Whether the script began.
    pub(crate) fn began(&self) -> bool {
        self.stage != Stage::Before
    }

    /// Whether the script ended.
    pub(crate) fn ended(&self) -> bool {
        self.stage == Stage::After
    }

    /// The script's exit status, from the frame's last line.
    pub(crate) fn status(&self) -> Option<u8> {
        self.status
    }

    /// Takes out what the login shell said before the script began.
    pub(crate) fn take_chatter(&mut self) -> String {
        std::mem::take(&mut self.chatter)
            .into_text()
            .trim_end()
            .to_owned()
    }

    /// The last lines: the script's if it began, else the login shell's, an unfinished one included.
    pub(crate) fn into_tail(mut self) -> String {
        if !self.partial.is_empty() && self.stage != Stage::After {
            let partial = String::from_utf8_lossy(&self.partial).into_owned();
            self.tail.push(&partial);
        }
        self.tail.into_text()
    }
}

/// The last lines of a stream, at most [`TAIL`] bytes of them.
#[derive(Debug, Default)]
struct Tail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, line: &str) {
        let start = line.len().saturating_sub(TAIL);
        let start = (start..line.len())
            .find(|index| line.is_char_boundary(*index))
            .unwrap_or(start);
        let line = line[start..].to_owned();
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > TAIL && self.lines.len() > 1 {
            if let Some(first) = self.lines.pop_front() {
                self.bytes -= first.len() + 1;
            }
        }
    }

    fn into_text(self) -> String {
        Vec::from(self.lines).join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream of these chunks gives: the lines, and the reader at its end.
    fn read(nonce: &Nonce, chunks: &[&[u8]]) -> (Vec<String>, FrameReader) {
        let mut reader = FrameReader::new(nonce);
        let mut lines = Vec::new();
        for chunk in chunks {
            reader.push(chunk, &mut |line| lines.push(line.to_owned()));
        }
        (lines, reader)
    }

    #[test]
    fn only_the_lines_inside_the_frame_count() {
        let nonce = Nonce::new();
        let text = format!(
            "Welcome!\nprompt> \n{}\none\n\ntwo\n\n{} 7\nbye\n",
            nonce.begin(),
            nonce.end()
        );
        let (lines, reader) = read(&nonce, &[text.as_bytes()]);
        assert_eq!(lines, ["one", "", "two"]);
        assert_eq!(reader.status(), Some(7));
    }

    #[test]
    fn chunks_may_be_cut_anywhere() {
        let nonce = Nonce::new();
        let text = format!("x\n{}\ngrün\nlast\n{} 0\n", nonce.begin(), nonce.end());
        let chunks: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        let (lines, reader) = read(&nonce, &chunks);
        assert_eq!(lines, ["grün", "last"]);
        assert!(reader.ended());
    }

    /// What these shells say when they are fed the frame of this script.
    fn run(shell: &[&str], text: &str) -> (String, Vec<u8>) {
        use std::process::{Command, Stdio};
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the shell is there");
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(text.as_bytes()).expect("the shell reads");
        drop(stdin);
        let output = child.wait_with_output().expect("the shell ends");
        (
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.stdout,
        )
    }

    #[test]
    fn a_long_script_is_the_same_for_every_shell_and_travels_short() {
        let lines: String = (0..2000)
            .map(|number| format!("x={number} # \"'`$(false)\\\n"))
            .collect();
        let script = format!("{lines}printf '%s\\n' \"$x\" 'grün' \"$(cat)\"; exit 5");
        for shell in [&["dash"] as &[&str], &["bash"], &["busybox", "sh"]] {
            let nonce = Nonce::new();
            let framed = nonce.wrap(&script, Privilege::Login);
            assert!(framed.len() * 3 < script.len(), "{} bytes", framed.len());
            let (errors, output) = run(shell, &framed);
            let (lines, reader) = read(&nonce, &[&output]);
            assert_eq!(lines, ["1999", "grün", ""], "{shell:?}: {errors}");
            assert_eq!(reader.status(), Some(5), "{shell:?}");
        }
    }

    #[test]
    fn a_script_that_cannot_be_unpacked_does_not_run_and_fails() {
        let script = format!("echo ran\n{}", "# a long comment\n".repeat(400));
        let nonce = Nonce::new();
        let framed = nonce.wrap(&script, Privilege::Login);
        let spoiled = framed.replacen("H4sI", "H4sJ", 1);
        assert_ne!(framed, spoiled);
        let (_, output) = run(&["dash"], &spoiled);
        let (lines, reader) = read(&nonce, &[&output]);
        assert!(lines.is_empty(), "{lines:?}");
        assert_ne!(reader.status(), Some(0));
    }

    #[test]
    fn another_runs_frame_is_chatter() {
        let (nonce, other) = (Nonce::new(), Nonce::new());
        let text = format!("{}\nx\n{} 0\n", other.begin(), other.end());
        let (lines, reader) = read(&nonce, &[text.as_bytes()]);
        assert!(lines.is_empty());
        assert!(!reader.began());
        assert!(reader.into_tail().contains("iec-begin"));
    }

    #[test]
    fn the_tail_keeps_the_end() {
        let mut tail = Tail::default();
        for number in 0..10_000 {
            tail.push(&format!("line {number}"));
        }
        let text = tail.into_text();
        assert!(text.len() <= TAIL);
        assert!(text.ends_with("line 9999"));
        let mut tail = Tail::default();
        tail.push(&"ü".repeat(TAIL));
        assert!(tail.into_text().len() <= TAIL);
    }
}
