# receive a layer
set -e
umask 077
blob=$1/blobs/$2 size=$3 offset=$4
part=$blob.partial
exec 9>>"$part"
if command -v flock >/dev/null && ! flock -w 20 9; then
  cp -- "$part" "$part.$$"
  mv -T -- "$part.$$" "$part"
  exec 9>>"$part"
fi
[ ! -e "$blob" ] || exit 0
there=$(stat -c %s -- "$part" 2>/dev/null || echo 0)
if [ "$there" != "$offset" ] || [ ! -e "$part" ]; then
  echo "moved $there"
  exit 0
fi
cat >&9
there=$(stat -c %s -- "$part" 2>/dev/null || echo 0)
if [ "$there" -lt "$size" ]; then
  echo "cut $there"
elif printf '%s  %s\n' "$2" "$part" | sha256sum --check --strict --status; then
  mv -T -- "$part" "$blob"
else
  rm -f -- "$part"
  echo bad
fi
