podman_() {
  run=${spec#*+}
  [ "$run" != "$spec" ] || run=
  run=${run%]}
  podman ${spec:+--root "$root" ${run:+--runroot "$run"} ${driver:+--storage-driver "$driver"}} "$@"
}
# A dot is any character to grep: `app:1.2` would be `app:1-2` too.
id_of() {
  exact=$(printf %s "$1" | sed 's/\./[.]/g')
  split "$root/$driver-images/images.json" | { grep -e "\"names\":\\[[^]]*\"$exact\"" || :; } |
    sed -n 's/.*{"id":"\([0-9a-f]\{64\}\)".*/\1/p' | head -n 1
}
name() {
  if command -v skopeo >/dev/null; then
    skopeo copy --quiet "containers-storage:$spec$1" "containers-storage:$spec$2"
  else
    podman_ tag "${1#@}" "$2"
  fi
}
hold() { held=@$old; }
release() { :; }
swap() {
  one=$(id_of "$1") other=$(id_of "$2")
  name "@$other" "$1"
  name "@$one" "$2"
}
forget() {
  ! split "$root/$driver-images/images.json" | grep -F "{\"id\":\"$1\"" | grep -q '"names":\["' || return 0
  if command -v skopeo >/dev/null; then skopeo delete "containers-storage:$spec@$1"; else podman_ rmi "$1"; fi
}
import() {
  if command -v skopeo >/dev/null; then
    skopeo --tmpdir "$ship/tmp" copy --quiet "oci:$ship" "containers-storage:$spec$ref"
  else
    TMPDIR=$ship/tmp podman_ pull --quiet "oci:$ship" >"$ship/id"
    podman_ tag "$(cat "$ship/id")" "$ref"
    podman_ untag "$(cat "$ship/id")" "localhost$ship:latest" || :
  fi
  [ -z "$root" ] || sync -f -- "$root" || :
}
