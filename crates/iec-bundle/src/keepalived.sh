#!/bin/sh
# Runs keepalived on the interface that has this host's own address.
#   start-keepalived OWN-ADDRESS VIRTUAL-ADDRESS CONFIGURATION-ID
set -eu

# The interface that has this address; nothing where none has.
interface_of() {
    ip -4 -oneline address show to "$1/32" | { read -r _ name _ && printf '%s' "$name"; } || true
}

own=$1 virtual=$2 id=$3
# At boot the interface may come up later than the kubelet.
until interface=$(interface_of "$own") && [ -n "$interface" ]; do
    sleep 1
done
# One that was killed had no time to give the address up, and another control plane has it by now.
left=$(interface_of "$virtual")
if [ -n "$left" ]; then
    ip address delete "$virtual/32" dev "$left"
fi
# It would take its own process for the one that was killed.
rm -f /run/*.pid
{
    printf '$INTERFACE=%s\n' "$interface"
    cat /etc/keepalived/keepalived.conf
} >/run/keepalived.conf
chmod 0600 /run/keepalived.conf
exec /usr/sbin/keepalived --dont-fork --log-console --vrrp --use-file=/run/keepalived.conf "--config-id=$id"
