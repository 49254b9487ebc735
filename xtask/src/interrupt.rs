//! Ctrl-C and SIGTERM: long tasks end where they can clean up, instead of where they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Whether somebody has asked to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on a signal to stop is noted here instead of ending the program.
    ///
    /// # Errors
    /// When the signals cannot be watched.
    pub(crate) fn watch() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&interrupt.0))
                .context("signals cannot be watched")?;
        }
        Ok(interrupt)
    }

    /// Somebody has asked to stop.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// For work that begins.
    ///
    /// # Errors
    /// When somebody has asked to stop.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.is_set() {
            bail!("stopped by the user");
        }
        Ok(())
    }
}
