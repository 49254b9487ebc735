//! The facts of one host, in sections.

use serde::{Deserialize, Serialize};

use super::{
    Capacity, Cgroup, Clock, Cluster, Distribution, Environment, Fact, Features, Guards, Identity, Kernel,
    Listener, Login, Network, Previous, Privileges, Resolver, Software, Storage, Swap,
};

/// Writes [`HostFacts`] and what must stay in step with its list of sections.
macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// What is known about one host.
        ///
        /// A section that a file or an answer does not have is `Assumed` with empty values: formats may grow.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct HostFacts {
            $($(#[$doc])* pub $name: Fact<$type>,)*
        }

        impl HostFacts {
            /// The names of all sections, in the order of the file format.
            pub const SECTIONS: &[&str] = &[$(stringify!($name)),*];

            /// The names of the sections that nobody observed.
            #[must_use]
            pub fn assumed(&self) -> Vec<&'static str> {
                let sections = [$((stringify!($name), self.$name.is_assumed())),*];
                sections.into_iter().filter_map(|(name, assumed)| assumed.then_some(name)).collect()
            }
        }
    };
}

sections! {
    /// Who the host says it is.
    identity: Identity,
    /// The distribution that it runs.
    distribution: Distribution,
    /// Its kernel and processor architecture.
    kernel: Kernel,
    /// Processors, memory and speed.
    capacity: Capacity,
    /// Space and mount options where IEC and Kubernetes write.
    storage: Storage,
    /// Swap that is on, or comes back after a reboot.
    swap: Swap,
    /// Control groups.
    cgroup: Cgroup,
    /// What root may do, and whether the host is itself a container.
    privileges: Privileges,
    /// What the kernel can do, tried out in a throw-away namespace.
    features: Features,
    /// Interfaces, addresses and routes.
    network: Network,
    /// Who listens where.
    listeners: Vec<Listener>,
    /// Name resolution.
    resolver: Resolver,
    /// The time on the host.
    clock: Clock,
    /// Container runtimes and Kubernetes programs that are there already.
    software: Software,
    /// Traces of a Kubernetes cluster.
    cluster: Cluster,
    /// What an earlier run of IEC left.
    previous: Previous,
    /// Firewalls, security modules and services that change the host behind one's back.
    guards: Guards,
    /// Proxy variables and cloud-init.
    environment: Environment,
    /// The account that IEC came in with.
    login: Login,
}
