//! Rules about a host's time.

use super::Subject;
use crate::diagnostic::Diagnostics;

/// Certificates are not valid before the day on which the content was made, less this.
const DAY: i64 = 24 * 60 * 60;
/// Further from the operator than this (in milliseconds) is worth a word.
const OPERATOR_MILLIS: i64 = 60_000;

pub(super) fn before_content(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let clock = &subject.facts.clock;
    let (false, Some(made)) = (clock.is_assumed(), subject.reference.content_date) else {
        return;
    };
    let now = clock.now_millis.div_euclid(1000);
    if now < made.saturating_sub(DAY) {
        problems.push(
            subject
                .error("IEC1851", format!("the clock of {} is before the day its content was made", subject.name()))
                .evidence(format!("it is {} there, the content is of {}", utc(now), utc(made)))
                .hint("set the clock (`date -u -s 'YYYY-MM-DD hh:mm:ss'`) and let a time service keep it: no certificate would be valid yet"),
        );
    }
}

pub(super) fn operator(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let Some(skew) = subject.facts.clock.skew_millis else {
        return;
    };
    if skew.abs() > OPERATOR_MILLIS {
        let side = if skew > 0 { "ahead of" } else { "behind" };
        problems.push(
            subject
                .warning(
                    "IEC1852",
                    format!(
                        "the clock of {} is {} s {side} this machine's",
                        subject.name(),
                        skew.abs() / 1000
                    ),
                )
                .evidence(format!(
                    "{} there",
                    utc(subject.facts.clock.now_millis.div_euclid(1000))
                ))
                .hint("set the wrong one of the two clocks"),
        );
    }
}

pub(super) fn synchronised(subject: &Subject<'_>, problems: &mut Diagnostics) {
    let clock = &subject.facts.clock;
    // In a container the clock is the machine's, and so is the care for it.
    if clock.is_assumed() || subject.facts.privileges.container {
        return;
    }
    let evidence = match (clock.synchronised, &clock.service) {
        (Some(true), _) | (None, Some(_)) => return,
        (Some(false), Some(service)) => format!("{service} runs, but is not synchronised"),
        (_, None) => "no time service runs".to_owned(),
    };
    problems.push(
        subject
            .warning(
                "IEC1854",
                format!("nothing keeps the clock of {} right", subject.name()),
            )
            .evidence(evidence)
            .hint("install systemd-timesyncd or chrony, with a time server that the site can reach"),
    );
}

/// Seconds since 1970 for a reader: `2026-11-23 18:39:13 UTC`.
pub(super) fn utc(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    // The civil calendar, with years that begin in March so that leap days come last.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (0, month + 3)
    } else {
        (1, month - 9)
    };
    let year = year + year_of_era + era * 400;
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::utc;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_795_459_153, "2026-11-23 18:39:13 UTC"),
            (-1, "1969-12-31 23:59:59 UTC"),
            (4_102_444_799, "2099-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(seconds), text);
        }
    }
}
