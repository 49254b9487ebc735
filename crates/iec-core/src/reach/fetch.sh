#!/bin/sh
# Fetches nginx's page from addresses and ports, twelve at a time, and changes nothing. Its words follow in the last
# line: NUMBER ADDRESS PORT SECONDS, again and again. Needs bash, whose /dev/tcp spares the host a program for this.
# Answer: one line `fetched=NUMBER MICROSECONDS CODE BASE64` for each; CODE is 0, or 124 for too late, or another for
# no connection, and the text is then what bash said about it.
# `env printf` writes the request at once; the one of bash writes line by line, and a server may close after the first.
# Lines stay under 4096 bytes: parts that run at the same time write to one pipe, and shorter writes never mix.
fetch() {
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH LC_ALL=C
exec bash -c '
# fetch NUMBER ADDRESS PORT SECONDS
fetch() {
  local began=${EPOCHREALTIME/./} text code
  text=$(
    timeout "$4" bash -c "
      exec 3<>/dev/tcp/\$0/\$1 &&
        env printf \"GET / HTTP/1.0\r\nHost: nginx\r\nConnection: close\r\n\r\n\" >&3 &&
        head -c 2048 <&3
    " "$2" "$3" 2>&1 | base64 -w0
    exit "${PIPESTATUS[0]}"
  )
  code=$?
  printf "fetched=%s %s %s %s\n" "$1" "$((${EPOCHREALTIME/./} - began))" "$code" "$text"
}
while [ $# -ge 4 ]; do
  fetch "$1" "$2" "$3" "$4" &
  [ $(($1 % 12)) -ne 11 ] || wait
  shift 4
done
wait
' bash "$@"
}
