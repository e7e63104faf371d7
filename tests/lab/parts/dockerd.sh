# A dockerd of our own. Sourced by `lab`.
# shellcheck shell=bash

dockerd_packages() { printf 'docker.io iproute2 curl'; }
dockerd_missing() { first_missing dockerd containerd runc ip curl; }

# With `--bridge none` dockerd deletes the machine's docker0, also when another daemon owns it; given a bridge of our
# own it leaves docker0 alone.
dockerd_up() { start_dockerd dockerd docker.sock d; }

# start_dockerd FOLDER SOCKET BRIDGE, the names below $LAB and the bridge's letter.
start_dockerd() {
  local dir=$LAB/$1 socket=$LAB/$2
  mkdir -p "$dir"
  # An empty but present config: buildah, for one, fails on a DOCKER_CONFIG without the file.
  printf '{}\n' >"$dir/config.json"
  # The same for the daemon, so that it does not read the machine's /etc/docker.
  printf '{}\n' >"$dir/daemon.json"
  make_bridge "$3" || return
  start "$dir" dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
    --config-file "$dir/daemon.json" --host "unix://$socket" --group root \
    --bridge "$(bridge_name "$3")" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
  wait_until 30 "$dir" dockerd dockerd_answers "$socket"
}

dockerd_answers() {
  [[ $(curl -fsS --max-time 5 --unix-socket "$1" http://docker/_ping) == OK ]]
}

dockerd_running() {
  pid_of "$LAB/dockerd" dockerd >/dev/null && [[ -S $LAB/docker.sock ]] && printf 'unix://%s/docker.sock' "$LAB"
}

dockerd_down() {
  stop "$LAB/dockerd" dockerd
  sweep containerd-shim-runc-v2 "$LAB/dockerd/"
  rm -f "$LAB/docker.sock"
  remove "$LAB/dockerd"
  remove_bridge d
}
