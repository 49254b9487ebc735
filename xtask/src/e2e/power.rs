//! The power of a lab's host: cut as by a pulled plug, and back on.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::lab::{Host, Kind, Lab, output};

/// How long a host may take to come up; generous, because the machine may be busy with others.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(100);

impl Lab {
    /// Kills all of a host's processes at once. Its disk stays.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) fn power_off(&self, host: &Host) -> anyhow::Result<()> {
        if host.kind == Kind::Vm {
            return self.command("stop", host, &["--cut"]);
        }
        podman(&["kill", "--signal", "KILL", &host.container])?;
        podman(&["wait", &host.container]).map(drop)
    }

    /// Starts a host again on its own disk, and waits until it has started everything and takes connections.
    ///
    /// # Errors
    /// When it runs already, or does not come up.
    pub(super) fn power_on(&self, host: &Host) -> anyhow::Result<()> {
        self.switch_on(host)?;
        self.await_started(host, PATIENCE)
    }

    /// Starts a host again on its own disk, and does not wait for a container.
    ///
    /// # Errors
    /// When it runs already.
    pub(super) fn switch_on(&self, host: &Host) -> anyhow::Result<()> {
        if host.kind == Kind::Vm {
            return self.command("start", host, &[]);
        }
        podman(&["start", &host.container]).map(drop)
    }

    /// Waits until a host has started everything and takes connections.
    ///
    /// # Errors
    /// When it has not within this time.
    pub(super) fn await_started(&self, host: &Host, patience: Duration) -> anyhow::Result<()> {
        let address: SocketAddr = format!("{}:22", host.addresses[0])
            .parse()
            .context("the lab names addresses")?;
        let deadline = Instant::now() + patience;
        loop {
            // It ends with 1 for a host of which a unit failed, and prints the state all the same.
            let said = self
                .as_root(host, &["systemctl", "is-system-running"])?
                .output()?;
            let state = String::from_utf8_lossy(&said.stdout).trim().to_owned();
            let started = matches!(state.as_str(), "running" | "degraded");
            if started && TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} did not come up again, it is {state:?}", host.name);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

fn podman(words: &[&str]) -> anyhow::Result<String> {
    output(Command::new("podman").args(words), "")
}
