//! Making sense of what a command says: a script in its frame, or the command that stores a payload.

use iec_core::said::said;

use crate::command::{PAYLOAD_BEGINS, PAYLOAD_STORED};
use crate::converse::{Caller, Done, End, Finish, Listener};
use crate::error::{HostError, evidence};
use crate::frame::{FrameReader, Nonce};
use crate::outcome::{Ending, Outcome};

/// Listens to a script in its frame.
pub(crate) struct ScriptListener<'a> {
    stdout: FrameReader,
    stderr: FrameReader,
    sink: &'a mut (dyn FnMut(&str) + Send),
    address: String,
}

impl<'a> ScriptListener<'a> {
    pub(crate) fn new(nonce: &Nonce, address: String, sink: &'a mut (dyn FnMut(&str) + Send)) -> Self {
        Self {
            stdout: FrameReader::new(nonce),
            stderr: FrameReader::new(nonce),
            sink,
            address,
        }
    }
}

impl Listener for ScriptListener<'_> {
    fn stdout(&mut self, bytes: &[u8]) {
        self.stdout.push(bytes, self.sink);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.stderr.push(bytes, &mut |_| {});
    }

    fn done(&self) -> Done {
        match (self.stdout.ended(), self.stderr.ended()) {
            (true, true) => Done::Everything,
            (true, false) => Done::Output,
            (false, _) => Done::Nothing,
        }
    }

    fn outcome(mut self, end: End, caller: Caller<'_>) -> Outcome {
        let chatter = self.stdout.take_chatter();
        let (began, status) = (self.stdout.began(), self.stdout.status());
        let (stdout, stderr) = (self.stdout.into_tail(), said(&self.stderr.into_tail()));
        let ending = match (status, end.error, end.result) {
            (Some(status), _, _) => Finish::from_shell(status).into(),
            (None, Some(error), _) if error.is_refusal() => Ending::NeverRan(error),
            (None, Some(error), _) if end.fed => Ending::Lost(error),
            (None, Some(error), _) if !began => Ending::NeverRan(error),
            (None, Some(error), _) => Ending::Lost(error),
            (None, None, Some(finish)) if began => finish.into(),
            (None, None, Some(finish)) if end.closed => {
                Ending::NeverRan(caller.never_began(finish.to_string(), &stderr, &stdout))
            }
            (None, None, _) => Ending::Lost(HostError::Lost {
                address: self.address,
                evidence: format!(
                    "the channel closed without a result: {}",
                    evidence(&stderr, &stdout)
                ),
            }),
        };
        Outcome {
            chatter,
            ..Outcome::new(ending, stderr)
        }
    }
}

/// Listens to the command that stores a payload.
pub(crate) struct PayloadListener {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    address: String,
}

/// How much of either stream of the payload command is kept.
const KEPT: usize = 16 << 10;

impl PayloadListener {
    pub(crate) fn new(address: String) -> Self {
        Self {
            stdout: Vec::new(),
            stderr: Vec::new(),
            address,
        }
    }

    fn keep(kept: &mut Vec<u8>, bytes: &[u8]) {
        kept.extend_from_slice(bytes);
        kept.drain(..kept.len().saturating_sub(KEPT));
    }

    fn stored(&self) -> bool {
        self.stdout
            .split(|byte| *byte == b'\n')
            .any(|line| line == PAYLOAD_STORED.as_bytes())
    }
}

impl Listener for PayloadListener {
    fn stdout(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.stdout, bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        Self::keep(&mut self.stderr, bytes);
    }

    fn done(&self) -> Done {
        if self.stored() {
            Done::Everything
        } else {
            Done::Nothing
        }
    }

    fn outcome(self, end: End, caller: Caller<'_>) -> Outcome {
        let stored = self.stored();
        let stdout = String::from_utf8_lossy(&self.stdout);
        let stderr = String::from_utf8_lossy(&self.stderr);
        let marker = format!("{PAYLOAD_BEGINS}\n");
        let (began, stderr) = match stderr.split_once(&marker) {
            Some((_, after)) => (true, said(after.trim_end())),
            None => (false, said(stderr.trim_end())),
        };
        let ending = match (end.error, end.result) {
            _ if stored && end.fed => Ending::Exited(0),
            (Some(error), _) if error.is_refusal() => Ending::NeverRan(error),
            (Some(error), _) => Ending::Lost(error),
            (None, Some(finish)) if began && finish != Finish::Exited(0) => finish.into(),
            (None, Some(finish)) if !began && end.closed => {
                Ending::NeverRan(caller.never_began(finish.to_string(), &stderr, &stdout))
            }
            (None, _) => Ending::Lost(HostError::Lost {
                address: self.address,
                evidence: format!(
                    "the channel closed without a result: {}",
                    evidence(&stderr, &stdout)
                ),
            }),
        };
        Outcome::new(ending, stderr)
    }
}
