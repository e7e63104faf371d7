# Bridges for containers, told apart by lab. Sourced, never run.
# shellcheck shell=bash

# Two labs may run on one machine, so names and addresses follow from the folder. No forwarding and no NAT: nothing
# on these bridges reaches another machine.
lab_number() { printf '%d' $(($(printf '%s' "$LAB" | cksum | cut -d' ' -f1) % 200 + 1)); }
bridge_name() { printf 'plab%d%s' "$(lab_number)" "$1"; }
bridge_subnet() { printf '10.%d.%d' "$1" "$(lab_number)"; }

# make_bridge LETTER: d and n for dockerd, c for the CRI servers. Made here, with its address, because the CNI plugin would
# turn on the whole machine's IP forwarding when it makes a gateway.
make_bridge() {
  local name second
  name=$(bridge_name "$1")
  case $1 in c) second=203 ;; n) second=205 ;; *) second=204 ;; esac
  [[ -e /sys/class/net/$name ]] && return
  ip link add "$name" type bridge && ip address add "$(bridge_subnet "$second").1/24" dev "$name" &&
    ip link set "$name" up
}

remove_bridge() { ip link delete "$(bridge_name "$1")" 2>/dev/null || true; }

# The CNI configuration and the bridge that both CRI servers share.
write_cni() {
  mkdir -p "$LAB/cni/data"
  cat >"$LAB/cni/10-lab.conflist" <<JSON
{ "cniVersion": "0.4.0", "name": "lab", "plugins": [
  { "type": "bridge", "bridge": "$(bridge_name c)", "isGateway": false,
    "ipam": { "type": "host-local", "dataDir": "$LAB/cni/data", "ranges": [[
      { "subnet": "$(bridge_subnet 203).0/24", "rangeStart": "$(bridge_subnet 203).10" } ]] } },
  { "type": "loopback" } ] }
JSON
  make_bridge c
}

# The last one out.
remove_cni() {
  containerd_running >/dev/null || crio_running >/dev/null || remove_bridge c
}
