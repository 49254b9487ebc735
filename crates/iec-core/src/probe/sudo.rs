//! Reads what a host says about the streams that its `sudo` passes on.

use super::answer::Lines;
use crate::facts::SudoStreams;

/// What the answer to [`super::SUDO_QUESTION`] says.
pub fn sudo_streams<'l>(lines: impl Iterator<Item = &'l str>) -> SudoStreams {
    let mut answer = Lines::default();
    for line in lines.filter(|line| line.starts_with("sudo-")) {
        answer.add(line);
    }
    streams(&mut answer)
}

pub(super) fn streams(lines: &mut Lines) -> SudoStreams {
    let passed_on = lines.all("sudo-stream");
    let has = |name: &str| passed_on.iter().any(|stream| stream == name);
    SudoStreams {
        reads: has("reads"),
        writes: has("writes"),
        settings: lines.all("sudo-setting"),
    }
}
