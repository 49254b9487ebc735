//! Running a command in a pod over a WebSocket, with a deadline.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use crate::error::{KubeError, chain};

/// How much output is read at most; a probe prints a line of at most a few hundred bytes for each URL.
const OUTPUT_LIMIT: u64 = 4 * 1024 * 1024;

/// Runs `command` in the only container of `pod` and gives its standard output.
///
/// # Errors
/// It did not start, did not end in time, or ended with another exit code than 0.
pub(crate) async fn run(
    pods: &Api<Pod>,
    pod: &str,
    command: &[String],
    deadline: Duration,
) -> Result<String, KubeError> {
    let what = || format!("running a command in pod {pod}");
    match timeout(deadline, attached(pods, pod, command)).await {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(reason)) => Err(KubeError::Exec { what: what(), reason }),
        Err(_) => Err(KubeError::Deadline {
            what: what(),
            deadline,
        }),
    }
}

async fn attached(pods: &Api<Pod>, pod: &str, command: &[String]) -> Result<String, String> {
    let parameters = AttachParams::default().stdin(false).stdout(true).stderr(true);
    let mut process = pods
        .exec(pod, command, &parameters)
        .await
        .map_err(|error| chain(&error))?;
    let status = process.take_status();
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let (output, complaints) = tokio::join!(read(stdout), read(stderr));
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    process.join().await.map_err(|error| chain(&error))?;
    let (output, complaints) = (output?, complaints?);
    match status {
        Some(status) if status.status.as_deref() == Some("Success") => Ok(output),
        Some(status) => Err(format!("{}: {}", reason_of(&status), complaints.trim())),
        None => Err("the connection ended before the command did".to_owned()),
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> Result<String, String> {
    let Some(stream) = stream else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    stream
        .take(OUTPUT_LIMIT)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| chain(&error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn reason_of(status: &Status) -> String {
    status
        .message
        .clone()
        .or_else(|| status.reason.clone())
        .unwrap_or_else(|| "it failed".to_owned())
}
