//! `cargo xtask bench control-planes`: three control planes against the shortest script, and what clients notice of growth
//! from one to three and of the loss of one.

use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};

use super::{Bench, table};
use crate::e2e::{ABSENT, Lab, SiteFile, watch_by};

/// How many hosts there are, all of them control planes.
const HOSTS: usize = 3;

/// Asks the API server until it is told to stop, and once more half a second later where it did not answer.
const CLIENT: &str = "\
ask() { kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=3s get --raw /readyz >/dev/null 2>&1; }
asked=0 failed=0 twice=0
until [ -e /run/bench-stop ]; do
  asked=$((asked + 1))
  if ! ask; then
    failed=$((failed + 1))
    sleep 0.5
    ask || twice=$((twice + 1))
  fi
  sleep 0.2
done
rm /run/bench-stop
echo \"$asked $failed $twice\"
";

/// What a client saw of the API while the site grew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    times: usize,
    failed: usize,
    failed_twice: usize,
}

impl Asked {
    fn read(said: &str) -> anyhow::Result<Self> {
        let mut numbers = said.split_whitespace().map(str::parse);
        let mut next = || {
            numbers
                .next()
                .context("the client says three numbers")?
                .context("a number")
        };
        Ok(Self {
            times: next()?,
            failed: next()?,
            failed_twice: next()?,
        })
    }
}

/// All of it; the figures go into the document.
///
/// # Errors
/// When a run fails.
pub(crate) fn run(root: &Path, pairs: usize) -> anyhow::Result<bool> {
    let bench = Bench::prepare(root, HOSTS, HOSTS)?;
    let lab = bench.lab()?;
    let (grown, asked) = growth(&bench, &lab)?;
    let away = loss(&lab)?;
    drop(lab);
    let measured = bench.pairs(pairs)?;
    let text = format!("{}\n{}", noticed(grown, asked, away), table(HOSTS, &measured));
    bench.finish(": control planes", &text)?;
    Ok(true)
}

/// One control plane becomes three; gives how long that took, and what a client on the first one saw meanwhile.
fn growth(bench: &Bench, lab: &Lab) -> anyhow::Result<(Duration, Asked)> {
    let file = SiteFile::of(lab)?;
    let apply = |log: &str| bench.machine.iec_done(log, &["apply", lab.site(), "-o", "json"]);
    file.write(&[("edge-2", Some(ABSENT)), ("edge-3", Some(ABSENT))])?;
    apply("apply-one")?;
    file.write(&[])?;
    let first = lab.host("edge-1")?;
    thread::scope(|scope| {
        let client = scope.spawn(|| lab.run(first, CLIENT, ""));
        let began = Instant::now();
        let applied = apply("apply-three");
        let took = began.elapsed();
        lab.run(first, "touch /run/bench-stop", "")?;
        let said = client.join().map_err(|_| anyhow!("the client has panicked"))??;
        applied?;
        Ok((took, Asked::read(&said)?))
    })
}

/// The first control plane loses its power; gives how long the API was away for a client on another one.
fn loss(lab: &Lab) -> anyhow::Result<Duration> {
    let first = lab.host("edge-1")?;
    lab.power_off(first)?;
    watch_by(lab, lab.host("edge-2")?, "", &[&first.name])
}

fn noticed(grown: Duration, asked: Asked, away: Duration) -> String {
    let mut text = String::from("| three control planes | goal | measured |\n|---|---|---|\n");
    let Asked {
        times,
        failed,
        failed_twice,
    } = asked;
    let _ = writeln!(
        text,
        "| `iec apply` from one to three | – | {:.1} s |",
        grown.as_secs_f64()
    );
    let _ = writeln!(
        text,
        "| requests meanwhile that failed, and failed again half a second later | 0 of the second | {failed} and {failed_twice} of {times} |"
    );
    let _ = writeln!(
        text,
        "| the API away for a client on another host when the first loses its power; no other node is ever not Ready | ≤ 10 s | {:.1} s |",
        away.as_secs_f64()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_says_is_told() {
        let asked = Asked::read("120 2 0\n").expect("three numbers");
        let text = noticed(Duration::from_millis(74_060), asked, Duration::from_millis(2_440));
        assert!(text.contains("| 74.1 s |"), "{text}");
        assert!(text.contains("| 2 and 0 of 120 |"), "{text}");
        assert!(text.contains("| 2.4 s |"), "{text}");
        assert!(Asked::read("120 2").is_err());
        assert!(Asked::read("120 2 x").is_err());
    }
}
