//! An API server with an etcd on loopback, with certificates of their own, for as long as the scenario runs.

use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::programs::Programs;
use crate::e2e::lab::output;
use crate::e2e::machine::Machine;

/// How long they may take to be ready.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running API server.
pub(super) struct ApiServer {
    kubectl: PathBuf,
    /// A folder with keys and data, which goes with the server.
    folder: PathBuf,
    port: u16,
    children: Vec<Child>,
}

impl ApiServer {
    /// Starts etcd and the API server, and waits until the latter is ready.
    ///
    /// # Errors
    /// When they cannot be started, or are not ready in time.
    pub(super) fn start(machine: &Machine, programs: &Programs) -> anyhow::Result<Self> {
        let folder = machine.logs.join("api-server");
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let [clients, peers, port] = ports()?;
        let mut server = Self {
            kubectl: programs.path("kubectl"),
            folder,
            port,
            children: Vec::new(),
        };
        server.certificates()?;
        server.etcd(machine, programs, clients, peers)?;
        server.api(machine, programs, clients)?;
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = output(server.kubectl().args(["get", "--raw", "/readyz"]), "") {
            machine.interrupt.check()?;
            if Instant::now() > deadline {
                bail!("the API server is not ready, see kube-apiserver.log: {error:#}");
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        Ok(server)
    }

    /// One authority for both programs and who asks them.
    fn certificates(&self) -> anyhow::Result<()> {
        let key = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ];
        let openssl = |words: &[&str]| {
            let mut openssl = Command::new("openssl");
            output(openssl.current_dir(&self.folder).args(words), "")
        };
        let request = |words: &[&str]| openssl(&[&["req", "-x509"], &key[..], words].concat());
        request(&["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=exports"])?;
        for (name, subject) in [("server", "/CN=server"), ("admin", "/O=system:masters/CN=admin")] {
            let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
            request(&[
                "-CA",
                "ca.crt",
                "-CAkey",
                "ca.key",
                "-keyout",
                &key,
                "-out",
                &certificate,
                "-subj",
                subject,
                "-addext",
                "subjectAltName=IP:127.0.0.1",
                "-addext",
                "extendedKeyUsage=serverAuth,clientAuth",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
            ])?;
        }
        openssl(&[
            "ecparam",
            "-name",
            "prime256v1",
            "-genkey",
            "-noout",
            "-out",
            "accounts.key",
        ])?;
        Ok(())
    }

    fn etcd(
        &mut self,
        machine: &Machine,
        programs: &Programs,
        clients: u16,
        peers: u16,
    ) -> anyhow::Result<()> {
        let (clients, peers) = (
            format!("https://127.0.0.1:{clients}"),
            format!("http://127.0.0.1:{peers}"),
        );
        let mut etcd = Command::new(programs.path("etcd"));
        etcd.args(["--name", "exports", "--data-dir", "data", "--unsafe-no-fsync"])
            .args([
                "--listen-client-urls",
                &clients,
                "--advertise-client-urls",
                &clients,
            ])
            .args([
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
            ])
            .args(["--initial-cluster", &format!("exports={peers}")])
            .args(["--cert-file", "server.crt", "--key-file", "server.key"])
            .args(["--client-cert-auth", "--trusted-ca-file", "ca.crt"]);
        self.spawn(machine, "etcd", etcd)
    }

    fn api(&mut self, machine: &Machine, programs: &Programs, clients: u16) -> anyhow::Result<()> {
        let mut api = Command::new(programs.path("kube-apiserver"));
        api.args(["--etcd-servers", &format!("https://127.0.0.1:{clients}")])
            .args([
                "--etcd-cafile",
                "ca.crt",
                "--etcd-certfile",
                "admin.crt",
                "--etcd-keyfile",
                "admin.key",
            ])
            .args(["--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"])
            .args([
                "--secure-port",
                &self.port.to_string(),
                "--client-ca-file",
                "ca.crt",
            ])
            .args([
                "--tls-cert-file",
                "server.crt",
                "--tls-private-key-file",
                "server.key",
            ])
            .args(["--service-account-key-file", "accounts.key"])
            .args(["--service-account-signing-key-file", "accounts.key"])
            // As kubeadm has it: Calico needs it.
            .arg("--allow-privileged=true")
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .args([
                "--service-cluster-ip-range",
                "10.96.0.0/16",
                "--authorization-mode",
                "RBAC",
            ])
            // No controller makes accounts for pods here, and nothing is reached by its service.
            .args([
                "--disable-admission-plugins",
                "ServiceAccount",
                "--endpoint-reconciler-type",
                "none",
            ]);
        self.spawn(machine, "kube-apiserver", api)
    }

    fn spawn(&mut self, machine: &Machine, name: &str, mut command: Command) -> anyhow::Result<()> {
        let log = File::create(machine.logs.join(format!("{name}.log")))?;
        let child = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{name} cannot be started"))?;
        self.children.push(child);
        Ok(())
    }

    fn kubectl(&self) -> Command {
        let file = |name: &str| self.folder.join(name);
        let mut kubectl = Command::new(&self.kubectl);
        kubectl
            .args(["--kubeconfig", "/dev/null"])
            .args(["--server", &format!("https://127.0.0.1:{}", self.port)])
            .arg("--certificate-authority")
            .arg(file("ca.crt"))
            .arg("--client-certificate")
            .arg(file("admin.crt"))
            .arg("--client-key")
            .arg(file("admin.key"))
            .arg("--cache-dir")
            .arg(file("cache"));
        kubectl
    }

    /// Applies the objects of a file or folder as they are: a field that their schema does not have is an error.
    ///
    /// # Errors
    /// When the server does not take one of them.
    pub(super) fn apply(&self, path: &Path, more: &[&str]) -> anyhow::Result<()> {
        let mut kubectl = self.kubectl();
        kubectl
            .args([
                "apply",
                "--server-side",
                "--force-conflicts",
                "--validate=strict",
                "--filename",
            ])
            .arg(path)
            .args(more);
        output(&mut kubectl, "").with_context(|| path.display().to_string())?;
        Ok(())
    }

    /// Waits until all kinds that were applied are served.
    ///
    /// # Errors
    /// When they are not in time.
    pub(super) fn wait_for_kinds(&self) -> anyhow::Result<()> {
        let words = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=60s",
        ];
        output(self.kubectl().args(words), "").map(drop)
    }

    /// Whether a kind of this name is served: `baremetalhosts.metal3.io`.
    pub(super) fn has_kind(&self, name: &str) -> bool {
        output(self.kubectl().args(["get", "crd", name]), "").is_ok()
    }

    /// The objects in a file, as JSON; nothing is changed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn parsed(&self, file: &Path) -> anyhow::Result<Vec<Value>> {
        let mut kubectl = self.kubectl();
        kubectl
            .args([
                "create",
                "--dry-run=client",
                "--validate=ignore",
                "--output",
                "json",
                "--filename",
            ])
            .arg(file);
        // Of several objects it prints one after the other, or a list.
        let text = output(&mut kubectl, "")?;
        let mut objects = Vec::new();
        for object in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let object = object?;
            match object["items"].as_array() {
                Some(items) => objects.extend(items.iter().cloned()),
                None => objects.push(object),
            }
        }
        Ok(objects)
    }

    /// The objects of a namespace that say what machines are told, and the hosts.
    ///
    /// # Errors
    /// When the server does not tell them.
    pub(super) fn objects(&self, namespace: &str) -> anyhow::Result<Vec<Value>> {
        let kinds = "kubeadmcontrolplanes,kubeadmconfigtemplates,baremetalhosts.metal3.io";
        let words = ["get", kinds, "--namespace", namespace, "--output", "json"];
        let list: Value = serde_json::from_str(&output(self.kubectl().args(words), "")?)?;
        let items = list["items"].as_array().cloned();
        items.context("the server gives no list")
    }

    /// A key of an object's data, if there is such an object.
    ///
    /// # Errors
    /// When the server does not tell.
    pub(super) fn text(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
        key: &str,
    ) -> anyhow::Result<Option<String>> {
        let words = [
            "get",
            kind,
            name,
            "--namespace",
            namespace,
            "--ignore-not-found",
            "--output",
            "json",
        ];
        let text = output(self.kubectl().args(words), "")?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        let object: Value = serde_json::from_str(&text)?;
        Ok(object["data"][key].as_str().map(str::to_owned))
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        // The API server first: without its etcd it would write its log full.
        for child in self.children.iter_mut().rev() {
            // It may have ended by itself, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Ports that nobody uses.
fn ports() -> anyhow::Result<[u16; 3]> {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(listeners) {
        *port = listener?.local_addr()?.port();
    }
    Ok(ports)
}
