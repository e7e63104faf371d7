#!/bin/sh
# make-upstream.sh DIR: the git repository that the recipe checks out, so that the demo needs no internet. From the
# files in upstream/, with fixed names and dates: the same commit ids everywhere; made again, it stays as it is.
set -eu

[ $# -eq 1 ] || { echo "usage: make-upstream.sh DIR" >&2; exit 2; }
mkdir -p "$(dirname "$1")"
out=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
here=$(cd "$(dirname "$0")" && pwd)
partial=$out.partial
trap 'rm -rf "$partial"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$partial"
mkdir -p "$partial"

# Nobody's configuration, hooks or templates.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TEMPLATE_DIR=
export GIT_AUTHOR_NAME=Upstream GIT_AUTHOR_EMAIL=upstream@example.org
export GIT_COMMITTER_NAME=Upstream GIT_COMMITTER_EMAIL=upstream@example.org
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE

commit() {
  GIT_AUTHOR_DATE="$1 +0000" GIT_COMMITTER_DATE="$1 +0000"
  export GIT_AUTHOR_DATE GIT_COMMITTER_DATE
  git -C "$partial" add --all
  git -C "$partial" commit --quiet --no-gpg-sign --message "$2"
}

# Modes from here, not from the checkout's umask.
put() {
  cp "$here/upstream/$1" "$partial/$2"
  chmod 644 "$partial/$2"
}

git init --quiet --object-format=sha1 --initial-branch=main "$partial"
git -C "$partial" config core.autocrlf false
put README.md README.md
put Dockerfile.main Dockerfile
put config.yml config.yml
commit 2018-01-15T12:00:00 'A registry image for x86'

git -C "$partial" checkout --quiet -b multiarch
put Dockerfile.multiarch Dockerfile
commit 2018-03-10T12:00:00 'Take the registry of whatever architecture the base image has'
git -C "$partial" checkout --quiet main

heads() { git -C "$1" for-each-ref --format='%(refname:short) %(objectname)' refs/heads; }
new=$(heads "$partial")
if [ -d "$out/.git" ] && [ "$(heads "$out" 2>/dev/null)" = "$new" ]; then
  echo "unchanged: $out"
else
  rm -rf "$out"
  mv "$partial" "$out"
  echo "made $out"
fi
printf '%s\n' "$new"
