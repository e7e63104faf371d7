"""What is measured: planning, a run with nothing to do, and a run of steps that do nothing."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import files
import graphs

DELIVERY = "delivery"
TRUE = "/bin/true"
PLAIN, CAPTURED, STAT = "floor", "floor, captured", "stat of the files"
RUN, RUN_BY_TARGETS = "run", "run by targets"


@dataclass
class Case:
    argv: list
    folder: Path
    floor: bool = False
    forget: tuple = ()  # below the folder, before each round
    makes: bool = False  # a file for each step, once

    def files(self):
        """When each was made."""
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "o").iterdir()}


@dataclass
class Part:
    name: str
    shapes: tuple
    cases: object
    against: tuple
    ours: tuple
    limit: int = 20  # seconds
    least: str | None = None  # the floor that the overhead of a step is counted by

    def label(self, shape):
        return f"{self.name} {shape}".strip()

    def rows(self, peers):
        return [TRUE, STAT, PLAIN, CAPTURED, *(peer.name for peer in peers), *self.ours]


def write(folder, file, pieces):
    folder.mkdir(parents=True)
    (folder / file).write_text("".join(pieces))
    return folder


def planning(pipeline, peers, shape, count, place):
    """Ours is `pipeline plan`, printed to nowhere, and `pipeline check`, which prints no plan."""
    cases = {TRUE: Case([TRUE], place.parent)}
    if shape != DELIVERY:
        graph = graphs.needs(shape, count)
        for peer in peers:
            cases[peer.name] = Case([peer.path, *peer.dry], write(place / peer.name, peer.file, peer.steps(graph)))
        ours = write(place / "literal", "pipeline.toml", graphs.literal(graph))
        cases |= {name: Case([pipeline, name], ours) for name in ("plan", "check")}
    if shape in graphs.IN_LINE or shape == DELIVERY:
        recipe = graphs.delivery(count) if shape == DELIVERY else graphs.by_targets(shape, count)
        ours = write(place / "targets", "pipeline.toml", recipe)
        cases |= {f"{name} by targets": Case([pipeline, name], ours) for name in ("plan", "check")}
    return cases


def nothing_to_do(pipeline, peers, shape, count, place):
    """Each step wrote a file."""
    graph = graphs.needs(shape, count)
    folders = {peer.name: write(place / peer.name, peer.file, peer.files(graph)) for peer in peers if peer.files}
    peers_argv = {peer.name: [peer.path, *peer.run] for peer in peers}
    folders[RUN] = write(place / "literal", "pipeline.toml", files.literal(graph))
    if shape in graphs.IN_LINE:
        folders[RUN_BY_TARGETS] = write(place / "targets", "pipeline.toml", files.by_targets(shape, count))
    for folder in folders.values():
        (folder / "o").mkdir()
    argv = lambda name: peers_argv.get(name, [pipeline, "run", "-j2"])
    cases = {name: Case(argv(name), folder, makes=True) for name, folder in folders.items()}
    return {TRUE: Case([TRUE], place), STAT: Case(["stat", str(count)], folders[RUN], floor=True)} | cases


def trivial_steps(pipeline, peers, shape, count, place):
    """Each step is /bin/true. Ours forgets what it knows: a first run."""
    graph = graphs.needs(shape, count)
    floors = {PLAIN: "plain", CAPTURED: "captured"}
    cases = {name: Case(["spawn", str(count), how], place, floor=True) for name, how in floors.items()}
    for peer in peers:
        folder = write(place / peer.name, peer.file, peer.steps(graph))
        cases[peer.name] = Case([peer.path, *peer.run], folder, forget=(".ninja_log", ".task"))
    recipes = {RUN: graphs.literal(graph)}
    if shape in graphs.IN_LINE:
        recipes[RUN_BY_TARGETS] = graphs.by_targets(shape, count)
    for name, recipe in recipes.items():
        folder = write(place / name.replace(" ", "-"), "pipeline.toml", recipe)
        cases[name] = Case([pipeline, "run", "-j2"], folder, forget=(".pipeline",))
    return cases


def forget(case):
    for name in case.forget:
        path = case.folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


MOST = ("wide", "chain", "layered", "matrix")
PLANNED = ("plan", "check", "plan by targets", "check by targets")
PLAN = Part("", (*graphs.SHAPES, DELIVERY), planning, ("ninja", TRUE), PLANNED)
NULL = Part("null run", MOST, nothing_to_do, ("ninja", "make", STAT, TRUE), (RUN, RUN_BY_TARGETS), limit=5)
STEPS = Part("steps", MOST, trivial_steps, (PLAIN, CAPTURED, "ninja"), (RUN, RUN_BY_TARGETS), limit=40, least=CAPTURED)
PARTS = {"plan": PLAN, "null": NULL, "steps": STEPS}
