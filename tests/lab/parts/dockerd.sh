# A dockerd of our own. Sourced by `lab`.
# shellcheck shell=bash

dockerd_packages() { printf 'docker.io iproute2 curl'; }
dockerd_missing() { first_missing dockerd containerd runc ip curl; }

# With `--bridge none` dockerd deletes the machine's docker0, also when another daemon owns it; given a bridge of our
# own it leaves docker0 alone.
dockerd_up() {
  local dir=$LAB/dockerd
  mkdir -p "$dir"
  # An empty but present config: buildah, for one, fails on a DOCKER_CONFIG without the file.
  printf '{}\n' >"$dir/config.json"
  # The same for the daemon, so that it does not read the machine's /etc/docker.
  printf '{}\n' >"$dir/daemon.json"
  make_bridge d || return
  start "$dir" dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/docker.pid" \
    --config-file "$dir/daemon.json" --host "unix://$LAB/docker.sock" --group root \
    --bridge "$(bridge_name d)" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false
  wait_until 30 "$dir" dockerd dockerd_answers
}

dockerd_answers() {
  [[ $(curl -fsS --max-time 5 --unix-socket "$LAB/docker.sock" http://docker/_ping) == OK ]]
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
