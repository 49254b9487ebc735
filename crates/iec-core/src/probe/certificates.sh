#!/bin/sh
# The certificates of a host: prints those that Kubernetes, etcd and Calico use there, and never a key.
#
# Answer: a line `iec-certificate FILE` before each, and `iec-certificates=end` at the end.
main() {
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C

# show FILE: the certificates in a file of the size that such files have; in a kubeconfig, the one to log in with
show() {
  [ -f "$1" ] && [ "$(stat -Lc %s "$1")" -le 65536 ] || return
  printf 'iec-certificate %s\n' "$1"
  case $1 in
    *.conf) sed -n 's/^ *client-certificate-data: *//p' "$1" | head -n 1 | base64 -d ;;
    *) sed -n '/^-----BEGIN CERTIFICATE-----$/,/^-----END CERTIFICATE-----$/p' "$1" ;;
  esac
  echo
}

pki=/etc/kubernetes/pki
for name in ca apiserver apiserver-kubelet-client apiserver-etcd-client front-proxy-ca front-proxy-client etcd/ca \
  etcd/server etcd/peer etcd/healthcheck-client calico-etcd/etcd/ca calico-etcd/etcd/server \
  calico-etcd/etcd/peer calico-etcd/apiserver-etcd-client; do
  show "$pki/$name.crt"
done
for name in admin controller-manager scheduler; do show "/etc/kubernetes/$name.conf"; done
show /var/lib/kubelet/pki/kubelet-client-current.pem
show /etc/cni/net.d/calico-tls/etcd-cert
echo iec-certificates=end
}
main </dev/null 2>/dev/null
