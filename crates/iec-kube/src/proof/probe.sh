#!/bin/sh
# Fetches URLs with curl, twelve at a time, and prints one line of fields for each, in their order.
# Arguments: the seconds that one fetch may take, then the URLs. Needs nothing but a shell, curl, mkdir and rm.
# Fields, with tabs between: curl's exit code, HTTP status, seconds, bytes, the pod that answered, whether the
# body is nginx's own page (yes or no), the body's first characters or curl's message.
set -u
limit=$1
shift
command -v curl >/dev/null || { echo 'the image has no curl' >&2; exit 127; }
folder=/tmp/iec-probe.$$
mkdir "$folder" || exit 1
trap 'rm -rf "$folder"' EXIT

fetch() {
    curl --silent --max-time "$limit" --cacert /iec-verify-ca/ca.crt --output "$folder/$1.body" \
        --write-out '%{exitcode}\t%{http_code}\t%{time_total}\t%{size_download}\t%header{x-iec-served-by}\n%{errormsg}\n' \
        "$2" >"$folder/$1.line"
}

# Sets `page` and `head` from the first lines of a body; nginx's own page has fewer than these.
look() {
    page=no
    head=
    lines=0
    while [ "$lines" -lt 40 ] && IFS= read -r line; do
        case $line in *'Welcome to nginx!'*) page=yes ;; esac
        head="$head$line "
        lines=$((lines + 1))
    done <"$1"
    head="$head${line-}"
}

number=0
for url do
    fetch "$number" "$url" &
    number=$((number + 1))
    if [ $((number % 12)) -eq 0 ]; then wait; fi
done
wait

number=0
for url do
    { IFS= read -r fields; IFS= read -r message; } <"$folder/$number.line"
    page=no
    if [ -f "$folder/$number.body" ]; then
        line=
        look "$folder/$number.body"
        if [ -z "$message" ]; then message=$head; fi
    fi
    printf '%s\t%s\t%.80s\n' "$fields" "$page" "$message"
    number=$((number + 1))
done
