previous() { if [ "$1" = 1 ]; then echo "$ref.previous"; else echo "$ref.previous-$1"; fi; }
before() {
  old=$(id_of "$ref") lost=''
  [ -n "$old" ] || return 0
  if [ "$keep" = 0 ]; then
    lost=$old
  else
    lost=$(id_of "$(previous "$keep")")
    hold
  fi
}
after() {
  if [ -n "$old" ] && [ "$keep" != 0 ]; then
    number=$keep
    while [ "$number" -gt 1 ]; do
      from=$(previous $((number - 1)))
      [ -z "$(id_of "$from")" ] || name "$from" "$(previous "$number")"
      number=$((number - 1))
    done
    name "$held" "$(previous 1)"
    release
  fi
  [ -z "$lost" ] || forget "$lost" || :
}
