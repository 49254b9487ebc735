//! The whole verification: reading the cluster and proving it with workloads, at the same time.

use std::time::{Duration, Instant};

use futures::future::join_all;
use iec_core::report::{Report, Row, Scope};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::certificate::{judge_certificate, read_certificate};
use crate::check::{self, Check};
use crate::cluster::{Cluster, Server};
use crate::error::{KubeError, Reach, reach_of};
use crate::expected::Expected;
use crate::fetch::HostFetch;
use crate::proof::{Image, Proof};
use crate::recorder::{Recorder, RowSink};
use crate::survey::{Settling, survey};

/// For how long at most nothing may change in a cluster that is still settling, on hosts of ordinary speed.
const QUIET: Duration = Duration::from_secs(20);

/// What a verification needs to know beside the site.
#[derive(Debug, Clone)]
pub struct VerifyOptions {
    /// The nginx image of the proof.
    pub image: Image,
    /// Who verifies, for others who look at the lease: a name without secrets, such as `edge@laptop`.
    pub holder: String,
    /// Rows on what was read from the hosts already.
    pub host_rows: Vec<Row>,
    /// How long a cluster that was just installed may take to settle, on hosts of ordinary speed; then its rows are
    /// final. They are so sooner if nothing changes for 20 seconds.
    pub settle: Duration,
}

/// Checks which API servers are ready and let the operator in, and reads their certificates; records a row for
/// each. Gives the first that can be used.
pub(crate) async fn check_servers<'c>(cluster: &'c Cluster, recorder: &Recorder<'_>) -> Option<&'c Server> {
    let checks = cluster
        .servers
        .iter()
        .map(|server| check_server(cluster, server, recorder));
    let (servers, ()) = tokio::join!(join_all(checks), check_virtual_address(cluster, recorder));
    servers.into_iter().flatten().next()
}

/// A row on the virtual address, where the site has one.
async fn check_virtual_address(cluster: &Cluster, recorder: &Recorder<'_>) {
    let Some(server) = &cluster.virtual_server else {
        return;
    };
    let start = Instant::now();
    let ready = cluster.ready(server).await;
    let expected = "`ok` for /readyz, with a certificate for this address";
    let mut row = judge_answer(&check::API_VIRTUAL_ADDRESS, Scope::Cluster, expected, &ready);
    row.seconds = start.elapsed().as_secs_f64();
    recorder.record(row);
}

async fn check_server<'c>(
    cluster: &Cluster,
    server: &'c Server,
    recorder: &Recorder<'_>,
) -> Option<&'c Server> {
    let scope = || Scope::host(&server.host);
    let start = Instant::now();
    let (ready, certificate) = tokio::join!(cluster.ready(server), read_certificate(cluster, server));
    let mut row = judge_answer(&check::API_READY, scope(), "`ok` for /readyz", &ready);
    row.seconds = start.elapsed().as_secs_f64();
    recorder.record(row);
    let mut row = judge_certificate(scope(), certificate, Timestamp::now());
    row.seconds = start.elapsed().as_secs_f64();
    recorder.record(row);
    ready.ok()?;
    let start = Instant::now();
    let access = cluster.access(server).await;
    let mut row = judge_answer(&check::API_ACCESS, scope(), "the list of nodes", &access);
    row.seconds = start.elapsed().as_secs_f64();
    recorder.record(row);
    access.is_ok().then_some(server)
}

/// A row on something that was asked of an API server.
fn judge_answer(check: &Check, scope: Scope, expected: &str, answer: &Result<(), KubeError>) -> Row {
    match answer.as_ref().map_err(reach_of) {
        Ok(()) => check.passed(scope),
        Err(Reach::Wrong(found)) => check.failed(scope, expected, found, vec![]),
        Err(Reach::Silent(reason)) => check.could_not_tell(scope, reason),
    }
}

/// Verifies that the cluster is what the site declares, and that it does what a cluster is for.
///
/// Reading and proving run at the same time; `sink` is told of each row as it finishes. Whatever is made is
/// removed before this returns, also when `stop` is cancelled: the report then holds the rows until that moment.
/// If the future itself is dropped, the next verification removes what is left.
pub async fn verify(
    cluster: &Cluster,
    expected: &Expected,
    options: &VerifyOptions,
    hosts: &dyn HostFetch,
    stop: &CancellationToken,
    sink: RowSink<'_>,
) -> Report {
    let (start, started) = (Instant::now(), Timestamp::now());
    let recorder = Recorder::new(sink);
    for row in &options.host_rows {
        recorder.record(row.clone());
    }
    let server = tokio::select! {
        server = check_servers(cluster, &recorder) => server,
        () = stop.cancelled() => None,
    };
    if let Some(server) = server {
        prove(cluster, &server.client, expected, options, hosts, stop, &recorder).await;
    } else if !stop.is_cancelled() {
        record_unreachable(&recorder);
    }
    let mut report = new_report(expected, started, recorder.into_rows());
    report.seconds = start.elapsed().as_secs_f64();
    report.stopped = stop.is_cancelled();
    report
}

async fn prove(
    cluster: &Cluster,
    client: &Client,
    expected: &Expected,
    options: &VerifyOptions,
    hosts: &dyn HostFetch,
    stop: &CancellationToken,
    recorder: &Recorder<'_>,
) {
    let who = (&options.image, options.holder.as_str());
    let proof = Proof::new(cluster, client, expected, who, hosts, recorder);
    let settling = Settling {
        patience: cluster.patient(options.settle),
        quiet: cluster.patient(options.settle.min(QUIET)),
    };
    let (settled, is_settled) = oneshot::channel();
    let reading = async {
        survey(client, expected, recorder, cluster.call_deadline(), settling).await;
        // Nobody waits for it any more if the proof came to an early end.
        let _ = settled.send(());
    };
    let proving = proof.run(async {
        let _ = is_settled.await;
    });
    let others = tokio::select! {
        ((), others) = async { tokio::join!(reading, proving) } => others,
        () = stop.cancelled() => None,
    };
    proof.end(others).await;
}

/// One row for each part of the verification that needs the API server.
pub(crate) fn record_unreachable(recorder: &Recorder<'_>) {
    let parts: [&Check; 4] = [
        &check::NODE_SET,
        &check::SYSTEM_PODS,
        &check::WORKLOAD_REPLICAS,
        &check::POLICY_DENY,
    ];
    for check in parts {
        recorder.record(check.could_not_tell(
            Scope::Cluster,
            "no API server can be used, see api.ready and api.access",
        ));
    }
}

/// A report of these rows, with the time and the verdict of its end still to be set.
pub(crate) fn new_report(expected: &Expected, started: Timestamp, rows: Vec<Row>) -> Report {
    Report {
        site: expected.site.clone(),
        release: expected.release.clone(),
        started: format!("{started:.0}"),
        seconds: 0.0,
        stopped: false,
        warnings: expected.warnings.clone(),
        notes: Vec::new(),
        rows,
    }
}

#[cfg(test)]
mod tests {
    use iec_core::report::Outcome;

    use super::*;

    #[test]
    fn an_answer_that_is_certainly_wrong_fails_and_silence_is_not_known() {
        let api = |source| KubeError::Api {
            what: "asking".into(),
            source: Box::new(source),
        };
        let denied = kube::core::Status::failure("forbidden", "Forbidden").with_code(403);
        let judge = |answer| judge_answer(&check::API_ACCESS, Scope::Cluster, "the list", &answer).outcome;
        assert_eq!(judge(Ok(())), Outcome::Passed);
        let refused = judge(Err(api(kube::Error::Api(Box::new(denied)))));
        assert!(matches!(refused, Outcome::Failed(failure) if failure.found.contains("forbidden")));
        let silent = KubeError::Deadline {
            what: "asking".into(),
            deadline: Duration::from_secs(9),
        };
        assert!(matches!(judge(Err(silent)), Outcome::CouldNotTell { .. }));
    }
}
