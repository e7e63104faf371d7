# holds the way to a build engine; ends what is under way there when the way ends, or nothing is heard for 30 s
tool=$1 own=$2
p=$PPID
while :; do
    n= q=
    while read -r k v; do case $k in Name:) n=$v ;; PPid:) q=$v ;; esac; done <"/proc/$p/status" || exit 1
    case $n in sshd* | dropbear*) break ;; esac
    [ "${q:-0}" -gt 1 ] || { p=; break; }
    p=$q
done
s=
if [ "$own" ]; then
    umask 077
    mkdir -- "$own" || exit 1
    "$tool" system service --time 0 "unix://$own/$tool.sock" </dev/null >"$own/log" 2>&1 &
    s=$!
fi
t= names=
while x=$($t sh -c 'read x; echo ${x:-end}'); do
    case $x in .) timeout 9 true && t='timeout 30' ;; -) t= ;; +*) names="$names ${x#+}" ;; *) break ;; esac
done
trap '' HUP PIPE
if [ "$s" ]; then
    # A service goes on with a build that nobody waits for. The program that it runs for RUN forwards this signal, and the
    # build fails and clears up.
    for i in 1 2 3; do
        c=$(cat "/proc/$s/task/"*/children 2>/dev/null)
        [ "$c" ] || break
        kill -s HUP $c 2>/dev/null
        sleep 1
    done
fi
for n in $names; do "$tool" rm --force "$n"; done >/dev/null 2>&1 </dev/null
if [ "$s" ]; then
    kill "$s" 2>/dev/null
    (sleep 5; kill -s KILL "$s" 2>/dev/null) >/dev/null 2>&1 &
    k=$!
    wait "$s"
    kill "$k" 2>/dev/null
    rm -rf -- "$own"
fi
# What sshd holds open to a daemon is closed, and the daemon gives up what it builds.
if [ -z "$x" ] && [ "$p" ]; then kill "$p"; fi
