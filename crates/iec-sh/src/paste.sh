# Once in each session on this host. It changes nothing on the host; sudo may ask for your password.
iec_folder=$HOME/@FOLDER@
if [ -n "${BASH_VERSION-}" ]; then
  # Pasted text is text: no history after a "!", no completion after a tab.
  set +H
  bind 'set disable-completion on' 2>/dev/null
fi
iec_sudo=
[ "$(id -u)" -eq 0 ] || { iec_sudo=sudo; sudo -v; }

# Runs commands as root, from its input, once the input is complete. $1: what comes before, $2: behind.
# Whatever a step asks is in the site, where no proxy leads.
iec_root() {
  { printf '%s\n' 'unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY' \
      "$1" 'iec_main() {' :; cat; printf '\n}\n%s\n' "$2"; } |
    $iec_sudo env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
      KUBECACHEDIR=@HOME@/kube-cache iec_folder="$iec_folder" sh
}

# iec_ask STEP: asks the questions of a step and says what is still to be done.
iec_ask() {
  iec_root '
    iec_to_do= iec_unknown=
    answer() {
      case $1 in
        0) ;;
        *)
          case " $2 " in
            *" $1 "*) iec_to_do="$iec_to_do
  not yet: $3" ;;
            *) iec_unknown="$iec_unknown
  not so, or nobody can tell (exit code $1): $3" ;;
          esac ;;
      esac
    }' '
    iec_main </dev/null >/dev/null 2>&1
    if [ -n "$iec_unknown" ]; then printf "%s\n" "Step '"$1"': STOP HERE.$iec_unknown"; exit 4; fi
    if [ -n "$iec_to_do" ]; then printf "%s\n" "Step '"$1"': to do.$iec_to_do"; exit 1; fi
    echo "Step '"$1"': done."'
}

# iec_do STEP [quiet]: runs the commands of a step, up to the first one that fails.
iec_do() {
  iec_shown=
  # The output of some commands may hold a secret.
  [ "${2-}" != quiet ] || iec_shown='>/dev/null 2>&1'
  if iec_root 'umask 022' "iec_main </dev/null $iec_shown"; then
    echo "Step $1: its commands have run. Ask again."
  else
    echo "Step $1: FAILED. STOP HERE."
    false
  fi
}

# iec_undo STEP: runs the commands that take a step back.
iec_undo() {
  if iec_root 'umask 022' 'iec_main </dev/null'; then
    echo "Step $1: taken back."
  else
    echo "Step $1: NOT taken back. STOP HERE."
    false
  fi
}

# iec_secrets STEP HOST: puts the host's secrets where its steps look for them. Nothing shows them.
iec_secrets() {
  iec_file=$iec_folder/secrets-$2
  if [ -f "$iec_file" ]; then cat <"$iec_file"
  else openssl enc -d -aes-256-cbc -pbkdf2 -iter @ITERATIONS@ -md sha256 -base64 -in "$iec_file.enc"
  fi | $iec_sudo sh -c '@UNPACK@' sh "$([ -f "$iec_file" ] && echo plain || echo sealed)"
  if [ $? -eq 0 ]; then
    echo "Step $1: done."
  else
    echo "Step $1: FAILED. STOP HERE."
    false
  fi
}
