import >&2
rm -rf -- "$ship"
for pair in $pairs; do rm -f -- "$dir/blobs/${pair%%=*}"; done
answer
