//! How objects of the cluster differ from the site's, field by field, for the difference that a person reads.

use iec_sh::Expr;

use super::{calico, objects};
use crate::plan::kubeadm::InitPhase;
use crate::plan::op::Op;

/// What prints the difference of a step, a field a line; asked only where the step has work to do.
pub(super) fn differences(op: &Op) -> Vec<Expr> {
    match op {
        Op::Calico { manifest, settings } => vec![calico::difference(manifest, settings.as_ref())],
        Op::Init(InitPhase::Addons(addons)) => objects::addon_differences(addons),
        _ => Vec::new(),
    }
}
