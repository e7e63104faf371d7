ask() {
  socket=$1 root=${2:-/var/lib/containerd} ref=$3
  shift 3
  c() { ctr ${socket:+--address "$socket"} --namespace k8s.io "$@"; }
  near=$root
  until [ -e "$near" ]; do near=$(dirname -- "$near"); done
  echo "room $(df -Pk -- "$near" | awk 'NR == 2 { print $4 }')"
  c content ls >"$ship.content"
  { grep -F "$(printf '%s\n' "$@")" "$ship.content" || :; } | while read -r blob rest; do
    file=$root/io.containerd.content.v1.content/blobs/sha256/${blob#sha256:}
    size=$(stat -c %s -- "$file" 2>/dev/null || c content get "$blob" | wc -c)
    echo "content $blob $size $rest"
  done
  rm -f -- "$ship.content"
  target=$(c images ls "name==$ref" | awk 'NR == 2 { print $3 }')
  [ -n "$target" ] || return 0
  found=$(c content get "$target" | tr -d '\n')
  case $found in
  *'"manifests"'*)
    for each in $(printf '%s' "$found" | grep -o 'sha256:[0-9a-f]\{64\}'); do
      echo "manifest $(c content get "$each" 2>/dev/null | tr -d '\n')"
    done
    ;;
  *) echo "manifest $found" ;;
  esac
}
