# The one way by which content comes to be used on this host: it is compared with its digest first, however it came.

# carry_is FILE HEX: whether a file is the blob of this digest.
carry_is() {
  carry_sum=$(sha256sum <"$1") 2>/dev/null || return 1
  [ "${carry_sum%% *}" = "$2" ]
}

# carry_length FILE: its length in bytes, 0 where there is none.
carry_length() { stat -L -c %s -- "$1" 2>/dev/null || printf '0\n'; }

# carry_stored HEX SIZE: whether the store has it. The first step of the content compares what the store has before any other
# step uses it.
carry_stored() { [ "$(carry_length "$carry_home/store/blobs/sha256/$1")" -eq "$2" ]; }

# The folder of what is on its way; the runner makes it the same.
carry_made() {
  if ! { mkdir -p "$carry_home" && chmod 0700 "$carry_home" && ( umask 077; mkdir -p "$carry_home/incoming" ); } 2>/dev/null; then
    carry_refuse 2 IEC4004 "$carry_home cannot be written"
  fi
}

# carry_bounded SIZE COMMAND...: runs a command that may write no file much longer than this.
carry_bounded() {
  (
    trap '' XFSZ
    ulimit -f $(($1 / 512 + 8))
    shift
    "$@"
  )
}

# carry_get URL FILE SIZE: one try with whatever the host has; it goes on behind what the file has. What went wrong is in
# carry_said, the exit code of a full disk in carry_full, and that of a server that has only whole files in carry_whole.
carry_get() {
  if command -v curl >/dev/null; then
    carry_full=23 carry_whole=33
    carry_said=$(carry_bounded "$3" curl -fsSL -g --proto '=http,https' --connect-timeout 30 --speed-limit 1 --speed-time 60 \
      -C - -o "$2" -- "$1" 2>&1)
  elif command -v wget >/dev/null; then
    carry_full=3 carry_whole=none
    carry_said=$(carry_bounded "$3" wget -nv -c -t 1 -T 60 -O "$2" -- "$1" 2>&1)
  else carry_refuse 1 IEC2909 'neither curl nor wget is on this host' 'apt-get install curl, or bring the blobs on a medium'
  fi
}

# carry_fetch URL FILE SIZE: goes on where an earlier try was cut, and gives up after ten tries in a row that brought nothing.
# It fails where the file cannot be written; what else can go wrong it says.
carry_fetch() {
  carry_tries=0
  while :; do
    carry_before=$(carry_length "$2")
    [ "$carry_before" -ne "$3" ] || return 0
    if [ "$carry_before" -gt "$3" ]; then rm -f "$2"; carry_before=0; fi
    carry_get "$1" "$2" "$3"
    carry_code=$?
    carry_after=$(carry_length "$2")
    if [ "$carry_after" -gt "$3" ]; then
      rm -f "$2"
      carry_refuse 1 IEC2910 "$1 is longer than it should be: it is not what this script was rendered with" 'render again, or put the right files there'
    fi
    [ "$carry_code" -ne 0 ] || return 0
    [ "$carry_code" -ne "$carry_full" ] || return 1
    if [ "$carry_after" -gt "$carry_before" ]; then carry_tries=0; else carry_tries=$((carry_tries + 1)); fi
    if [ "$carry_code" = "$carry_whole" ] || [ "$carry_tries" -eq 5 ]; then rm -f "$2"; fi
    [ "$carry_tries" -lt 10 ] || break
    sleep 3
  done
  # The last line is what the last try came to.
  carry_said=${carry_said##*"
"}
  carry_refuse 1 IEC2909 "$1 cannot be fetched: ${carry_said:-exit code $carry_code}" \
    'see whether --url leads to the folder that has blobs/sha256 in it, and whether this host reaches it'
}

# carry_keep PART HEX ORIGIN: takes a part that is the blob for it, and throws away what is not.
carry_keep() {
  if ! carry_is "$1" "$2"; then
    rm -f "$1"
    carry_refuse 1 IEC2910 "blob $2 from $3 is not what its name says: it was cut short or changed" 'copy the folder again'
  fi
  # Whoever brought it must not be able to change what root will run.
  chown 0:0 "$1" && chmod 0600 "$1" && mv -f -- "$1" "$carry_home/incoming/$2"
}

# carry_blob HEX SIZE: puts one blob where the first step of the content takes it from, whole or not at all.
carry_blob() {
  if [ -f "$carry_home/incoming/$1" ]; then
    carry_is "$carry_home/incoming/$1" "$1" && return
    rm -f "$carry_home/incoming/$1"
  fi
  ! carry_stored "$1" "$2" || return 0
  carry_made
  carry_part=$carry_home/incoming/$1.part
  carry_source=$carry_from/blobs/sha256/$1
  if [ -f "$carry_source" ]; then
    carry_origin=$carry_source
    # Copied although it may be moved: whoever holds it open could change it after it was compared.
    carry_bounded "$2" cp -- "$carry_source" "$carry_part" 2>/dev/null || [ "$(carry_length "$carry_part")" -ge "$2" ]
  elif [ -n "$carry_url" ]; then
    carry_origin=$carry_url/blobs/sha256/$1
    carry_begun=$(carry_length "$carry_part")
    carry_fetch "$carry_origin" "$carry_part" "$2" && if [ "$carry_begun" -gt 0 ] && ! carry_is "$carry_part" "$1"; then
      # What an earlier try left may be damaged; all of it anew is not.
      rm -f "$carry_part"
      carry_fetch "$carry_origin" "$carry_part" "$2"
    fi
  else
    carry_refuse 1 IEC2909 "blob $1 is not in $carry_from/blobs/sha256" \
      'start the script beside its blobs, or name their place with --from FOLDER or --url URL'
  fi || carry_refuse 2 IEC4005 "blob $1 could not be stored" 'see whether the disk is full; the script goes on where it stopped'
  carry_keep "$carry_part" "$1" "$carry_origin"
  [ "$carry_move" = no ] || rm -f -- "$carry_source"
}

# carry_usable HEX SIZE: the same, for what this script itself runs; carry_file is a file that was compared just now.
carry_usable() {
  carry_file=$carry_home/store/blobs/sha256/$1
  if [ -f "$carry_file" ]; then
    carry_is "$carry_file" "$1" && return
    rm -f "$carry_file"
  fi
  carry_blob "$1" "$2"
  carry_file=$carry_home/incoming/$1
}

# carry_blobs COMMAND: calls it with digest and size of each blob.
carry_blobs() {
  printf '%s\n' "$carry_blob_list" | while read -r carry_hex carry_size; do "$1" "$carry_hex" "$carry_size"; done
}

# carry_lacks HEX SIZE: says that the host has the blob neither in its store nor whole on its way, and how much of it is here.
carry_lacks() {
  ! carry_stored "$1" "$2" || return 0
  [ -f "$carry_home/incoming/$1" ] && carry_is "$carry_home/incoming/$1" "$1" && return
  carry_begun=$(carry_length "$carry_home/incoming/$1.part")
  [ "$carry_begun" -lt "$2" ] || carry_begun=0
  printf '%s %s\n' "$1" "$carry_begun"
}

# carry_needed: what is to be sent to this host, its tools for opening secrets among it where it has none.
carry_needed() {
  carry_blobs carry_lacks
  if [ -z "$carry_host_tools" ] || command -v openssl >/dev/null; then return; fi
  case "
$carry_blob_list
" in
    *"
$carry_host_tools "*) ;;
    *) carry_lacks "$carry_host_tools" "$carry_host_tools_size" ;;
  esac
}

# carry_take BYTES: exactly so many of standard input. dd reads what it is told and nothing ahead of it.
carry_take() {
  if [ $(($1 / 65536)) -gt 0 ]; then dd bs=65536 count=$(($1 / 65536)) iflag=fullblock 2>/dev/null || return; fi
  [ $(($1 % 65536)) -eq 0 ] || dd bs=$(($1 % 65536)) count=1 iflag=fullblock 2>/dev/null
}

# carry_receive: takes blobs from standard input, for each a line with its digest and the place from where on its bytes follow.
# What is cut stays as far as it came.
carry_receive() {
  carry_made
  carry_list="$carry_blob_list
$carry_host_tools $carry_host_tools_size"
  while read -r carry_hex carry_at; do
    [ "$carry_hex" != end ] || exit 0
    case $carry_hex:$carry_at in
      *[!0-9a-f:]* | :* | *:) carry_refuse 1 IEC3934 'what is sent is no blob of this host' ;;
    esac
    carry_size=$(printf '%s\n' "$carry_list" | sed -n "s/^$carry_hex //p" | head -n 1)
    [ -n "$carry_size" ] || carry_refuse 1 IEC3934 'what is sent is no blob of this host'
    carry_part=$carry_home/incoming/$carry_hex.part
    if [ "$carry_at" = 0 ]; then rm -f "$carry_part"; fi
    [ "$(carry_length "$carry_part")" = "$carry_at" ] && [ "$carry_at" -le "$carry_size" ] ||
      carry_refuse 1 IEC3934 "what is sent of blob $carry_hex does not begin where this host's part of it ends"
    carry_take $((carry_size - carry_at)) >>"$carry_part" ||
      carry_refuse 2 IEC4005 "blob $carry_hex could not be stored" 'see whether the disk is full; the script goes on where it stopped'
    [ "$(carry_length "$carry_part")" = "$carry_size" ] || exit 4
    carry_keep "$carry_part" "$carry_hex" 'whoever sent it'
  done
  exit 4
}
