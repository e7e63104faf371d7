# Starting and stopping daemons by a recorded pid. Sourced, never run.
# shellcheck shell=bash

# Field 22 of stat: together with the pid it names one process for good, so a recycled pid is never signalled.
# (The second field may hold spaces, hence the cut at the last bracket.)
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  stat=${stat##*) }
  # shellcheck disable=SC2086 # split into fields
  set -- $stat
  printf '%s' "${20}"
}

# start DIR PROGRAM ARGS...: detached, its output in DIR/log, pid and start time in DIR/pid.
start() {
  local dir=$1 pid
  shift
  # What half a component left, e.g. one of two nodes.
  stop "$dir" "${1##*/}"
  setsid "$@" </dev/null >>"$dir/log" 2>&1 9>&- &
  pid=$!
  printf '%s %s\n' "$pid" "$(start_time "$pid")" >"$dir/pid.partial"
  mv "$dir/pid.partial" "$dir/pid"
}

# pid_of DIR PROGRAM: prints the pid of the daemon that `start DIR` started, if it is still that program.
pid_of() {
  local pid started exe
  { read -r pid started <"$1/pid"; } 2>/dev/null || return 1
  [[ -n $started && $(start_time "$pid") == "$started" ]] || return 1
  exe=$(readlink "/proc/$pid/exe") || return 1
  exe=${exe% (deleted)}
  [[ ${exe##*/} == "$2" ]] || return 1
  printf '%s' "$pid"
}

# wait_until SECONDS DIR PROGRAM CHECK...: polls CHECK; fails with the log's end when the daemon dies or time is up.
wait_until() {
  local deadline=$((SECONDS + $1)) dir=$2 program=$3
  shift 3
  until "$@" >/dev/null 2>&1; do
    # A fresh fork is not yet the program: the first second does not count as death.
    if ((SECONDS >= deadline)) || { ! pid_of "$dir" "$program" >/dev/null && ! is_young "$dir"; }; then
      say "$program did not get ready; the end of $dir/log:"
      tail -n 15 "$dir/log" >&2
      return 1
    fi
    sleep 0.05
  done
}

is_young() { [[ -n $(find "$1/pid" -newermt '-2 seconds' 2>/dev/null) ]]; }

# All descendants of a pid, as `pid:starttime` words: what is left of them is ended after their parent.
descendants() {
  local child
  # shellcheck disable=SC2013 # words, not lines: all children are on one
  for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do
    printf '%s:%s ' "$child" "$(start_time "$child")"
    descendants "$child"
  done
}

# stop DIR PROGRAM: TERM, ten seconds, KILL; then whatever it had started and left behind.
stop() {
  local pid entry tree deadline=$((SECONDS + 10))
  if pid=$(pid_of "$1" "$2"); then
    tree=$(descendants "$pid")
    kill -TERM "$pid" 2>/dev/null || true
    while pid_of "$1" "$2" >/dev/null; do
      ((SECONDS < deadline)) || { kill -KILL "$pid" 2>/dev/null || true; deadline=$((SECONDS + 10)); }
      sleep 0.05
    done
    for entry in $tree; do
      pid=${entry%%:*}
      [[ $(start_time "$pid") == "${entry#*:}" ]] && kill -KILL "$pid" 2>/dev/null
    done
  fi
  rm -f "$1/pid"
}

# sweep PROGRAM TEXT: kills processes of that program whose command line holds TEXT, a path below $LAB. For shims
# and monitors, which leave their parent on purpose and are told by nothing but their arguments.
sweep() {
  local proc exe
  for proc in /proc/[0-9]*; do
    exe=$(readlink "$proc/exe" 2>/dev/null) || continue
    [[ ${exe##*/} == "$1" ]] || continue
    tr '\0' ' ' <"$proc/cmdline" 2>/dev/null | grep -qF -- "$2" || continue
    kill -KILL "${proc#/proc/}" 2>/dev/null || true
  done
}

# Deepest first; lazily where something still looks at it.
unmount_below() {
  local mount
  awk -v dir="$1/" 'index($5 "/", dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r mount; do
    umount "$mount" 2>/dev/null || umount -l "$mount" 2>/dev/null || say "cannot unmount $mount"
  done
}

# remove DIR: only below $LAB, and never through a mount that is still there.
remove() {
  [[ $1 == "$LAB"/?* ]] || die "will not remove $1"
  unmount_below "$1"
  rm -rf --one-file-system -- "$1"
}

# delete_containers ROOT: every container that runc keeps in that state folder.
delete_containers() {
  local state
  for state in "$1"/*/state.json; do
    [[ -e $state ]] || continue
    state=${state%/state.json}
    runc --root "$1" delete --force "${state##*/}" >/dev/null 2>&1 || true
  done
}
