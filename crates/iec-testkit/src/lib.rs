//! Fake hosts, an sshd fixture and site builders for tests.
