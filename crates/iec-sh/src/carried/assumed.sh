# Before the first change only: afterwards the host is what its steps have made of it.
carry_as_assumed() {
  carry_known admission.mark "$carry_mark" "$carry_home/journal.jsonl" && return
  carry_wrong=''
  carry_ask_assumed
  [ -z "$carry_wrong" ] && return
  carry_refuse 1 IEC1706 "what was assumed of this host is $carry_wrong" \
    'iec check --probe --facts-out facts.json asks the host; render again with --facts facts.json'
}
