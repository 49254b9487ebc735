//! Hosts: transports, probing, observing, executing.
