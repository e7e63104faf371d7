# put the layout into place
set -e
umask 077
dir=$1 ship=$dir/$2
shift 2
rm -rf -- "$ship"
mkdir -p -- "$ship/blobs/sha256" "$ship/tmp"
tar -xf - -C "$ship"
for blob; do
  ln -- "$dir/blobs/$blob" "$ship/blobs/sha256/$blob" 2>/dev/null || echo "gone $blob"
done
