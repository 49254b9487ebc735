//! Waiting for a host that is away: longer each time, and not for ever.

use std::time::Duration;

use tokio::time::Instant;

use super::Patience;

/// How often in a row a script may end without a word before nobody believes in the next attempt.
const SILENT_ENDS: u32 = 3;

/// The waits between attempts to reach one host.
#[derive(Debug)]
pub(super) struct Backoff {
    patience: Patience,
    since: Option<Instant>,
    delay: Duration,
    silent_ends: u32,
}

impl Backoff {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            since: None,
            delay: patience.first_delay,
            silent_ends: 0,
        }
    }

    /// The host was there: the next trouble is a new one.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.patience);
    }

    /// How long to wait before the next attempt; `None` when the host is given up.
    pub(super) fn next(&mut self) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let delay = self.delay;
        if since.elapsed() + delay > self.patience.away {
            return None;
        }
        self.delay = (delay * 2).min(self.patience.longest_delay);
        Some(delay)
    }

    /// The same, after a script that ended although the connection stood.
    pub(super) fn next_after_silent_end(&mut self) -> Option<Duration> {
        self.silent_ends += 1;
        if self.silent_ends >= SILENT_ENDS {
            None
        } else {
            self.next()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_end() {
        let mut backoff = Backoff::new(Patience {
            away: Duration::from_secs(20),
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(4),
            in_vain: Duration::ZERO,
        });
        let mut waits = Vec::new();
        while let Some(wait) = backoff.next() {
            waits.push(wait.as_secs());
            tokio::time::sleep(wait).await;
        }
        assert_eq!(waits, [1, 2, 4, 4, 4, 4]);
        backoff.reset();
        assert_eq!(backoff.next(), Some(Duration::from_secs(1)));
        assert!(backoff.next_after_silent_end().is_some());
        assert!(backoff.next_after_silent_end().is_some());
        assert!(backoff.next_after_silent_end().is_none());
    }
}
