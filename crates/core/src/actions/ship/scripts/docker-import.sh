id_of() { docker image inspect --format '{{.Id}}' -- "$1" 2>/dev/null || :; }
name() { docker tag "$1" "$2"; }
hold() { held=$old; }
release() { :; }
swap() {
  one=$(id_of "$1") other=$(id_of "$2")
  name "$other" "$1"
  name "$one" "$2"
}
forget() { [ "$(docker image inspect --format '{{len .RepoTags}}' -- "$1")" != 0 ] || docker rmi "$1"; }
import() {
  for pair in $pairs; do
    blob=$ship/blobs/sha256/${pair%%=*} to=$ship/${pair#*=}.tar
    if [ "$(od -An -tx1 -N4 "$blob" | tr -d ' ')" = 28b52ffd ]; then
      zstd -dcq -- "$blob" >"$to"
    else
      mv -- "$blob" "$to"
    fi
  done
  rm -rf -- "$ship/blobs" "$ship/tmp"
  tar -cf - -C "$ship" . | docker load --quiet
}
