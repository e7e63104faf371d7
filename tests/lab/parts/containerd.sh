# A containerd with its CRI server. Sourced by `lab`.
# shellcheck shell=bash

containerd_packages() { printf 'containerd runc containernetworking-plugins busybox-static iproute2'; }
containerd_missing() { first_missing containerd ctr runc busybox ip; }

containerd_up() {
  local dir=$LAB/containerd
  mkdir -p "$dir"
  write_cni || return
  write_containerd_config >"$dir/config.toml"
  start "$dir" containerd --config "$dir/config.toml"
  wait_until 30 "$dir" containerd lab_ctr plugins ls -q || return
  lab_ctr -n k8s.io images import "$(pause_archive)" >/dev/null
}

lab_ctr() { ctr --address "$LAB/containerd.sock" "$@"; }

# The OOM score is left alone: lowering it needs CAP_SYS_RESOURCE, which containers used for CI lack. runc's state and
# the network namespaces stay below our folder instead of the machine's /run.
write_containerd_config() {
  cat <<TOML
version = 2
root = "$LAB/containerd/root"
state = "$LAB/containerd/state"
oom_score = 0
[grpc]
  address = "$LAB/containerd.sock"
[ttrpc]
  address = "$LAB/containerd.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:lab"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "$LAB/cni"
    bin_dir = "/usr/lib/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$(command -v runc)"
        Root = "$LAB/containerd/runc"
        SystemdCgroup = false
TOML
}

containerd_running() {
  pid_of "$LAB/containerd" containerd >/dev/null && [[ -S $LAB/containerd.sock ]] &&
    printf 'unix://%s/containerd.sock' "$LAB"
}

containerd_down() {
  # Containers outlive containerd by design: they go first, then the shims that watched them.
  delete_containers "$LAB/containerd/runc/k8s.io"
  stop "$LAB/containerd" containerd
  delete_containers "$LAB/containerd/runc/k8s.io"
  sweep containerd-shim-runc-v2 "$LAB/containerd.sock"
  rm -f "$LAB/containerd.sock" "$LAB/containerd.ttrpc"
  remove "$LAB/containerd"
  remove_cni
}
