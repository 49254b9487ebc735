# Installs the host on which this medium is found: by machine-id, serial number or hardware address it knows which one.
carry_find() {
  carry_id=$(cat /etc/machine-id 2>/dev/null)
  carry_serial=$({ cat /sys/class/dmi/id/product_serial || tr -d '\0' </proc/device-tree/serial-number; } 2>/dev/null)
  carry_macs=$(cat /sys/class/net/*/address 2>/dev/null)
  carry_roles "$carry_id"
  [ -n "$carry_host" ] || carry_roles "$carry_serial"
  for carry_mac in $carry_macs; do
    [ -n "$carry_host" ] || carry_roles "$carry_mac"
  done
}

carry_autorun() {
  case $0 in */*) carry_from=${0%/*} ;; *) carry_from=. ;; esac
  carry_host=''
  carry_find
  if [ -z "$carry_host" ]; then
    printf 'error[IEC1701]: site %s has no host with this machine-id, serial number or hardware address\n' "$carry_site" >&2
    printf '  evidence: %s %s %s\n' "$carry_id" "$carry_serial" "$carry_macs" >&2
    exit 1
  fi
  printf 'This is %s of site %s.\n' "$carry_host" "$carry_site"
  set -- --from "$carry_from" "$@"
  # The passphrase comes on a medium of its own, which does not travel with the secrets.
  if [ -e /dev/disk/by-label/IEC-PHRASE ]; then
    mkdir -p /run/iec/phrase
    mount -o ro /dev/disk/by-label/IEC-PHRASE /run/iec/phrase && set -- "$@" --passphrase-file /run/iec/phrase/passphrase
  fi
  /bin/sh "$carry_from/install-$carry_host.sh" "$@" </dev/null
  carry_code=$?
  umount /run/iec/phrase 2>/dev/null
  exit "$carry_code"
}
