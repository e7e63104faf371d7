# The image whose one process holds a pod together. Sourced, never run.
# shellcheck shell=bash

# A docker-archive made by hand from the machine's static busybox: the public pause image is out of reach, and this
# needs neither an engine nor a store. Prints the archive's path.
pause_archive() {
  local dir=$LAB/pause arch diff_id
  [[ -e $LAB/pause.tar ]] && { printf '%s' "$LAB/pause.tar"; return; }
  rm -rf "$dir"
  mkdir -p "$dir/root/bin"
  cp "$(command -v busybox)" "$dir/root/bin/busybox"
  # Process 1 ignores signals that it does not handle: without the trap, stopping a pod would take its full timeout.
  cat >"$dir/root/pause" <<'SH'
#!/bin/busybox sh
trap 'exit 0' TERM INT
while :; do /bin/busybox sleep 86400 & wait; done
SH
  chmod 755 "$dir/root/pause"
  tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$dir/root" -cf "$dir/layer.tar" .
  diff_id=$(sha256sum "$dir/layer.tar" | cut -d' ' -f1)
  arch=$(dpkg --print-architecture)
  cat >"$dir/config.json" <<JSON
{"architecture":"$arch","os":"linux","config":{"Entrypoint":["/pause"]},
"rootfs":{"type":"layers","diff_ids":["sha256:$diff_id"]},"history":[{"created_by":"lab"}]}
JSON
  printf '[{"Config":"config.json","RepoTags":["localhost/pause:lab"],"Layers":["layer.tar"]}]' >"$dir/manifest.json"
  tar -C "$dir" -cf "$LAB/pause.tar.partial" manifest.json config.json layer.tar
  mv "$LAB/pause.tar.partial" "$LAB/pause.tar"
  rm -rf "$dir"
  printf '%s' "$LAB/pause.tar"
}
