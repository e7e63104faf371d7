"""The tools that are compared with: how each plans, runs two steps at once, and where it is to be had."""

import re
import shutil
import subprocess
from dataclasses import dataclass

import files
import graphs


@dataclass
class Peer:
    name: str
    file: str
    steps: object  # writes a graph of steps
    files: object  # writes a graph of files, where the tool knows what is up to date
    dry: list
    run: list
    origin: str
    path: str | None = None
    version: str = ""


def peers(named):
    """All of them; `path` is None where one is not to be had. `named` holds paths by name."""
    debian, samurai = "Debian's ninja-build, or ninja of PyPI", "samurai; Debian 13 has it"
    built = "go install github.com/go-task/task/v3/cmd/task@latest"
    two = ["-j2"]
    every = [
        Peer("ninja", "build.ninja", graphs.ninja, files.ninja, ["-n"], two, debian),
        Peer("samu", "build.ninja", graphs.ninja, files.ninja, ["-n"], two, samurai),
        Peer("make", "Makefile", graphs.make, files.make, ["-n", "-r", "-R"], ["-r", "-R", *two], "Debian's make"),
        Peer("just", "justfile", graphs.just, None, ["--dry-run", "all"], ["all"], "rust-just of PyPI"),
        Peer("task", "Taskfile.yml", graphs.task, files.task, ["--dry"], ["-C", "2"], built),
    ]
    for peer in every:
        peer.path = shutil.which(named.get(peer.name, peer.name))
        if peer.path:
            said = subprocess.run([peer.path, "--version"], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(\.\d+)+", said.stdout)
            peer.version = number[0] if number else "?"
    return every
