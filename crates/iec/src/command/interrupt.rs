//! Ctrl-C and SIGTERM: the first asks long work to stop where it can go on later, the second ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Kind;

/// A flag that becomes true when the user wants the work to stop.
pub(super) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    watch(move || raised.store(true, Ordering::SeqCst));
    flag
}

/// A token that is cancelled when the user wants the work to stop.
pub(super) fn token() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    watch(move || cancelled.cancel());
    token
}

/// Calls `first` at the first signal and ends the program at the second.
fn watch(first: impl FnOnce() + Send + 'static) {
    let wait = move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut next = async || {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            };
            next().await;
            first();
            next().await;
            end()
        })
    };
    // Without a watcher a signal ends the program at once, as it does by default.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(wait);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user asked twice: nothing is worth waiting for"
)]
fn end() -> ! {
    std::process::exit(Kind::Stopped.exit_code().into());
}
