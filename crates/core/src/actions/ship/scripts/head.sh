set -e
umask 077
dir=$1 ship=$1/$2 root=$3 driver=$4 spec=$5 socket=$6 ref=$7 platform=$8 keep=$9
shift 9
ids='' pairs='' documents='' imported=''
for word; do
  case $word in
  documents=*) documents=${word#*=} ;;
  *=*) pairs="$pairs $word" ;;
  *) ids="$ids $word" ;;
  esac
done
needs() {
  for tool; do ! command -v "$tool" >/dev/null || return 0; done
  echo "not installed there: $(echo "$*" | sed 's/ / or /g')" >&2
  exit 69
}
free() {
  near=$1
  until [ -e "$near" ]; do near=$(dirname -- "$near"); done
  df -Pk -- "$near" | awk 'NR == 2 { print $4 }'
}
answer() {
  echo "dir $(free "$dir")"
  if command -v zstd >/dev/null; then echo zstd; fi
  for blob in "$dir/blobs"/*; do
    [ -f "$blob" ] || continue
    echo "blob ${blob##*/} $(stat -c %s -- "$blob")"
    case $blob in
    *.partial) ! command -v flock >/dev/null || flock -n "$blob" true || echo "busy ${blob##*/}" ;;
    esac
  done
  ask
  echo end
}
# A pipe has the exit code of its end, and that of the store's tool counts.
zipped() {
  exec 4>&1
  code=$({
    {
      set +e
      (
        set -e
        answer
      )
      echo $? >&3
    } | gzip -c >&4
  } 3>&1)
  exit "$code"
}
