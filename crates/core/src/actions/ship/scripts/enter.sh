mkdir -p -m 755 -- "$dir"
owner=$(stat -Lc %u -- "$dir")
case $owner in
0 | "$(id -u)" | "${SUDO_UID-}") ;;
*)
  echo "$dir belongs to the user $owner, who could replace the image: choose another folder" >&2
  exit 1
  ;;
esac
mkdir -p -m 700 -- "$dir/blobs"
[ ! -L "$dir/blobs" ] && owner=$(stat -c %u -- "$dir/blobs") || owner=
case $owner in
"$(id -u)" | "${SUDO_UID:-none}") ;;
*)
  echo "$dir/blobs belongs to somebody else" >&2
  exit 1
  ;;
esac
find "$dir" -mindepth 1 -maxdepth 1 -name 'ship-*' -mmin +1440 -exec rm -rf -- {} +
find "$dir/blobs" -type f -mmin +1440 -exec rm -f -- {} +
rm -rf -- "$ship"
zipped
