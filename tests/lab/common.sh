# Shared by `lab` and its parts. Sourced, never run.
# shellcheck shell=bash

LAB=${PIPELINE_LAB:-/var/lib/pipeline-lab}
# shellcheck disable=SC2034 # used by those who source this
CACHE=${PIPELINE_LAB_CACHE:-${HOME:-/root}/.cache/pipeline-lab}

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# A unix socket's path ends at 107 bytes, and the longest of ours adds about 40 to $LAB. A plain alphabet keeps
# quoting out of the configuration files that are written below.
check_lab_path() {
  [[ $LAB =~ ^/[A-Za-z0-9._/-]+$ && $LAB != *..* ]] || die "PIPELINE_LAB must be a plain absolute path: $LAB"
  ((${#LAB} <= 60)) || die "PIPELINE_LAB is too long for unix sockets below it (60 bytes at most): $LAB"
}

# One command at a time: tests may call `lab up` side by side. Daemons are started without descriptor 9, or they
# would hold the lock for as long as they live. `down` removes the file, so whoever waited for that one tries again.
lock_lab() {
  local lock=${LAB%/}.lock
  mkdir -p "${LAB%/*}"
  until [[ $lock -ef /proc/$$/fd/9 ]]; do
    exec 9>"$lock"
    flock -w 300 9 || die "another lab command has held the lock for 5 minutes"
  done
}

# The mark by which `down` knows that the folder is its own to remove.
make_lab_folder() {
  mkdir -p "$LAB"
  : >"$LAB/.pipeline-lab"
}

# Debian keeps daemons in sbin, which a user's PATH lacks.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

have() { command -v "$1" >/dev/null 2>&1; }

# first_missing PROGRAM...: prints why the part cannot be had; nothing when all programs are there.
first_missing() {
  local program
  for program; do
    have "$program" || { printf '%s is not installed (lab install)' "$program"; return; }
  done
}

# Without pulling in netcat: whoever refuses a connection has nobody listening.
port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the kernel's ephemeral range, so that no outgoing connection takes it meanwhile.
free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    port_is_free "$port" && { printf '%s' "$port"; return; }
  done
}
