//! Runs the parts of a build side by side, reports what they do, and stops them all when one fails.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use iec_core::architecture::Architecture;

use crate::error::BuildError;
use crate::process::Runner;

/// How often the caller's wish to stop is looked at.
const POLL: Duration = Duration::from_millis(100);

/// What happens during a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildEvent {
    /// Before the first part: what there is to do.
    Planned {
        /// The number of parts that must be built; the others were built before.
        parts: usize,
        /// About how long that takes on two cores, in seconds.
        estimate_seconds: u64,
    },
    /// A part begins.
    Started {
        /// The part's name.
        part: String,
        /// The architecture, if the part is for one.
        architecture: Option<Architecture>,
        /// About how long it takes from a cold cache on two cores, in seconds.
        estimate_seconds: u64,
    },
    /// A part has printed a line.
    Progress {
        /// The part's name.
        part: String,
        /// The architecture, if the part is for one.
        architecture: Option<Architecture>,
        /// The line.
        line: String,
    },
    /// A part is there.
    Finished {
        /// The part's name.
        part: String,
        /// The architecture, if the part is for one.
        architecture: Option<Architecture>,
        /// How long it took, in milliseconds.
        milliseconds: u64,
        /// Whether it was built now or had been built before.
        how: How,
    },
}

/// Whether a part was built now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was built by this run.
    Built,
    /// It had been built from the same inputs before.
    Reused,
}

/// The work of a part: gives its result and whether it was built now.
pub(crate) type Work<'a, T> = Box<dyn FnOnce(&Runner<'_>) -> Result<(T, How), BuildError> + Send + 'a>;

/// One part to run.
pub(crate) struct Job<'a, T> {
    pub(crate) part: String,
    pub(crate) architecture: Option<Architecture>,
    pub(crate) estimate_seconds: u64,
    pub(crate) work: Work<'a, T>,
}

/// Runs the jobs, at most `workers` at a time, in this order, and gives their results in this order.
///
/// # Errors
/// The first failure; the other jobs are stopped and waited for.
pub(crate) fn run<T: Send>(
    jobs: Vec<Job<'_, T>>,
    workers: usize,
    cancel: &AtomicBool,
    sink: &mut dyn FnMut(BuildEvent),
) -> Result<Vec<T>, BuildError> {
    let count = jobs.len();
    let queue = Mutex::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
    let results = Mutex::new((0..count).map(|_| None).collect::<Vec<Option<T>>>());
    let failure = Mutex::new(None);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers.min(count) {
            let events = sender.clone();
            let (queue, results, failure, stop) = (&queue, &results, &failure, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let Some((index, job)) = lock(queue).pop_front() else {
                        return;
                    };
                    match run_one(job, stop, &events) {
                        Ok(result) => lock(results)[index] = Some(result),
                        Err(error) => {
                            stop.store(true, Ordering::Relaxed);
                            lock(failure).get_or_insert(error);
                        }
                    }
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(POLL) {
                Ok(event) => sink(event),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            if cancel.load(Ordering::Relaxed) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let results = std::mem::take(&mut *lock(&results));
    results
        .into_iter()
        .collect::<Option<Vec<T>>>()
        .ok_or(BuildError::Cancelled)
}

fn run_one<T>(
    job: Job<'_, T>,
    stop: &AtomicBool,
    events: &mpsc::Sender<BuildEvent>,
) -> Result<T, BuildError> {
    let Job {
        part,
        architecture,
        estimate_seconds,
        work,
    } = job;
    // The receiver outlives the workers, so sending cannot fail.
    let send = |event| drop(events.send(event));
    send(BuildEvent::Started {
        part: part.clone(),
        architecture,
        estimate_seconds,
    });
    let begun = Instant::now();
    let progress = |line: &str| {
        send(BuildEvent::Progress {
            part: part.clone(),
            architecture,
            line: line.to_owned(),
        });
    };
    let name = architecture.map_or_else(|| part.clone(), |architecture| format!("{part} ({architecture})"));
    let (result, how) = work(&Runner {
        part: &name,
        cancel: stop,
        progress: &progress,
    })?;
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    send(BuildEvent::Finished {
        part: part.clone(),
        architecture,
        milliseconds,
        how,
    });
    Ok(result)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("a worker that panicked ends the build")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job<'a>(name: &str, work: Work<'a, u32>) -> Job<'a, u32> {
        Job {
            part: name.to_owned(),
            architecture: None,
            estimate_seconds: 1,
            work,
        }
    }

    #[test]
    fn results_keep_their_order_and_every_part_is_reported() {
        let jobs = (0..5)
            .map(|index| job(&index.to_string(), Box::new(move |_| Ok((index, How::Built)))))
            .collect();
        let mut events = Vec::new();
        let results = run(jobs, 2, &AtomicBool::new(false), &mut |event| events.push(event)).unwrap();
        assert_eq!(results, [0, 1, 2, 3, 4]);
        assert_eq!(events.len(), 10);
    }

    #[test]
    fn the_first_failure_stops_the_others() {
        let slow: Work<'_, u32> = Box::new(|runner| {
            runner.run(std::process::Command::new("sleep").arg("60"))?;
            Ok((1, How::Built))
        });
        let bad: Work<'_, u32> = Box::new(|runner| Err(BuildError::content(runner.part, "bad")));
        let begun = Instant::now();
        let jobs = vec![
            job("slow", slow),
            job("bad", bad),
            job("never", Box::new(|_| Ok((3, How::Built)))),
        ];
        let error = run(jobs, 2, &AtomicBool::new(false), &mut |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "bad: bad");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn the_caller_can_stop_it() {
        let cancel = AtomicBool::new(true);
        let slow: Work<'_, u32> = Box::new(|runner| {
            runner.run(std::process::Command::new("sleep").arg("60"))?;
            Ok((1, How::Built))
        });
        assert!(matches!(
            run(vec![job("slow", slow)], 2, &cancel, &mut |_| {}),
            Err(BuildError::Cancelled)
        ));
    }
}
