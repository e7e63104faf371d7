# Machines to deliver to, one for each runtime: an sshd each, on loopback. Sourced by `lab`.
# shellcheck shell=bash

NODES=(edge-arm64 edge-armv7 edge-docker edge-podman)

nodes_packages() { printf 'openssh-server openssh-client skopeo'; }
nodes_missing() { first_missing sshd ssh ssh-keygen; }

nodes_up() {
  local node
  mkdir -p "$LAB/bin" "$LAB/ssh" /run/sshd
  [[ -e $LAB/ssh/id ]] || ssh-keygen -q -t ed25519 -N '' -C pipeline-lab -f "$LAB/ssh/id"
  : >"$LAB/ssh_config.partial"
  : >"$LAB/ssh/known_hosts"
  for node in "${NODES[@]}"; do
    node_up "$node" || return
  done
  mv "$LAB/ssh_config.partial" "$LAB/ssh_config"
}

# Which CRI server a node's crictl asks. edge-arm64 is CRI-O's node: its default storage is CRI-O's, too.
node_endpoint() {
  case $1 in
    edge-arm64) printf 'unix://%s/crio.sock' "$LAB" ;;
    *) printf 'unix://%s/containerd.sock' "$LAB" ;;
  esac
}

node_up() {
  local dir=$LAB/$1 port try
  mkdir -p "$dir/files"
  [[ -e $dir/hostkey ]] || ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$dir/hostkey"
  printf '%s: %s\n' runtime-endpoint "$(node_endpoint "$1")" image-endpoint "$(node_endpoint "$1")" \
    >"$dir/crictl.yaml"
  printf 'timeout: 20\n' >>"$dir/crictl.yaml"
  # Somebody may take the port between our look and sshd's bind: then another one.
  for try in 1 2 3 4 5; do
    port=$(free_port)
    write_sshd_config "$1" "$port"
    start "$dir" "$(command -v sshd)" -D -e -f "$dir/sshd_config"
    if wait_until 10 "$dir" sshd node_listens "$port"; then
      printf '%s\n' "$port" >"$dir/port"
      write_client_config "$1" "$port" >>"$LAB/ssh_config.partial"
      printf '%s %s\n' "$1" "$(cut -d' ' -f1,2 "$dir/hostkey.pub")" >>"$LAB/ssh/known_hosts"
      return
    fi
    say "$1: try $try on port $port failed"
  done
  return 1
}

node_listens() { ! port_is_free "$1"; }

# HOME: what the machine's root has in its .bashrc is no part of a node, and some of it takes long.
# StrictModes and PAM would ask for things that a scratch folder does not have. MaxStartups: many short connections
# at once are what a delivery looks like, and sshd's default drops the eleventh.
write_sshd_config() {
  local more=""
  case $1 in
    edge-arm64 | edge-podman)
      more=" CONTAINERS_STORAGE_CONF=$LAB/$1/storage.conf CONTAINERS_CONF=$LAB/containers.conf"
      write_storage_conf "$1"
      ;;
    edge-docker) more=" DOCKER_HOST=unix://$LAB/nodedocker.sock DOCKER_CONFIG=$LAB/nodedocker" ;;
  esac
  cat >"$LAB/$1/sshd_config" <<CONF
Port $2
ListenAddress 127.0.0.1
HostKey $LAB/$1/hostkey
PidFile none
AuthorizedKeysFile $LAB/ssh/id.pub
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UsePAM no
StrictModes no
UseDNS no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
SetEnv HOME=$LAB/$1 PATH=$LAB/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CRI_CONFIG_FILE=$LAB/$1/crictl.yaml$more
CONF
}

# podman's node has the other driver that is to be had everywhere.
write_storage_conf() {
  local driver=overlay root=$LAB/crio
  [[ $1 == edge-podman ]] && driver=vfs root=$LAB/edge-podman/storage
  cat >"$LAB/$1/storage.conf" <<CONF
[storage]
driver = "$driver"
graphroot = "$root/root"
runroot = "$root/run"
CONF
}

# HostKeyAlias: the port changes from one start to the next, the node's name and key do not.
write_client_config() {
  cat <<CONF
Host $1
  HostName 127.0.0.1
  Port $2
  User root
  HostKeyAlias $1
  IdentityFile $LAB/ssh/id
  IdentitiesOnly yes
  UserKnownHostsFile $LAB/ssh/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 10

CONF
}

nodes_running() {
  local node
  [[ -e $LAB/ssh_config ]] || return 1
  for node in "${NODES[@]}"; do
    pid_of "$LAB/$node" sshd >/dev/null || return 1
    printf '%s 127.0.0.1:%s  ' "$node" "$(cat "$LAB/$node/port")"
  done
  printf '(ssh -F %s/ssh_config)' "$LAB"
}

nodes_down() {
  local node
  for node in "${NODES[@]}"; do
    stop "$LAB/$node" sshd
    remove "$LAB/$node"
  done
  rm -rf "$LAB/ssh" "$LAB/ssh_config" "$LAB/ssh_config.partial"
}
