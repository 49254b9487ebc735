//! Orders to a running QEMU by its monitor: one JSON object a line, answers between events.
//!
//! The protocol: <https://www.qemu.org/docs/master/interop/qmp-spec.html>.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{LabError, at};

/// How long QEMU may take for an answer, and a guest for giving a device back.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most that one line may have.
const MOST_BYTES: u64 = 1 << 20;

/// A connection to a machine's monitor.
pub(super) struct Monitor<'a> {
    socket: &'a Path,
    reader: BufReader<UnixStream>,
}

impl<'a> Monitor<'a> {
    /// Connects. QEMU greets first, and takes no order before its capabilities were asked for.
    ///
    /// # Errors
    /// When QEMU cannot be reached, or does not answer.
    pub(super) fn connect(socket: &'a Path) -> Result<Self, LabError> {
        let stream = UnixStream::connect(socket).map_err(at("reach the monitor by", socket))?;
        stream
            .set_read_timeout(Some(PATIENCE))
            .map_err(at("reach the monitor by", socket))?;
        let mut monitor = Self {
            socket,
            reader: BufReader::new(stream),
        };
        monitor.line()?;
        monitor.order("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Gives an order and waits until it is carried out.
    ///
    /// # Errors
    /// When QEMU refuses it, with its words.
    pub(super) fn order(&mut self, command: &str, arguments: &Value) -> Result<(), LabError> {
        let line = format!("{}\n", json!({"execute": command, "arguments": arguments}));
        self.reader
            .get_mut()
            .write_all(line.as_bytes())
            .map_err(at("ask the monitor by", self.socket))?;
        loop {
            let answer = self.line()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(refused(command, error["desc"].as_str().unwrap_or_default()));
            }
        }
    }

    /// Waits for an event about a device.
    ///
    /// # Errors
    /// When it does not come in time.
    pub(super) fn await_event(&mut self, event: &str, device: &str) -> Result<(), LabError> {
        loop {
            let answer = self.line()?;
            if answer["event"] == event && answer["data"]["device"] == device {
                return Ok(());
            }
        }
    }

    fn line(&mut self) -> Result<Value, LabError> {
        let mut line = Vec::new();
        Read::take(&mut self.reader, MOST_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(at("hear the monitor by", self.socket))?;
        serde_json::from_slice(&line).map_err(|source| LabError::UnknownAnswer {
            program: "QEMU's monitor".to_owned(),
            source,
        })
    }
}

fn refused(command: &str, evidence: &str) -> LabError {
    LabError::Failed {
        doing: "changing the virtual machine".to_owned(),
        program: "QEMU's monitor".to_owned(),
        status: format!("it refuses {command}"),
        evidence: evidence.chars().filter(|each| !each.is_control()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A monitor that answers each order with the next of these texts.
    fn answering(answers: &'static [&'static str]) -> (tempfile::TempDir, std::path::PathBuf) {
        let root = tempfile::tempdir().expect("a folder");
        let socket = root.path().join("monitor.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("somebody connects");
            let mut reader = BufReader::new(stream);
            let write = |reader: &mut BufReader<UnixStream>, text: &str| {
                writeln!(reader.get_mut(), "{text}").expect("written");
            };
            write(&mut reader, r#"{"QMP": {}}"#);
            for answer in ["{\"return\": {}}"].iter().chain(answers) {
                let mut line = String::new();
                reader.read_line(&mut line).expect("an order");
                write(&mut reader, answer);
            }
        });
        (root, socket)
    }

    #[test]
    fn events_between_orders_and_answers_are_no_answers() {
        let event = "{\"event\": \"RTC_CHANGE\"}\n{\"return\": {}}\n\
                     {\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"medium\"}}";
        let (_root, socket) = answering(Box::leak(Box::new([event])));
        let mut monitor = Monitor::connect(&socket).expect("it greets");
        monitor
            .order("device_del", &json!({"id": "medium"}))
            .expect("done");
        monitor.await_event("DEVICE_DELETED", "medium").expect("it comes");
    }

    #[test]
    fn a_refusal_has_qemus_words() {
        let (_root, socket) = answering(&[r#"{"error": {"desc": "Duplicate nodes"}}"#]);
        let mut monitor = Monitor::connect(&socket).expect("it greets");
        let error = monitor.order("blockdev-add", &json!({})).expect_err("refused");
        assert!(
            error
                .to_string()
                .ends_with("it refuses blockdev-add): Duplicate nodes"),
            "{error}"
        );
    }
}
