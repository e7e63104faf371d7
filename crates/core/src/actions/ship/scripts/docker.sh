ask() {
  needs docker
  docker image inspect --format 'image {{.Id}} {{json .RootFS.Layers}}' -- "$ref" 2>/dev/null || :
  # The rest was asked before the import.
  [ -z "$imported" ] || return 0
  # Each call takes as long as all else here, so this one goes beside the others.
  {
    info=$(docker info --format 'driver {{.Driver}} {{.DriverStatus}}
root {{.DockerRootDir}}')
    echo "$info"
    echo "room $(free "$(echo "$info" | sed -n 's/^root //p')")"
  } &
  told=$!
  first=${ids# }
  all=$(docker image ls --all --quiet --no-trunc | sort -u)
  # Not printed at once: two that print at the same time cut each other's lines.
  known=$([ -z "$all" ] ||
    docker image inspect --format 'layers {{json .RootFS.Layers}}' $all 2>/dev/null |
    { grep -F "[\"${first%% *}\"" || :; } | sort -u)
  wait "$told"
  printf '%s\n' "$known"
}
