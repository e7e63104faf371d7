# crictl: a program, not a server; it is "up" when the nodes find it on their PATH. Sourced by `lab`.
# shellcheck shell=bash

CRICTL_VERSION=v1.36.0
CRICTL_GO=1.26.2

crictl_packages() { :; }

# The lab's own build first: its version is known.
find_crictl() {
  if [[ -x $CACHE/bin/crictl ]]; then printf '%s' "$CACHE/bin/crictl"; else command -v crictl; fi
}

# Compiled on the way up where there is a Go; where there is none, only on demand (`lab build crictl` gets one).
crictl_missing() {
  if find_crictl >/dev/null; then
    return
  elif [[ -s $CACHE/crictl.why ]]; then
    printf 'it could not be compiled: %s (lab build crictl tries again)' "$(cat "$CACHE/crictl.why")"
  elif ! find_go "$CRICTL_GO" >/dev/null; then
    printf 'Debian does not package it, and there is no Go %s to compile it (lab build crictl)' "$CRICTL_GO"
  fi
}

crictl_build() {
  [[ -x $CACHE/bin/crictl ]] && return
  say "crictl: compiling $CRICTL_VERSION (about 2 minutes on 2 cores, once)"
  CGO_ENABLED=0 go_install "$CRICTL_GO" crictl sigs.k8s.io/cri-tools/cmd/crictl "sigs.k8s.io/cri-tools $CRICTL_VERSION" \
    -ldflags="-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$CRICTL_VERSION"
}

crictl_up() {
  local program
  find_crictl >/dev/null || crictl_build || return
  program=$(find_crictl)
  mkdir -p "$LAB/bin"
  # A copy, not a link: the cache may be in a home directory that only its owner can enter.
  cp "$program" "$LAB/bin/crictl.partial"
  mv "$LAB/bin/crictl.partial" "$LAB/bin/crictl"
}

crictl_running() { [[ -x $LAB/bin/crictl ]] && printf '%s/bin/crictl' "$LAB"; }

crictl_down() { rm -f "$LAB/bin/crictl"; }
