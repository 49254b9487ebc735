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

# What begins a command line on a host: root's rights without a question.
carry_sudo() { if [ "$carry_user" = root ]; then carry_root=''; else carry_root='sudo -n '; fi; }

# carry_carry HOST: takes the host's scripts and the blobs that it lacks to the host. Its secrets come later, by a pipe: a
# file of them would stay wherever the connection ends.
carry_carry() {
  carry_place "$1"
  carry_sudo
  carry_names="install-$1.sh verify-$1.sh undo-$1.sh"
  carry_ssh "$1" "umask 077 && rm -rf $carry_remote && mkdir -p $carry_remote" </dev/null || return 4
  carry_needs=$(carry_ssh "$1" "${carry_root}/bin/sh -s -- --needs" <"$carry_here/install-$1.sh") || return 4
  for carry_hex in $carry_needs; do
    [ ! -f "$carry_here/blobs/sha256/$carry_hex" ] || carry_names="$carry_names blobs/sha256/$carry_hex"
  done
  # shellcheck disable=SC2086 # names of our own, without blanks
  tar -c -f - -C "$carry_here" $carry_names | carry_ssh "$1" "umask 077 && tar -x -f - -C $carry_remote" || return 4
}

# carry_on HOST SCRIPT ARGUMENTS: runs a script of the host there.
carry_on() {
  carry_place "$1"
  carry_sudo
  carry_ssh "$1" "${carry_root}/bin/sh $carry_remote/$2-$1.sh $3"
}

# The folder on the host goes when it was of use; a host that was cut off keeps it until the next time: no secret is in it.
carry_tidy() { carry_ssh "$1" "rm -rf $carry_remote" </dev/null; }

# carry_secrets HOST: what its script reads: its secrets, before them the passphrase where they are sealed.
carry_secrets() {
  if [ -f "$carry_here/secrets-$1.enc" ]; then
    # The shell's own printf: no process has the passphrase among its arguments.
    printf '%s\n' "$carry_phrase"
    cat -- "$carry_here/secrets-$1.enc"
  elif [ -f "$carry_here/secrets-$1" ]; then cat -- "$carry_here/secrets-$1"
  fi
}

carry_install_one() {
  carry_carry "$1" || return 4
  carry_more=--move
  [ -z "$carry_url" ] || carry_more="$carry_more --url $carry_url"
  if [ -f "$carry_here/secrets-$1.enc" ]; then carry_more="$carry_more --secrets - --passphrase-file -"
  elif [ -f "$carry_here/secrets-$1" ]; then carry_more="$carry_more --secrets -"
  fi
  carry_secrets "$1" | carry_on "$1" install "$carry_more"
  carry_code=$?
  [ "$carry_code" -ne 255 ] || carry_code=4
  [ "$carry_code" -eq 4 ] || carry_tidy "$1"
  return "$carry_code"
}

# All at once: a host that waits for another one asks it by itself.
carry_install() {
  for carry_host in $carry_hosts; do
    (
      carry_install_one "$carry_host"
      printf '%s\n' "$?" >"$carry_temporary/$carry_host"
    ) 2>&1 | sed "s/^/$carry_host | /" &
  done
  wait
  carry_result=0
  for carry_host in $carry_hosts; do
    carry_code=$(cat "$carry_temporary/$carry_host" 2>/dev/null || echo 4)
    if [ "$carry_code" -eq 0 ]; then continue; fi
    printf '%s did not end well (exit code %s)\n' "$carry_host" "$carry_code" >&2
    [ "$carry_result" -ne 0 ] || carry_result=$carry_code
  done
  if [ "$carry_result" -eq 0 ]; then printf 'The hosts of site %s are installed. Next: site.sh verify\n' "$carry_site"
  else printf '  next: start site.sh install again to go on where it stopped\n' >&2
  fi
  exit "$carry_result"
}

# carry_small HOST: takes only the scripts to the host.
carry_small() {
  carry_ssh "$1" "umask 077 && mkdir -p $carry_remote" </dev/null &&
    tar -c -f - -C "$carry_here" "verify-$1.sh" "undo-$1.sh" | carry_ssh "$1" "tar -x -f - -C $carry_remote"
}

carry_verify() {
  carry_result=0
  for carry_host in $carry_hosts; do
    printf '%s\n' "$carry_host"
    carry_small "$carry_host" && carry_on "$carry_host" verify '' </dev/null
    carry_code=$?
    [ "$carry_code" -ne 255 ] || carry_code=4
    carry_tidy "$carry_host"
    [ "$carry_code" -eq 0 ] || carry_result=$carry_code
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
  for carry_host in $carry_hosts; do carry_small "$carry_host" || carry_stop IEC1004 "$carry_host could not be reached"; done
  carry_on "$carry_first" undo '--yes --releases' </dev/null || exit
  for carry_host in $carry_workers; do
    carry_on "$carry_first" undo "--leave $carry_host" </dev/null
    carry_on "$carry_host" undo --yes </dev/null || exit
    carry_tidy "$carry_host"
  done
  for carry_host in $carry_control_planes; do
    carry_on "$carry_host" undo --yes </dev/null || exit
    carry_tidy "$carry_host"
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
