//! Long work as a person watches it: a line for each host or part that is busy, and one bar over all of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use dialoguer::console::{Term, measure_text_width, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::printable::printable;
use super::{Ui, duration, style};
use crate::settings::Progress;

/// How often moving lines are drawn, at most.
const DRAWS_PER_SECOND: u8 = 10;
/// How often elapsed times move where nothing else happens.
const TICK: Duration = Duration::from_millis(500);
/// Below this share of the work, and below this time, an estimate is a guess and is not shown.
const ESTIMATE_FROM_SHARE: f64 = 0.03;
const ESTIMATE_FROM: Duration = Duration::from_secs(3);

/// The line over all lanes, before it is known how much there is to do, and after.
const WITHOUT_TOTAL: &str = "{prefix}  {took}";
const WITH_TOTAL: &str = "{prefix} [{bar:24}] {percent:>3}%  {took}  {msg}";

/// What became of something, as a mark before its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It was done now.
    Done,
    /// It had been done before.
    Unchanged,
    /// Something that a person should know.
    Note,
    /// It failed.
    Failed,
}

impl Mark {
    /// The word for it, so that no line depends on colour or on a symbol.
    const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Unchanged => "kept",
            Self::Note => "note",
            Self::Failed => "FAILED",
        }
    }

    const fn style(self) -> anstyle::Style {
        match self {
            Self::Done => style::GOOD,
            Self::Unchanged => style::DIM,
            Self::Note => style::HINT,
            Self::Failed => style::ERROR,
        }
    }
}

/// Shows long work. Without a terminal every [`Board::line`] is a plain line and what is only busy is not shown.
pub struct Board<'ui> {
    ui: &'ui Ui,
    started: Instant,
    display: Display,
    done: u64,
    total: u64,
}

enum Display {
    Live(Live),
    Lines,
    Nothing,
}

struct Live {
    bars: MultiProgress,
    overall: ProgressBar,
    lanes: BTreeMap<String, ProgressBar>,
    /// How many lanes the terminal has room for.
    room: usize,
    width: usize,
}

impl<'ui> Board<'ui> {
    pub(super) fn new(ui: &'ui Ui, title: &str, progress: Progress) -> Self {
        let display = match progress {
            Progress::Live => Display::Live(Live::new(title)),
            Progress::Lines => Display::Lines,
            Progress::None => Display::Nothing,
        };
        Self {
            ui,
            started: Instant::now(),
            display,
            done: 0,
            total: 0,
        }
    }

    /// How long the work has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Says how much work there is, in a unit of the caller's choice (expected milliseconds are best), and how much
    /// of it is done.
    pub fn progress(&mut self, done: u64, total: u64) {
        self.done = done.min(total);
        self.total = total;
        if let Display::Live(live) = &self.display
            && total > 0
        {
            if live.overall.length() != Some(total) {
                live.overall.set_style(template(WITH_TOTAL).progress_chars("=> "));
            }
            live.overall.set_length(total);
            live.overall.set_position(self.done);
            let rest = remaining(self.started.elapsed(), self.done, total);
            live.overall.set_message(
                rest.map(|rest| format!("about {} left", duration(rest)))
                    .unwrap_or_default(),
            );
        }
    }

    /// Shows what a lane is busy with; on a terminal only.
    pub fn busy(&mut self, lane: &str, activity: &str) {
        if let Display::Live(live) = &mut self.display {
            live.busy(lane, activity);
        }
    }

    /// Shows that a lane is busy with nothing; on a terminal only.
    pub fn idle(&mut self, lane: &str) {
        if let Display::Live(live) = &mut self.display
            && let Some(bar) = live.lanes.remove(lane)
        {
            bar.finish_and_clear();
            live.bars.remove(&bar);
        }
    }

    /// Prints a line that stays: what became of something, in which lane.
    pub fn line(&mut self, mark: Mark, lane: &str, text: &str) {
        let (style, dim) = (mark.style(), style::DIM);
        let elapsed = format!("{:>6.1}s", self.started.elapsed().as_secs_f64());
        let mut line = format!("{dim}{elapsed}{dim:#} {style}{:<6}{style:#} ", mark.word());
        if !lane.is_empty() {
            let _ = write!(line, "{lane}: ");
        }
        line.push_str(text);
        self.print(&line);
    }

    /// Prints a line that stays, except on a terminal, where the lane's own line showed it.
    pub fn detail(&mut self, mark: Mark, lane: &str, text: &str) {
        if matches!(self.display, Display::Lines) {
            self.line(mark, lane, text);
        }
    }

    /// Prints lines that stay as they are, for example the end of a failed program's output.
    pub fn block(&mut self, text: &str) {
        for line in text.lines() {
            self.print(&format!("         | {line}"));
        }
    }

    /// Takes the moving lines away.
    pub fn finish(self) {
        if let Display::Live(live) = &self.display {
            let _ = live.bars.clear();
        }
    }

    fn print(&self, line: &str) {
        match &self.display {
            Display::Live(live) => {
                live.bars.suspend(|| self.ui.write_message(format!("{line}\n")));
            }
            Display::Lines => self.ui.write_message(format!("{line}\n")),
            Display::Nothing => {}
        }
    }
}

impl Live {
    fn new(title: &str) -> Self {
        let (rows, columns) = Term::stderr().size();
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND));
        let overall = bars.add(ProgressBar::no_length());
        overall.set_style(template(WITHOUT_TOTAL));
        overall.set_prefix(title.to_owned());
        overall.enable_steady_tick(TICK);
        Self {
            bars,
            overall,
            lanes: BTreeMap::new(),
            room: usize::from(rows).saturating_sub(4).max(1),
            width: usize::from(columns),
        }
    }

    fn busy(&mut self, lane: &str, activity: &str) {
        if !self.lanes.contains_key(lane) {
            if self.lanes.len() >= self.room {
                return;
            }
            let bar = self.bars.insert_before(&self.overall, ProgressBar::new_spinner());
            bar.set_style(template("  {prefix}  {msg}  {took}"));
            bar.enable_steady_tick(TICK);
            bar.set_prefix(lane.to_owned());
            self.lanes.insert(lane.to_owned(), bar);
        }
        let bar = &self.lanes[lane];
        let space = self.width.saturating_sub(measure_text_width(lane) + 20).max(10);
        let activity = printable(activity);
        let activity = truncate_str(&activity, space, "…").into_owned();
        if bar.message() != activity {
            bar.reset_elapsed();
            bar.set_message(activity);
        }
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text)
        .expect("a constant template that parses")
        .with_key("took", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{}", duration(state.elapsed()));
        })
}

/// How long the rest will take if it goes on as it went, once that can be said.
fn remaining(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    if total == 0 || done == 0 || done >= total || elapsed < ESTIMATE_FROM {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let share = done as f64 / total as f64;
    (share >= ESTIMATE_FROM_SHARE).then(|| elapsed.mul_f64((1.0 - share) / share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_needs_something_to_stand_on() {
        let seconds = Duration::from_secs;
        assert_eq!(remaining(seconds(60), 0, 100), None);
        assert_eq!(remaining(seconds(1), 50, 100), None);
        assert_eq!(remaining(seconds(60), 1, 100), None);
        assert_eq!(remaining(seconds(60), 100, 100), None);
        assert_eq!(remaining(seconds(60), 25, 100), Some(seconds(180)));
    }
}
