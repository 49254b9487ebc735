//! What a host has of the cluster's daemons: Calico's programs and kube-proxy, asked of the host itself, and mended by
//! starting the daemon's pod on this host anew, which the host may do by its own credentials.

use iec_sh::{Cmd, Expr, Program};

use super::ask::{kubectl_node, question, test};
use super::{Lowered, Undo, node_units};

/// Seconds until a daemon must have done its work on this host: a slow board needs some three minutes.
const DEADLINE_SECONDS: u32 = 900;
/// Seconds in which the rollout of a change that was just made reaches this host by itself.
const ROLLOUT_SECONDS: u32 = 60;

/// The programs and files that calico-node puts on each host before it starts.
const CALICO_FILES: [&str; 4] = [
    "/opt/cni/bin/calico",
    "/opt/cni/bin/calico-ipam",
    "/etc/cni/net.d/10-calico.conflist",
    "/etc/cni/net.d/calico-kubeconfig",
];
/// The one of them by which the runtime gives pods their network.
const CONFLIST: &str = CALICO_FILES[2];

/// The programs by which pods get their network, and the packet size that new pods get.
pub(super) fn calico(node: &str, mtu: u32) -> Lowered {
    let present = || Expr::all(CALICO_FILES.map(|file| test(["-s", file])));
    let size = format!("\"mtu\": {mtu},");
    let fits: Expr = Cmd::new(Program::Grep).words(["-qsF", &size, CONFLIST]).into();
    let right = Expr::all([present(), fits.clone()]);
    let pod = Pod {
        label: "k8s-app=calico-node",
        node,
    };
    let lost = Expr::all([pod.has("Initialized"), present().not()]);
    Lowered {
        check: vec![
            question(
                "Calico's programs and its network configuration are on the host",
                present(),
            ),
            question(
                format!("new pods get packets of {}", in_words(mtu)),
                // Where the file is not there, grep says 2.
                Expr::FailsWith(Box::new(fits), 1),
            ),
        ],
        keep: vec![],
        apply: pod.restart_unless(&right, lost, pod.has("Initialized")),
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

fn in_words(mtu: u32) -> String {
    if mtu == 0 {
        "the size that Calico finds".to_owned()
    } else {
        format!("{mtu} bytes")
    }
}

/// kube-proxy's own address for questions, on every host.
const PROXY: &str = "http://127.0.0.1:10249";

/// What kube-proxy on this host runs with: texts that are in its own answer.
pub(super) fn proxy(node: &str, settings: &[String]) -> Lowered {
    let ask = |path: &str| {
        Cmd::new(Program::Kubectl)
            .words(["--kubeconfig", "/dev/null", "--server", PROXY])
            .words(["--request-timeout=5s", "get", "--raw", path])
            .quiet_errors()
    };
    let each: Vec<String> = settings
        .iter()
        .map(|setting| format!("index($0, \"{}\")", setting.replace('"', "\\\"")))
        .collect();
    let program = format!("{} {{ same = 1 }} END {{ exit !same }}", each.join(" && "));
    let right = Expr::Pipe(vec![ask("/configz"), Cmd::new(Program::Awk).word(program)]);
    let pod = Pod {
        label: "k8s-app=kube-proxy",
        node,
    };
    let never = Expr::any(Vec::<Expr>::new());
    let runs = Expr::Run(ask("/configz").quiet());
    Lowered {
        check: vec![question(
            format!("kube-proxy on this host runs with {}", settings.join(", ")),
            Expr::FailsWith(Box::new(right.clone()), 1),
        )],
        keep: vec![],
        apply: pod.restart_unless(&right, never, runs),
        undo: Undo::CoveredBy("control-plane.preflight"),
        shows: vec![],
        sensitive: false,
    }
}

/// A daemon's pod on this host.
struct Pod<'a> {
    label: &'a str,
    node: &'a str,
}

impl Pod<'_> {
    fn select(&self, verb: &str) -> Cmd {
        kubectl_node()
            .words([verb, "pods", "-n", "kube-system", "-l", self.label])
            .words(["--field-selector", &format!("spec.nodeName={}", self.node)])
    }

    /// Whether it has come to this condition.
    fn has(&self, condition: &str) -> Expr {
        let path = format!("jsonpath={{.items[*].status.conditions[?(@.type==\"{condition}\")].status}}");
        Expr::from(self.select("get").words(["-o", &path]).quiet_errors()).prints("True")
    }

    /// Whoever it belongs to makes it anew.
    fn restart(&self) -> Expr {
        self.select("delete").word("--wait=false").into()
    }

    /// Starts it anew at once where `at_once` holds, or later where a change has not come by itself and `later` holds; waits
    /// until what is asked holds. Before it was ever there this only waits.
    fn restart_unless(&self, right: &Expr, at_once: Expr, later: Expr) -> Vec<Expr> {
        let wait = |seconds: u32| Expr::Poll {
            question: Box::new(right.clone()),
            every_seconds: 2,
            deadline_seconds: seconds,
            units: node_units().iter().map(|unit| unit.as_str().into()).collect(),
            slowness: 1,
        };
        let when = |condition: Expr| Expr::If {
            condition: Box::new(condition),
            then: vec![self.restart()],
            otherwise: vec![],
        };
        vec![
            when(at_once),
            Expr::If {
                condition: Box::new(wait(ROLLOUT_SECONDS)),
                then: vec![],
                otherwise: vec![when(later)],
            },
            wait(DEADLINE_SECONDS),
        ]
    }
}
