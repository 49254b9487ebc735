# Prints what a host is, one thing a line: section, tab, name, tab, value. It changes nothing.
#
# `host` is asked on the host as root; `filters` in the host's network namespace, by somebody who has nft, ipset and
# iptables, which a bare host has not. What the host runs for the question itself is left out: it has this script's
# name, iec-inventory, on its command line.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH

# Everything below the folders that are asked for, but what the kernel makes up.
everything() {
    # shellcheck disable=SC2086 # folders of our own, without blanks
    find $folders \( -path /proc -o -path /sys -o -path /dev/pts -o -path /dev/mqueue \) -prune -o "$@" 2>/dev/null
}

# Lines of the form `name value`, with a section in front.
named() {
    awk -v section="$1" '{ name = $1; sub(/^[^ ]+ */, ""); print section "\t" name "\t" $0 }'
}

# Whole lines as names.
lines() {
    awk -v section="$1" '{ gsub(/\t/, " "); sub(/ +$/, ""); print section "\t" $0 "\t" }'
}

processes() {
    for folder in /proc/[0-9]*; do
        line=$(tr '\000\011\012' '   ' 2>/dev/null <"$folder/cmdline") || continue
        case $line in
            '' | *iec-inventory*) ;;
            *) printf '%s\n' "$line" ;;
        esac
    done
}

# Each rule with its table and chain before it, so that a line says where it belongs.
ruleset() {
    awk '
        /^table /  { table = $2 " " $3; object = ""; print table; next }
        /^\t(chain|set|map) / { object = $1 " " $2; print table " " object; next }
        /^\t?}$/   { next }
        NF         { sub(/^[ \t]+/, ""); print table " " object ": " $0 }
    '
}

host() {
    everything -printf 'path\t%p\t%y %m %U:%G %l\n'
    everything -type f -exec sha256sum {} + | awk '{ print "digest\t" substr($0, 67) "\t" substr($0, 1, 64) }'
    awk -F: '{ print "user\t" $1 "\t" $3 ":" $4 " " $6 " " $7 }' /etc/passwd
    awk -F: '{ print "group\t" $1 "\t" $3 " " $4 }' /etc/group
    # systemd remembers mounts that are gone for as long as it likes; those that are there are listed as mounts.
    systemctl list-units --all --full --plain --no-legend --no-pager |
        awk '!($1 ~ /\.mount$/ && $3 == "inactive") { print "unit\t" $1 "\t" $2 " " $3 " " $4 }'
    systemctl list-unit-files --full --no-legend --no-pager | awk '{ print "unit-file\t" $1 "\t" $2 }'
    dpkg-query -W -f '${Package} ${Version}\n' | named package
    awk '{
        for (at = 7; $at != "-"; at++);
        print "mount\t" $5 "\t" $(at + 1) " " $(at + 2) " " $6
    }' /proc/self/mountinfo
    find /proc/sys -type f -readable -exec grep -H '' {} + 2>/dev/null |
        awk '{ at = index($0, ":"); value = substr($0, at + 1); gsub(/\t/, " ", value); print "sysctl\t" substr($0, 1, at - 1) "\t" value }'
    find /sys/fs/cgroup -type d 2>/dev/null | lines cgroup
    awk '{ print "module\t" $1 "\t" }' /proc/modules 2>/dev/null
    # First all of them, then the programs that put them in order.
    found=$(processes)
    printf '%s\n' "$found" | sort | lines process
    ip -o -d link show | awk '{ name = $2; sub(/^[0-9]+: [^ ]+ /, ""); gsub(/\\/, " "); gsub(/[a-z_]*timer +[0-9.]+ /, ""); print "link\t" name "\t" $0 }'
    ip -o addr show | awk '{ print "address\t" $2 " " $4 "\t" $3 }'
    { ip -o route show table all; ip -o -6 route show table all; } | lines route
    { ip rule show; ip -6 rule show; } | lines rule
    ss -H -l -t -u -n | awk '{ print "listener\t" $1 " " $5 "\t" }'
}

filters() {
    nft -s list ruleset 2>/dev/null | ruleset | lines nft
    ipset save 2>/dev/null | lines ipset
    for family in iptables ip6tables; do
        "$family-legacy-save" 2>/dev/null | sed -e '/^#/d' -e 's/ *\[[0-9]*:[0-9]*\]//' | lines "$family"
    done
}

what=$1
shift
folders=${*:-/}
"$what"
printf 'end\tinventory\tcomplete\n'
