//! Measures connecting and sending over SSH on this machine: `cargo run --release -p iec-host --example transfer`.

use std::io::Write as _;
use std::time::{Duration, Instant};

use iec_core::content::Digest;
use iec_host::{Bounds, Cipher, Host, Payload, Privilege, Script, SshClient, SshSettings};
use iec_testkit::{Sshd, User};

/// How much is sent, in bytes.
const SIZE: u64 = 512 << 20;
/// How many times each figure is taken; the best counts, for other work on the machine only ever makes it worse.
const ROUNDS: usize = 5;

/// The processor time that this process has used.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .expect("fields")
        .split_whitespace()
        .collect();
    let ticks: u64 = [11, 12]
        .iter()
        .map(|index| fields[*index].parse::<u64>().expect("a number"))
        .sum();
    // Linux counts in hundredths of a second for user programs, on every architecture.
    Duration::from_millis(ticks * 10)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let sshd = Sshd::start();
    let file = sshd.path("blob");
    std::fs::File::create(&file)?.set_len(SIZE)?;
    let mut out = std::io::stdout().lock();

    let client = SshClient::new(sshd.settings());
    let (processor, started) = (processor_time(), Instant::now());
    let hosts: Vec<_> = (0..50)
        .map(|number| client.host(format!("edge-{number}"), sshd.target(User::Root)))
        .collect();
    let mut first = Duration::MAX;
    for host in &hosts {
        let started = Instant::now();
        host.connect().await.expect("connected");
        first = first.min(started.elapsed());
    }
    let per_host = (processor_time() - processor) / 50;
    writeln!(
        out,
        "connect: {first:.1?} at best, {:.1?} on average, {per_host:.1?} of this processor",
        started.elapsed() / 50
    )?;

    let script = Script::new(
        "true",
        Bounds {
            question: "nothing",
            bytes: 1 << 20,
            time: Duration::from_secs(60),
        },
    );
    let mut quickest = Duration::MAX;
    for _ in 0..50 {
        let started = Instant::now();
        hosts[0].run(&script, Privilege::Root, &mut |_| {}).await;
        quickest = quickest.min(started.elapsed());
    }
    writeln!(out, "one script on an open connection: {quickest:.1?}")?;

    for cipher in [Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::ChaCha20Poly1305] {
        let settings = SshSettings {
            cipher: Some(cipher),
            ..sshd.settings()
        };
        let host = SshClient::new(settings).host("edge-1", sshd.target(User::Root));
        let name = host.connect().await.expect("connected");
        let (mut wall, mut processor) = (Duration::MAX, Duration::MAX);
        for _ in 0..ROUNDS {
            let (before, started) = (processor_time(), Instant::now());
            // The digest is only the name; zeros cost as much to encrypt as anything.
            let payload = Payload::new().blob(Digest::of(b""), SIZE, &file);
            let outcome = host.put(payload, &mut |_| {}).await;
            assert!(outcome.succeeded(), "{outcome:?}");
            wall = wall.min(started.elapsed());
            processor = processor.min(processor_time() - before);
        }
        let mebibytes = (SIZE >> 20) as f64;
        writeln!(
            out,
            "{name}: {:.0} MiB/s, {:.2} s of this processor per GiB",
            mebibytes / wall.as_secs_f64(),
            processor.as_secs_f64() * 1024.0 / mebibytes
        )?;
    }
    Ok(())
}
