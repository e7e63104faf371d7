#!/bin/sh
# fetch-debs.sh ARCH DIR PACKAGE...: downloads packages of any architecture from this machine's Debian mirror,
# authenticated, without telling the machine's own dpkg or apt about that architecture.
set -eu

arch=$1 dir=$2
shift 2

# The machine's own Debian sources, whatever mirror they name.
# shellcheck disable=SC2016 # apt expands these
sources=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
  sort -u)
if [ -z "$sources" ]; then
  echo "fetch-debs.sh: apt knows no Debian mirror: run apt-get update first" >&2
  exit 1
fi

apt=$dir/apt
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs"
: >"$apt/status"
printf '%s\n' "$sources" | while read -r uri suite component; do
  printf 'deb %s %s %s %s\n' "$([ ! -e $keyring ] || printf '[signed-by=%s]' $keyring)" "$uri" "$suite" "$component"
done >"$apt/sources.list"
# Only state, sources and architecture are ours; proxies and the like stay the machine's.
cat >"$apt/apt.conf" <<CONF
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
CONF
export APT_CONFIG="$apt/apt.conf"
# A mirror in the middle of its sync lacks an index for a while. What is left often has all we want; when it has not,
# the download fails and says what is missing.
apt-get -q -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false update ||
  echo "fetch-debs.sh: going on with the indexes that could be had" >&2
(cd "$apt/debs" && apt-get -q download "$@")
mv "$apt/debs"/*.deb "$dir/"
rm -rf "$apt"
