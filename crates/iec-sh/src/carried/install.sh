# Installs this host: content and secrets to their places, then the very steps that `iec apply` runs.
carry_usage() {
  cat <<USAGE
Installs host $carry_host of site $carry_site, and goes on where it stopped when it is started again.

  --from FOLDER           where blobs and secrets are (default: the folder of this script)
  --secrets FOLDER        where the secrets are, if they are elsewhere (- for standard input)
  --medium LABEL          the same, on the medium with this file system label
  --url URL               where blobs are fetched from when the folder has none (- for standard input)
  --passphrase-file FILE  what opens the secrets, its first line (- for standard input; without it, it is asked for)
  --move                  take blobs out of the folder as soon as this host has them
  --events                print events for a program rather than lines for a person
  --needs                 print the digests of the blobs that this host lacks, with how many bytes of each it has, and do nothing
  --receive               take blobs from standard input: for each its digest and a place on a line, then its bytes from there

On standard input come first the URL, then the passphrase, then the secrets, as far as they are asked for there.
USAGE
}

carry_arguments() {
  case $0 in */*) carry_from=${0%/*} ;; *) carry_from=. ;; esac
  carry_url='' carry_phrase_file='' carry_move=no carry_raw=no carry_task=install carry_medium='' carry_secrets_from=''
  while [ $# -gt 0 ]; do
    case $1 in
      --from | --url | --passphrase-file | --medium | --secrets)
        [ $# -ge 2 ] || carry_refuse 1 IEC0900 "$1 needs a value" 'see --help'
        case $1 in
          --from) carry_from=$2 ;;
          --url) carry_url=${2%/} ;;
          --medium) carry_medium=$2 ;;
          --secrets) carry_secrets_from=$2 ;;
          *) carry_phrase_file=$2 ;;
        esac
        shift ;;
      --move) carry_move=yes ;;
      --events) carry_raw=yes ;;
      --needs | --receive) carry_task=${1#--} ;;
      --help | -h) carry_usage; exit 0 ;;
      *) carry_refuse 1 IEC0900 "there is no option $1" 'see --help' ;;
    esac
    shift
  done
  if [ "$carry_url" = - ]; then IFS= read -r carry_url; carry_url=${carry_url%/}; fi
  if [ -n "$carry_url" ] && ! carry_is_url "$carry_url"; then
    carry_refuse 1 IEC3933 'what --url names is no address of the web' 'give it as http://10.0.0.1/iec, without blanks, quotes or a query'
  fi
}

# A control plane that was taken back keeps its journal under another name: the site's credentials are retired with it.
# A worker may come again; whether its cluster is still the same, the cluster itself says.
carry_not_retired() {
  [ -z "$carry_api" ] || return 0
  for carry_file in "$carry_home"/journal.*.jsonl; do
    [ -r "$carry_file" ] || continue
    if carry_known admission.mark "$carry_mark" "$carry_file"; then
      carry_refuse 1 IEC1707 "site $carry_site was reset on this host since the script was rendered; its credentials are retired" \
        'render the site again, and take the new script here'
    fi
  done
}

# One script at a time prepares this host; the runner has a lock of its own, which `iec apply` shares.
carry_alone() {
  mkdir -p /run/iec
  exec 8>>/run/iec/script.lock
  flock -n 8 || carry_refuse 1 IEC4006 'a script prepares this host already'
  [ -e "$carry_home/lock" ] || return 0
  flock -n "$carry_home/lock" true ||
    carry_refuse 1 IEC4006 "somebody else works on this host: $(cat "$carry_home/lock")"
}

carry_mounted() {
  [ -n "$carry_medium" ] || return 0
  mkdir -p /run/iec/medium
  carry_device=/dev/disk/by-label/$carry_medium
  [ -e "$carry_device" ] || carry_device=$(blkid -L "$carry_medium" 2>/dev/null)
  mount -o ro,nosuid,nodev,noexec "${carry_device:-/nowhere}" /run/iec/medium 2>/dev/null ||
    carry_refuse 1 IEC2909 "no medium with the label $carry_medium can be mounted" 'attach the medium, and start the script again'
  carry_from=/run/iec/medium
}

# carry_toolbox: an empty folder for what this script itself runs or reads.
carry_toolbox() {
  carry_made
  carry_tools=$carry_home/incoming/tools
  rm -rf "$carry_tools"
  ( umask 077; mkdir "$carry_tools" )
}

# carry_stranger: whether the API takes the token for nobody's. The token is in a file, in no argument.
carry_stranger() {
  carry_file=$carry_home/incoming/secrets/kubeadm-join.yaml
  [ -f "$carry_file" ] || return 1
  ( umask 077; sed -n 's/^ *token: *//p' "$carry_file" >"$carry_tools/token" )
  cat >"$carry_tools/token.conf" <<CONFIG
apiVersion: v1
kind: Config
clusters: [{name: site, cluster: {server: "$carry_api", tls-server-name: "$carry_api_name", certificate-authority: "$carry_tools/ca.crt"}}]
users: [{name: host, user: {tokenFile: "$carry_tools/token"}}]
contexts: [{name: join, context: {cluster: site, user: host}}]
current-context: join
CONFIG
  carry_answer=$(carry_direct; HOME=$carry_tools "$carry_tools/kubectl" --kubeconfig "$carry_tools/token.conf" \
    --request-timeout=5s get --raw /version 2>&1)
  rm -f "$carry_tools/token" "$carry_tools/token.conf"
  case $carry_answer in *Unauthorized*) return 0 ;; *) return 1 ;; esac
}

# A worker asks the API, where there is one already, whether its token still opens the cluster.
carry_token() {
  if [ -z "$carry_api" ] || [ -s /etc/kubernetes/kubelet.conf ]; then return; fi
  carry_usable "$carry_kubectl" "$carry_kubectl_size"
  carry_toolbox
  cp -- "$carry_file" "$carry_tools/kubectl" && chmod 0755 "$carry_tools/kubectl" ||
    carry_refuse 2 IEC4005 'kubectl could not be stored' 'see whether the disk is full'
  printf '%s' "$carry_authority" >"$carry_tools/ca.crt"
  carry_tries=0 carry_strange=0
  while :; do
    # Anybody may read it; the API server takes these words for nobody's.
    carry_answer=$(carry_direct; HOME=$carry_tools "$carry_tools/kubectl" --server "$carry_api" \
      --tls-server-name "$carry_api_name" --certificate-authority "$carry_tools/ca.crt" --request-timeout=5s --username=anonymous --password=none \
      get --raw /api/v1/namespaces/kube-public/configmaps/cluster-info 2>&1)
    case $carry_answer in
      *"$carry_signature"*) break ;;
      *x509:*authority*)
        carry_refuse 1 IEC1707 "the cluster of site $carry_site has other credentials than this script: it was reset and made anew" \
          'render the site again, and take the new script here' ;;
      *'"kind":"ConfigMap"'*) ;;
      # Nobody there yet, or not ready to answer: the step that waits for it will see.
      *) break ;;
    esac
    carry_since=${carry_answer#*'"creationTimestamp":"'}
    carry_since=$(date -u -d "${carry_since%%\"*}" +%s 2>/dev/null || date +%s)
    # A cluster that has just come up signs within seconds, on a slow board within minutes; and it knows the tokens that it
    # began with before it answers at all, give or take a moment.
    if carry_stranger; then carry_strange=$((carry_strange + 1)); else carry_strange=0; fi
    if [ $(($(date +%s) - carry_since)) -gt 300 ] || [ "$carry_tries" -ge 100 ] || [ "$carry_strange" -ge 10 ]; then
      carry_refuse 1 IEC1708 'the token by which this host would join has expired' \
        'render the site again: that brings a new token, and the script of a control plane makes it known'
    fi
    carry_tries=$((carry_tries + 1))
    sleep 3
  done
  rm -rf "$carry_tools"
}

# Secrets are needed until every step that takes one is done.
carry_needs_secrets() {
  for carry_step in $carry_secret_steps; do
    carry_known "${carry_step%:*}" "${carry_step#*:}" "$carry_home/journal.jsonl" || return 0
  done
  return 1
}

# What is encrypted is opened with the host's own openssl, else with the bundle's, which is unpacked anew each time.
carry_opener() {
  carry_openssl=openssl
  command -v openssl >/dev/null && return
  carry_openssl=''
  [ -n "$carry_host_tools" ] || return
  carry_usable "$carry_host_tools" "$carry_host_tools_size"
  carry_toolbox
  tar -x -f "$carry_file" -C "$carry_tools" --no-same-owner && carry_openssl=$carry_tools/bin/openssl
}

carry_passphrase() {
  case $carry_phrase_file in
    -) IFS= read -r carry_phrase ;;
    '')
      if [ ! -t 0 ]; then
        carry_refuse 1 IEC3925 'the secrets are encrypted, and nobody is there to type the passphrase' \
          'name a file with --passphrase-file'
      fi
      printf 'Passphrase for the secrets of %s: ' "$carry_host" >/dev/tty
      stty -echo </dev/tty 2>/dev/null
      IFS= read -r carry_phrase </dev/tty
      stty echo </dev/tty 2>/dev/null
      printf '\n' >/dev/tty ;;
    *) IFS= read -r carry_phrase <"$carry_phrase_file" ;;
  esac
}

# carry_bring: the secrets as they were brought, and whether they are sealed.
carry_bring() {
  carry_file=${carry_secrets_from:-$carry_from}/secrets-$carry_host
  carry_sealed=no
  if [ "$carry_secrets_from" = - ]; then
    # Before them comes the passphrase; the shell takes no more of the input than its line.
    if [ "$carry_phrase_file" = - ]; then carry_sealed=yes; carry_passphrase; fi
    carry_lines=$(cat)
  elif [ -f "$carry_file.enc" ]; then carry_sealed=yes carry_lines=$(cat "$carry_file.enc")
  elif [ -f "$carry_file" ]; then carry_lines=$(cat "$carry_file")
  else
    carry_refuse 1 IEC3928 "the secrets of this host, secrets-$carry_host, are not in ${carry_secrets_from:-$carry_from}" \
      'put the file beside the script: it was rendered with it, unless --no-secrets was given'
  fi
}

# carry_unseal: opens the secrets; the first line inside is the digest of the rest.
carry_unseal() {
  carry_opener
  [ -n "$carry_openssl" ] && [ -n "$(command -v "$carry_openssl")" ] ||
    carry_refuse 1 IEC3926 'there is no openssl on this host to open its secrets with' \
      'apt-get install openssl, or render with --plain-secrets'
  [ -n "$carry_phrase" ] || carry_passphrase
  # The shell's own printf: no process has the passphrase or a secret among its arguments.
  carry_open=$(printf '%s\n' "$carry_phrase" | {
    exec 7<&0
    printf '%s\n' "$carry_lines" | "$carry_openssl" enc -d -aes-256-cbc -pbkdf2 -iter "$carry_iterations" \
      -md sha256 -base64 -pass fd:7 2>/dev/null
  })
  carry_code=$?
  carry_phrase=''
  carry_lines=${carry_open#*"
"}
  carry_sum=$(printf '%s\n' "$carry_lines" | sha256sum)
  if [ "$carry_code" -ne 0 ] || [ "${carry_sum%% *}" != "${carry_open%%"
"*}" ]; then
    carry_refuse 1 IEC3927 'the secrets do not open: another passphrase, or a damaged file' 'try the passphrase again'
  fi
  carry_open=''
}

# carry_secrets: one file each, readable by root only, until the last step takes them away.
carry_secrets() {
  carry_phrase=''
  carry_bring
  [ "$carry_sealed" = no ] || carry_unseal
  carry_made
  (
    umask 077
    mkdir -p "$carry_home/incoming/secrets" || exit 2
    printf '%s\n' "$carry_lines" | while read -r carry_name carry_content; do
      case $carry_name in */* | .*) exit 2 ;; esac
      printf '%s' "$carry_content" | base64 -d >"$carry_home/incoming/secrets/$carry_name" || exit 2
    done
  ) || carry_refuse 2 IEC4005 'the secrets could not be stored' 'see whether the disk is full, and whether the file is whole'
  carry_lines='' carry_placed=yes
}

# What must not stay when a run ends early; a runner that outlives this shell still needs it.
carry_clean() {
  if [ -d "$carry_home/incoming" ]; then
    flock -n "$carry_home/lock" rm -rf "$carry_home/incoming/secrets" "$carry_home/incoming/tools" 2>/dev/null
  fi
  [ "$0" != "$carry_home/carried.sh" ] || rm -f "$0"
  [ ! -t 0 ] || stty echo 2>/dev/null
  [ -z "$carry_medium" ] || umount /run/iec/medium 2>/dev/null
}

carry_run() { ( carry_runner ) 8>&- | ( carry_show ) 8>&-; }

carry_install() {
  carry_arguments "$@"
  carry_as_root
  carry_right_host
  carry_not_retired
  carry_as_assumed
  if [ "$carry_task" = needs ]; then carry_needed; exit 0; fi
  carry_alone
  [ "$carry_task" != receive ] || carry_receive
  trap carry_clean EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  carry_mounted
  carry_placed=no
  if carry_needs_secrets; then carry_secrets; fi
  carry_token
  carry_blobs carry_blob || exit
  carry_run
  carry_result=$?
  if [ "$carry_result" -eq 21 ] && [ "$carry_placed" = no ]; then
    # A file that was made from a secret is gone: with the secrets at hand its step can make it again.
    carry_secrets
    carry_run
    carry_result=$?
  fi
  case $carry_result in
    0) exit 0 ;;
    20 | 21) carry_result=2 ;;
  esac
  carry_say "start this script again to go on where it stopped; iec explain CODE says more about a code" >&2
  exit "$carry_result"
}
