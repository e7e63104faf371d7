# CRI-O on edge-arm64's storage. Sourced by `lab`.
# shellcheck shell=bash

CRIO_VERSION=v1.36.3
CRIO_GO=1.26.2

crio_packages() { printf 'conmon runc containernetworking-plugins busybox-static skopeo iproute2 curl'; }

find_crio() {
  if [[ -x $CACHE/bin/crio ]]; then printf '%s' "$CACHE/bin/crio"; else command -v crio; fi
}
find_pinns() {
  if [[ -x $CACHE/bin/pinns ]]; then printf '%s' "$CACHE/bin/pinns"; else command -v pinns; fi
}

crio_missing() {
  if [[ -s $CACHE/crio.why ]]; then
    printf 'it could not be compiled: %s (lab build crio tries again)' "$(cat "$CACHE/crio.why")"
  elif ! find_crio >/dev/null || ! find_pinns >/dev/null; then
    printf 'Debian does not package it, and it is not compiled here (lab build crio: some minutes, once)'
  else
    first_missing conmon runc skopeo busybox ip curl
  fi
}

# Debian's C libraries where the tags allow a choice; the pure Go OpenPGP spares gpgme, and the lab has no btrfs.
CRIO_BUILD_PACKAGES="gcc libc6-dev pkg-config libseccomp-dev libsqlite3-dev"
CRIO_TAGS="seccomp libsqlite3 containers_image_openpgp containers_image_ostree_stub exclude_graphdriver_btrfs"

crio_build() {
  local package
  local -a missing=()
  [[ -x $CACHE/bin/crio && -x $CACHE/bin/pinns ]] && return
  for package in $CRIO_BUILD_PACKAGES; do
    is_installed "$package" || missing+=("$package")
  done
  if ((${#missing[@]})); then
    say "crio: installing ${missing[*]}"
    without_services install_packages "${missing[@]}" || return
  fi
  say "crio: compiling $CRIO_VERSION (3 to 6 minutes on 2 cores, once)"
  CGO_ENABLED=1 go_install "$CRIO_GO" crio github.com/cri-o/cri-o/cmd/crio "github.com/cri-o/cri-o $CRIO_VERSION" \
    -ldflags='-s -w' -tags="$CRIO_TAGS" || return
  pinns_build
}

# The helper that pins namespaces is C, and comes with the same module.
pinns_build() {
  local go source
  go=$(find_go "$CRIO_GO") || return
  source=$(cd "$CACHE/module-crio" && GOTOOLCHAIN=local GOFLAGS=-mod=mod "$go" list -m -f '{{.Dir}}' github.com/cri-o/cri-o) ||
    return
  gcc -std=c99 -Os -static -s -o "$CACHE/bin/pinns.partial" "$source"/pinns/src/*.c &&
    mv "$CACHE/bin/pinns.partial" "$CACHE/bin/pinns"
}

crio_up() {
  local dir=$LAB/crio
  mkdir -p "$dir/conf.d" "$dir/policies"
  write_cni || return
  write_crio_config >"$dir/crio.conf"
  printf '{"default":[{"type":"insecureAcceptAnything"}]}\n' >"$dir/policy.json"
  write_registries_conf >"$dir/registries.conf"
  skopeo copy -q --policy "$dir/policy.json" "docker-archive:$(pause_archive)" \
    "containers-storage:[overlay@$dir/root+$dir/run]localhost/pause:lab" >&2 || return
  CONTAINER_REGISTRIES_CONF=$dir/registries.conf CONTAINER_REGISTRIES_CONF_DIR=$dir/conf.d \
    start "$dir" "$(find_crio)" --config "$dir/crio.conf" --config-dir "$dir/conf.d"
  wait_until 30 "$dir" crio crio_answers
}

# The socket serves plain HTTP beside CRI, so no crictl is needed to see that it is there.
crio_answers() { curl -fsS --max-time 5 --unix-socket "$LAB/crio.sock" http://crio/info | grep -q storage_root; }

write_registries_conf() {
  printf 'unqualified-search-registries = []\n'
  [[ -e $LAB/registry.addr ]] || return 0
  printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$(cat "$LAB/registry.addr")"
}

# Everything that CRI-O would keep under /var/lib, /var/run and /etc stays below our folder. internal_wipe: the
# storage is the node's, images that were delivered while CRI-O was down must survive its start.
write_crio_config() {
  local dir=$LAB/crio
  cat <<TOML
[crio]
root = "$dir/root"
runroot = "$dir/run"
storage_driver = "overlay"
log_dir = "$dir/pods"
version_file = "$dir/state/version"
clean_shutdown_file = "$dir/state/clean.shutdown"
internal_wipe = false
internal_repair = false
[crio.api]
listen = "$LAB/crio.sock"
stream_address = "127.0.0.1"
stream_port = "0"
[crio.runtime]
conmon_cgroup = "pod"
cgroup_manager = "cgroupfs"
default_runtime = "runc"
drop_infra_ctr = true
pinns_path = "$(find_pinns)"
namespaces_dir = "$dir/ns"
container_exits_dir = "$dir/exits"
container_attach_socket_dir = "$dir/attach"
hooks_dir = []
enable_criu_support = false
irqbalance_config_restore_file = "disable"
allowed_devices = []
decryption_keys_path = ""
[crio.runtime.runtimes.runc]
runtime_path = "$(command -v runc)"
runtime_type = "oci"
runtime_root = "$dir/runc"
monitor_path = "$(command -v conmon)"
monitor_cgroup = "pod"
monitor_env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
[crio.image]
pause_image = "localhost/pause:lab"
pause_command = "/pause"
signature_policy = "$dir/policy.json"
signature_policy_dir = "$dir/policies"
[crio.network]
network_dir = "$LAB/cni"
plugin_dirs = ["/usr/lib/cni"]
[crio.nri]
enable_nri = false
TOML
}

crio_running() {
  pid_of "$LAB/crio" crio >/dev/null && [[ -S $LAB/crio.sock ]] && printf 'unix://%s/crio.sock' "$LAB"
}

crio_down() {
  delete_containers "$LAB/crio/runc"
  stop "$LAB/crio" crio
  delete_containers "$LAB/crio/runc"
  sweep conmon "$LAB/crio/"
  rm -f "$LAB/crio.sock"
  remove "$LAB/crio"
  remove_cni
}
