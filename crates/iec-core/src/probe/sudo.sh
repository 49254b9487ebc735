# sudo_streams: puts a line for each stream that sudo does not lend to this script but passes on by itself, since a plugin
# of it wants to read along (log_input, log_output, log_stdin, …), and what on the host says so.
sudo_streams() {
  below='' top='' at=$$
  while [ "${at:-0}" -gt 1 ]; do
    if [ "$(cat "/proc/$at/comm")" = sudo ]; then top=$at
    elif [ -n "$top" ]; then break
    else below="$below
$(for file in "/proc/$at/fd/"*; do readlink "$file"; done)"
    fi
    at=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$at/status")
  done
  [ -n "$top" ] || return 0
  seen=''
  for stream in 0:reads 1:writes; do
    case "$below
" in *"
$(readlink "/proc/$top/fd/${stream%:*}")
"*) ;; *) seen=yes; put sudo-stream "${stream#*:}" ;; esac
  done
  [ -n "$seen" ] || return 0
  { timeout "$((2 * ${slowness:-1}))" sudo -n -l -U "${SUDO_USER:-root}" |
    grep -oiE '(!|NO)?LOG_(IN|OUT)PUT|(!|NO)?LOG_(STD|TTY)[A-Z]+'
    ! small /etc/sudo.conf || grep -HE '^[[:space:]]*Plugin[[:space:]]' /etc/sudo.conf
  } | sort -u | while IFS= read -r line; do put sudo-setting "$line"; done
}
