# Bridges for containers, told apart by lab. Sourced, never run.
# shellcheck shell=bash

# Two labs may run on one machine, so names and addresses follow from the folder. No forwarding and no NAT: nothing
# on these bridges reaches another machine.
lab_number() { printf '%d' $(($(printf '%s' "$LAB" | cksum | cut -d' ' -f1) % 200 + 1)); }
bridge_name() { printf 'plab%d%s' "$(lab_number)" "$1"; }
bridge_subnet() { printf '10.%d.%d' "$1" "$(lab_number)"; }

remove_bridge() { ip link delete "$(bridge_name "$1")" 2>/dev/null || true; }

# The CNI configuration that both CRI servers share.
write_cni() {
  local subnet
  subnet=$(bridge_subnet 203)
  mkdir -p "$LAB/cni/data"
  cat >"$LAB/cni/10-lab.conflist" <<JSON
{ "cniVersion": "0.4.0", "name": "lab", "plugins": [
  { "type": "bridge", "bridge": "$(bridge_name c)", "isGateway": true,
    "ipam": { "type": "host-local", "dataDir": "$LAB/cni/data", "ranges": [[{ "subnet": "$subnet.0/24" }]] } },
  { "type": "loopback" } ] }
JSON
}
