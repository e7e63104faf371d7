named() { docker image inspect --format 'image {{.Id}} {{json .RootFS.Layers}}' -- "$ref" 2>/dev/null || :; }
ask() {
  needs docker
  # The rest was asked before the import.
  [ -z "$imported" ] || { named; return 0; }
  # Each call takes as long as all else here, so this one goes beside the others, which print when it has ended.
  {
    info=$(docker info --format 'driver {{.Driver}} {{.DriverStatus}}
root {{.DockerRootDir}}')
    echo "$info"
    echo "room $(free "$(echo "$info" | sed -n 's/^root //p')")"
  } &
  told=$!
  found=$(named)
  first=${ids# }
  all=$(docker image ls --all --quiet --no-trunc | sort -u)
  [ -z "$all" ] ||
    all=$(docker image inspect --format 'layers {{json .RootFS.Layers}}' $all 2>/dev/null |
      { grep -F "[\"${first%% *}\"" || :; } | sort -u)
  wait "$told"
  printf '%s\n' "$found" "$all"
}
