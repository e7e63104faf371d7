# `lab install`: Debian packages. Sourced, never run.
# shellcheck shell=bash

# What a build and a delivery need on either end, whichever parts run.
BASE_PACKAGES="git buildah skopeo qemu-user-static busybox-static runc xz-utils ca-certificates"

# Everything else that the test suite drives.
EXTRA_PACKAGES="podman fuse-overlayfs uidmap arch-test git-lfs gnupg"

is_installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

# missing_packages [PART | +PACKAGE]...: one a line. Without any it is all parts, and what only the tests need.
missing_packages() {
  local part package
  local -a wanted
  read -ra wanted <<<"$BASE_PACKAGES"
  (($#)) || { read -ra package <<<"$EXTRA_PACKAGES"; wanted+=("${package[@]}"); set -- "${PARTS[@]}"; }
  for part; do
    case $part in
      +*) package=("${part#+}") ;;
      *) read -ra package <<<"$("${part}_packages")" ;;
    esac
    wanted+=("${package[@]}")
  done
  for package in "${wanted[@]}"; do
    is_installed "$package" || printf '%s\n' "$package"
  done | sort -u
}

lab_install() {
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  if ((${#missing[@]})); then
    say "install: ${missing[*]}"
    [[ -z ${DRY_RUN:-} ]] || return 0
    [[ $(id -u) == 0 ]] || die "installing packages needs root"
    without_services install_packages "${missing[@]}"
  else
    say "install: nothing is missing"
  fi
  if [[ -z ${DRY_RUN:-} && $(id -u) == 0 ]]; then mount_table; fi
}

# The kernel's table of emulators: systemd mounts it, but not every machine has systemd.
mount_table() {
  local table=/proc/sys/fs/binfmt_misc
  [[ ! -e $table/register ]] || return 0
  mount -t binfmt_misc binfmt_misc "$table" || say "install: binfmt_misc cannot be mounted: nothing foreign will run"
}

install_packages() {
  local log
  local -a apt=(apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -qq)
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # One broken third-party source must not stop us: if its packages mattered, the install says so.
  "${apt[@]}" update >"$log" 2>&1 || say "apt-get update complained; going on"
  if ! "${apt[@]}" install -y --no-install-recommends "$@" >>"$log" 2>&1 </dev/null; then
    tail -n 30 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
  disable_services "$@"
}

# Not started is not enough: packages also enable their daemons for the next boot, Debian's docker-registry on every
# address. Only what was just installed is touched.
disable_services() {
  local -a units
  have systemctl || return 0
  mapfile -t units < <(dpkg -L "$@" 2>/dev/null |
    sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|socket|timer))$#\2#p')
  ((${#units[@]} == 0)) || systemctl --no-reload disable "${units[@]}" >/dev/null 2>&1 || true
}

# Packages such as docker.io start their daemon at once, for the whole machine. The policy file is Debian's way to
# say no; one that was there before stays.
without_services() {
  local policy=/usr/sbin/policy-rc.d status=0
  if [[ -e $policy ]]; then
    "$@"
    return
  fi
  printf '#!/bin/sh\n# pipeline-lab: removed when the installation ends\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  "$@" || status=$?
  rm -f "$policy"
  trap - EXIT
  return "$status"
}
