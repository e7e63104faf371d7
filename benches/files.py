"""The graphs whose steps each write a file, in the words of each tool: what is there is not made again."""

from graphs import IN_LINE, each_target, last, needs


def file(step):
    return f"o/s{step}"


def files(steps):
    return [file(step) for step in steps]


def words(steps):
    return " ".join(files(steps))


def ninja(graph):
    yield "rule t\n  command = touch $out\n  description = step\n"
    for step, needed in enumerate(graph):
        yield f"build {file(step)}: t {words(needed)}\n"
    yield f"build all: phony {words(last(graph))}\ndefault all\n"


def make(graph):
    yield f".PHONY: all\nall: {words(last(graph))}\n"
    for step, needed in enumerate(graph):
        yield f"{file(step)}: {words(needed)}\n\t@touch $@\n"


def task(graph):
    """A step without sources is always run, unless it is said how to see that it need not be."""
    named = lambda steps: ", ".join(f"s{step}" for step in steps)
    yield f"version: '3'\nmethod: timestamp\ntasks:\n  default:\n    deps: [{named(last(graph))}]\n"
    for step, needed in enumerate(graph):
        yield f"  s{step}:\n    run: once\n    cmds: [touch {file(step)}]\n"
        if needed:
            yield f"    deps: [{named(needed)}]\n    sources: [{', '.join(files(needed))}]\n"
            yield f"    generates: [{file(step)}]\n"
        else:
            yield f"    status: [test -f {file(step)}]\n"


def literal(graph):
    yield "version = 1\n"
    yield from (_run(step, needed, file(step)) for step, needed in enumerate(graph))


def by_targets(shape, count):
    line = IN_LINE[shape]
    yield "version = 1\n"
    yield from each_target(count // line, "")
    for step, needed in enumerate(needs("chain", line)):
        yield _run(step, needed, "o/${target.name}-s" + str(step))


def _run(step, needed, path):
    does = f"argv = ['touch', '{path}']\noutputs = {{ file = '{path}' }}\nneeds = {[f's{one}' for one in needed]}\n"
    return f"[[step]]\nid = 's{step}'\nuses = 'run'\n{does}"
