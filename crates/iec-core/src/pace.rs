//! `Pace`: how much longer everything takes on a host than on an ordinary one, and what follows from it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::HostFacts;

/// From this processor time to hash 8 MiB on, a host is slow. Calico's exec probes, large programs with ten seconds to
/// answer, time out on emulated processors (500 ms and more) and not on a Raspberry Pi 4 (about 100 ms).
const SLOW_HASH_MILLIS: u64 = 250;
/// The processor time that the deadlines of ordinary hosts are made for.
const ORDINARY_HASH_MILLIS: u64 = 100;
/// From this time to write a mebibyte for good on, a disk is slow: etcd warns from a tenth of it on.
const SLOW_DISK_MILLIS: u64 = 400;
/// The time to write that the deadlines of ordinary hosts are made for.
const ORDINARY_DISK_MILLIS: u64 = 150;
/// What is slower than this is taken for as slow: a deadline has to end some day.
const SLOWEST: u32 = 64;

/// How many times longer a host takes than the slowest for which the deadlines of ordinary hosts are made: powers of two,
/// 1 for an ordinary one. So a measurement that is a little different makes no other plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    processor: u32,
    disk: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self::ORDINARY
    }
}

impl Pace {
    /// That of an ordinary host.
    pub const ORDINARY: Self = Self {
        processor: 1,
        disk: 1,
    };

    /// That of a host with these facts. What was recorded when it was installed holds: a measurement differs a little each
    /// time, and a host that is as its site file says must not be changed for that.
    #[must_use]
    pub fn of(facts: &HostFacts) -> Self {
        if let Some(recorded) = facts.previous.pace {
            return recorded.bounded();
        }
        // A disk is measured against the clock, beside all that a host in use has to write.
        let disk = facts
            .capacity
            .disk_millis
            .filter(|_| facts.previous.site.is_none());
        Self::measured(facts.capacity.hash_millis, disk)
    }

    /// That of a host on which this was measured: milliseconds to hash 8 MiB, and to write a mebibyte for good.
    #[must_use]
    pub fn measured(hash_millis: Option<u64>, disk_millis: Option<u64>) -> Self {
        let times = |millis: Option<u64>, slow: u64, ordinary: u64| {
            let Some(millis) = millis.filter(|millis| *millis >= slow) else {
                return 1;
            };
            let times = millis.div_ceil(ordinary).min(u64::from(SLOWEST));
            u32::try_from(times).unwrap_or(SLOWEST).next_power_of_two()
        };
        Self {
            processor: times(hash_millis, SLOW_HASH_MILLIS, ORDINARY_HASH_MILLIS),
            disk: times(disk_millis, SLOW_DISK_MILLIS, ORDINARY_DISK_MILLIS),
        }
    }

    /// The slower of both, by processor and by disk.
    #[must_use]
    pub fn slower_of(self, other: Self) -> Self {
        Self {
            processor: self.processor.max(other.processor),
            disk: self.disk.max(other.disk),
        }
    }

    /// Whether nothing has to be different for it.
    #[must_use]
    pub fn is_ordinary(self) -> bool {
        self == Self::ORDINARY
    }

    /// Whether the processor is slow.
    #[must_use]
    pub const fn has_slow_processor(self) -> bool {
        self.processor > 1
    }

    /// Whether the disk is slow.
    #[must_use]
    pub const fn has_slow_disk(self) -> bool {
        self.disk > 1
    }

    /// How many times longer a deadline is than on an ordinary host.
    #[must_use]
    pub fn times(self) -> u32 {
        self.processor.max(self.disk)
    }

    /// A duration in whole minutes for an ordinary host, as Kubernetes writes what it must be here: `32m0s`.
    #[must_use]
    pub fn minutes(self, ordinary: u32) -> String {
        format!("{}m0s", ordinary.saturating_mul(self.times()))
    }

    /// Seconds that something is likely to take here which takes so many on a test machine. Deadlines have room to spare,
    /// estimates have none: the machine on which they were taken is four times faster than the slowest ordinary host.
    #[must_use]
    pub fn estimate(self, seconds: u32) -> u32 {
        if self.is_ordinary() {
            seconds
        } else {
            seconds.saturating_mul(self.times()).saturating_mul(3)
        }
    }

    /// Seconds between Calico's probes and until they give up; nothing where upstream's will do.
    ///
    /// Each of them starts a large program. Where that takes half a minute, one every ten seconds would be all that
    /// the processor does.
    #[must_use]
    pub fn calico_probe_seconds(self) -> Option<u32> {
        self.has_slow_processor().then(|| (self.processor * 8).max(60))
    }

    /// Whether images are unpacked elsewhere, where that can be: a slow processor takes minutes for what another does in
    /// seconds, and taking what is unpacked is work for disk and network.
    #[must_use]
    pub const fn seeds_images(self) -> bool {
        self.has_slow_processor()
    }

    /// By which factor a verification waits longer.
    #[must_use]
    pub fn patience(self) -> f64 {
        if self.is_ordinary() {
            1.0
        } else {
            f64::from(self.times().max(6))
        }
    }

    /// The text of the file in which a slow host keeps it.
    #[must_use]
    pub fn record(self) -> String {
        format!("{self}\n")
    }

    /// What such a file says; nothing where it is none.
    #[must_use]
    pub fn from_record(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (Some("processor"), Some(processor), Some("disk"), Some(disk), None) = (
            words.next(),
            words.next(),
            words.next(),
            words.next(),
            words.next(),
        ) else {
            return None;
        };
        let pace = Self {
            processor: processor.parse().ok()?,
            disk: disk.parse().ok()?,
        };
        Some(pace.bounded())
    }

    /// A host's word is no reason to wait for ever.
    fn bounded(self) -> Self {
        let bounded = |times: u32| times.clamp(1, SLOWEST).next_power_of_two();
        Self {
            processor: bounded(self.processor),
            disk: bounded(self.disk),
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "processor {} disk {}", self.processor, self.disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Assumptions, Fact, Previous};

    #[test]
    fn slowness_has_a_limit_and_is_not_guessed() {
        for (hash, disk, expected) in [
            (None, None, (1, 1)),
            (Some(100), Some(20), (1, 1)),
            (Some(249), Some(399), (1, 1)),
            (Some(250), Some(400), (4, 4)),
            (Some(500), None, (8, 1)),
            (Some(2000), Some(1000), (32, 8)),
            (Some(u64::MAX), Some(u64::MAX), (64, 64)),
        ] {
            let pace = Pace::measured(hash, disk);
            assert_eq!((pace.processor, pace.disk), expected, "{hash:?} {disk:?}");
        }
    }

    #[test]
    fn what_is_slower_never_gets_less_time() {
        let mut last = Pace::ORDINARY;
        for millis in (0..8000).step_by(7) {
            let pace = Pace::measured(Some(millis), Some(millis / 3));
            assert!(pace.times() >= last.times(), "{millis}");
            assert!(pace.estimate(10) >= last.estimate(10), "{millis}");
            assert!(pace.patience() >= last.patience(), "{millis}");
            assert!(
                pace.calico_probe_seconds() >= last.calico_probe_seconds(),
                "{millis}"
            );
            // Twenty times an ordinary host is about 500 ms: what takes the time of such a host is waited for.
            if millis >= SLOW_HASH_MILLIS {
                assert!(
                    u64::from(pace.times()) * ORDINARY_HASH_MILLIS >= millis.min(6400),
                    "{millis}"
                );
            }
            assert_eq!(pace, pace.slower_of(last), "{millis}");
            last = pace;
        }
    }

    #[test]
    fn an_ordinary_host_is_waited_for_as_ever() {
        let pace = Pace::measured(Some(30), Some(5));
        assert!(pace.is_ordinary());
        assert_eq!((pace.times(), pace.estimate(25)), (1, 25));
        assert_eq!(pace.calico_probe_seconds(), None);
        assert_eq!(pace.minutes(10), "10m0s");
        assert!((pace.patience() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_host_keeps_the_pace_that_it_was_installed_with() {
        let mut facts = HostFacts::assume(&Assumptions::default());
        facts.capacity.value_mut().hash_millis = Some(390);
        facts.capacity.value_mut().disk_millis = Some(900);
        let first = Pace::of(&facts);
        assert_eq!((first.processor, first.disk), (4, 8));
        // Later it is measured a little slower, and writes are in the way of each other.
        facts.capacity.value_mut().hash_millis = Some(410);
        facts.capacity.value_mut().disk_millis = Some(9000);
        let previous = |pace| {
            Fact::Observed(Previous {
                site: Some("store".to_owned()),
                pace,
                ..Previous::default()
            })
        };
        facts.previous = previous(Pace::from_record(&first.record()));
        assert_eq!(Pace::of(&facts), first);
        // One that was installed as an ordinary host is not slow because its disk is busy.
        facts.capacity.value_mut().hash_millis = Some(30);
        facts.previous = previous(None);
        assert!(Pace::of(&facts).is_ordinary());
    }

    #[test]
    fn a_record_is_read_back_and_a_hosts_word_has_a_bound() {
        for pace in [Pace::ORDINARY, Pace::measured(Some(2000), Some(500))] {
            assert_eq!(Pace::from_record(&pace.record()), Some(pace));
        }
        let wild = Pace::from_record("processor 4000000000 disk 0").expect("numbers");
        assert_eq!((wild.processor, wild.disk), (64, 1));
        for text in [
            "",
            "processor",
            "processor 1 disk",
            "processor x disk 1",
            "processor 1 disk 1 more",
        ] {
            assert_eq!(Pace::from_record(text), None, "{text}");
        }
    }
}
