# What the owner of the host has laid out by hand: what the probe looks up in the sections `guards`, `software`, `resolver`.

# filters: the base chains of the packet filter before and through the host, with the last rule of each
filters() {
  within nft list chains | while read -r word rest; do
    case $word in
      table) table=${rest% \{} ;;
      chain) chain=${rest% \{} ;;
      type) case $rest in *' hook input '* | *' hook forward '*)
        # shellcheck disable=SC2086 # family and name are two words
        last=$(within nft list chain $table "$chain" | grep '^		' | tail -n 1)
        put filter "$table $chain|$rest|$last" ;;
      esac ;;
    esac
  done
  grep -qx filter /proc/net/ip_tables_names && has iptables-legacy-save && for chain in INPUT FORWARD; do
    within iptables-legacy-save -t filter | grep -E "^(:|-A )$chain " | sed -n '1p;$p' | tr '\n' '|' |
      sed "s/^/ip filter (iptables-legacy) $chain|/" | each filter
  done
}

# overrides: lines by which somebody replaces what units of IEC run, and arguments that somebody adds to the kubelet's
overrides() {
  for unit in containerd kubelet; do
    for folder in /etc/systemd /run/systemd /usr/local/lib/systemd /usr/lib/systemd; do
      for file in "$folder/system/$unit.service.d/"*.conf; do
        small "$file" && grep -E '^[[:space:]]*ExecStart[[:space:]]*=[[:space:]]*[^[:space:]]' "$file" |
          sed "s|^|$unit.service $file |" | each override
      done
    done
  done
  text /etc/default/kubelet | grep -E '^[[:space:]]*KUBELET_EXTRA_ARGS=' | each kubelet-arguments
}

# host_names: the names that /etc/hosts gives to addresses
host_names() { text /etc/hosts | grep -vE '^[[:space:]]*(#|$)' | each host-name; }
