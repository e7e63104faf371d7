if [ -n "$documents" ]; then
  mkdir -p -- "$ship/blobs/sha256" "$ship/tmp"
  printf %s "$documents" | base64 -d | gzip -dc | tar -xf - -C "$ship"
fi
for pair in $pairs; do
  blob=$dir/blobs/${pair%%=*}
  [ -e "$blob" ] || exit 75
  ln -- "$blob" "$ship/blobs/sha256/"
done
# The store says in words of its own what is wrong with a layer.
suspect() {
  code=$?
  for pair in $pairs; do
    blob=${pair%%=*}
    sum=$(sha256sum <"$dir/blobs/$blob") || continue
    sum=${sum%% *}
    [ "$sum" != "$blob" ] || continue
    rm -f -- "$dir/blobs/$blob"
    echo "sha256:$blob has become sha256:$sum in $dir" >&2
    code=6
  done
  exit "$code"
}
trap suspect 0
{
  before
  import
  after
} >&2
trap - 0
rm -rf -- "$ship"
for pair in $pairs; do rm -f -- "$dir/blobs/${pair%%=*}"; done
imported=yes
zipped
