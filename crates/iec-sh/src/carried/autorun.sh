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

# carry_own_files MEDIUM: the files of this host, each compared with the signed list.
carry_own_files() {
  carry_bring "install-$carry_host.sh" "$1" || return
  for carry_file in "secrets-$carry_host" "secrets-$carry_host.enc"; do
    if grep -q "^[0-9a-f]*  $carry_file\$" "$carry_own/manifest"; then carry_bring "$carry_file" "$1" || return; fi
  done
}

carry_autorun() {
  case $0 in */*) carry_own=${0%/*} ;; *) carry_own=. ;; esac
  carry_from=$carry_own carry_signed=no
  # By iec-seed.service: this script lies in a folder that only root has, with the signed list, and the medium is elsewhere.
  if [ "${1-}" = --signed ]; then
    carry_from=$2 carry_signed=yes
    shift 2
  fi
  carry_host=''
  carry_find
  if [ -z "$carry_host" ]; then
    printf 'error[IEC1701]: site %s has no host with this machine-id, serial number or hardware address\n' "$carry_site" >&2
    printf '  evidence: %s %s %s\n' "$carry_id" "$carry_serial" "$carry_macs" >&2
    exit 1
  fi
  printf 'This is %s of site %s.\n' "$carry_host" "$carry_site"
  if [ "$carry_signed" = yes ] && ! carry_own_files "$carry_from"; then
    printf 'error[IEC3937]: %s: its files on the medium are not what their signed list says\n' "$carry_host" >&2
    printf '  next: copy the folder to the medium again\n' >&2
    exit 1
  fi
  set -- --from "$carry_from" --secrets "$carry_own" "$@"
  # The passphrase comes on a medium of its own, which does not travel with the secrets.
  if [ -e /dev/disk/by-label/IEC-PHRASE ]; then
    mkdir -p /run/iec/phrase
    mount -o ro,nosuid,nodev,noexec /dev/disk/by-label/IEC-PHRASE /run/iec/phrase && set -- "$@" --passphrase-file /run/iec/phrase/passphrase
  fi
  /bin/sh "$carry_own/install-$carry_host.sh" "$@" </dev/null
  carry_code=$?
  umount /run/iec/phrase 2>/dev/null
  exit "$carry_code"
}
