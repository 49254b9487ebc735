# The IEC host runner: holds the host's lock, and for each step asks, keeps the journal, acts, and asks again.
# It prints one event a line on standard output: "iec", then fields, separated by tabs; free text as base64.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
# kubectl would leave its cache in root's home otherwise.
KUBECACHEDIR=$iec_home/kube-cache
export PATH LC_ALL KUBECACHEDIR
# Whatever a step asks is in the site, where no proxy leads; and kubeadm would write them into the static pods.
unset http_proxy https_proxy all_proxy no_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY
# An operator's broken link must not stop a host: it finishes its part alone.
trap '' HUP PIPE

iec_journal=$iec_home/journal.jsonl
iec_errors=/dev/null
iec_live=' '
# No step has this name; an empty list of patterns would leave nothing of the journal.
iec_asked='"step":"",
'

# The wish that this run may end, from whoever began it.
iec_stop=$iec_home/incoming/stop-$iec_run

# A wait sleeps between its questions: there it hears the wish to stop, and ends as no question does. While the former
# content of a file is kept, its change waits to be accepted: to end that wait would be to take the change for a wrong one.
sleep() {
  [ ! -e "$iec_stop" ] || [ -n "$(ls -A "$iec_home/former" 2>/dev/null)" ] || exit 130
  command sleep "$@"
}

iec_say() {
  iec_line=iec
  for iec_field in "$@"; do iec_line="$iec_line	$iec_field"; done
  printf '%s\n' "$iec_line" 2>/dev/null
}

iec_text() { printf '%s' "$1" | base64 -w0; }

# Centiseconds since boot.
iec_clock() {
  read -r iec_up iec_rest </proc/uptime
  iec_now=${iec_up%.*}${iec_up#*.}
}

# iec_once COMMAND …: whether it succeeds, found out once. A script that only looks asks those who may be away through it:
# each question to them would take as long as they are waited for.
iec_there='' iec_away=''
iec_once() {
  case $iec_there in *"<$*>"*) return 0 ;; esac
  case $iec_away in *"<$*>"*) return 1 ;; esac
  if "$@"; then iec_there="$iec_there<$*>"; else iec_away="$iec_away<$*>"; return 1; fi
}

# iec_answer EXIT-CODE NEEDED-CODES WHAT: counts the answer to one question of a check.
iec_answer() {
  case $1 in
    # A question without a "needed" only guards the step: its good answer is no part of the work.
    0) [ -z "$2" ] || iec_done=$((iec_done + 1)) ;;
    *)
      case " $2 " in
        *" $1 "*) iec_needed=$((iec_needed + 1)); iec_missing="$iec_missing$3
" ;;
        *) iec_unknown="$iec_unknown$3 (exit code $1)
" ;;
      esac ;;
  esac
}

# iec_check N: asks all questions of step N; the answer is in iec_state.
iec_check() {
  iec_done=0 iec_needed=0 iec_missing='' iec_unknown=''
  "iec_check_$1" 9>&-
  if [ -n "$iec_unknown" ]; then iec_state='unknown'
  elif [ "$iec_needed" -eq 0 ]; then iec_state='done'
  elif [ "$iec_done" -eq 0 ]; then iec_state=needed
  else iec_state=partial
  fi
}

# iec_known ID DIGEST: whether the journal has this very step as done.
iec_known() {
  case $iec_live in *" $1 $2 "*) return 0 ;; esac
  return 1
}

# iec_read_journal: the steps that the journal has as done and not taken back since, with their digests, in iec_live.
# A quotation mark separates the fields of a line; its names and values come in the order in which this script writes them.
iec_read_journal() {
  iec_live=' '
  [ -r "$iec_journal" ] || return 0
  iec_live=" $(awk -F '"' '
    $20 == "outcome" && ($22 == "changed" || $22 == "adopted") { live[$14] = $18 }
    $18 == "undone" { delete live[$14] }
    END { for (step in live) printf "%s %s ", step, live[step] }' "$iec_journal")"
}

# iec_leftovers: the lines of the journal about steps that were not asked for by now.
iec_leftovers() {
  [ -r "$iec_journal" ] || return 0
  iec_say journal "$(grep -vF -e "${iec_asked%
}" "$iec_journal" | base64 -w0)"
}

# iec_present ID PATH: what a file step would replace, for the difference that is shown to a person.
iec_present() {
  if [ -L "$2" ]; then iec_say present "$1" "$(iec_text "$2")" link "$(readlink -- "$2" | base64 -w0)"
  elif [ -f "$2" ]; then
    iec_size=$(stat -c %s -- "$2")
    if [ "$iec_size" -le 262144 ]; then
      iec_say present "$1" "$(iec_text "$2")" "$(stat -c '%a:%U:%G' -- "$2")" "$(base64 -w0 <"$2")"
    else iec_say present "$1" "$(iec_text "$2")" large "$iec_size"
    fi
  elif [ -e "$2" ]; then iec_say present "$1" "$(iec_text "$2")" other ''
  else iec_say present "$1" "$(iec_text "$2")" absent ''
  fi
}

# iec_observe N ID DIGEST
iec_observe() {
  iec_asked="$iec_asked\"step\":\"$2\",
"
  iec_check "$1"
  iec_recorded=new
  iec_known "$2" "$3" && iec_recorded=known
  case $iec_state in
    unknown) iec_say observed "$2" unknown "$iec_recorded" "$(iec_text "$iec_unknown")" ;;
    *) iec_say observed "$2" "$iec_state" "$iec_recorded" "$(iec_text "$iec_missing")" ;;
  esac
  [ "$iec_state" = 'done' ] || "iec_show_$1"
}

iec_finish() {
  iec_say end "$1"
  exit "$1"
}

# What follows changes a host.

# iec_record FIELDS [FIELDS]: appends one line to the journal and waits until the disk has it. The first line of a run says
# whose it is.
iec_record() {
  if ! { printf '{"v":1,"time":"%s","run":"%s",%s%s%s}\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$iec_run" "$1" \
    "$iec_by" "$2" >>"$iec_journal"; } 2>/dev/null ||
    ! sync "$iec_journal" "$iec_home" 2>/dev/null; then
    iec_say failed "$iec_id" journal 1 "$(iec_text "cannot write $iec_journal")"
    iec_finish 2
  fi
  iec_by=
}

# iec_heed ID: ends the run before this step where somebody wishes it.
iec_heed() {
  [ -e "$iec_stop" ] || return 0
  rm -f "$iec_stop"
  iec_say stopped "$1"
  iec_finish 130
}

# iec_step N ID DIGEST SENSITIVE TITLE UNDO COMMANDS WAY-BACK: one step, from question to outcome.
iec_step() {
  iec_id=$2
  iec_heed "$2"
  iec_errors=$iec_home/output/$2.check
  : >"$iec_errors"
  iec_clock; iec_began=$iec_now
  iec_check "$1"
  case $iec_state in
    done)
      if iec_known "$2" "$3"; then iec_say unchanged "$2"; else
        iec_record "\"step\":\"$2\",\"digest\":\"$3\",\"outcome\":\"adopted\"" "$8,\"title\":\"$5\",\"undo\":\"$6\""
        iec_say adopted "$2"
      fi
      rm -f "$iec_errors"
      return ;;
    unknown)
      iec_say failed "$2" unknown 4 "$(iec_text "$iec_unknown$(tail -c 2000 "$iec_errors")")"
      iec_finish 4 ;;
  esac
  iec_say started "$2" "$iec_state" "$(iec_text "$iec_missing")"
  iec_output=$iec_home/output/$2
  [ "$4" = sensitive ] && iec_output=/dev/null
  # What the undo goes by is on the disk before the journal says that there is something to undo.
  ( umask 022; "iec_keep_$1" ) >"$iec_output" 2>&1 9>&-
  iec_code=$?
  if [ "$iec_code" -eq 0 ]; then
    iec_record "\"step\":\"$2\",\"digest\":\"$3\",\"intent\":\"apply\"" "$8,\"commands\":\"$7\",\"title\":\"$5\",\"undo\":\"$6\""
    ( umask 022; "iec_apply_$1" ) >"$iec_output" 2>&1 9>&-
    iec_code=$?
  fi
  [ "$iec_code" -ne 130 ] || iec_heed "$2"
  : >"$iec_errors"
  [ "$iec_code" -eq 0 ] && iec_check "$1"
  iec_clock; iec_took=$(((iec_now - iec_began) * 10))
  if [ "$iec_code" -eq 0 ] && [ "$iec_state" = 'done' ]; then
    iec_record "\"step\":\"$2\",\"digest\":\"$3\",\"outcome\":\"changed\",\"milliseconds\":$iec_took"
    iec_say changed "$2" "$iec_took"
    rm -f "$iec_errors"
    return
  fi
  iec_tail=''
  [ "$4" = sensitive ] || iec_tail=$(tail -c 4000 "$iec_output")
  if [ "$iec_code" -eq 0 ]; then
    iec_reason=effect
    iec_tail="$iec_unknown$iec_missing$(tail -c 2000 "$iec_errors")
$iec_tail"
  else iec_reason='command'
  fi
  # What a program itself says is the reason; what was asked in vain is not.
  iec_tail="$iec_tail
$("iec_words_$1" 2>&1 9>&- | tail -c 3000)"
  iec_record "\"step\":\"$2\",\"digest\":\"$3\",\"outcome\":\"failed\",\"code\":$iec_code"
  iec_say failed "$2" "$iec_reason" "$iec_code" "$(iec_text "$iec_tail")"
  iec_finish 2
}

@NOTE_HOME@
# Takes the host's lock for the lifetime of this shell; no child inherits it.
iec_lock() {
  iec_id=lock
  if ! { ( umask 077; mkdir -p "$iec_home" ) && mkdir -p "$iec_home/before" && iec_note_home && chmod 0700 "$iec_home" &&
    ( umask 077; mkdir -p "$iec_home/incoming" ) && mkdir -p "$iec_home/output"; } 2>/dev/null ||
    ! { : >>"$iec_home/lock"; } 2>/dev/null; then
    iec_say failed lock journal 1 "$(iec_text "cannot write $iec_home")"
    iec_finish 2
  fi
  exec 9>>"$iec_home/lock"
  if ! flock -n 9; then
    iec_say locked "$(base64 -w0 <"$iec_home/lock")"
    iec_finish 1
  fi
  printf '%s\n' "$iec_owner" >"$iec_home/lock"
  sync "${iec_home%/*}" 2>/dev/null
  # A power cut may have torn the last line: what follows must not be read as a part of it.
  if [ -s "$iec_journal" ] && [ -n "$(tail -c 1 "$iec_journal")" ]; then
    printf '\n' >>"$iec_journal"
  fi
  iec_read_journal
}

# iec_undo N ID stop|go-on: takes one step back and records it. What is not there any more is taken back already.
iec_undo() {
  iec_id=$2
  iec_heed "$2"
  iec_clock; iec_began=$iec_now
  iec_say started "$2" 'done' ''
  ( umask 022; "iec_undo_$1" ) >"$iec_home/output/$2.undo" 2>&1 9>&-
  iec_code=$?
  iec_clock; iec_took=$(((iec_now - iec_began) * 10))
  if [ "$iec_code" -ne 0 ] && [ "$3" = stop ]; then
    iec_say failed "$2" command "$iec_code" "$(iec_text "$(tail -c 4000 "$iec_home/output/$2.undo")")"
    iec_finish 2
  fi
  # What was put back and taken away is so on the disk before the journal says it and the originals go.
  sync
  iec_record "\"step\":\"$2\",\"outcome\":\"undone\",\"milliseconds\":$iec_took,\"code\":$iec_code"
  # The next time is as the first: what is there then is kept anew.
  rm -rf "$iec_home/before/$2" "$iec_home/before/$2-mounted"
  iec_say undone "$2" "$iec_took"
}

# iec_retire: after the last step was taken back nothing of IEC is left but the journal, under the name of this run.
iec_retire() {
  iec_id=retire
  iec_record "\"step\":\"retire\",\"outcome\":\"undone\""
  mv -f "$iec_journal" "$iec_home/journal.$iec_run.jsonl"
  iec_note=$iec_home/before/home
  [ -e "$iec_note" ] || : >"$iec_note"
  find -H "$iec_home" -mindepth 1 -maxdepth 1 ! -name before ! -name lock ! -name 'journal.*' -print0 | sort -z |
    comm -z -23 - "$iec_note" | xargs -0 -r rm -rf --
  if [ -e "$iec_note.like" ]; then
    chown --reference="$iec_note.like" "$iec_home"; chmod --reference="$iec_note.like" "$iec_home"
  fi
  rm -rf "$iec_home/before"
  rm -f "$iec_home/lock"
}
