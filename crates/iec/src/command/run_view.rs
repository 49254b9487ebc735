//! What a person or a program sees of work on several hosts.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use iec_core::event::Event;
use iec_core::plan::{HostPart, StepId};
use iec_host::Progress;
use iec_kube::Loss;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;

use super::operation::{Operation, lost_to};
use super::planning::Planned;
use super::run_log::RunLog;
use crate::ui::{Board, Document, Mark, Ui, duration, size};

/// How many bytes are taken for a second of work in the estimate: a usual rate over SSH.
const BYTES_PER_SECOND: u64 = 60_000_000;

/// How much time passes between two events that only say how much was sent.
const BETWEEN_EVENTS: Duration = Duration::from_millis(500);

/// How often a reader of lines is told how much of its content a host has received.
const BETWEEN_LINES: Duration = Duration::from_secs(30);

/// How long a step may be at work before a reader of lines is told so; then again after twice that time, and so on.
const LONG: Duration = Duration::from_secs(60);
/// How often somebody looks for such steps.
const LOOK: Duration = Duration::from_secs(5);

/// Shows what happens on the hosts of a run.
pub(super) struct RunView<'ui> {
    ui: &'ui Ui,
    board: Board<'ui>,
    /// By host and step: a step of the same name may do something else on another host.
    titles: BTreeMap<(String, StepId), String>,
    /// Milliseconds of work that are expected, and those that are done, by host.
    lanes: BTreeMap<String, Lane>,
    /// What each host is at, where it is at something.
    at_work: BTreeMap<String, AtWork>,
    /// What each host receives, where it receives something.
    receiving: BTreeMap<String, Receiving>,
    told_to_stop: bool,
    /// How the site was lost to another run, where it was.
    loss: Option<Arc<OnceLock<Loss>>>,
    log: RunLog,
}

/// Content on its way to a host.
struct Receiving {
    sent: u64,
    of: u64,
    /// When it was told last, or began.
    told: Instant,
}

impl Receiving {
    fn text(&self) -> String {
        format!("receives content, {} of {}", size(self.sent), size(self.of))
    }

    /// What is to be told now, if anything is.
    fn due(&mut self, now: Instant) -> Option<String> {
        if now.duration_since(self.told) < BETWEEN_LINES {
            return None;
        }
        self.told = now;
        Some(self.text())
    }
}

/// A step that has begun and not ended.
struct AtWork {
    title: String,
    since: Instant,
    /// After how long it is told next.
    next: Duration,
}

impl AtWork {
    fn new(title: String, since: Instant) -> Self {
        Self {
            title,
            since,
            next: LONG,
        }
    }

    /// What is to be told now, if anything is.
    fn due(&mut self, now: Instant) -> Option<String> {
        let elapsed = now.duration_since(self.since);
        if elapsed < self.next {
            return None;
        }
        while self.next <= elapsed {
            self.next *= 2;
        }
        Some(format!("at work for {} now: {}", duration(elapsed), self.title))
    }
}

#[derive(Default)]
struct Lane {
    /// Expected milliseconds of the steps that have work to do.
    steps: BTreeMap<StepId, u64>,
    done: u64,
    sending: u64,
    sent: u64,
    /// When a program was last told how much was sent.
    told: Option<Instant>,
}

impl<'ui> RunView<'ui> {
    /// A view of this plan's execution.
    pub(super) fn new(ui: &'ui Ui, title: &str, planned: &Planned, log: RunLog) -> Self {
        let parts = planned.plan.hosts.iter().chain(&planned.plan.after_joins);
        let steps = parts.flat_map(|part| &part.steps);
        let mut view = Self {
            ui,
            board: ui.board(title),
            titles: steps
                .map(|step| ((step.host.to_string(), step.id.clone()), step.title.clone()))
                .collect(),
            lanes: BTreeMap::new(),
            at_work: BTreeMap::new(),
            receiving: BTreeMap::new(),
            told_to_stop: false,
            loss: None,
            log,
        };
        for change in &planned.changes.steps {
            if change.action.is_change() {
                let lane = view.lanes.entry(change.host.clone()).or_default();
                // A step takes a moment even where none is expected.
                lane.steps.insert(
                    change.step.clone(),
                    u64::from(change.estimate_seconds) * 1000 + 50,
                );
            }
        }
        for part in &planned.plan.hosts {
            let sending = bytes_to_send(planned, part) * 1000 / BYTES_PER_SECOND;
            view.lanes.entry(part.host.to_string()).or_default().sending = sending;
        }
        view.draw();
        view
    }

    /// A view of work whose size is not known beforehand.
    pub(super) fn without_estimate(ui: &'ui Ui, title: &str, log: RunLog) -> Self {
        Self {
            ui,
            board: ui.board(title),
            titles: BTreeMap::new(),
            lanes: BTreeMap::new(),
            at_work: BTreeMap::new(),
            receiving: BTreeMap::new(),
            told_to_stop: false,
            loss: None,
            log,
        }
    }

    /// The same for a run that may lose the site to another one.
    #[must_use]
    pub(super) fn of(mut self, operation: &Operation<'_>) -> Self {
        self.loss = operation.loss();
        if let Some(why) = operation.unheld() {
            self.log.remark(&why);
        }
        self
    }

    /// Shows one thing that happened.
    pub(super) fn show(&mut self, host: &str, progress: &Progress) {
        if self.is_worth_an_event(host, progress) {
            self.ui.event(Document::RunEvent, &progress_json(host, progress));
        }
        let step = match progress {
            Progress::Event(event) => event.step(),
            _ => None,
        };
        let title = step.and_then(|step| self.titles.get(&(host.to_owned(), step.clone())));
        self.log.note(host, progress, title.map(String::as_str));
        if !matches!(progress, Progress::Sending { .. }) {
            self.receiving.remove(host);
        }
        match progress {
            Progress::Sending { sent, of } => {
                let told = Instant::now();
                let (sent, of) = (*sent, *of);
                let receiving = self.receiving.entry(host.to_owned());
                let receiving = receiving.or_insert(Receiving { sent, of, told });
                (receiving.sent, receiving.of) = (sent, of);
                self.board.busy(host, &receiving.text());
                let lane = self.lanes.entry(host.to_owned()).or_default();
                lane.sent = sent * 1000 / BYTES_PER_SECOND;
            }
            Progress::Away { cause, again_in } => {
                let text = format!("is away ({cause}); it is tried again in {}", duration(*again_in));
                self.board.line(Mark::Note, host, &text);
                self.board.busy(host, "is away");
            }
            Progress::Alone => self.board.busy(host, "works on by itself; its end is waited for"),
            Progress::Event(event) => self.event(host, event),
        }
        self.draw();
    }

    /// Whether a program is told of it: of everything, but of bytes only now and then and at the end.
    fn is_worth_an_event(&mut self, host: &str, progress: &Progress) -> bool {
        let Progress::Sending { sent, of } = progress else {
            return true;
        };
        let lane = self.lanes.entry(host.to_owned()).or_default();
        let now = Instant::now();
        let due = lane
            .told
            .is_none_or(|told| now.duration_since(told) >= BETWEEN_EVENTS)
            || sent == of;
        if due {
            lane.told = Some(now);
        }
        due
    }

    fn event(&mut self, host: &str, event: &Event) {
        if let Some(step) = event.step()
            && !matches!(event, Event::Started { .. })
        {
            self.at_work.remove(host);
            let lane = self.lanes.entry(host.to_owned()).or_default();
            lane.done += lane.steps.get(step).copied().unwrap_or(0);
            lane.steps.remove(step);
        }
        match event {
            Event::Started { step, .. } => {
                let title = self.title(host, step);
                self.board.busy(host, &title);
                let at_work = AtWork::new(title, Instant::now());
                self.at_work.insert(host.to_owned(), at_work);
            }
            Event::Unchanged { .. } | Event::Adopted { .. } => {}
            Event::Changed { step, milliseconds } => {
                let took = duration(Duration::from_millis(*milliseconds));
                let text = format!("{} ({took})", self.title(host, step));
                self.board.detail(Mark::Done, host, &text);
            }
            Event::Undone { step, .. } => {
                let text = format!("took back {step}");
                self.board.busy(host, &text);
                self.board.detail(Mark::Done, host, &text);
            }
            Event::Failed { step, output, .. } => {
                let title = self.title(host, step);
                self.board.line(Mark::Failed, host, &format!("{title} ({step})"));
                self.board.block(output);
            }
            Event::Stopped { step } => {
                self.board
                    .line(Mark::Note, host, &format!("stopped before {step}"));
            }
            Event::Locked { owner } => {
                self.board
                    .line(Mark::Failed, host, &format!("somebody else works on it: {owner}"));
            }
            Event::End { code } => {
                self.at_work.remove(host);
                self.board.idle(host);
                if *code == 0 {
                    self.board.line(Mark::Done, host, "all steps are done");
                }
            }
        }
    }

    /// Says which steps are long at work, and how much was sent: without moving lines nobody sees what is waited for.
    fn remind(&mut self) {
        let now = Instant::now();
        for (host, receiving) in &mut self.receiving {
            if let Some(text) = receiving.due(now) {
                self.board.detail(Mark::Note, host, &text);
            }
        }
        for (host, at_work) in &mut self.at_work {
            if let Some(text) = at_work.due(now) {
                self.board.detail(Mark::Note, host, &text);
            }
        }
    }

    fn title(&self, host: &str, step: &StepId) -> String {
        let known = self.titles.get(&(host.to_owned(), step.clone()));
        known.cloned().unwrap_or_else(|| step.to_string())
    }

    fn draw(&mut self) {
        // Hosts work side by side: the one with the most left says how long it takes.
        let left = |lane: &Lane| lane.steps.values().sum::<u64>() + lane.sending.saturating_sub(lane.sent);
        let Some(longest) = self.lanes.values().max_by_key(|lane| left(lane)) else {
            return;
        };
        let done = longest.done + longest.sent;
        self.board.progress(done, done + left(longest));
    }

    /// Says once that the wish to stop was heard.
    fn stopping(&mut self) {
        if !self.told_to_stop {
            self.told_to_stop = true;
            let text = "Every host stops at the end of its present step. Ctrl-C again leaves at once.";
            match self.loss.as_ref().and_then(|loss| loss.get()) {
                Some(loss) => {
                    let text = format!("The site {}. {text}", lost_to(loss));
                    self.log.remark(&text);
                    self.board.line(Mark::Note, "", &text);
                }
                None => self.board.line(Mark::Note, "", text),
            }
        }
    }

    /// Takes the moving lines away, and gives the log of what was seen.
    pub(super) fn finish(self) -> RunLog {
        self.board.finish();
        self.log
    }
}

fn bytes_to_send(planned: &Planned, part: &HostPart) -> u64 {
    let Some(observed) = planned.observation.observed.hosts.get(part.host.as_str()) else {
        return 0;
    };
    let missing = observed.missing_blobs(part);
    part.blobs
        .iter()
        .filter(|blob| missing.contains(&blob.digest))
        .map(|blob| blob.size)
        .sum()
}

fn progress_json(host: &str, progress: &Progress) -> Value {
    let mut value = match progress {
        Progress::Sending { sent, of } => json!({ "event": "sending", "sent": sent, "of": of }),
        Progress::Away { cause, again_in } => {
            json!({ "event": "away", "cause": cause, "againInSeconds": again_in.as_secs_f64() })
        }
        Progress::Alone => json!({ "event": "alone" }),
        Progress::Event(event) => serde_json::to_value(event).expect("an event has text keys"),
    };
    value["host"] = host.into();
    value
}

/// Waits for the work and shows meanwhile what happens; says so when the user wants to stop.
pub(super) async fn watch<T>(
    work: impl Future<Output = T>,
    mut receiver: UnboundedReceiver<(String, Progress)>,
    stop: &CancellationToken,
    view: &mut RunView<'_>,
) -> T {
    tokio::pin!(work);
    let mut looks = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            biased;
            Some((host, progress)) = receiver.recv() => view.show(&host, &progress),
            () = stop.cancelled(), if !view.told_to_stop => view.stopping(),
            result = &mut work => {
                while let Ok((host, progress)) = receiver.try_recv() {
                    view.show(&host, &progress);
                }
                return result;
            }
            _ = looks.tick() => view.remind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_on_its_way_is_told_every_half_minute() {
        let began = Instant::now();
        let mut receiving = Receiving {
            sent: 0,
            of: 626_000_000,
            told: began,
        };
        let mut told = Vec::new();
        for second in (0..100).step_by(5) {
            receiving.sent = second * 4_000_000;
            told.extend(receiving.due(began + Duration::from_secs(second)));
        }
        assert_eq!(
            told,
            ["120 MB", "240 MB", "360 MB"].map(|sent| format!("receives content, {sent} of 626 MB"))
        );
    }

    #[test]
    fn what_takes_long_is_told_now_and_then() {
        let began = Instant::now();
        let mut at_work = AtWork::new("Wait for the API server".to_owned(), began);
        let told: Vec<u64> = (0..600)
            .filter(|second| at_work.due(began + Duration::from_secs(*second)).is_some())
            .collect();
        assert_eq!(told, [60, 120, 240, 480]);
        let text = AtWork::new("Wait for the API server".to_owned(), began).due(began + LONG);
        assert_eq!(
            text.as_deref(),
            Some("at work for 1 min 00 s now: Wait for the API server")
        );
    }
}
