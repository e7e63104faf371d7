# A registry on loopback, for pushes and for bases that have several platforms. Sourced by `lab`.
# shellcheck shell=bash

registry_packages() { printf 'docker-registry'; }
registry_missing() { first_missing docker-registry; }

registry_up() {
  local dir=$LAB/registry port
  remove "$dir"
  mkdir -p "$dir/data"
  port=$(free_port)
  # Debian's packaged configuration listens on every address: never use that one.
  cat >"$dir/config.yml" <<YML
version: 0.1
log: { level: warn }
storage:
  filesystem: { rootdirectory: $dir/data }
  delete: { enabled: true }
http: { addr: "127.0.0.1:$port", secret: lab }
YML
  start "$dir" docker-registry serve "$dir/config.yml"
  wait_until 10 "$dir" docker-registry registry_answers "127.0.0.1:$port" || return
  printf '127.0.0.1:%s\n' "$port" >"$LAB/registry.addr"
}

registry_answers() { ! port_is_free "${1#*:}"; }

registry_running() { pid_of "$LAB/registry" docker-registry >/dev/null && cat "$LAB/registry.addr" 2>/dev/null; }

registry_down() {
  stop "$LAB/registry" docker-registry
  rm -f "$LAB/registry.addr"
  remove "$LAB/registry"
}
