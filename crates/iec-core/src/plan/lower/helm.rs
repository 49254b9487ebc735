//! Helm releases.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{ask_cluster, question, run};
use super::{HOME, Lowered, Undo};
use crate::plan::op::HelmOp;

fn helm() -> Cmd {
    Cmd::new(Program::Helm).words(["--kubeconfig", "/etc/kubernetes/admin.conf"])
}

pub(super) fn release(release: &HelmOp) -> Lowered {
    let HelmOp {
        name,
        namespace,
        archive,
        chart,
        values,
        digest,
        sensitive,
    } = release;
    // Helm takes an archive by its name only; the store's files have none.
    let archive = format!("{HOME}/incoming/{archive}");
    let description = format!("iec {digest}");
    let deployed = helm().words(["status", name, "-n", namespace]).quiet_errors();
    Lowered {
        check: vec![question(
            format!("release {name} is deployed as the site asks"),
            ask_cluster(Expr::Pipe(vec![
                deployed,
                Cmd::new(Program::Grep).words(["-qxF", &format!("DESCRIPTION: {description}")]),
            ])),
        )],
        keep: vec![],
        apply: vec![
            run(
                Program::Cp,
                [&format!("{HOME}/store/{}", chart.blob_path()), &archive],
            ),
            helm()
                .words([
                    "upgrade",
                    "--install",
                    name,
                    &archive,
                    "-n",
                    namespace,
                    "--create-namespace",
                ])
                .words([
                    "--values",
                    values,
                    "--description",
                    &description,
                    "--wait",
                    "--timeout=10m",
                ])
                .into(),
            run(Program::Rm, ["-f", &archive]),
        ],
        undo: Undo::Commands(vec![
            helm()
                .words(["uninstall", name, "-n", namespace, "--ignore-not-found"])
                .words(["--wait", "--timeout=5m"])
                .into(),
        ]),
        shows: vec![],
        sensitive: *sensitive,
    }
}
