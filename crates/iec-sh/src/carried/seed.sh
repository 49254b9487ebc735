# Installs this host from a medium of its own site, once: only one whose list is signed by the site, and only what is in the list.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
umask 077

# carry_stop CODE CAUSE NEXT
carry_stop() {
  printf 'error[%s]: %s\n  next: %s\n' "$1" "$2" "$3" >&2
  exit 1
}

# Whatever method installed this host, it waits for no medium any more.
carry_installed() {
  if [ -s "$carry_home/journal.jsonl" ]; then
    grep -q '"step":"finish\.forget","digest":"[0-9a-f]*","outcome":"\(changed\|adopted\)"' "$carry_home/journal.jsonl"
  else [ -e /etc/kubernetes/kubelet.conf ]
  fi
}

carry_retire() {
  systemctl disable iec-seed.service 2>/dev/null
  printf 'This host is installed: iec-seed.service is disabled.\n'
  exit 0
}

carry_signed() {
  for carry_file in manifest manifest.sig; do
    [ -f "$carry_medium/$carry_file" ] && head -c 16777216 <"$carry_medium/$carry_file" >"$carry_own/$carry_file" || return
  done
  printf 'site %s\n' "$carry_key" >"$carry_own/signers"
  ssh-keygen -Y verify -f "$carry_own/signers" -I site -n iec-seed -s "$carry_own/manifest.sig" <"$carry_own/manifest" >/dev/null 2>&1
}

carry_clean() {
  umount "$carry_medium" 2>/dev/null
  rm -rf "$carry_own"
}

carry_seed() {
  case ${1-} in
    '') ;;
    *) printf 'Installs this host from the medium %s of site %s. It takes no options.\n' "$carry_label" "$carry_site"; exit 0 ;;
  esac
  [ "$(id -u)" = 0 ] || carry_stop IEC1709 'this script must be started as root' "sudo sh $0"
  if carry_installed; then carry_retire; fi
  command -v ssh-keygen >/dev/null ||
    carry_stop IEC3936 'there is no ssh-keygen on this host, which tells whose a medium is' 'put openssh-client into the image'
  mkdir -p /run/iec
  carry_own=/run/iec/seed-own carry_medium=/run/iec/seed
  rm -rf "$carry_own"
  mkdir "$carry_own" && mkdir -p "$carry_medium" || exit
  trap carry_clean EXIT
  carry_device=/dev/disk/by-label/$carry_label
  [ -e "$carry_device" ] || carry_device=$(blkid -L "$carry_label" 2>/dev/null)
  mount -o ro,nosuid,nodev,noexec "${carry_device:-/nowhere}" "$carry_medium" ||
    carry_stop IEC2909 "no medium with the label $carry_label can be mounted" 'attach the medium, and start the host again'
  carry_signed || carry_stop IEC3935 "the medium is none that was made for site $carry_site" \
    'take it away, and attach one that was rendered with the secrets of this site; nothing of it was run'
  carry_bring autorun.sh "$carry_medium" ||
    carry_stop IEC3937 'autorun.sh on the medium is not what its signed list says' 'copy the folder to the medium again'
  /bin/sh "$carry_own/autorun.sh" --signed "$carry_medium" || exit
  carry_retire
}
