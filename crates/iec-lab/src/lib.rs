//! Hosts on this machine, to try and to test: bare Debian systems in podman containers or in virtual machines, each with
//! its own systemd, SSH server, addresses and disk.
//!
//! A lab is a folder with a record of all that is meant to be made, written before it is made: [`Labs::down`] works
//! from any state in between. Nothing outside this crate knows about labs: what IEC sees of one is a site file and
//! hosts that answer by SSH.
//!
//! ```no_run
//! use iec_lab::{Labs, Places, UpRequest};
//!
//! # fn main() -> Result<(), iec_lab::LabError> {
//! let labs = Labs::new(Places::from_environment(|name| std::env::var_os(name).map(Into::into)));
//! let lab = labs.up(&UpRequest::new("demo"), &mut |event| drop(event))?;
//! assert_eq!(lab.hosts.len(), 3);
//! labs.down("demo", &mut |event| drop(event))?;
//! # Ok(())
//! # }
//! ```

mod base;
mod disk;
mod down;
mod error;
mod event;
mod labs;
mod places;
mod podman;
mod power;
mod program;
mod ready;
mod record;
mod request;
mod requirements;
mod site;
mod snapshot;
mod subnet;
mod up;
mod vm;

pub use down::Removed;
pub use error::LabError;
pub use event::LabEvent;
pub use labs::{ExecOutput, ExecUser, LabStatus, Labs};
pub use places::Places;
pub use podman::HostState;
pub use record::{HostRole, Lab, LabHost, LabState};
pub use request::{DiskCache, Distribution, HostKind, Limits, MAX_HOSTS, Nics, UpRequest, validate_name};
pub use vm::Accelerator;
