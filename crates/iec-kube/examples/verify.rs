//! Verifies a cluster from a shell: `verify SITE.YAML KUBECONFIG [status] [json] [slow=FACTOR] [stop=SECONDS]`.
//! Hosts are reached with the plain `ssh` program; `IEC_SSH_KNOWN_HOSTS` names its known_hosts file.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to its user"
)]

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use iec_core::reach::{self, HostAnswer, HostRequest};
use iec_core::release::Release;
use iec_core::report::{Report, Row};
use iec_core::site::Site;
use iec_kube::{Access, Cluster, Expected, HostFetch, Image, VerifyOptions, status, verify};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(1)
        }
    }
}

async fn run(words: &[String]) -> Result<u8, Box<dyn Error>> {
    let [site_file, kubeconfig, options @ ..] = words else {
        return Err("usage: verify SITE.YAML KUBECONFIG [status] [json] [slow=FACTOR] [stop=SECONDS]".into());
    };
    let has = |word: &str| options.iter().any(|option| option == word);
    let number = |name: &str| {
        options
            .iter()
            .find_map(|option| option.strip_prefix(name)?.parse::<f64>().ok())
    };
    let spec = iec_core::spec::parse(&std::fs::read_to_string(site_file)?, site_file)
        .map_err(|problems| format!("{problems:?}"))?;
    let (site, _) = iec_core::site::validate(&spec).map_err(|problems| format!("{problems:?}"))?;
    let release = Release::bundled(site.release())?;
    let expected = Expected::from_site(&site, &release);
    let access = Access {
        kubeconfig: std::fs::read_to_string(kubeconfig)?.into(),
        server_name: site.control_plane().endpoint().host().to_string(),
        slowness: number("slow=").unwrap_or(1.0),
    };
    let cluster = Cluster::new(&access, &expected).await?;
    let tell = |row: &Row| eprint!("{}", row.to_text());
    let report = if has("status") {
        let (state, report) = status(&cluster, &expected, &tell).await;
        println!("{}", serde_json::to_string_pretty(&state)?);
        report
    } else {
        let options = VerifyOptions {
            image: Image {
                reference: release
                    .image("nginx")
                    .ok_or("the release has no nginx")?
                    .to_owned(),
                may_pull: false,
            },
            holder: "example".to_owned(),
            settle: Duration::from_secs(15),
        };
        let stop = CancellationToken::new();
        if let Some(seconds) = number("stop=") {
            let stop = stop.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                stop.cancel();
            });
        }
        verify(&cluster, &expected, &options, &Ssh { site: &site }, &stop, &tell).await
    };
    print_report(&report, has("json"));
    Ok(report.verdict().exit_code())
}

fn print_report(report: &Report, json: bool) {
    if json {
        println!("{:#}", report.to_json());
    } else {
        println!("{}", report.to_text());
    }
}

struct Ssh<'s> {
    site: &'s Site,
}

impl HostFetch for Ssh<'_> {
    fn fetch<'a>(
        &'a self,
        host: &'a str,
        requests: &'a [HostRequest],
    ) -> Pin<Box<dyn Future<Output = Vec<HostAnswer>> + Send + 'a>> {
        Box::pin(async move {
            match self.run(host, requests).await {
                Ok(output) => reach::read(&output, requests.len()),
                Err(error) => {
                    vec![
                        HostAnswer::CouldNotTell {
                            reason: error.to_string()
                        };
                        requests.len()
                    ]
                }
            }
        })
    }
}

impl Ssh<'_> {
    async fn run(
        &self,
        host: &str,
        requests: &[HostRequest],
    ) -> Result<String, Box<dyn Error + Send + Sync>> {
        let host = self
            .site
            .hosts()
            .iter()
            .find(|each| *each.name() == host)
            .ok_or("unknown host")?;
        let access = self.site.access();
        let mut command = tokio::process::Command::new("ssh");
        command.args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]);
        if let Ok(known_hosts) = std::env::var("IEC_SSH_KNOWN_HOSTS") {
            command.args(["-o", &format!("UserKnownHostsFile={known_hosts}")]);
        }
        if let Some(identity) = access.identity() {
            command.args(["-i", identity]);
        }
        command
            .arg(format!("{}@{}", access.user(), host.address()))
            .arg("exec /bin/sh -s");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or("no stdin")?;
        stdin.write_all(reach::script(requests).as_bytes()).await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}
