# Takes everything back by this host's own journal: what was done last first, each step by the text that was kept for it.
carry_usage() {
  cat <<USAGE
Takes back what was done on host $carry_host of site $carry_site, by the host's own journal.

  --yes         do not ask
  --releases    take back Helm releases only, while the cluster still runs
  --leave NODE  on a control plane: drain this node and take it out of the cluster, nothing else
  --events      print events for a program rather than lines for a person
USAGE
}

carry_arguments() {
  carry_yes=no carry_raw=no carry_only=everything carry_node=''
  while [ $# -gt 0 ]; do
    case $1 in
      --yes) carry_yes=yes ;;
      --releases) carry_only=releases ;;
      --leave)
        [ $# -ge 2 ] || carry_refuse 1 IEC0900 "$1 needs a value" 'see --help'
        carry_node=$2
        shift ;;
      --events) carry_raw=yes ;;
      --help | -h) carry_usage; exit 0 ;;
      *) carry_refuse 1 IEC0900 "there is no option $1" 'see --help' ;;
    esac
    shift
  done
}

# The journal's steps that were begun and not taken back since, as the functions and calls of a script.
# A line has `undo` last; a torn last line ends early and does not count.
carry_steps() {
  awk -v only="$carry_only" '
    function field(name, start, rest) {
      start = index($0, "\"" name "\":\"")
      if (!start) return ""
      rest = substr($0, start + length(name) + 4)
      return substr(rest, 1, index(rest, "\"") - 1)
    }
    function plain(text, out, place, next_one, code) {
      out = ""
      while (place = index(text, "\\")) {
        out = out substr(text, 1, place - 1)
        next_one = substr(text, place + 1, 1)
        text = substr(text, place + 2)
        if (next_one == "n") out = out "\n"
        else if (next_one == "t") out = out "\t"
        else if (next_one == "u") {
          code = 16 * (index("0123456789abcdef", substr(text, 3, 1)) - 1) + index("0123456789abcdef", substr(text, 4, 1)) - 1
          out = out sprintf("%c", code)
          text = substr(text, 5)
        } else out = out next_one
      }
      return out text
    }
    BEGIN { count = 0; number = 0 }
    !/}$/ { next }
    {
      step = field("step")
      if (step == "") next
      if (field("outcome") == "undone") {
        if (step in place_of) { delete order[place_of[step]]; delete place_of[step] }
        next
      }
      start = index($0, ",\"undo\":\"")
      if (!start) next
      if (!(step in place_of)) { order[++count] = step; place_of[step] = count }
      undo[step] = substr($0, start + 9, length($0) - start - 10)
    }
    END {
      for (place = count; place > 0; place--) {
        if (!(place in order)) continue
        step = order[place]
        if (only == "releases" && (step !~ /^helm\./ || step == "helm.program")) continue
        printf "iec_undo_%d() { :\n%s}\n", number, plain(undo[step])
        calls = calls "iec_undo " number " " step " stop\n"
        number++
      }
      printf "iec_lock\n%s", calls
      if (only != "releases") printf "iec_retire\n"
    }' "$carry_home/journal.jsonl"
}

carry_script() {
  carry_preamble
  printf 'iec_run=%s\n' "$carry_run"
  carry_steps
  printf 'iec_finish 0\n}\nmain </dev/null\n'
}

# A node leaves the cluster: its pods go elsewhere or end. A cluster that does not answer must not keep a host from being freed.
carry_leave() {
  carry_admin='kubectl --kubeconfig /etc/kubernetes/admin.conf'
  $carry_admin drain "$1" --ignore-daemonsets --delete-emptydir-data --force --timeout=30s
  $carry_admin delete node "$1" --ignore-not-found --timeout=30s
  exit 0
}

carry_undo() {
  carry_arguments "$@"
  carry_as_root
  carry_right_host
  [ -z "$carry_node" ] || carry_leave "$carry_node"
  if [ ! -s "$carry_home/journal.jsonl" ]; then
    carry_say 'nothing to take back: this host has no journal of IEC'
    exit 0
  fi
  if [ "$carry_yes" = no ]; then
    [ -t 0 ] || carry_refuse 1 IEC0905 'an answer is needed and nobody is there to give it' '--yes answers it beforehand'
    printf 'Take back everything that was done on %s? The data of the cluster on it will be gone. [y/N] ' "$carry_host"
    read -r carry_answer
    case $carry_answer in y | Y | yes) ;; *) carry_refuse 130 IEC0906 'the question was answered with no' ;; esac
  fi
  # The name under which this run is in the journal, and the retired journal is kept.
  carry_run=undo-$(date -u +%Y%m%d-%H%M%S)
  carry_script | /bin/sh -s | ( carry_show )
  carry_result=$?
  case $carry_result in 20 | 21) carry_result=2 ;; esac
  exit "$carry_result"
}
