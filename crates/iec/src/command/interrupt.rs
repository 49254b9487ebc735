//! Ctrl-C and SIGTERM: the first asks long work to stop where it can go on later, the second ends the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};

use crate::error::Kind;

/// A flag that becomes true when the user wants the work to stop.
pub(super) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let watch = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if raised.swap(true, Ordering::SeqCst) {
                    end();
                }
            }
            #[expect(unreachable_code, reason = "gives the block its error type")]
            std::io::Result::Ok(())
        })
    };
    // Without a watcher a signal ends the program at once, as it does by default.
    let _ = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(watch);
    flag
}

#[expect(
    clippy::disallowed_methods,
    reason = "the user asked twice: nothing is worth waiting for"
)]
fn end() -> ! {
    std::process::exit(Kind::Stopped.exit_code().into());
}
