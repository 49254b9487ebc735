//! What a plan would change, for a person: by phase, host and step, with the lines of every file it would write.

use std::fmt::Write as _;
use std::time::Duration;

use iec_core::observed::{Action, Change, Changes, FileChange, Present};
use iec_core::plan::Phase;
use iec_core::said::said;

use super::{count, difference, duration, style};

/// How many missing things of one step are named.
const MOST_MISSING: usize = 5;
/// How many lines of one file's difference are shown, unless everything is asked for.
const MOST_LINES: usize = 60;

/// How much of a plan is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Steps that have work to do, without the content of files.
    Brief,
    /// Steps that have work to do.
    Changes,
    /// Every step, also those that are done, and files to their last line.
    Everything,
}

/// The difference as text with colours, which are taken away where they are not wanted.
pub fn changes(changes: &Changes, detail: Detail) -> String {
    let mut text = String::new();
    for phase in Phase::ALL {
        let steps: Vec<&Change> = changes
            .steps
            .iter()
            .filter(|change| change.phase == phase)
            .collect();
        if !steps.is_empty() {
            phase_text(&mut text, phase, &steps, detail);
        }
    }
    let _ = write!(text, "\n{}", summary(changes));
    text
}

fn phase_text(text: &mut String, phase: Phase, steps: &[&Change], detail: Detail) {
    let bold = style::STRONG;
    let is_done = |change: &Change| !change.action.is_change();
    let shown: Vec<&&Change> = steps
        .iter()
        .filter(|change| detail == Detail::Everything || !is_done(change))
        .collect();
    let kept = steps.len() - shown.len();
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{bold}{phase}{bold:#}");
    let width = shown
        .iter()
        .map(|change| change.step.as_str().len())
        .max()
        .unwrap_or(0);
    let mut host = "";
    for change in shown {
        if change.host != host {
            host = &change.host;
            let _ = writeln!(text, "  {host}");
        }
        step_text(text, change, width, detail);
    }
    if kept > 0 {
        let dim = style::DIM;
        let verb = if kept == 1 { "is" } else { "are" };
        let _ = writeln!(text, "  {dim}= {} {verb} done{dim:#}", count(kept, "step"));
    }
}

fn step_text(text: &mut String, change: &Change, width: usize, detail: Detail) {
    let mark = mark_style(change.action);
    let note = match change.action {
        Action::Adopt => " (so already, only to be recorded)",
        Action::Unknown => " (could not tell)",
        _ => "",
    };
    let _ = writeln!(
        text,
        "    {mark}{}{mark:#} {:width$}  {}{note}",
        change.action.mark(),
        change.step,
        change.title
    );
    if matches!(change.action, Action::Change | Action::Unknown) {
        for missing in change.missing.iter().take(MOST_MISSING) {
            let _ = writeln!(text, "        {missing}");
        }
        if change.missing.len() > MOST_MISSING {
            let _ = writeln!(text, "        … and {} more", change.missing.len() - MOST_MISSING);
        }
    }
    let writes = matches!(change.action, Action::Create | Action::Change | Action::Remove);
    if detail != Detail::Brief && writes {
        for file in &change.files {
            file_text(text, file, detail);
        }
    }
}

fn mark_style(action: Action) -> anstyle::Style {
    match action {
        Action::Create => style::GOOD,
        Action::Change => style::WARNING,
        Action::Remove | Action::Unknown => style::ERROR,
        Action::Keep | Action::Adopt => style::DIM,
    }
}

fn file_text(text: &mut String, file: &FileChange, detail: Detail) {
    let what = match (&file.before, &file.after) {
        (Present::Absent, Some(_)) => "a new file".to_owned(),
        (Present::Absent, None) => "not there yet".to_owned(),
        (_, None) => "a part of it changes".to_owned(),
        (
            Present::File {
                mode,
                content: Some(_),
            },
            Some(_),
        ) => format!("now {mode}"),
        (Present::File { content: None, .. }, Some(_)) => "replaces a file that is not text".to_owned(),
        (Present::Large { size }, Some(_)) => format!("replaces a file of {}", super::size(*size)),
        (Present::Link { target }, Some(_)) => format!("replaces a link to {target}"),
        (Present::Other, Some(_)) => "something that is no file is in the way".to_owned(),
    };
    let _ = writeln!(text, "        {}: {what}", file.path);
    let Some(after) = &file.after else { return };
    let before = match &file.before {
        Present::File {
            content: Some(content),
            ..
        } => content,
        _ => "",
    };
    let lines = difference::lines(&said(before), &said(after));
    let most = if detail == Detail::Everything {
        usize::MAX
    } else {
        MOST_LINES
    };
    for line in lines.lines().take(most) {
        let _ = writeln!(text, "          {line}");
    }
    let cut = lines.lines().count().saturating_sub(most);
    if cut > 0 {
        let _ = writeln!(
            text,
            "          … {} more (iec plan --all shows them)",
            super::count(cut, "line")
        );
    }
}

/// One sentence on the whole.
fn summary(changes: &Changes) -> String {
    if changes.is_settled() {
        return "Nothing to do: every step is done on every host.\n".to_owned();
    }
    let number = |action| changes.count(action);
    let done = number(Action::Keep) + number(Action::Adopt);
    let mut parts = vec![
        format!("{} to create", number(Action::Create)),
        format!("{} to change", number(Action::Change)),
        format!("{} to remove", number(Action::Remove)),
        format!("{done} done"),
    ];
    if number(Action::Unknown) > 0 {
        parts.push(format!("{} unknown", number(Action::Unknown)));
    }
    let about = duration(Duration::from_secs(longest_host(changes)));
    format!("Steps: {}; about {about}.\n", parts.join(", "))
}

/// The seconds of the host with the most work: hosts work at the same time.
fn longest_host(changes: &Changes) -> u64 {
    let mut seconds = std::collections::BTreeMap::<&str, u64>::new();
    for change in &changes.steps {
        if change.action.is_change() {
            *seconds.entry(&change.host).or_default() += u64::from(change.estimate_seconds);
        }
    }
    seconds.into_values().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use iec_core::plan::StepId;

    use super::*;

    fn change(host: &str, phase: Phase, name: &str, action: Action) -> Change {
        Change {
            host: host.into(),
            phase,
            step: StepId::new(phase, name),
            title: format!("Do {name}"),
            action,
            missing: vec!["the thing".into()],
            files: Vec::new(),
            estimate_seconds: 2,
        }
    }

    fn plain(steps: Vec<Change>, detail: Detail) -> String {
        anstream::adapter::strip_str(&changes(&Changes { steps }, detail)).to_string()
    }

    fn sample() -> Vec<Change> {
        let mut file = change("edge-1", Phase::System, "file.resolver", Action::Change);
        file.files.push(FileChange {
            path: "/etc/resolv.iec".into(),
            before: Present::File {
                mode: "644:root:root".into(),
                content: Some("a\nb\n".into()),
            },
            after: Some("a\nc\n".into()),
        });
        let mut new = change("edge-2", Phase::System, "file.units", Action::Create);
        new.files.push(FileChange {
            path: "/etc/unit".into(),
            before: Present::Absent,
            after: Some("x\n".into()),
        });
        vec![
            file,
            change("edge-1", Phase::System, "swap", Action::Keep),
            change("edge-1", Phase::Runtime, "images", Action::Unknown),
            new,
            change("edge-2", Phase::System, "swap", Action::Adopt),
        ]
    }

    #[test]
    fn changes_are_shown_by_phase_host_and_step() {
        insta::assert_snapshot!(plain(sample(), Detail::Changes), @"
        system
          edge-1
            ~ system.file.resolver  Do file.resolver
                the thing
                /etc/resolv.iec: now 644:root:root
                    a
                  - b
                  + c
          edge-2
            + system.file.units     Do file.units
                /etc/unit: a new file
                  + x
          = 2 steps are done

        runtime
          edge-1
            ? runtime.images  Do images (could not tell)
                the thing

        Steps: 1 to create, 1 to change, 0 to remove, 2 done, 1 unknown; about 4.0 s.
        ");
    }

    #[test]
    fn brief_shows_no_content() {
        let text = plain(sample(), Detail::Brief);
        assert!(
            !text.contains("/etc/unit") && text.contains("system.file.units"),
            "{text}"
        );
    }

    #[test]
    fn nothing_to_do_is_said() {
        let text = plain(
            vec![change("edge-1", Phase::System, "swap", Action::Keep)],
            Detail::Changes,
        );
        insta::assert_snapshot!(text, @"
        system
          = 1 step is done

        Nothing to do: every step is done on every host.
        ");
    }
}
