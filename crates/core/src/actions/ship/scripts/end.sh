dir=$1 ship=$dir/$2
shift 2
rm -rf -- "$ship"
for blob; do rm -f -- "$dir/blobs/$blob"; done
