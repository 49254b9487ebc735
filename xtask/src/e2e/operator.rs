//! The operator's machine beside a real site: what a host says is not run there, and what was there before stays.

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;

use super::lab::Lab;
use super::machine::Machine;
use super::main_job::apply;
use super::refusals::Refusal;

/// A kubeconfig that somebody has beside IEC's, with a comment, a field that IEC does not know, and a context selected.
const OTHERS: &str = "\
# by hand
apiVersion: v1
kind: Config
clusters:
- name: office
  cluster: {server: 'https://office:6443'}   # behind the VPN
users:
- name: office
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: office-login}}
contexts:
- name: office
  context: {cluster: office, user: office}
current-context: office
x-own: 1
";

/// Calico's etcd gets certificates that end in a month, of its own authority.
const SHORT_CERTIFICATES: &str = "\
set -eu
pki=/etc/kubernetes/pki/calico-etcd
address=$(sed -n 's/.*--advertise-client-urls=https:..\\([0-9.]*\\):.*/\\1/p' /etc/kubernetes/manifests/calico-etcd.yaml)
configuration=/run/short.yaml
cat >$configuration <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {advertiseAddress: $address, bindPort: 6666}
nodeRegistration: {name: $(uname -n), criSocket: unix:///run/containerd/containerd.sock}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: $(kubeadm version -o short)
certificatesDir: $pki
encryptionAlgorithm: ECDSA-P256
certificateValidityPeriod: 720h0m0s
END
rm $pki/etcd/server.* $pki/apiserver-etcd-client.*
for phase in etcd-server apiserver-etcd-client; do kubeadm init phase certs $phase --config $configuration >&2; done
rm $configuration
! openssl x509 -noout -checkend 7776000 -in $pki/etcd/server.crt
";

/// They last a year again, and Calico on this host uses the new one.
const LONG_CERTIFICATES: &str = "\
set -eu
pki=/etc/kubernetes/pki/calico-etcd
for file in etcd/server apiserver-etcd-client; do openssl x509 -noout -checkend 30000000 -in $pki/$file.crt; done
cmp $pki/apiserver-etcd-client.crt /etc/cni/net.d/calico-tls/etcd-cert
";

/// A host whose kubeconfig names a program to run is asked for its state: the program does not run here, the state is told
/// all the same, and with it that the kubeconfig has lost its certificate. The kubeconfig of an administrator whom no rule binds is not on the host at all.
pub(super) fn nothing_of_a_host_is_run(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let ran = lab.site.with_file_name("ran-by-a-host");
    let host = &lab.hosts[0];
    let script = format!(
        "set -eu\n\
         [ ! -e /etc/kubernetes/super-admin.conf ]\n\
         cp -a /etc/kubernetes/admin.conf /root/admin.conf.kept\n\
         sed -i 's|^    client-certificate-data:.*|    exec: {{apiVersion: client.authentication.k8s.io/v1, \
         interactiveMode: Never, command: touch, args: [\"{0}\"]}}|; /client-key-data/d' /etc/kubernetes/admin.conf\n\
         grep -q 'command: touch' /etc/kubernetes/admin.conf\n",
        ran.display()
    );
    lab.run(host, &script, "")?;
    let ended = machine.iec("status-with-exec", &["status", lab.site(), "-o", "json"]);
    lab.run(host, "mv /root/admin.conf.kept /etc/kubernetes/admin.conf", "")?;
    let ended = ended?;
    ensure!(!ran.exists(), "a program that a host named was run here");
    let status = &ended.stdout;
    ensure!(
        ended.code == Some(3) && status.contains("IEC5012"),
        "the certificate that is missing is not told: exit code {:?}",
        ended.code
    );
    ensure!(
        status.contains("/etc/kubernetes/pki/apiserver.crt"),
        "status does not tell when certificates end"
    );
    Ok(())
}

/// Applies into a kubeconfig that has others' entries. Gives its path.
pub(super) fn entries_beside_others(lab: &Lab, machine: &Machine) -> anyhow::Result<PathBuf> {
    let path = lab.site.with_file_name("others.kubeconfig");
    fs::write(&path, OTHERS)?;
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let name = path.display().to_string();
    machine.iec_done(
        "apply-kubeconfig",
        &["apply", lab.site(), "--kubeconfig", &name, "-o", "json"],
    )?;
    let merged = fs::read_to_string(&path)?;
    for line in OTHERS.lines() {
        ensure!(merged.contains(line), "`{line}` is gone");
    }
    ensure!(merged.len() > OTHERS.len(), "nothing was added");
    Ok(path)
}

/// After a reset, others have what they had.
pub(super) fn others_have_theirs(path: &PathBuf) -> anyhow::Result<()> {
    let left = fs::read_to_string(path)?;
    ensure!(left == OTHERS, "the kubeconfig of others is changed:\n{left}");
    Ok(())
}

/// A control plane without its journal still has its cluster: the secrets stay.
pub(super) fn secrets_outlive_a_journal(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let host = &lab.hosts[0];
    lab.run(host, "mv /var/lib/iec/journal.jsonl /root/", "")?;
    let refusal = Refusal {
        exit: 1,
        code: "IEC3960",
        says: &["edge-1: the kubelet runs", "iec apply"],
    };
    let ended = machine.iec(
        "reset-without-journal",
        &["reset", lab.site(), "--yes", "-o", "json"],
    )?;
    refusal.is_met_by(&ended, &[])?;
    ensure!(
        lab.site.with_extension("secrets.yaml").exists(),
        "the secrets of a running cluster are gone"
    );
    lab.run(host, "mv /root/journal.jsonl /var/lib/iec/", "")
        .map(drop)
}

/// Certificates that end soon are issued anew by an apply, and used.
pub(super) fn certificates_are_renewed(lab: &Lab, machine: &Machine) -> anyhow::Result<()> {
    let host = &lab.hosts[0];
    lab.run(host, SHORT_CERTIFICATES, "")?;
    apply(machine, "apply-certificates", lab.site(), true)?;
    lab.run(host, LONG_CERTIFICATES, "")?;
    machine.iec_done("verify-certificates", &["verify", lab.site(), "-o", "json"])?;
    apply(machine, "apply-certificates-again", lab.site(), false)
}
