#!/bin/sh
# Starts calico-node's programs in the order that Calico expects, and ends when one of them ends, so that the kubelet
# restarts the container instead of leaving it half alive.

backend=${CALICO_NETWORKING_BACKEND:-bird}
case $backend in
vxlan | none) ;;
*)
	echo "start-calico-node: this image has no BGP daemon: CALICO_NETWORKING_BACKEND must be vxlan or none, not $backend" >&2
	exit 1
	;;
esac

calico-node -startup || exit 1
NODENAME=$(cat /var/lib/calico/nodename) || exit 1
export NODENAME
calico-node -allocate-tunnel-addrs -allocate-tunnel-addrs-run-once || exit 1

status=0
stop() {
	trap '' TERM INT
	# This is process 1 of its container: everything else is a program started below.
	kill -TERM -1 2>/dev/null
	wait
	exit "$status"
}
trap stop TERM INT
trap 'status=1; stop' USR1

# Felix has names of its own for what the other programs read.
felix() {
	export FELIX_FELIXHOSTNAME="$NODENAME"
	export FELIX_ETCDENDPOINTS="${ETCD_ENDPOINTS:-}"
	export FELIX_ETCDCAFILE="${ETCD_CA_CERT_FILE:-}"
	export FELIX_ETCDKEYFILE="${ETCD_KEY_FILE:-}"
	export FELIX_ETCDCERTFILE="${ETCD_CERT_FILE:-}"
	if [ -n "${DATASTORE_TYPE:-}" ]; then
		export FELIX_DATASTORETYPE="$DATASTORE_TYPE"
	fi
	calico-node -felix
}

run() {
	(
		trap - TERM INT USR1
		"$@"
		echo "start-calico-node: $* ended with status $?" >&2
		kill -USR1 1
	) &
}

if [ -z "${CALICO_DISABLE_FELIX:-}" ]; then
	run felix
fi
if [ "$backend" != none ]; then
	run calico-node -monitor-addresses
fi
run calico-node -allocate-tunnel-addrs
run calico-node -status-reporter
if [ "${CALICO_MANAGE_CNI:-true}" != false ]; then
	run calico-node -monitor-token
fi
wait
