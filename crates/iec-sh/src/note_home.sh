# iec_note_home: what somebody else has in this folder, which may be a disk of its own, and whose the folder is. Once.
# What a method puts there before the first step (content, secrets, the script itself) is IEC's.
iec_note_home() {
  [ ! -e "$iec_journal" ] && [ ! -e "$iec_home/before/home" ] || return 0
  iec_note=$iec_home/before/home
  : >"$iec_note.like" && chown --reference="$iec_home" "$iec_note.like" && chmod --reference="$iec_home" "$iec_note.like" &&
    find -H "$iec_home" -mindepth 1 -maxdepth 1 ! -name before ! -name incoming ! -name output ! -name store ! -name lock \
      ! -name carried.sh ! -name 'journal.*' -fprint0 "$iec_note.part" && sort -z -o "$iec_note.part" "$iec_note.part" &&
    sync "$iec_note.like" "$iec_note.part" && mv -f "$iec_note.part" "$iec_note" && sync "$iec_home/before"
}
