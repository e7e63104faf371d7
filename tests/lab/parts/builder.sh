# A second machine that builds: namespaces of its own for network, mounts and processes, and in them an sshd and a
# dockerd; podman needs no daemon. Only the network leads there. Sourced by `lab`.
# shellcheck shell=bash

builder_packages() { printf 'docker.io podman openssh-server openssh-client iproute2 curl util-linux'; }
builder_missing() { first_missing dockerd containerd runc podman sshd ssh ssh-keygen ip unshare nsenter curl; }

builder_net() { printf 'plab%db' "$(lab_number)"; }
builder_link() { printf 'plab%dv' "$(lab_number)"; }
builder_address() { printf '10.206.%d.2' "$(lab_number)"; }

builder_up() {
  local dir=$LAB/builder net link
  net=$(builder_net) link=$(builder_link)
  mkdir -p "$dir/podman"
  builder_down_network
  ip netns add "$net"
  ip link add "$link" type veth peer name eth0 netns "$net"
  ip address add "$(bridge_subnet 206).1/30" dev "$link"
  ip link set "$link" up
  ip -n "$net" link set lo up
  ip -n "$net" address add "$(builder_address)/30" dev eth0
  ip -n "$net" link set eth0 up
  for key in hostkey id; do
    [[ -e $dir/$key ]] || ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$dir/$key"
  done
  printf '{}\n' >"$dir/daemon.json"
  write_containers_conf
  printf '%s\n' "$link" >"$dir/link"
  write_builder_config
  # It ends with unshare, and takes all that runs in it along.
  start "$dir" unshare --mount --pid --fork --kill-child --mount-proc \
    nsenter "--net=/run/netns/$net" "${here:?}/builder-machine" "$LAB"
  wait_until 40 "$dir" unshare builder_answers
}

write_builder_config() {
  local dir=$LAB/builder
  cat >"$dir/sshd_config" <<CONF
Port 22
ListenAddress $(builder_address)
HostKey $dir/hostkey
PidFile none
AuthorizedKeysFile $dir/id.pub
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
SetEnv HOME=$dir PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CONTAINERS_CONF=$LAB/containers.conf CONTAINERS_STORAGE_CONF=$dir/storage.conf
CONF
  cat >"$dir/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$dir/podman/root"
runroot = "$dir/podman/run"
CONF
  cat >"$dir/ssh_config" <<CONF
Host builder
  HostName $(builder_address)
  User root
  HostKeyAlias builder
  IdentityFile $dir/id
  IdentitiesOnly yes
  UserKnownHostsFile $dir/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
CONF
  printf 'builder %s\n' "$(cut -d' ' -f1,2 "$dir/hostkey.pub")" >"$dir/known_hosts"
}

builder_answers() {
  ssh -F "$LAB/builder/ssh_config" -o BatchMode=yes builder \
    'curl -fsS --max-time 5 --unix-socket /run/docker.sock http://docker/_ping'
}

builder_running() {
  pid_of "$LAB/builder" unshare >/dev/null && [[ -e /sys/class/net/$(builder_link) ]] &&
    printf '%s (ssh -F %s/builder/ssh_config builder)' "$(builder_address)" "$LAB"
}

builder_down_network() {
  ip link delete "$(builder_link)" 2>/dev/null || true
  ip netns delete "$(builder_net)" 2>/dev/null || true
}

builder_down() {
  stop "$LAB/builder" unshare
  sweep containerd-shim-runc-v2 "$LAB/builder/"
  builder_down_network
  remove "$LAB/builder"
}
