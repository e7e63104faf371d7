# The dockerd of the node edge-docker: not the one that images are built with. Sourced by `lab`.
# shellcheck shell=bash

nodedocker_packages() { dockerd_packages; }
nodedocker_missing() { dockerd_missing; }

nodedocker_up() { start_dockerd nodedocker nodedocker.sock n; }

nodedocker_running() {
  pid_of "$LAB/nodedocker" dockerd >/dev/null && [[ -S $LAB/nodedocker.sock ]] &&
    printf 'unix://%s/nodedocker.sock' "$LAB"
}

nodedocker_down() {
  stop "$LAB/nodedocker" dockerd
  sweep containerd-shim-runc-v2 "$LAB/nodedocker/"
  rm -f "$LAB/nodedocker.sock"
  remove "$LAB/nodedocker"
  remove_bridge n
}
