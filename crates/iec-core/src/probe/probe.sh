#!/bin/sh
# The probe: asks a host everything IEC wants to know before it plans, and leaves nothing changed.
#
# Runs as root under any POSIX sh on a minimal host: coreutils, util-linux, grep, sed, iproute2, systemd.
# Answer: one `key=text` a line, or `key:base64` where the text is not printable ASCII. Whatever is read from the
# host passes through `put`, so no content can pass for a line of ours. `finished=SECTION` ends what a section says.
# Lines stay under 4096 bytes: parts that run at the same time write to one pipe, and shorter writes never mix.
# shellcheck disable=SC2016 # texts in single quotes are for other shells and programs to expand
main() {
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin
export PATH LC_ALL=C
exec 3>&1

# put KEY TEXT
put() {
  case $2 in
    *[!\ -~]*) printf '%s:%s\n' "$1" "$(printf '%.2900s' "$2" | base64 -w0)" ;;
    *) printf '%s=%.2900s\n' "$1" "$2" ;;
  esac
  [ "${#2}" -le 2900 ] || printf 'cut=%s\n' "$1"
}

# each KEY: puts every line of its input, up to a thousand
each() {
  count=0
  while IFS= read -r line || [ -n "$line" ]; do
    [ "$count" -lt 1000 ] || { printf 'cut=%s\n' "$1"; break; }
    put "$1" "$line"
    count=$((count + 1))
  done
}

# small FILE: whether it is a file, no pipe and no device, of a size that such files have. Others could hold up the probe.
small() { [ -f "$1" ] && [ "$(stat -Lc %s "$1")" -le 1048576 ]; }

# text FILE …: prints the small ones
text() { for file; do ! small "$file" || cat "$file"; done; }

# first KEY FILE: puts the file's first line, if there is one
first() {
  line=$(text "$2" | head -n 1)
  [ -z "$line" ] || put "$1" "$line"
}

# at_most SECONDS COMMAND …: runs it for so long at most, and for longer where everything takes longer
at_most() { seconds=$1; shift; timeout "$((seconds * slowness))" "$@"; }

# within COMMAND …: runs it for two seconds at most; says so if that was not enough for this section
within() { at_most 2 "$@" || [ $? -ne 124 ] || put late "$part $1" >&3; }

has() { command -v "$1" >/dev/null; }

identity() {
  put hostname "$(uname -n)"; first machine-id /etc/machine-id; first boot-id /proc/sys/kernel/random/boot_id
  first uptime /proc/uptime
  for file in /sys/class/dmi/id/product_name /proc/device-tree/model; do first product "$file"; done
  for file in /sys/class/dmi/id/product_serial /proc/device-tree/serial-number; do first serial "$file"; done
}

distribution() { text /etc/os-release | grep -E '^(ID|VERSION_ID|VERSION_CODENAME|PRETTY_NAME)=' | each os; }

kernel() {
  release=$(uname -r); put release "$release"; put machine "$(uname -m)"
  cut -d' ' -f1 /proc/modules | each module
  has modprobe && put modprobe yes; [ -e "/lib/modules/$release/modules.dep" ] && put module-files yes
  { gzip -dc /proc/config.gz || text "/boot/config-$release"; } |
    grep -E '^CONFIG_(OVERLAY_FS|BRIDGE|VETH|VXLAN|IP_SET|NETFILTER_XT_SET|NF_TABLES|NF_CONNTRACK)=' | each config
}

capacity() {
  put cpus "$(nproc)"; grep -E '^Mem(Total|Available):' /proc/meminfo | each memory
  for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do first memory-limit "$file"; done
  cpu=/sys/fs/cgroup/cpu
  { cat "$cpu.max" || paste -d ' ' "$cpu/cpu.cfs_quota_us" "$cpu/cpu.cfs_period_us"; } | each cpu-quota
  # Processor time rather than elapsed time: a busy host is not a slow one.
  ( head -c 8388608 /dev/zero | sha256sum >/dev/null; times ) | each hash
  # Milliseconds to write a mebibyte for good, a few times: the least of them is the disk, the rest is who else writes. The
  # file has lost its name before anything is in it, so nothing of it can stay.
  folder=/var/lib/containerd; [ -d "$folder" ] || folder=/var/lib
  file=$(mktemp "$folder/.iec-probe.XXXXXX") || return
  exec 4>"$file"; rm -f "$file"; took=0
  for _ in 1 2 3; do
    [ "$took" -lt 500 ] || break
    began=$(date +%s%N)
    timeout 2 dd if=/dev/zero bs=256k count=4 oflag=dsync >&4 || [ $? -eq 124 ] || return
    took=$((($(date +%s%N) - began) / 1000000)); put disk "$took"
  done
}

storage() {
  places='/ /etc /opt /tmp /usr/local /var /var/lib/containerd /var/lib/etcd /var/lib/iec /var/lib/kubelet /var/log'
  existing=''; for place in $places; do
    up=$place
    while [ ! -e "$up" ]; do [ ! -L "$up" ] || put nowhere "$up $(readlink "$up")"; up=${up%/*}; up=${up:-/}; done
    existing="$existing $up"
    put place "$place $up"
  done
  # shellcheck disable=SC2086 # paths of our own, without blanks
  { at_most 1 readlink -f $existing | each resolved; within stat -f -c '%b %a %S %c %d' $existing | each space; }
  grep -vE '^[^ ]+ [^ ]+ [^ ]+ [^ ]+ /(proc|sys|dev|run|snap|var/lib/(kubelet|containerd|docker|containers)/.)' \
    /proc/self/mountinfo | each mount
}

swap() {
  sed 1d /proc/swaps | tr '\t' ' ' | each swap; text /etc/fstab | grep -E '^[^#]+[[:space:]]swap[[:space:]]' | each swap-fstab
  at_most 1 systemctl list-units --type=swap --all --no-legend --plain --no-pager | each swap-unit
  for file in /etc/systemd/zram-generator.conf /usr/lib/systemd/zram-generator.conf /etc/default/zramswap; do
    [ -e "$file" ] && put zram "$file"
  done
}

cgroup() {
  first controllers /sys/fs/cgroup/cgroup.controllers
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then put cgroup v2; else
    if [ -e /sys/fs/cgroup/unified ]; then put cgroup hybrid; else put cgroup v1; fi
    sed 1d /proc/cgroups | cut -f1,4 | tr '\t' ' ' | each controller
  fi
  first init /proc/1/comm
}

privileges() {
  put uid "$(id -u)"; put virtualisation "$(systemd-detect-virt)"
  sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status | each capabilities
  grep -E '^Max (open files|processes)' /proc/self/limits | each limit
  ( read -r score </proc/self/oom_score_adj
    [ "$score" -le -1000 ] || printf '%s' "$((score - 1))" >/proc/self/oom_score_adj ) && put lower-oom-score yes
}

features() {
  cd /proc/sys || return
  names='net/ipv4/ip_forward net/ipv4/conf/all/rp_filter net/ipv4/conf/default/rp_filter net/ipv6/conf/all/disable_ipv6
    net/bridge/bridge-nf-call-iptables net/bridge/bridge-nf-call-ip6tables net/netfilter/nf_conntrack_max
    vm/overcommit_memory vm/panic_on_oom vm/max_map_count kernel/panic kernel/panic_on_oops kernel/pid_max
    kernel/keys/root_maxkeys kernel/keys/root_maxbytes fs/inotify/max_user_instances fs/inotify/max_user_watches'
  # grep reads them, not `read`: dash reads byte by byte, and numbers in /proc/sys then give their first digit only.
  # shellcheck disable=SC2086 # names of our own, without blanks
  grep -sH '' $names | each sysctl
  for name in $names; do [ ! -w "$name" ] || put writable "$name"; done
  [ -e /proc/sys/kernel/seccomp/actions_avail ] && put seccomp yes
  # Who sets them at boot, in systemd's order: by file name, and of one name the first folder counts. ufw starts later.
  { find -L /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d /lib/sysctl.d -maxdepth 1 -name '*.conf' \
    -printf '%f/%p\n' | sort -t / -k 1,1 -s -u | cut -d / -f 2-
    ! text /etc/ufw/ufw.conf | grep -qiE '^ENABLED="?yes' || echo /etc/ufw/sysctl.conf
  } | xargs -r -d '\n' grep -HsE '^[[:space:]]*-?(net[./]ipv4[./]ip_forward|net[./]bridge|fs[./]inotify)[^=]*=' | each boot-sysctl
  # Trying means making links, rules and mounts: in namespaces that end with the attempt, with a /run of its own
  # for lock files. It may load a kernel module, as any use of the feature would.
  at_most 2 unshare -n -m --propagation private /bin/sh -c '
    try() {
      name=$1 && shift
      if said=$("$@" 2>&1); then echo "$name works"; else echo "$name fails $(echo "$said" | tr "\n" " ")"; fi
    }
    with() { if command -v "$2" >/dev/null; then try "$@"; else echo "$1 untested the host has no $2"; fi; }
    rules() { ip rule add pref 100 iif lo to 172.16.1.0/24 lookup main && ip rule add pref 101 to 172.16.1.0/24 blackhole; }
    echo "namespaces works"; mount -t tmpfs none /run && mkdir /run/l /run/u /run/w /run/m
    try overlay mount -t overlay -o lowerdir=/run/l,upperdir=/run/u,workdir=/run/w none /run/m
    try vxlan ip link add iec-vxlan type vxlan id 4096 dstport 4789
    try bridge ip link add iec-bridge type bridge
    try veth ip link add iec-veth type veth peer name iec-peer
    try wireguard ip link add iec-wireguard type wireguard
    try policy-rules rules
    with ipset ipset create iec hash:net
    for name in iptables-legacy iptables-nft; do with $name $name -t nat -A POSTROUTING -m comment --comment i -j MASQUERADE; done
    with nftables nft add table ip iec
  ' </dev/null 2>&1 | each tried
}

network() {
  ip -o link show | each link; ip -o address show | each address
  { ip -o -4 route show; ip -o -6 route show; } | each route
}

listeners() { ss -H -l -n -t -u -p | each listener; }

# ask PROTOCOL SERVER: sends the query "name servers of the root" and shows the head of the answer
ask() {
  said=$(at_most 1 bash -c '
    query="\x49\x45\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01" length=12
    [ "$1" = udp ] || query="\x00\x11$query" length=14
    exec 3<>"/dev/$1/$2/53" && printf "%b" "$query" >&3 && head -c "$length" <&3 | od -An -tx1 -v' ask "$1" "$2" 2>&1)
  put answer "$1 $2 $? $said"
}

resolver() {
  host_names; text /etc/resolv.conf | grep -E '^[[:space:]]*(nameserver|search|domain|options)' | each resolv
  text /run/systemd/resolve/resolv.conf | grep -E '^[[:space:]]*nameserver' | each upstream
  asked='' servers=$(text /etc/resolv.conf /run/systemd/resolve/resolv.conf |
    sed -n 's/^[[:space:]]*nameserver[[:space:]]*\([0-9a-fA-F:.]*\)[[:space:]]*$/\1/p')
  for server in $servers; do
    case "$asked $server " in
      *" 127."* | *" ::1 "* | *" $server "*" $server "*) continue ;;
      *' '*' '*' '*' '*) break ;;
    esac
    asked="$asked $server"
    for protocol in udp tcp; do
      if has bash; then ask "$protocol" "$server" & else put answer "$protocol $server untested"; fi
    done
  done
  wait
}

clock() {
  first hardware /sys/class/rtc/rtc0/since_epoch
  if [ -S /run/dbus/system_bus_socket ] && has timedatectl; then
    put synchronised "$(at_most 1 timedatectl show --property=NTPSynchronized --value)"
  elif [ -e /run/systemd/timesync/synchronized ]; then put synchronised yes; fi
}

# version NAME PATH: what a program says its version is
version() {
  # Where IEC has worked, digests tell more than versions, at less cost; asking a snap would start its daemon.
  case $2 in /snap/*) return ;; esac
  [ ! -e /var/lib/iec/journal.jsonl ] || return
  case $1 in kubectl) say='version --client' ;; kubeadm) say='version -o short' ;; helm) say=version ;; *) say=--version ;; esac
  # shellcheck disable=SC2086 # words of our own
  put version "$1 $(at_most 1 "$2" $say </dev/null 2>&1 | head -n 1)"
}

binaries() {
  for name in containerd dockerd docker podman crio runc crun kubelet kubeadm kubectl etcd helm k3s rke2 k0s microk8s; do
    for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /opt/bin /snap/bin; do
      [ -x "$folder/$name" ] || continue
      put binary "$name $folder/$name"
      version "$name" "$folder/$name" &
      break
    done
  done
  wait
}

software() {
  binaries &
  overrides; [ ! -e /var/lib/containerd/io.containerd.metadata.v1.bolt ] || put runtime-data yes
  for name in apt-get bash conntrack curl ethtool ip6tables ipset iptables modprobe nft openssl python3 socat systemctl \
    tar tc timedatectl unshare; do
    # What IEC itself brought is not the host's, or a second plan would take it away again.
    case $([ ! -L "/usr/local/sbin/$name" ] || readlink "/usr/local/sbin/$name") in
      /opt/iec/*) put tool "$name iec" ;;
      *) if has "$name"; then put tool "$name yes"; else put tool "$name no"; fi ;;
    esac
  done
  within dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\n' containerd containerd.io docker.io docker-ce \
    podman podman-docker cri-o runc crun cri-tools kubelet kubeadm kubectl kubernetes-cni k3s moby-engine moby-containerd \
    unattended-upgrades needrestart cloud-init ufw firewalld kmod zram-tools systemd-zram-generator | each package &
  within systemctl show --no-pager -p Id -p LoadState -p ActiveState -p UnitFileState containerd.service \
    docker.service docker.socket cri-docker.service crio.service kubelet.service etcd.service k3s.service k3s-agent.service \
    rke2-server.service rke2-agent.service k0scontroller.service k0sworker.service snap.microk8s.daemon-kubelite.service \
    iec-service-network.service unattended-upgrades.service ufw.service firewalld.service nftables.service \
    NetworkManager.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service chrony.service \
    ntpsec.service ntp.service openntpd.service | each unit
  # Docker's containers each have a shim with `-namespace moby`; asking the daemon could start it.
  put docker "$(grep -lszx '[m]oby' /proc/[0-9]*/cmdline | wc -l)"
  # What somebody runs beside Kubernetes in the containerd of IEC.
  [ ! -e /var/lib/iec/journal.jsonl ] || for space in $(within ctr namespaces ls -q); do
    [ "$space" = k8s.io ] || within ctr -n "$space" containers ls -q | sed "s|^|$space/|" | each container
  done; wait
}

cluster() {
  for file in /etc/kubernetes/* /etc/kubernetes/manifests/* /etc/kubernetes/pki/*; do
    [ -f "$file" ] && put kubernetes "${file#/etc/kubernetes/}"
  done
  small /etc/kubernetes/pki/ca.crt && put ca "$(head -c 2900 /etc/kubernetes/pki/ca.crt)"
  text /etc/kubernetes/kubelet.conf | sed -n 's/^ *server: *//p' | head -n 1 | each server
  pods=/etc/kubernetes/manifests/kube-controller-manager.yaml services=/etc/kubernetes/manifests/kube-apiserver.yaml
  text $pods | sed -n 's/^ *- --cluster-cidr=//p' | head -n 1 | each pod-range
  text $services | sed -n 's/^ *- --service-cluster-ip-range=//p' | head -n 1 | each service-range
  text /etc/iec/installed-with | head -n 20 | each installed-with
  text /var/lib/kubelet/kubeadm-flags.env | sed -n 's/.*--node-ip=\([0-9a-fA-F:.]*\).*/\1/p' | head -n 1 | each node-address
  for file in /var/lib/etcd/*; do [ -e "$file" ] && put etcd "${file##*/}"; done
  for file in /etc/cni/net.d/*; do [ -e "$file" ] && put cni "${file##*/}"; done
  # What calico-node makes its pool of: each variable with its value on the next line.
  text /etc/iec/manifests/calico.yaml | sed -n '/^ *- name: CALICO_IPV4POOL_/ {
    s/.*POOL_//; h; n; s/^ *value: *//; s/"//g; H; g; s/\n/ /p; }' | each calico-pool
  # kube-proxy says itself how it works; bash is the one program of most hosts that can ask it.
  has bash && at_most 1 bash -c 'exec 3<>/dev/tcp/127.0.0.1/10249 && printf "GET /proxyMode HTTP/1.0\r\n\r\n" >&3 &&
    cat <&3' 2>&1 | tail -n 1 | grep -xE '[a-z]{1,20}' | each proxy-mode
  for trace in k3s:/etc/rancher/k3s k3s:/var/lib/rancher/k3s rke2:/etc/rancher/rke2 rke2:/var/lib/rancher/rke2 \
    k0s:/etc/k0s k0s:/var/lib/k0s microk8s:/var/snap/microk8s; do
    [ -e "${trace#*:}" ] && put other "${trace%%:*} ${trace#*:}"
  done
}

previous() {
  [ -e /var/lib/iec/journal.jsonl ] && put journal yes; first site /etc/iec/site; first pace /etc/iec/pace
  # Looking into /proc/locks instead of trying the lock: a probe must not make a starting run fail.
  # On an overlay the kernel lists a file by another number: there the holder is known by its descriptor 9.
  if [ -e /var/lib/iec/lock ] && {
    grep -qE ":$(stat -c %i /var/lib/iec/lock) " /proc/locks ||
      [ -n "$(find /proc/[0-9]*/fd/9 -maxdepth 0 -lname "$(readlink -f /var/lib/iec/lock)" 2>/dev/null)" ]
  }; then
    put lock "$(text /var/lib/iec/lock | head -c 1000)"; put lock-since "$(stat -c %Y /var/lib/iec/lock)"
  fi
  [ -d /var/lib/iec/store ] && put store "$(at_most 1 du -sk /var/lib/iec/store)"
  [ -d /var/lib/iec/incoming ] && put transfer yes
  [ -e /etc/iec/kubeadm-join.yaml ] && put joined yes
}

guards() {
  filters
  text /etc/ufw/ufw.conf | grep -iE '^ENABLED=' | each ufw
  first apparmor /sys/module/apparmor/parameters/enabled; first selinux /sys/fs/selinux/enforce
}

environment() {
  for file in /etc/environment /etc/profile /etc/profile.d/*.sh /etc/systemd/system.conf /etc/systemd/system.conf.d/*.conf \
    /etc/systemd/system/containerd.service.d/*.conf /etc/systemd/system/kubelet.service.d/*.conf; do
    ! small "$file" || set -- "$@" "$file"
  done
  # Everything before the last @ is cut: it may be a password.
  grep -HiE '^[^#]*(https?|ftp|all|no)_proxy *=' "$@" /dev/null |
    sed 's/\([A-Za-z]*_[Pp][Rr][Oo][Xx][Yy]\) *=.*@/\1=***@/' | each proxy
  { [ -e /run/cloud-init ] || has cloud-init; } && put cloud-init yes
  text /etc/cloud/cloud.cfg /etc/cloud/cloud.cfg.d/*.cfg /var/lib/cloud/instance/cloud-config.txt \
    /var/lib/cloud/instance/user-data.txt | grep -iE '^ *manage_etc_hosts *:' | each hosts-file
}

login() {
  sudo_streams; user=${SUDO_USER:-$(id -un)}; put user "$user"
  at_most 1 getent passwd "$user" | sed 's/.*://' | each shell
  for account in root "$user"; do
    home=$(at_most 1 getent passwd "$account" | cut -d: -f6); config=$home/.kube/config
    [ ! -d "$home" ] || put home "$account $home"
    [ -e "$config" ] || [ -L "$config" ] || continue
    if small "$config" && { cmp -s "$config" /etc/kubernetes/admin.conf ||
      sha256sum <"$config" | grep -qxFf /var/lib/iec/kubeconfigs; }; then continue; fi
    put kubeconfig "$config"
  done
}

section() { "$1"; put finished "$1"; }

printf '\niec-probe=1\n'
began=$(date +%s%N); put began "$began"
# What is enough time on an ordinary host, which hashes this in ten milliseconds, is not on a slow one, or a busy one.
head -c 1048576 /dev/zero | sha256sum >/dev/null
slowness=$((1 + ($(date +%s%N) - began) / 10000000)); [ "$slowness" -le 60 ] || slowness=60
# At the same time: what waits for others. Every question to somebody else has a time limit.
for part in resolver software features clock swap storage previous login; do section "$part" & done
for part in identity distribution kernel capacity cgroup privileges network listeners cluster guards environment; do
  section "$part"
done
wait
put ended "$(date +%s%N)"
printf 'iec-probe=end\n'
}
main </dev/null 2>/dev/null
