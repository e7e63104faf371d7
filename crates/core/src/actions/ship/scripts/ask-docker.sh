ask() {
  ref=$1
  shift
  docker info --format 'driver {{.Driver}} {{.DriverStatus}}
root {{.DockerRootDir}}' >"$ship.info"
  cat "$ship.info"
  near=$(sed -n 's/^root //p' "$ship.info")
  rm -f -- "$ship.info"
  until [ -e "$near" ]; do near=$(dirname -- "$near"); done
  echo "room $(df -Pk -- "$near" | awk 'NR == 2 { print $4 }')"
  docker image inspect --format 'image {{.Id}} {{json .RootFS.Layers}}' -- "$ref" 2>/dev/null || :
  ids=$(docker image ls --all --quiet --no-trunc | sort -u)
  [ -z "$ids" ] || docker image inspect --format 'layers {{json .RootFS.Layers}}' $ids 2>/dev/null | { grep -F "[\"$1\"" || :; } | sort -u
}
