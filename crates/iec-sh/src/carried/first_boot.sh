# What a first boot does. $1: the host's name; $2: whether its secrets are "sealed" or "plain"; the rest is for its script.
name=$1 secrets=$2
shift 2
mkdir -p /run/iec/seed /run/iec/phrase
mount -o ro,nosuid,nodev,noexec LABEL=CIDATA /run/iec/seed || exit
if [ "$secrets" = sealed ]; then
  mount -o ro,nosuid,nodev,noexec LABEL=IEC-PHRASE /run/iec/phrase
  set -- "$@" --passphrase-file /run/iec/phrase/passphrase
fi
/bin/sh "/run/iec/seed/install-$name.sh" --secrets /run/iec/seed "$@"
code=$?
[ "$secrets" = plain ] || umount /run/iec/phrase
umount /run/iec/seed
# What cloud-init says of this boot is what came of the installation.
exit "$code"
