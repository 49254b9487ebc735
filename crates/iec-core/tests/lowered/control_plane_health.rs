//! What a control plane says of itself, through the real shell.

use iec_core::control_plane_health::{Answer, question};

use crate::pretend::Pretend;
use crate::support::site;

/// As etcd 3.6 prints them, some of very many.
const METRICS: &str = r#"# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 10
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 990
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.004"} 999
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 1000
etcd_disk_wal_fsync_duration_seconds_sum 1.5
etcd_network_peer_round_trip_time_seconds_bucket{To="28",le="0.0001"} 1
etcd_network_peer_round_trip_time_seconds_bucket{To="28",le="0.0002"} 100
etcd_network_peer_round_trip_time_seconds_bucket{To="28",le="+Inf"} 100
etcd_network_peer_round_trip_time_seconds_bucket{To="a0",le="0.0001"} 1
etcd_network_peer_round_trip_time_seconds_bucket{To="a0",le="0.0002"} 2
etcd_network_peer_round_trip_time_seconds_bucket{To="a0",le="+Inf"} 100
"#;
const KUBECTL: &str = r#"
case "$*" in
*/metrics*) cat /run/metrics ;;
*"--server https://10.0.7.12:6443"*/readyz*) test -e /run/ready ;;
*"--server https://10.0.7.11:2380"*/members) test -e /run/ready ;;
*) exit 1 ;;
esac
"#;

#[test]
fn a_control_plane_says_whom_it_reaches_and_how_fast_it_writes() {
    let host = Pretend::new();
    host.stand_in("kubectl", KUBECTL);
    let site = site("three-control-planes");
    let second = site.control_planes().nth(1).unwrap();
    let ask = || {
        let script = question(&site, second).statement("");
        Answer::read(&host.shell(&format!("PATH=/usr/local/sbin:$PATH\n{script}")))
    };
    host.write("/run/metrics", METRICS);
    host.write("/run/ready", "");
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    let answer = Answer {
        api: Some(true),
        reached: names(&["edge-1"]),
        missed: names(&["edge-3"]),
        calico_missed: None,
        write_seconds: Some(0.002),
        trip_seconds: Some(f64::INFINITY),
    };
    assert_eq!(ask(), answer);

    // Neither runs.
    host.shell("rm /run/metrics /run/ready");
    assert_eq!(
        ask(),
        Answer {
            api: Some(false),
            missed: names(&["edge-1", "edge-3"]),
            ..Answer::default()
        }
    );
}
