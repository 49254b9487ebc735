# Prints every object of the cluster as one JSON list: run as root on a control plane. Events are left out: they tell
# what happened, not what is.
set -eu
KUBECONFIG=/etc/kubernetes/admin.conf
KUBECACHEDIR=$(mktemp -d)
export KUBECONFIG KUBECACHEDIR
trap 'rm -rf "$KUBECACHEDIR"' EXIT
kinds=$(kubectl api-resources --verbs=list --output=name | grep -v -e '^events' -e '^componentstatuses' | paste -sd, -)
kubectl get "$kinds" --all-namespaces --output=json
