"""One command: how much CPU it takes, and how much memory at its peak.

CPU is user and system time of the command and all its children: on a machine with others it says more than a clock.
The peak of memory includes this program's own at the start of the child, so that small figures are not seen.
"""

import os
import subprocess
import threading
from dataclasses import dataclass

LIMIT = 20.0


@dataclass
class Run:
    cpu: float  # ms
    memory: float  # MiB
    problem: str | None = None


def run(argv, folder):
    """Output goes nowhere, and no terminal is there to ask."""
    null = subprocess.DEVNULL
    child = subprocess.Popen(argv, cwd=folder, stdin=null, stdout=null, stderr=null, close_fds=False)
    late = threading.Event()

    def end():
        late.set()
        child.kill()

    timer = threading.Timer(LIMIT, end)
    timer.start()
    _, status, usage = os.wait4(child.pid, 0)
    timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    problem = f"> {LIMIT:.0f} s" if late.is_set() else f"exit {child.returncode}" if child.returncode else None
    return Run((usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024, problem)
