# The dockerd of the node edge-docker: not the one that images are built with. Sourced by `lab`.
# shellcheck shell=bash

nodedocker_packages() { dockerd_packages; }
nodedocker_missing() { dockerd_missing; }

# No containers run there, so it needs no network.
nodedocker_up() {
  local dir=$LAB/nodedocker
  mkdir -p "$dir"
  printf '{}\n' >"$dir/config.json"
  printf '{}\n' >"$dir/daemon.json"
  make_bridge n || return
  start "$dir" dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
    --config-file "$dir/daemon.json" --host "unix://$LAB/nodedocker.sock" --group root \
    --bridge "$(bridge_name n)" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
  wait_until 30 "$dir" dockerd nodedocker_answers
}

nodedocker_answers() {
  [[ $(curl -fsS --max-time 5 --unix-socket "$LAB/nodedocker.sock" http://docker/_ping) == OK ]]
}

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
