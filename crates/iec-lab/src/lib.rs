//! Hosts on this machine, to try and to test.
