# $1: whether the text on standard input is "sealed", with its digest as first line, or "plain".
umask 077
mkdir -p @HOME@/incoming/secrets && cd @HOME@/incoming/secrets && cat >.all || exit
if [ "$1" = sealed ]; then
  if [ "$(tail -n +2 .all | sha256sum | cut -c -64)" != "$(head -n 1 .all)" ]; then
    rm -f .all
    echo "The passphrase is wrong, or the file is damaged."
    exit 1
  fi
  tail -n +2 .all >.lines
else mv .all .lines
fi
[ -s .lines ] || exit
while read -r name content; do
  case $name in */* | .*) exit 1 ;; esac
  printf %s "$content" | base64 -d >"$name" || exit
done <.lines
rm -f .all .lines
