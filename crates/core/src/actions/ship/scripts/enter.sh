set -e
umask 077
dir=$1 ship=$dir/$2
shift 2
mkdir -p -m 755 -- "$dir"
o=$(stat -Lc %u -- "$dir")
case $o in
0 | "$(id -u)") ;;
*)
  echo "$dir belongs to the user $o, who could replace the image: choose another folder" >&2
  exit 1
  ;;
esac
mkdir -p -m 700 -- "$dir/blobs"
if [ -L "$dir/blobs" ] || [ "$(stat -c %u -- "$dir/blobs")" != "$(id -u)" ]; then
  echo "$dir/blobs belongs to somebody else" >&2
  exit 1
fi
find "$dir" -mindepth 1 -maxdepth 1 -name 'ship-*' -mmin +1440 -exec rm -rf -- {} +
find "$dir/blobs" -type f -mmin +1440 -exec rm -f -- {} +
rm -rf -- "$ship"
{
  echo "dir $(df -Pk -- "$dir" | awk 'NR == 2 { print $4 }')"
  if command -v zstd >/dev/null; then echo zstd; fi
  if command -v skopeo >/dev/null; then echo skopeo; fi
  for f in "$dir/blobs"/*; do
    [ ! -f "$f" ] || echo "blob ${f##*/} $(stat -c %s -- "$f")"
  done
  ask "$@"
  echo end
} | gzip -c
