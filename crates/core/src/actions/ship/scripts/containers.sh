where() {
  if [ -z "$root" ]; then
    if [ "$(id -u)" = 0 ]; then
      root=/var/lib/containers/storage
      conf=/etc/containers/storage.conf
      [ -e "$conf" ] || conf=/usr/share/containers/storage.conf
    else
      root=${XDG_DATA_HOME:-$HOME/.local/share}/containers/storage
      conf=${XDG_CONFIG_HOME:-$HOME/.config}/containers/storage.conf
    fi
    conf=${CONTAINERS_STORAGE_CONF:-$conf}
    key() { sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*\"\\(.*\\)\".*/\\1/p" "$conf" 2>/dev/null | head -n 1; }
    set_root=$(key graphroot)
    root=${set_root:-$root}
    [ -n "$driver" ] || driver=$(key driver)
  fi
  if [ -z "$driver" ]; then
    for driver in overlay vfs btrfs ''; do [ ! -e "$root/$driver-layers" ] || break; done
  fi
}
  split() { sed 's/},{"id"/}\
{"id"/g' "$1" 2>/dev/null || :; }
ask() {
  needs skopeo podman
  where
  echo "store $driver $root"
  echo "room $(free "$root")"
  split "$root/$driver-images/images.json" | { grep -e "\"names\":\\[[^]]*\"${ref}[.\"]" || :; } | sed 's/^/image /'
  split "$root/$driver-layers/layers.json" | { grep -F "$(printf '"diff-digest":"%s"\n' $ids)" || :; } | sed 's/^/layer /'
}
