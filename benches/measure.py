"""One command: how much CPU it takes, how long by the clock, and how much memory at its peak.

CPU is user and system time of the command and all its children: on a machine with others it says more than a clock.
A small program starts the command and reads what the kernel counted: floor.rs.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

LATE = 124


@dataclass
class Run:
    wall: float  # ms
    cpu: float  # ms
    memory: float  # MiB, of the largest process
    own: float  # ms, of a floor alone and not of what it started
    problem: str | None = None


class Bench:
    """Compiles the small program into `folder`."""

    def __init__(self, folder):
        self.program = folder / "floor"
        source = Path(__file__).with_name("floor.rs")
        subprocess.run(["rustc", "-O", "--edition", "2024", source, "-o", self.program], check=True)

    def command(self, argv, folder, limit):
        """Ended after `limit` seconds. Output goes nowhere, and no terminal is there to ask."""
        run, code = self.floor(["lap", str(limit), *argv], folder)
        if code:
            run.problem = f"> {limit} s" if code == LATE else f"exit {code}"
        return run

    def floor(self, words, folder):
        null, pipe = subprocess.DEVNULL, subprocess.PIPE
        said = subprocess.run([self.program, *words], cwd=folder, stdin=null, stdout=pipe, check=True)
        *figures, code = said.stdout.split()
        return Run(*map(float, figures)), int(code)
