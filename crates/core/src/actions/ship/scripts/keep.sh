previous() { if [ "$1" = 1 ]; then echo "$ref.previous"; else echo "$ref.previous-$1"; fi; }
rotate() {
  if [ "$keep" = 0 ]; then
    lost=$(id_of "$ref")
    return
  fi
  lost=$(id_of "$(previous "$keep")")
  [ -n "$(id_of "$ref")" ] || return 0
  number=$keep
  while [ "$number" -gt 1 ]; do
    from=$(previous $((number - 1)))
    [ -z "$(id_of "$from")" ] || name "$from" "$(previous "$number")"
    number=$((number - 1))
  done
  name "$ref" "$(previous 1)"
}
