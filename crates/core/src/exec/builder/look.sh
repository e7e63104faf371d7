# looks for a build engine: the machine, the engine's program, docker's socket
say() { printf 'builder\t%s\t%s\n' "$1" "$2"; }
tool=$1 socket=$2
say machine "$(uname -s) $(uname -m)"
say user "$(id -un 2>/dev/null || id -u)"
command -v "$tool" >/dev/null 2>&1 && say tool yes
if [ -z "$socket" ]; then
    usual="/var/run/docker.sock ${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock"
    case ${DOCKER_HOST-} in unix://*) usual=${DOCKER_HOST#unix://} ;; esac
    for socket in $usual; do [ -S "$socket" ] && break; done
    [ -S "$socket" ] || socket=${usual%% *}
fi
say socket "$socket"
if [ -S "$socket" ]; then
    if [ -r "$socket" ] && [ -w "$socket" ]; then say open yes; else say open no; fi
fi
say end yes
