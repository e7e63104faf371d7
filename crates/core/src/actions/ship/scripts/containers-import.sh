import() {
  if command -v skopeo >/dev/null; then
    skopeo --tmpdir "$ship/tmp" copy --quiet "oci:$ship" "containers-storage:$spec$ref"
  else
    TMPDIR=$ship/tmp podman pull --quiet "oci:$ship" >"$ship/id"
    podman tag "$(cat "$ship/id")" "$ref"
  fi
  [ -z "$root" ] || sync -f -- "$root" || :
}
