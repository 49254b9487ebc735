# Installs, looks at or takes back a whole site over plain ssh, with the scripts beside this one.
carry_usage() {
  cat <<USAGE
Runs the scripts of site $carry_site on its hosts, over ssh.

  site.sh install         on all hosts at once; a second time goes on where the first stopped
  site.sh verify          on all hosts, one after the other
  site.sh undo            workers first, control planes last

  --passphrase-file FILE  what opens the secrets, its first line; without it, it is asked for once
  --identity FILE         the private key to log in with
  --ssh-config FILE       the configuration of ssh to use
  --url URL               where the hosts fetch blobs from, when there are none beside this script
  --yes                   do not ask before undo
USAGE
}

carry_stop() {
  printf 'error[%s]: %s\n' "$1" "$2" >&2
  [ -z "${3-}" ] || printf '  next: %s\n' "$3" >&2
  exit 1
}

carry_arguments() {
  carry_verb='' carry_phrase_file='' carry_identity='' carry_config='' carry_url='' carry_yes=no
  while [ $# -gt 0 ]; do
    case $1 in
      install | verify | undo) carry_verb=$1 ;;
      --passphrase-file | --identity | --ssh-config | --url)
        [ $# -ge 2 ] || carry_stop IEC0900 "$1 needs a value" 'see --help'
        case $1 in
          --passphrase-file) carry_phrase_file=$2 ;;
          --identity) carry_identity=$2 ;;
          --ssh-config) carry_config=$2 ;;
          *) carry_url=$2 ;;
        esac
        shift ;;
      --yes) carry_yes=yes ;;
      --help | -h) carry_usage; exit 0 ;;
      *) carry_stop IEC0900 "there is no option $1" 'see --help' ;;
    esac
    shift
  done
  [ -n "$carry_verb" ] || carry_stop IEC0900 'install, verify or undo is missing' 'see --help'
  if [ -n "$carry_url" ] && ! carry_is_url "$carry_url"; then
    carry_stop IEC3933 'what --url names is no address of the web' 'give it as http://10.0.0.1/iec, without blanks, quotes or a query'
  fi
  [ -n "$carry_identity" ] || carry_identity=$carry_site_identity
  case $0 in */*) carry_here=${0%/*} ;; *) carry_here=. ;; esac
}

# carry_ssh HOST COMMAND: runs a command line on a host, with its own address, account and pinned key.
carry_ssh() {
  carry_alias=$1
  carry_place "$1"
  carry_command=$2
  # Several hosts at once: a question of ssh could not be told from another one.
  set -- -o BatchMode=yes -o ConnectTimeout=15 -o ServerAliveInterval=15
  [ -z "$carry_config" ] || set -- "$@" -F "$carry_config"
  [ -z "$carry_identity" ] || set -- "$@" -i "$carry_identity"
  [ -z "$carry_port" ] || set -- "$@" -p "$carry_port"
  if [ -n "$carry_key" ]; then
    set -- "$@" -o "UserKnownHostsFile=$carry_temporary/known" -o GlobalKnownHostsFile=/dev/null \
      -o StrictHostKeyChecking=yes -o "HostKeyAlias=$carry_alias"
  fi
  # shellcheck disable=SC2029 # the command line is put together here, of constants
  ssh "$@" "$carry_user@$carry_address" "$carry_command"
}

# carry_root HOST COMMAND: runs a command line on a host with root's rights, which must not need a question.
carry_root() {
  carry_place "$1"
  if [ "$carry_user" = root ]; then carry_ssh "$1" "$2"; else carry_ssh "$1" "sudo -n $2"; fi
}

# carry_plain BEFORE: what a host printed, for a terminal: printable ASCII only, this before each line, and no more than a person
# could ever read.
carry_plain() { dd bs=4096 count=16384 2>/dev/null | LC_ALL=C sed -e 's/[^ -~	]/?/g' -e "s/^/$1/"; }

# carry_shown COMMAND...: shows what it prints that way; ends as it did.
carry_shown() {
  { "$@" 2>&1; printf '%s\n' "$?" >"$carry_temporary/ended"; } | carry_plain ''
  carry_code=$(cat "$carry_temporary/ended")
  [ "$carry_code" -ne 255 ] || carry_code=4
  return "$carry_code"
}

# carry_script HOST SCRIPT WORDS: runs a script of the host there. It goes over as the input of the shell: no file of it is
# on the host.
carry_script() { carry_root "$1" "/bin/sh -s -- $3" <"$carry_here/$2-$1.sh"; }

# carry_wanted HOST: what this host lacks of the blobs beside this script, with the place from where on: only what the host's
# script was rendered with counts, whatever the host says.
carry_wanted() {
  carry_said="
$carry_needs
"
  carry_contents "$1" | while read -r carry_hex carry_size; do
    case $carry_said in *"
$carry_hex "*) ;; *) continue ;; esac
    carry_at=${carry_said#*"
$carry_hex "}
    carry_at=${carry_at%%"
"*}
    case $carry_at in '' | 0* | *[!0-9]* | ????????????????*) carry_at=0 ;; esac
    carry_blob=$carry_here/blobs/sha256/$carry_hex
    if [ -f "$carry_blob" ] && [ "$(wc -c <"$carry_blob")" -eq "$carry_size" ] && [ "$carry_at" -lt "$carry_size" ]; then
      printf '%s %s\n' "$carry_hex" "$carry_at"
    fi
  done
}

# carry_sent: these blobs, each behind a line with its digest and the place from where on its bytes follow.
carry_sent() {
  while read -r carry_hex carry_at; do
    printf '%s %s\n' "$carry_hex" "$carry_at"
    tail -c "+$((carry_at + 1))" <"$carry_here/blobs/sha256/$carry_hex" || return
  done
  printf 'end\n'
}

# carry_carry HOST: takes the host's script and the blobs that it lacks to the host, into the folder that only root has. Its
# secrets come later, by a pipe: a file of them would stay wherever the connection ends.
carry_carry() {
  { carry_script "$1" install --needs; printf '%s\n' "$?" >"$carry_temporary/asked.$1"; } |
    head -c 1000000 >"$carry_temporary/needs.$1"
  carry_code=$(cat "$carry_temporary/asked.$1")
  [ "$carry_code" -eq 0 ] || return "$carry_code"
  carry_needs=$(cat "$carry_temporary/needs.$1")
  carry_root "$1" "/bin/sh -c 'umask 077 && mkdir -p $carry_home && cat >$carry_home/carried.sh'" <"$carry_here/install-$1.sh" || return
  carry_wanted "$1" >"$carry_temporary/wanted.$1"
  [ -s "$carry_temporary/wanted.$1" ] || return 0
  carry_sent <"$carry_temporary/wanted.$1" | carry_root "$1" "/bin/sh $carry_home/carried.sh --receive"
}

# The script takes itself away when it ends; here it is made sure for one that refused. Blobs stay: it may go on with them.
carry_tidy() { carry_root "$1" "/bin/sh -c 'rm -f $carry_home/carried.sh; rmdir $carry_home 2>/dev/null'" </dev/null; }

# carry_secrets HOST: what its script reads: where it fetches blobs, then the passphrase where its secrets are sealed, then they.
carry_secrets() {
  [ -z "$carry_url" ] || printf '%s\n' "$carry_url"
  if [ -f "$carry_here/secrets-$1.enc" ]; then
    # The shell's own printf: no process has the passphrase among its arguments.
    printf '%s\n' "$carry_phrase"
    cat -- "$carry_here/secrets-$1.enc"
  elif [ -f "$carry_here/secrets-$1" ]; then cat -- "$carry_here/secrets-$1"
  fi
}

carry_install_one() {
  carry_carry "$1"
  carry_code=$?
  if [ "$carry_code" -eq 0 ]; then
    carry_more=''
    [ -z "$carry_url" ] || carry_more=' --url -'
    if [ -f "$carry_here/secrets-$1.enc" ]; then carry_more="$carry_more --secrets - --passphrase-file -"
    elif [ -f "$carry_here/secrets-$1" ]; then carry_more="$carry_more --secrets -"
    fi
    carry_secrets "$1" | carry_root "$1" "/bin/sh $carry_home/carried.sh$carry_more"
    carry_code=$?
  fi
  if [ "$carry_code" -eq 255 ]; then carry_code=4; else carry_tidy "$1"; fi
  return "$carry_code"
}

# All at once: a host that waits for another one asks it by itself.
carry_install() {
  for carry_host in $carry_hosts; do
    (
      carry_install_one "$carry_host"
      printf '%s\n' "$?" >"$carry_temporary/ended.$carry_host"
    ) 2>&1 | carry_plain "$carry_host | " &
  done
  wait
  carry_result=0
  for carry_host in $carry_hosts; do
    carry_code=$(cat "$carry_temporary/ended.$carry_host" 2>/dev/null || echo 4)
    if [ "$carry_code" -eq 0 ]; then continue; fi
    printf '%s did not end well (exit code %s)\n' "$carry_host" "$carry_code" >&2
    [ "$carry_result" -ne 0 ] || carry_result=$carry_code
  done
  if [ "$carry_result" -eq 0 ]; then printf 'The hosts of site %s are installed. Next: site.sh verify\n' "$carry_site"
  else printf '  next: start site.sh install again to go on where it stopped\n' >&2
  fi
  exit "$carry_result"
}

carry_verify() {
  carry_result=0
  for carry_host in $carry_hosts; do
    printf '%s\n' "$carry_host"
    carry_shown carry_script "$carry_host" verify '' || carry_result=$carry_code
  done
  exit "$carry_result"
}

# The first that does not end well ends it: what runs on it would be lost without it.
carry_undo() {
  if [ "$carry_yes" = no ]; then
    [ -t 0 ] || carry_stop IEC0905 'an answer is needed and nobody is there to give it' '--yes answers it beforehand'
    printf 'Take the site %s back? Its cluster and its data will be gone. [y/N] ' "$carry_site"
    read -r carry_answer
    case $carry_answer in y | Y | yes) ;; *) exit 130 ;; esac
  fi
  for carry_host in $carry_hosts; do
    carry_shown carry_root "$carry_host" /bin/true </dev/null || carry_stop IEC1004 "$carry_host could not be reached"
  done
  carry_shown carry_script "$carry_first" undo '--yes --releases' || exit
  for carry_host in $carry_workers; do
    carry_shown carry_script "$carry_first" undo "--leave $carry_host"
    carry_shown carry_script "$carry_host" undo --yes || exit
  done
  for carry_host in $carry_control_planes; do
    carry_shown carry_script "$carry_host" undo --yes || exit
  done
  printf 'The site %s is taken back. Its secrets are of no use any more: remove them here too.\n' "$carry_site"
}

carry_ask_phrase() {
  carry_phrase='' carry_sealed=''
  for carry_host in $carry_hosts; do [ ! -f "$carry_here/secrets-$carry_host.enc" ] || carry_sealed=yes; done
  [ -n "$carry_sealed" ] || return 0
  if [ -n "$carry_phrase_file" ]; then IFS= read -r carry_phrase <"$carry_phrase_file"
  elif [ -t 0 ]; then
    printf 'Passphrase for the secrets: '
    stty -echo
    IFS= read -r carry_phrase
    stty echo
    printf '\n'
  fi
  [ -n "$carry_phrase" ] || carry_stop IEC3925 'the secrets are encrypted, and there is no passphrase' '--passphrase-file names a file that has it'
}

carry_clean() {
  rm -rf "$carry_temporary"
  [ ! -t 0 ] || stty echo 2>/dev/null
}

carry_site_main() {
  carry_arguments "$@"
  carry_temporary=$(mktemp -d) || exit 1
  trap carry_clean EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  for carry_host in $carry_hosts; do
    carry_place "$carry_host"
    [ -z "$carry_key" ] || printf '%s %s\n' "$carry_host" "$carry_key" >>"$carry_temporary/known"
  done
  case $carry_verb in
    install) carry_ask_phrase; carry_install ;;
    verify) carry_verify ;;
    undo) carry_undo ;;
  esac
}
