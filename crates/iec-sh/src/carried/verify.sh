# Looks at this host, and changes nothing: the checks of all steps, its node, and a service from here.
carry_see() {
  carry_end=4 carry_good=0 carry_bad=0 carry_dark=0 carry_tab='	'
  while IFS="$carry_tab" read -r carry_tag carry_event carry_a carry_b carry_c carry_d; do
    [ "$carry_tag" = iec ] || continue
    case $carry_event:$carry_b in
      observed:done) carry_good=$((carry_good + 1)) ;;
      observed:*)
        carry_title "$carry_a"
        if [ "$carry_b" = unknown ]; then carry_dark=$((carry_dark + 1)); else carry_bad=$((carry_bad + 1)); fi
        printf '  %-8s %s (%s)\n' "$carry_b" "$carry_text" "$carry_a"
        printf '%s' "$carry_d" | base64 -d | sed 's/^/             /' ;;
      end:*) carry_end=$carry_a ;;
    esac
  done
  printf '  %-8s %s steps are as the plan says\n' passed "$carry_good"
  [ "$carry_end" -eq 0 ] && [ "$carry_dark" -eq 0 ] || exit 4
  [ "$carry_bad" -eq 0 ] || exit 3
}

carry_node() {
  kubectl --kubeconfig /etc/kubernetes/kubelet.conf --request-timeout=10s "$@" 2>&1
}

# carry_row TITLE RIGHT-ANSWER ANSWER
carry_row() {
  case $3 in
    "$2") printf '  %-8s %s\n' passed "$1" ;;
    *) printf '  %-8s %s: %s\n' failed "$1" "$3"; carry_result=3 ;;
  esac
}

carry_verify() {
  case ${1-} in
    '') ;;
    --help | -h) printf 'Looks at host %s of site %s, and changes nothing.\n' "$carry_host" "$carry_site"; exit 0 ;;
    *) carry_refuse 1 IEC0900 "there is no option $1" 'see --help' ;;
  esac
  carry_as_root
  carry_right_host
  ( carry_runner ) | ( carry_see )
  carry_result=$?
  [ "$carry_result" -ne 4 ] || carry_refuse 4 IEC4003 'some steps could not tell'
  carry_direct
  KUBECACHEDIR=$carry_home/kube-cache
  export KUBECACHEDIR
  carry_row "node $carry_host is Ready" True \
    "$(carry_node get node "$carry_host" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')"
  carry_row "the service at $carry_service answers from here" ok \
    "$(carry_node --server "https://$carry_service" get --raw /readyz)"
  rm -rf "$KUBECACHEDIR"
  printf 'That is what this host can see by itself. Pods, names, policies, and every host with every other: iec verify\n'
  exit "$carry_result"
}
