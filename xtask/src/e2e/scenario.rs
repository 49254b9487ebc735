//! The scenarios on real hosts, by name.

use anyhow::Context as _;

use super::machine::Machine;
use super::main_job::Job;
use super::steps::Steps;
use super::{
    calico_etcd, conditions, exports, join_cuts, machines, main_job, methods, power_cut, power_cuts, recover,
    refusals, script_faults, seed, three_control_planes, virtual_address, worker_leaves,
};
use crate::stage::Count;
use crate::terminal;

/// Something that is shown on real hosts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario {
    /// What it is called by.
    pub(crate) name: &'static str,
    /// Its steps; the first that fails ends it.
    steps: fn(&Machine, &mut Steps) -> anyhow::Result<()>,
}

impl Scenario {
    /// The scenarios that CI runs, the short ones first.
    pub(crate) const ALL: [Self; 9] = [
        Self {
            name: exports::NAME,
            steps: exports::steps,
        },
        Self {
            name: "refusals",
            steps: refusals::steps,
        },
        Self {
            name: "power-cut",
            steps: power_cut::steps,
        },
        Self {
            name: "script-faults",
            steps: script_faults::steps,
        },
        Self {
            name: "three-hosts",
            steps: |machine, steps| main_job("e2e-three-hosts", 3, machine, steps),
        },
        Self {
            name: "seed",
            steps: seed::steps,
        },
        Self {
            name: "worker-leaves",
            steps: worker_leaves::steps,
        },
        Self {
            name: "three-control-planes",
            steps: three_control_planes::steps,
        },
        Self {
            name: "methods",
            steps: |machine, steps| methods::steps(None, machine, steps),
        },
    ];

    /// The scenarios that are proofs of their own, or run by their name only: what few sites ask for, or takes long.
    pub(crate) const PROOFS: [Self; 15] = [
        Self {
            name: "one-host",
            steps: |machine, steps| main_job("e2e-one-host", 1, machine, steps),
        },
        Self {
            name: "real-kernel",
            steps: machines::real_kernel,
        },
        Self {
            name: "arm64",
            steps: machines::arm64,
        },
        Self {
            name: "mixed",
            steps: machines::mixed,
        },
        Self {
            name: "recover",
            steps: recover::three,
        },
        Self {
            name: "join-cuts",
            steps: join_cuts::steps,
        },
        Self {
            name: "five-control-planes",
            steps: recover::five,
        },
        Self {
            name: "calico-etcd",
            steps: |machine, steps| {
                let job = Job {
                    lab: "e2e-calico-etcd",
                    hosts: 2,
                    asks: Some("network: {cni: {calico: {datastore: etcd}}}"),
                };
                main_job::steps(job, machine, steps)
            },
        },
        Self {
            name: "calico-etcd-three-control-planes",
            steps: calico_etcd::three,
        },
        Self {
            name: "virtual-address",
            steps: virtual_address::steps,
        },
        Self {
            name: "methods-three-hosts",
            steps: |machine, steps| methods_of(3, 1, machine, steps),
        },
        Self {
            name: "methods-three-control-planes",
            steps: |machine, steps| methods_of(3, 3, machine, steps),
        },
        Self {
            name: "power-cuts",
            steps: power_cuts::steps,
        },
        Self {
            name: "conditions",
            steps: conditions::steps,
        },
        Self {
            name: "machine-cuts",
            steps: power_cuts::machines,
        },
    ];

    /// What its stage is called.
    pub(crate) fn title(&self) -> String {
        match self.name {
            // It needs no hosts.
            exports::NAME => "exports".to_owned(),
            name => format!("real hosts: {name}"),
        }
    }

    /// The scenario of this name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn find(name: &str) -> anyhow::Result<Self> {
        let all = || Self::ALL.into_iter().chain(Self::PROOFS);
        let known = || all().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
        let found = all().find(|scenario| scenario.name == name);
        found.with_context(|| format!("there is no scenario {name}; there are {}", known()))
    }

    /// Runs it.
    pub(crate) fn run(&self, machine: &Machine) -> Count {
        let mut steps = Steps::default();
        let failed = (self.steps)(machine, &mut steps).err();
        if let Some(error) = &failed {
            terminal::line(format_args!("error: {error:#}"));
        }
        Count {
            passed: steps.passed,
            failed: usize::from(failed.is_some()),
        }
    }
}

/// The main job on a plain lab.
fn main_job(lab: &'static str, hosts: usize, machine: &Machine, steps: &mut Steps) -> anyhow::Result<()> {
    let job = Job {
        lab,
        hosts,
        asks: None,
    };
    main_job::steps(job, machine, steps)
}

/// Every method on as many hosts, of which so many are control planes.
fn methods_of(
    hosts: usize,
    control_planes: usize,
    machine: &Machine,
    steps: &mut Steps,
) -> anyhow::Result<()> {
    let size = methods::Size {
        hosts,
        control_planes,
    };
    methods::steps(Some(size), machine, steps)
}
