{
  [ -n "$(id_of "$ref")" ] || { echo "there is no $ref to go back from"; exit 6; }
  [ -n "$(id_of "$(previous 1)")" ] || { echo "there is no $(previous 1) to go back to"; exit 6; }
  swap "$ref" "$(previous 1)"
} >&2
echo "$(id_of "$(previous 1)") $(id_of "$ref")"
