# What containerd has: images and their content by digest, unpacked layers by chain id, and each layer's files by one digest.
set -e
ctr() { /usr/local/bin/ctr -n k8s.io "$@"; }
layers() { ctr snapshots ls | awk '$1 ~ /^sha256:/ { print $1, ($2 ~ /^sha256:/ ? $2 : "-") }' | sort; }
ctr images ls | awk 'NR > 1 { print "image", $1, $3 }' | sort
# Of an import an index stays for a while, to which no image leads.
for manifest in $(ctr images ls | awk 'NR > 1 { print $3 }' | sort -u); do
  for blob in "$manifest" $(ctr content get "$manifest" | grep -o 'sha256:[0-9a-f]*'); do
    printf 'content %s %s\n' "$blob" "$(ctr content get "$blob" | sha256sum)"
  done
done | sort -u
layers | sed 's/^/layer /'
layers | while read -r layer _; do
  # One command: nothing refers to the view, so containerd may remove it by itself at any moment after.
  mounts=$(ctr snapshots view --target /mnt iec-e2e "$layer")
  ctr snapshots rm iec-e2e 2>/dev/null || true
  folder=$(printf '%s\n' "$mounts" | grep -o '/var/lib/containerd/[^ :,"=]*/snapshots/[0-9]*/fs' | head -n 1)
  # The layer's own folder has the time at which it was unpacked.
  cd "$folder"
  find . -mindepth 1 -print0 | sort -z |
    tar -c -f - --null --no-recursion --numeric-owner --xattrs -T - \
      --pax-option=delete=atime,delete=ctime,exthdr.name=%d/%f | sha256sum | sed "s|^|files $layer |"
done
