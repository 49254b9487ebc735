//! `Expr`: commands joined by pipes and conditions, printed as POSIX shell.

use crate::layout::layout;
use crate::{Cmd, Program, Word};

/// Something that a shell runs and that ends with an exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// One command.
    Run(Cmd),
    /// The output of each command is the input of the next.
    Pipe(Vec<Cmd>),
    /// One after the other, as long as they succeed.
    All(Vec<Expr>),
    /// One after the other, until one succeeds.
    Any(Vec<Expr>),
    /// 0 becomes 1, 1 becomes 0; what is above 1 could not tell and stays.
    Not(Box<Expr>),
    /// Succeeds when the output, without its last newlines, is exactly this word.
    Prints(Box<Expr>, Word),
    /// `then` when `condition` succeeds, else `otherwise`.
    If {
        /// The question.
        condition: Box<Expr>,
        /// Run when it is answered with 0.
        then: Vec<Expr>,
        /// Run when it is answered with anything else.
        otherwise: Vec<Expr>,
    },
    /// Asks again and again until it succeeds; exit code 1 after the deadline, or when a unit does not stay up.
    /// What the last question said is printed then.
    Poll {
        /// The question.
        question: Box<Expr>,
        /// Seconds between two questions on an ordinary host.
        every_seconds: u32,
        /// Seconds after which it gives up.
        deadline_seconds: u32,
        /// The systemd units without which the answer never comes.
        units: Vec<Word>,
        /// How many times longer all of this may take than on an ordinary host; at least 1.
        slowness: u32,
    },
    /// Runs it and takes any exit code for success.
    Ignore(Box<Expr>),
    /// Turns any failure into this exit code.
    FailsWith(Box<Expr>, u8),
    /// A question to somebody who may be away: exit code 0 or 1 by their answer, 2 where they do not answer.
    AskAbsent {
        /// The question.
        question: Box<Expr>,
        /// Whether they answer at all. A script that only looks asks this once, and them nothing more where they do not.
        answers: Box<Cmd>,
    },
}

impl From<Cmd> for Expr {
    fn from(cmd: Cmd) -> Self {
        Self::Run(cmd)
    }
}

impl Expr {
    /// All of them, one after the other, as long as they succeed.
    pub fn all<E: Into<Expr>>(parts: impl IntoIterator<Item = E>) -> Self {
        Self::All(parts.into_iter().map(Into::into).collect())
    }

    /// The first of them that succeeds.
    pub fn any<E: Into<Expr>>(parts: impl IntoIterator<Item = E>) -> Self {
        Self::Any(parts.into_iter().map(Into::into).collect())
    }

    /// The opposite answer.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "reads as the word it prints; an operator would hide it"
    )]
    pub fn not(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// Succeeds when the output is exactly this word.
    #[must_use]
    pub fn prints(self, word: impl Into<Word>) -> Self {
        Self::Prints(Box::new(self), word.into())
    }

    /// Takes any exit code for success.
    #[must_use]
    pub fn ignore_failure(self) -> Self {
        Self::Ignore(Box::new(self))
    }

    /// The same on a host where everything takes so many times longer: what it waits for may take as much longer. This is
    /// the only place that knows which parts of a command are time.
    #[must_use]
    pub fn slowed(self, times: u32) -> Self {
        if times <= 1 {
            return self;
        }
        self.with(times, &|cmd| cmd.slowed(times))
    }

    /// The same for a person who wants to know what it does: of long texts on standard input only their lengths are left.
    #[must_use]
    pub(crate) fn abridged(self) -> Self {
        self.with(1, &Cmd::abridged)
    }

    /// The same with other commands in it, and with so many times the patience.
    fn with(self, times: u32, change: &dyn Fn(Cmd) -> Cmd) -> Self {
        let each = |parts: Vec<Self>| {
            let parts = parts.into_iter();
            parts.map(|part| part.with(times, change)).collect()
        };
        let one = |part: Box<Self>| Box::new(part.with(times, change));
        match self {
            Self::Run(cmd) => Self::Run(change(cmd)),
            Self::Pipe(cmds) => Self::Pipe(cmds.into_iter().map(change).collect()),
            Self::All(parts) => Self::All(each(parts)),
            Self::Any(parts) => Self::Any(each(parts)),
            Self::Not(part) => Self::Not(one(part)),
            Self::Prints(part, word) => Self::Prints(one(part), word),
            Self::Ignore(part) => Self::Ignore(one(part)),
            Self::FailsWith(part, code) => Self::FailsWith(one(part), code),
            Self::If {
                condition,
                then,
                otherwise,
            } => Self::If {
                condition: one(condition),
                then: each(then),
                otherwise: each(otherwise),
            },
            Self::AskAbsent { question, answers } => Self::AskAbsent {
                question: one(question),
                answers: Box::new(change(*answers)),
            },
            Self::Poll {
                question,
                every_seconds,
                deadline_seconds,
                units,
                slowness,
            } => Self::Poll {
                question: one(question),
                every_seconds,
                deadline_seconds,
                units,
                slowness: slowness.max(1).saturating_mul(times),
            },
        }
    }

    /// The expressions that it is made of, in order.
    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Run(_) | Self::Pipe(_) => vec![],
            Self::All(parts) | Self::Any(parts) => parts.iter().collect(),
            Self::Not(part)
            | Self::Prints(part, _)
            | Self::Ignore(part)
            | Self::FailsWith(part, _)
            | Self::Poll { question: part, .. }
            | Self::AskAbsent { question: part, .. } => vec![part],
            Self::If {
                condition,
                then,
                otherwise,
            } => std::iter::once(&**condition)
                .chain(then)
                .chain(otherwise)
                .collect(),
        }
    }

    /// The commands that are its own, and not its parts'.
    fn own_commands(&self) -> &[Cmd] {
        match self {
            Self::Run(cmd) => std::slice::from_ref(cmd),
            Self::Pipe(cmds) => cmds,
            Self::AskAbsent { answers, .. } => std::slice::from_ref(answers),
            _ => &[],
        }
    }

    /// The commands that it is made of, in order.
    pub(crate) fn commands(&self) -> Vec<&Cmd> {
        let of_parts = self.parts().into_iter().flat_map(Self::commands);
        of_parts.chain(self.own_commands()).collect()
    }

    /// The programs that it calls, in order, with repetitions.
    #[must_use]
    pub fn programs(&self) -> Vec<Program> {
        let mut programs: Vec<Program> = self.parts().into_iter().flat_map(Self::programs).collect();
        programs.extend(self.own_commands().iter().map(Cmd::program));
        if let Self::Poll { units, .. } = self {
            programs.push(Program::Sleep);
            if !units.is_empty() {
                programs.extend([Program::Systemctl, Program::Awk]);
            }
        }
        programs
    }

    /// The text as a statement of its own, with `after` (such as ` || return`) behind it.
    #[must_use]
    pub fn statement(&self, after: &str) -> String {
        match self {
            Self::Run(cmd) => cmd.statement(after),
            Self::All(parts) if after.is_empty() => {
                parts.iter().map(Self::inline).collect::<Vec<_>>().join(" &&\n  ")
            }
            _ if after.is_empty() => self.inline(),
            Self::If { .. } | Self::Poll { .. } | Self::AskAbsent { .. } => {
                format!("{}{after}", self.inline())
            }
            _ => format!("{}{after}", self.grouped()),
        }
    }

    /// The same statement on lines that a person can read.
    #[must_use]
    pub fn page(&self, after: &str) -> String {
        match self {
            Self::Run(cmd) => cmd.page(after),
            Self::All(parts) if after.is_empty() => {
                let parts: Vec<String> = parts.iter().map(|part| layout(&part.inline())).collect();
                parts.join(" &&\n  ")
            }
            _ => layout(&self.statement(after)),
        }
    }

    /// The text as one part of a larger expression.
    fn inline(&self) -> String {
        match self {
            Self::Run(cmd) => cmd.inline(),
            Self::Pipe(cmds) => cmds.iter().map(Cmd::inline).collect::<Vec<_>>().join(" | "),
            Self::All(parts) => join(parts, " && ", "true"),
            Self::Any(parts) => join(parts, " || ", "false"),
            Self::Not(part) => format!(
                "{{ {}; case $? in 0) (exit 1);; 1) true;; *) (exit 2);; esac; }}",
                part.inline()
            ),
            Self::Prints(part, word) => format!("test \"$({})\" = {word}", part.inline()),
            Self::If {
                condition,
                then,
                otherwise,
            } => if_text(condition, then, otherwise),
            Self::Poll {
                question,
                every_seconds,
                deadline_seconds,
                units,
                slowness,
            } => {
                let slowness = (*slowness).max(1);
                let deadline = deadline_seconds.saturating_mul(slowness);
                poll_text(question, *every_seconds, deadline, units, slowness)
            }
            Self::Ignore(part) => format!("{} || true", part.grouped()),
            Self::FailsWith(part, code) => format!("{} || (exit {code})", part.grouped()),
            Self::AskAbsent { question, answers } => {
                let answers = answers.inline();
                format!(
                    "if ${{iec_once-:}} {answers}; then {} || if {answers}; then (exit 1); else (exit 2); fi; \
                     else (exit 2); fi",
                    question.grouped()
                )
            }
        }
    }

    /// The text so that any operator may stand before or behind it.
    fn grouped(&self) -> String {
        match self {
            Self::Run(cmd) if cmd.input_text().is_none() => self.inline(),
            Self::Prints(..) | Self::Not(_) | Self::Poll { .. } => self.inline(),
            _ => format!("{{ {}; }}", self.inline()),
        }
    }
}

fn join(parts: &[Expr], operator: &str, empty: &str) -> String {
    if parts.is_empty() {
        return empty.to_owned();
    }
    parts.iter().map(Expr::grouped).collect::<Vec<_>>().join(operator)
}

fn if_text(condition: &Expr, then: &[Expr], otherwise: &[Expr]) -> String {
    let block = |parts: &[Expr]| join(parts, " && ", "true");
    format!(
        "if {}; then {}; else {}; fi",
        condition.inline(),
        block(then),
        block(otherwise)
    )
}

/// The longest pause between two questions that slowness makes, in seconds: what has come must not wait long to be seen.
const LONGEST_PAUSE: u32 = 15;
/// Seconds without a unit after which nobody waits for it any more: a restart takes less.
const DOWN_SECONDS: u32 = 45;
/// So many restarts within [`RESTARTS_WITHIN_SECONDS`] are no accident: what ends a program ends it each time.
const RESTARTS: u32 = 3;
const RESTARTS_WITHIN_SECONDS: u32 = 120;

fn poll_text(
    question: &Expr,
    every_seconds: u32,
    deadline_seconds: u32,
    units: &[Word],
    slowness: u32,
) -> String {
    let question = question.grouped();
    // A slow host would do nothing but answer: there a question takes the processor for seconds.
    let pause = every_seconds
        .saturating_mul(slowness)
        .min(every_seconds.max(LONGEST_PAUSE));
    let watch = if units.is_empty() {
        String::new()
    } else {
        watch_text(units, DOWN_SECONDS.saturating_mul(slowness))
    };
    format!(
        "(iec_end=$(($(date +%s) + {deadline_seconds})); iec_up=$(date +%s); iec_until=0; \
         until iec_said=$({question} 2>&1); do iec_time=$(date +%s); \
         test \"$iec_time\" -lt \"$iec_end\" || {{ printf '%s\\n' \"$iec_said\"; exit 1; }}; \
         sleep {pause}; {watch}done)"
    )
}

/// Ends the polling when one of the units has been down for long, or is started again and again.
fn watch_text(units: &[Word], down_seconds: u32) -> String {
    let words = |separator: &str| {
        units
            .iter()
            .map(Word::to_string)
            .collect::<Vec<_>>()
            .join(separator)
    };
    let all = words(" ");
    let active = words(" && systemctl is-active --quiet ");
    let message = Word::new(format!("It waits in vain: {} does not stay up.", words(" or ")));
    format!(
        "iec_runs=$(systemctl show -p NRestarts --value {all} | awk '{{ n += $1 }} END {{ print n + 0 }}'); \
         if systemctl is-active --quiet {active}; then iec_up=$iec_time; fi; \
         if test \"$iec_time\" -ge \"$iec_until\"; then iec_from=$iec_runs; \
         iec_until=$((iec_time + {RESTARTS_WITHIN_SECONDS})); fi; \
         if test $((iec_time - iec_up)) -gt {down_seconds} || test $((iec_runs - iec_from)) -ge {RESTARTS}; \
         then printf '%s\\n' \"$iec_said\" {message}; exit 1; fi; "
    )
}

#[cfg(test)]
mod tests {
    use super::Expr;
    use crate::{Cmd, Program};

    fn test_file(path: &str) -> Expr {
        Cmd::new(Program::Test).word("-f").word(path).into()
    }

    #[test]
    fn conditions_are_grouped() {
        let expr = Expr::any([Expr::all([test_file("/a"), test_file("/b")]), test_file("/c d")]);
        assert_eq!(
            expr.statement(" || return"),
            "{ { test -f /a && test -f /b; } || test -f '/c d'; } || return"
        );
    }

    #[test]
    fn what_is_time_in_a_command_is_longer_on_a_slow_host_and_nothing_else() {
        let get = Cmd::new(Program::Kubectl).words(["--request-timeout=5s", "get", "--timeout=5m", "x=5s"]);
        let poll = |question: Expr| Expr::Poll {
            question: Box::new(question),
            every_seconds: 1,
            deadline_seconds: 10,
            units: vec!["kubelet.service".into()],
            slowness: 1,
        };
        let text = poll(get.into()).slowed(8).statement("");
        assert!(
            text.contains("kubectl --request-timeout=40s get --timeout=40m x=5s"),
            "{text}"
        );
        assert!(
            text.contains("$(date +%s) + 80)") && text.contains("-gt 360"),
            "{text}"
        );
        // Nor is it asked as often: each question is work for the host.
        assert!(text.contains("sleep 8; "), "{text}");
        let slower = poll(test_file("/a")).slowed(64).statement("");
        assert!(slower.contains("sleep 15; "), "{slower}");
        let other: Expr = Cmd::new(Program::Printf).word("--timeout=5s").into();
        assert_eq!(other.clone().slowed(8), other);
        let ordinary = poll(test_file("/a"));
        assert_eq!(ordinary.clone().slowed(1), ordinary);
    }

    #[test]
    fn outputs_are_compared_as_words() {
        let expr = Expr::from(Cmd::new(Program::Cat).word("/a")).prints("x y");
        assert_eq!(expr.statement(""), "test \"$(cat /a)\" = 'x y'");
    }
}
