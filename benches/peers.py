"""The tools that are compared with: how each plans without running anything, and where it is to be had."""

import re
import shutil
import subprocess
from dataclasses import dataclass

import graphs


@dataclass
class Peer:
    name: str
    file: str
    write: object
    dry: list
    origin: str
    path: str | None = None
    version: str = ""


def peers(named):
    """All of them; `path` is None where one is not to be had. `named` holds paths by name."""
    every = [
        Peer("ninja", "build.ninja", graphs.ninja, ["-n"], "Debian's ninja-build, or ninja of PyPI"),
        Peer("samu", "build.ninja", graphs.ninja, ["-n"], "samurai; Debian 13 has it"),
        Peer("make", "Makefile", graphs.make, ["-n", "-r", "-R"], "Debian's make"),
        Peer("just", "justfile", graphs.just, ["--dry-run", "all"], "rust-just of PyPI"),
        Peer("task", "Taskfile.yml", graphs.task, ["--dry"], "go install github.com/go-task/task/v3/cmd/task@latest"),
    ]
    for peer in every:
        peer.path = shutil.which(named.get(peer.name, peer.name))
        if peer.path:
            said = subprocess.run([peer.path, "--version"], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(\.\d+)+", said.stdout)
            peer.version = number[0] if number else "?"
    return every
