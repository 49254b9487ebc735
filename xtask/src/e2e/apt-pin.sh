# Fails when apt would install a second one of what IEC has installed, were an archive to offer it; and when it would not do
# so without IEC's pin, because then this asks nothing.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
names='containerd containerd.io docker.io docker-ce runc kubelet kubeadm kubectl cri-tools kubernetes-cni'
mkdir -p "$folder/archive" "$folder/lists/partial" "$folder/cache/archives/partial"
for name in $names; do
  printf 'Package: %s\nVersion: 99\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: newer\n' "$name"
  printf 'Filename: ./%s.deb\nSize: 1\nSHA256: %064d\n\n' "$name" 0
done >"$folder/archive/Packages"
printf 'deb [trusted=yes] file:%s/archive ./\n' "$folder" >"$folder/sources.list"
set -- -o Dir::Etc::sourcelist="$folder/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$folder/lists" \
  -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root
apt-get "$@" -qq update
for name in $names; do
  if apt-get "$@" -s install "$name" >"$folder/said" 2>&1 || ! grep -q 'no installation candidate' "$folder/said"; then
    echo "with the pin, $name:" >&2
    cat "$folder/said" >&2
    exit 1
  fi
  apt-get "$@" -o Dir::Etc::preferencesparts=/nonexistent -s install "$name" | grep "^Inst $name (99 " >&2
done
