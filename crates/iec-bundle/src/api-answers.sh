#!/bin/sh
# Whether the API server at this address lives, by the cluster's authority. Who runs it sets the time limit.
#   api-answers ADDRESS PORT
answer=$(printf 'GET /livez HTTP/1.0\r\n\r\n' |
    openssl s_client -quiet -verify_quiet -verify_return_error -CAfile /etc/kubernetes/pki/ca.crt \
        -verify_ip "$1" -connect "$1:$2" 2>/dev/null)
case $answer in
"HTTP/1."?" 200 "*) ;;
*) exit 1 ;;
esac
