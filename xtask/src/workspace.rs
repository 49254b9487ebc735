//! Where the repository is, and the cargo that builds it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
        .to_owned()
}

/// Where cargo puts what it builds: this program is in `<target>/<profile>/`.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().ok();
    let target = own.as_deref().and_then(Path::parent).and_then(Path::parent);
    target.map_or_else(|| root().join("target"), Path::to_owned)
}

/// The cargo that runs this task, so that every stage uses the same toolchain.
pub(crate) fn cargo() -> OsString {
    #[expect(
        clippy::disallowed_methods,
        reason = "a task of cargo's: cargo says by it which one it is"
    )]
    let cargo = std::env::var_os("CARGO");
    cargo.unwrap_or_else(|| "cargo".into())
}
