# put the layout into place
set -e
umask 077
ship=$1/$2
rm -rf -- "$ship"
mkdir -p -- "$ship/blobs/sha256" "$ship/tmp"
tar -xf - -C "$ship"
