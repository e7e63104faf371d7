if [ -n "$documents" ]; then
  mkdir -p -- "$ship/blobs/sha256" "$ship/tmp"
  printf %s "$documents" | base64 -d | gzip -dc | tar -xf - -C "$ship"
fi
for pair in $pairs; do
  blob=${pair%%=*}
  ln -- "$dir/blobs/$blob" "$ship/blobs/sha256/$blob"
done
{
  before
  import
  after
} >&2
rm -rf -- "$ship"
for pair in $pairs; do rm -f -- "$dir/blobs/${pair%%=*}"; done
answer
