"""The graphs that are planned, in the words of each tool. Every step runs /bin/true.

Edges, and not steps, are what tells the shapes apart: none (wide), one after another (chain), layers with three edges to
the layer before (layered), and targets with the same steps in line: eight each (matrix) or twenty each (targets).
"""

import math
import random

SHAPES = ("wide", "chain", "layered", "matrix", "targets")
IN_LINE = {"matrix": 8, "targets": 20}


def needs(shape, count):
    """For each step those that it needs, all of them earlier ones."""
    if shape == "wide":
        return [[] for _ in range(count)]
    if shape == "layered":
        chosen, width = random.Random(1), round(math.sqrt(count))
        starts = [(step // width - 1) * width for step in range(count)]
        return [sorted(chosen.sample(range(at, at + width), 3)) if at >= 0 else [] for at in starts]
    line = IN_LINE.get(shape, count)
    return [[step - 1] if step % line else [] for step in range(count)]


def names(steps):
    return " ".join(f"s{step}" for step in steps)


def last(graph):
    """The steps that nothing needs."""
    return sorted(set(range(len(graph))) - {step for needed in graph for step in needed})


def ninja(graph):
    """Each step with a command of its own, as everywhere else."""
    yield "rule t\n  command = $c\n  description = step\n"
    for step, needed in enumerate(graph):
        yield f"build s{step}: t {names(needed)}\n  c = /bin/true\n"
    yield f"build all: phony {names(last(graph))}\ndefault all\n"


def make(graph):
    yield f".PHONY: all {names(range(len(graph)))}\nall: {names(last(graph))}\n"
    for step, needed in enumerate(graph):
        yield f"s{step}: {names(needed)}\n\t@/bin/true\n"


def just(graph):
    yield f"all: {names(last(graph))}\n"
    for step, needed in enumerate(graph):
        yield f"s{step}: {names(needed)}\n    @/bin/true\n"


def task(graph):
    yield f"version: '3'\ntasks:\n  default:\n    deps: [{names(last(graph)).replace(' ', ', ')}]\n"
    for step, needed in enumerate(graph):
        deps = f"    deps: [{names(needed).replace(' ', ', ')}]\n" if needed else ""
        yield f"  s{step}:\n    run: once\n    cmds: [/bin/true]\n{deps}"


def literal(graph):
    """One table for each step."""
    yield "version = 1\n"
    yield from (_run(step, needed) for step, needed in enumerate(graph))


def by_targets(shape, count):
    """The same graph as people write it: the steps of one target, and the targets."""
    yield "version = 1\n"
    yield from each_target(count // IN_LINE[shape], "")
    yield from (_run(step, [step - 1] if step else []) for step in range(IN_LINE[shape]))


def delivery(count):
    """A recipe of every day: checked out, patched, built, checked, saved and delivered, for each target to a node."""
    targets = count // 8
    yield "version = 1\n[vars]\ntag = '2'\nbase = 'alpine:3'\n"
    yield from each_target(targets, "nodes = ['n@']\nvars = { base = 'alpine:3.@' }\n")
    yield from (f"[nodes.n{at}]\nhost = 'root@n{at}'\n" for at in range(targets))
    yield """
[[step]]
id = 'source'
uses = 'git-checkout'
url = 'https://example.org/registry.git'
branch = 'main'
scope = 'target'
[[step]]
uses = 'patch-FROM'
from = '${vars.base}'
[[step]]
uses = 'build'
engine = 'buildah'
tag = 'example.org/registry:${vars.tag}-${target.name}'
[[step]]
uses = 'smoke'
argv = ['uname', '-m']
[[step]]
uses = 'save'
path = 'out/${target.name}.img'
[[step]]
uses = 'scp'
[[step]]
uses = 'skopeo-copy'
dest = 'containers-storage:example.org/registry:${vars.tag}'
[[step]]
uses = 'crictl-verify'
image = 'example.org/registry:${vars.tag}'
"""


def _run(step, needed):
    needs = f"needs = {[f's{one}' for one in needed]}\n" if needed else ""
    return f"[[step]]\nid = 's{step}'\nuses = 'run'\nargv = ['/bin/true']\n{needs}"


def each_target(count, more):
    for at in range(count):
        yield f"[targets.t{at}]\nplatform = 'linux/arm64'\n{more.replace('@', str(at))}"
