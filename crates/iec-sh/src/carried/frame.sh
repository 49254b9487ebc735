# What the carried scripts share: words for a person, refusals with their codes, and who this host is.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 022
# A terminal that goes away must not stop a host: it finishes its part alone.
trap '' HUP PIPE

carry_say() { printf '%s: %s\n' "$carry_host" "$1" 2>/dev/null; }

# carry_refuse EXIT-CODE CODE CAUSE [NEXT]
carry_refuse() {
  printf 'error[%s]: %s: %s\n' "$2" "$carry_host" "$3" >&2
  [ -z "${4-}" ] || printf '  next: %s\n' "$4" >&2
  exit "$1"
}

carry_as_root() {
  [ "$(id -u)" = 0 ] || carry_refuse 1 IEC1709 'this script must be started as root' "sudo sh $0"
}

# What is asked of the cluster is in the site, where no proxy leads.
carry_direct() {
  unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
}

# The host itself says who it is: a script may be carried to the wrong one.
carry_right_host() {
  carry_wrong=''
  carry_ask_identity
  [ -z "$carry_wrong" ] && return
  carry_refuse 1 IEC1701 "this is not the host that the script was rendered for: $carry_wrong" \
    "take the script to $carry_host; where this is $carry_host and was installed anew, render again"
}

# carry_ask WHAT EXIT-CODE: notes what is not as it should be.
carry_ask() { [ "$2" -eq 0 ] || carry_wrong="${carry_wrong:+$carry_wrong; }not so: $1"; }

# carry_known STEP DIGEST FILE: whether a journal has this very step as done.
carry_known() {
  grep -qF -e "\"step\":\"$1\",\"digest\":\"$2\",\"outcome\":\"changed\"" \
    -e "\"step\":\"$1\",\"digest\":\"$2\",\"outcome\":\"adopted\"" "$3" 2>/dev/null
}

# carry_seconds MILLISECONDS: seconds with one digit behind the point.
carry_seconds() { carry_time=$(($1 / 1000)).$(($1 % 1000 / 100)); }

# carry_failed STEP REASON EXIT-CODE OUTPUT: what a failed step means; sets carry_end where it is a refusal.
carry_failed() {
  carry_title "$1"
  carry_output=$(printf '%s' "$4" | base64 -d 2>/dev/null)
  case $2 in
    command) carry_code=IEC4001 carry_cause="$carry_text failed (exit code $3)" ;;
    effect) carry_code=IEC4002 carry_cause="$carry_text did not take effect" ;;
    journal) carry_code=IEC4004 carry_cause='its journal cannot be written' ;;
    *) carry_code=IEC4003 carry_cause="the check of \"$carry_text\" could not tell" ;;
  esac
  case $2:$carry_output in
    unknown:IEC[0-9][0-9][0-9][0-9]:*)
      carry_code=${carry_output%%:*} carry_refused=yes
      carry_cause="it may not be changed: ${carry_output#*: }"
      carry_output='' ;;
  esac
  printf 'error[%s]: %s: %s\n' "$carry_code" "$carry_host" "$carry_cause" >&2
  [ -z "$carry_output" ] || printf '%s\n' "$carry_output" | sed 's/^/    /' >&2
  printf '  step: %s\n' "$1" >&2
}

# carry_show: the runner's events for a person, or as they are; ends with the runner's own exit code.
carry_show() {
  carry_end=4 carry_refused='' carry_number=0 carry_failure='' carry_tab='	'
  while IFS="$carry_tab" read -r carry_tag carry_event carry_a carry_b carry_c carry_d; do
    [ "$carry_tag" = iec ] || continue
    if [ "$carry_raw" = yes ]; then
      printf 'iec\t%s\t%s\t%s\t%s\t%s\n' "$carry_event" "$carry_a" "$carry_b" "$carry_c" "$carry_d" 2>/dev/null
    fi
    case $carry_event in
      started)
        carry_title "$carry_a"
        [ "$carry_raw" = yes ] || [ ! -t 1 ] || printf '  ...        %s\r' "$carry_text" ;;
      changed | undone)
        carry_number=$((carry_number + 1))
        carry_title "$carry_a"
        carry_seconds "$carry_b"
        [ "$carry_raw" = yes ] || printf '  %-8s %s (%s s)\n' "$carry_event" "$carry_text" "$carry_time" 2>/dev/null ;;
      failed) carry_failure=$carry_a; [ "$carry_raw" = yes ] || carry_failed "$carry_a" "$carry_b" "$carry_c" "$carry_d" ;;
      locked)
        printf 'error[IEC4006]: %s: somebody else works on this host: %s\n' "$carry_host" \
          "$(printf '%s' "$carry_a" | base64 -d)" >&2 ;;
      stopped) printf 'stopped[IEC4007]: %s: stopped before %s\n' "$carry_host" "$carry_a" >&2 ;;
      end) carry_end=$carry_a ;;
    esac
  done
  [ -z "$carry_refused" ] || carry_end=1
  case $carry_failure in
    '') [ "$carry_end" -ne 0 ] || [ "$carry_raw" = yes ] || carry_say "$carry_number steps were done now, nothing is left to do" ;;
    content.store) carry_end=20 ;;
    *) case " $carry_secret_steps " in *" $carry_failure:"*) carry_end=21 ;; esac ;;
  esac
  exit "$carry_end"
}
