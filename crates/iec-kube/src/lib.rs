//! The cluster: reading it and the workloads that prove it.
