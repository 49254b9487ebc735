# Run on a control plane by root: waits until so many nodes, so many control planes among them, and all system pods are Ready.
export KUBECONFIG=/etc/kubernetes/admin.conf
nodes=$1 control_planes=$2
# etcd, API server, controller manager and scheduler on each control plane, two CoreDNS, Calico's controllers; kube-proxy and
# Calico on each node.
pods=$((4 * control_planes + 3 + 2 * nodes))
until
    [ "$(kubectl get nodes --no-headers 2>/dev/null | awk '$2 == "Ready"' | wc -l)" = "$nodes" ] &&
        [ "$(kubectl -n kube-system get pods --no-headers 2>/dev/null |
            awk '{ split($2, ready, "/") } ready[1] == ready[2] && $3 == "Running"' | wc -l)" = "$pods" ]
do
    sleep 0.3
done
