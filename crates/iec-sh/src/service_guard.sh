#!/bin/sh
# Written by IEC.
# Addresses of the service network that belong to no service lead nowhere.
# Without an argument it sets the guard; `keep` stays and sets again what somebody has taken away; `stop` removes it;
# `ask rules|filter|effect` says by its exit code whether that part of it is there.
set -u
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL
services=@SERVICES@
# No service ever gets the last address of the network.
nobody=@NOBODY@
table=iec_service_network

# Routing, which no packet filter can overrule: what comes from elsewhere, from a pod, and was not translated before it was
# routed leads nowhere. What the host itself sends is routed before it is translated, so it has to pass.
has_rules() {
  ip rule show pref 100 | grep -qF "to $services iif lo lookup main" &&
    ip rule show pref 101 | grep -qF "to $services unreachable"
}
set_rules() {
  remove_rules
  ip rule add pref 100 iif lo to "$services" lookup main && ip rule add pref 101 to "$services" unreachable
}
remove_rules() {
  for pref in 100 101; do
    while ip rule delete pref "$pref" to "$services" 2>/dev/null; do :; done
  done
}

# The packet filter, for what the host itself sends. The table is IEC's own: what another table accepts still has to pass
# it, and one refusal is final. It comes after the translation of addresses (priority -100): what still goes to an address
# of the service network there belongs to no service.
has_filter() { has_table || has_mangle; }
has_table() { [ "$(nft list table ip "$table" 2>/dev/null | grep -cF "ip daddr $services ")" -eq 4 ]; }
set_filter() {
  verdicts="ip daddr $services meta l4proto tcp reject with tcp reset; ip daddr $services reject;"
  # One transaction: there is no moment without it.
  nft "add table ip $table; delete table ip $table; table ip $table {
    chain output { type filter hook output priority -90; policy accept; $verdicts }
    chain forward { type filter hook forward priority -90; policy accept; $verdicts }
  }" || set_mangle
}
# A kernel without nf_tables: what goes out passes this table after all translation, and nothing stands before the rule.
mangle() {
  action=$1 && shift
  iptables -w -t mangle "$action" POSTROUTING -d "$services" -m comment --comment 'IEC: no such service' -j DROP "$@"
}
has_mangle() { mangle -C 2>/dev/null; }
set_mangle() { has_mangle || mangle -I; }
remove_filter() {
  nft delete table ip "$table" 2>/dev/null
  while has_mangle; do mangle -D || break; done
}

# Sends a packet to an address that no service has. The kernel itself tells whether it may leave.
has_effect() {
  command -v bash >/dev/null || return 0
  # shellcheck disable=SC2016 # for bash to expand
  said=$(timeout 2 bash -c 'printf x >"/dev/udp/$1/9"' ask "$nobody" 2>&1) && return 1
  case $said in
    *'not permitted'* | *unreachable* | *refused* | *'No route'*) return 0 ;;
  esac
  return 1
}

guard() {
  has_rules || set_rules || return
  has_filter || set_filter
}

case ${1-} in
  '') set_rules && set_filter ;;
  keep) while sleep 10; do guard || exit; done ;;
  stop) remove_filter; remove_rules; exit 0 ;;
  ask) case ${2-} in rules) has_rules ;; filter) has_filter ;; effect) has_effect ;; *) exit 2 ;; esac || exit 1 ;;
  *) exit 2 ;;
esac
