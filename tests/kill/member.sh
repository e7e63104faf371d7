#!/bin/bash
# A process of a step: tells the test of itself over a connection, and lives until somebody ends that.
# usage: member.sh PORT live NAME | PORT SHAPE
port=$1 me=$0
live() { "$me" "$port" live "$1"; }

# What hides: in the group; in a session; forked twice; both; both, and with the output in its hands.
family() {
  live child &
  setsid "$me" "$port" live session >/dev/null 2>&1 &
  (live orphan >/dev/null 2>&1 &)
  (setsid "$me" "$port" live daemon >/dev/null 2>&1 &)
  (setsid "$me" "$port" live holder &)
}

case $2 in
  live)
    exec 3<>"/dev/tcp/127.0.0.1/$port"
    echo "$3" >&3
    read -r -u 3 _ || exit 0
    ;;
  # Two that end when they are asked.
  polite) live child & live leader ;;
  # Six that end when they are asked; four of them cannot be.
  hidden) family; live leader ;;
  # The same, deaf.
  stubborn) trap '' INT TERM HUP QUIT; family; live leader ;;
  # The same, and the leader fails once the test says so.
  failing) trap '' INT TERM HUP QUIT; family; live leader; exit 1 ;;
  # On a node: deaf, and all in one session, as is the rule there.
  remote) trap '' INT TERM HUP QUIT; live child & (live orphan &); live leader ;;
esac
