#!/bin/sh
# make-base.sh ARCH OUTDIR: the build context of a small base image for a Debian architecture (arm64, armhf, ...),
# made of Debian's packages only. OUTDIR gets rootfs.tar and a Dockerfile; the packages are kept beside it, so that a
# second run needs no network. Nothing of another architecture is executed here: that is what the build is for.
set -eu

[ $# -eq 2 ] || { echo "usage: make-base.sh ARCH OUTDIR" >&2; exit 2; }
arch=$1
case $arch in '' | *[!a-z0-9]*) echo "make-base.sh: not a Debian architecture: $arch" >&2; exit 2 ;; esac
mkdir -p "$(dirname "$2")"
parent=$(cd "$(dirname "$2")" && pwd)
out=$parent/$(basename "$2")
cache=$parent/debs-$arch
here=$(cd "$(dirname "$0")" && pwd)
packages='busybox-static libc6 docker-registry'

# Whole or not at all, whatever happens; and one at a time where two targets share an architecture.
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
partial=$out.partial
trap 'rm -rf "$partial" "$cache/apt"' EXIT
trap 'exit 1' HUP INT TERM
rm -rf "$partial" "$cache/apt"
mkdir -p "$partial/root"

if [ ! -e "$cache/complete" ]; then
  # shellcheck disable=SC2086 # a list of names
  "$here/fetch-debs.sh" "$arch" "$cache" $packages
  : >"$cache/complete"
fi

deb() { set -- "$cache/$1"_*.deb; printf '%s' "$1"; }

# Debian 13 ships its files below /usr, Debian 12 did not yet: with these links both land in the same place.
root=$partial/root
mkdir -p "$root/usr/bin" "$root/usr/sbin" "$root/usr/lib"
for dir in bin sbin lib; do ln -s "usr/$dir" "$root/$dir"; done
for package in busybox-static libc6; do
  dpkg-deb --fsys-tarfile "$(deb $package)" |
    tar -x --keep-directory-symlink --no-same-owner -C "$root" --exclude='*/gconv' --exclude='./usr/share/lintian'
done
# Of the shared files only the licences stay.
find "$root/usr/share" -type f ! -path '*/doc/*/copyright' -delete
find "$root/usr/share" -type l -delete
find "$root/usr/share" -depth -type d -empty -delete

for applet in ar awk base64 basename cat chgrp chmod chown cmp cp cut date dd df diff dirname dpkg-deb du echo env \
  expr false find free grep gunzip gzip head hostname id kill ln ls mkdir mktemp mount mv nc netstat nproc od \
  ping pidof printf ps pwd readlink realpath rm rmdir sed seq sh sha256sum sleep sort stat stty sync tail tar tee test \
  timeout top touch tr true umount uname uniq unxz vi wc wget which whoami xargs xz xzcat yes zcat; do
  ln -sf busybox "$root/bin/$applet"
done

mkdir -p "$root/etc" "$root/root" "$root/tmp" "$root/var/tmp" "$root/var/lib" "$root/packages" "$root/proc" \
  "$root/sys" "$root/dev" "$root/run"
chmod 1777 "$root/tmp" "$root/var/tmp"
chmod 700 "$root/root"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
cp "$(deb docker-registry)" "$root/packages/docker-registry.deb"

# The same bytes from the same packages: sorted, no times, no owners, no umask.
chmod 644 "$root/etc/passwd" "$root/etc/group" "$root/packages/docker-registry.deb"
find "$root" -type d ! -perm -1000 ! -path "$root/root" -exec chmod 755 {} +
tar --format=gnu --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$root" -cf "$partial/rootfs.tar" .
rm -rf "$root"
printf 'FROM scratch\nADD rootfs.tar /\nCMD ["/bin/sh"]\n' >"$partial/Dockerfile"
# The mode of an added file is part of what the engine records.
chmod 755 "$partial"
chmod 644 "$partial/rootfs.tar" "$partial/Dockerfile"

rm -rf "$out"
mv "$partial" "$out"
echo "made $out from $(cd "$cache" && printf '%s ' ./*.deb)"
