# receive a layer
set -e
umask 077
dir=$1 blob=$1/blobs/$2 size=$3 offset=$4
part=$blob.partial
there() { stat -c %s -- "$1" 2>/dev/null || echo 0; }
if [ -e "$blob" ]; then
  [ "$(there "$blob")" != "$size" ] || exit 0
  rm -f -- "$blob"
fi
exec 3<&0 9>>"$part"
if command -v flock >/dev/null && ! flock -n 9; then
  echo busy
  exit 0
fi
# It was moved or removed before the lock was ours.
if [ ! "$part" -ef /proc/self/fd/9 ] || [ "$(there "$part")" != "$offset" ]; then
  echo moved
  exit 0
fi
cat <&3 >&9 &
cat=$!
# No news of the sender's end comes through a dead line: what does not grow is given up.
(
  exec 3<&- 9>&- >/dev/null 2>&1
  still=0 last=
  while sleep 2; do
    now=$(there "$part")
    if [ "$now" = "$last" ]; then still=$((still + 1)); else still=0 last=$now; fi
    [ "$still" -lt 9 ] || kill "$cat"
  done
) &
watch=$!
wait "$cat" && code=0 || code=$?
kill "$watch"
case $code in
0 | 143) ;;
*)
  rm -f -- "$part"
  exit "$code"
  ;;
esac
if [ "$(there "$part")" -lt "$size" ]; then
  echo cut
  exit 0
fi
# busybox knows no --strict and no --status.
sum=$(sha256sum <"$part")
if [ "${sum%% *}" = "$2" ]; then
  mv -T -- "$part" "$blob"
else
  rm -f -- "$part"
  echo bad
fi
