set -e
umask 077
dir=$1 ship=$dir/$2
shift 2
import "$@" >&2
