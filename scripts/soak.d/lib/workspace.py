"""A workspace of fake steps whose right result is computed here, not by the program under test.

Each step hashes what earlier steps made, and writes half of its output, waits, and writes the rest: whatever believes a
half-written output has another tree in the end.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SOURCES = 4
# No run of these steps takes longer; one that does hangs.
HANGS = 60


def built(binary):
    """The program: the one given, or one that is built for release."""
    if binary:
        return Path(binary).resolve()
    command = ["cargo", "build", "--release", "--locked", "--quiet", "--package", "pipeline-cli"]
    subprocess.run(command, cwd=REPOSITORY, check=True)
    return Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")).resolve() / "release" / "pipeline"


def arguments(doc):
    """A parser with what every program here takes."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", help="the program; built for release when absent")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32), help="of what is random")
    return parser


class Workspace:
    """A recipe of `steps` fake steps in a folder of its own, or in `folder`."""

    def __init__(self, program, chance, steps=30, folder=None):
        self.program = program
        self.folder = folder or Path(tempfile.mkdtemp(prefix="soak-"))
        self.inputs = {}
        text = "version = 1\n[pipeline]\nname = \"soak\"\n"
        for number in range(steps):
            before = chance.sample(range(number), min(number, chance.randint(0, 3)))
            sources = [f"src/{chance.randrange(SOURCES)}"] if not before or chance.random() < 0.2 else []
            self.inputs[number] = sources + [f"out/{other}" for other in sorted(before)]
            text += self.step(number, chance.randint(10, 50) / 1000)
        for name in ("src", "out"):
            (self.folder / name).mkdir()
        (self.folder / "pipeline.toml").write_text(text)
        self.change(range(SOURCES), chance)

    def step(self, number, seconds):
        names = self.inputs[number]
        # No pipe: the step fails when a tool in it does.
        script = f"set -e; s=$(sha256sum {' '.join(names)}); exec >out/{number}; echo half; sleep {seconds}; echo $s"
        inputs = [name if name.startswith("src") else f"${{steps.s{name[4:]}.made}}" for name in names]
        return (
            f"[[step]]\nid = \"s{number}\"\nuses = \"run\"\nargv = [\"sh\", \"-c\", '''{script}''']\n"
            f"inputs = {json.dumps(inputs)}\noutputs = {{ made = \"out/{number}\" }}\n"
        )

    def change(self, sources, chance):
        """Other content in these sources."""
        for number in sources:
            (self.folder / f"src/{number}").write_text(f"{chance.random()}\n")

    def expected(self):
        """What a clean build makes: the content of each output."""
        made = {f"src/{number}": (self.folder / f"src/{number}").read_bytes() for number in range(SOURCES)}
        for number, names in self.inputs.items():
            digests = (f"{hashlib.sha256(made[name]).hexdigest()} {name}" for name in names)
            made[f"out/{number}"] = f"half\n{' '.join(digests)}\n".encode()
        return {name: content for name, content in made.items() if name.startswith("out/")}

    def wrong(self):
        """The outputs that are not as a clean build makes them."""
        def content(name):
            path = self.folder / name
            return path.read_bytes() if path.exists() else None

        return [name for name, right in self.expected().items() if content(name) != right]

    def start(self, *before, env=None):
        """A run that is under way, after the words of a command that starts it."""
        return subprocess.Popen(
            [*before, str(self.program), "run", "-j", "8"],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **(env or {})},
        )

    def run(self, *before):
        """A run to its end: exit code and what it said. A code of None is one that hung."""
        return ended(self.start(*before))

    def runs(self):
        """The folders of all runs, the oldest first."""
        return sorted((self.folder / ".pipeline/runs").glob("*"))

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def ended(process, longest=HANGS):
    """A process to its end: exit code and what it said. A code of None is one that hung, for `longest` seconds."""
    try:
        said, _ = process.communicate(timeout=longest)
    except subprocess.TimeoutExpired:
        process.kill()
        return None, process.communicate()[0]
    return process.returncode, said


def steps_of(run):
    """Of a run's record: the steps that were started, and those that were done."""
    started, done = [], set()
    events = run / "events.jsonl"
    for line in events.read_text().splitlines() if events.exists() else []:
        try:
            event = json.loads(line)
        except ValueError:
            # A killed engine's last line may be cut.
            continue
        name = event.get("instance")
        if event.get("event") == "started":
            started.append(name)
        elif event.get("event") == "finished" and event["status"] == "done":
            done.add(name)
    return started, done


def family(pid):
    """The parent, init and the engine of a run, as far as they have been started."""
    found = [pid]
    while len(found) < 3:
        try:
            below = Path(f"/proc/{found[-1]}/task/{found[-1]}/children").read_text().split()
        except OSError:
            break
        if not below:
            break
        found.append(int(below[0]))
    return found


def kill(pids):
    """SIGKILL to processes that may have ended already."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
