"""The budgets, and whether they are met."""

import graphs
from parts import CAPTURED, DELIVERY, NULL, PLAIN, PLAN, RUN, RUN_BY_TARGETS, STAT, STEPS, TRUE
from results import shown

SIZE = 10_000
GROWTH = 1.05


def budgets(results, parts):
    """Each with what was measured and its limit; a limit below zero is one to be above."""
    yield from (budget for part in parts for budget in BUDGETS[part.name](results))


def _plan(results):
    yield from _planning(results)
    for command, limit in (("--version", 2), ("check", 4)):
        ratio = results.ratio(("start-up", 1, command), ("start-up", 1, TRUE))
        yield f"start-up of `{command}`, ÷ {TRUE}", ratio, limit
    long = results.cpu(("chain", 100_000, "plan"))
    yield "a literal chain of 100000, s", long and long / 1000, 5


def _planning(results):
    key = lambda shape, tool: (shape, SIZE, tool)
    for tool, limit in (("ninja", 0.45), ("samu", 0.85)):
        for shape in graphs.IN_LINE:
            ratio = results.ratio(key(shape, "plan by targets"), key(shape, tool))
            yield f"{SIZE} instances by targets ({shape}), ÷ `{tool} -n`", ratio, limit
    for shape in graphs.SHAPES:
        ratio = results.ratio(key(shape, "plan"), key(shape, "ninja"))
        yield f"{SIZE} literal tables ({shape}), ÷ `ninja -n`", ratio, 1.2
    for tool in ("just", "task"):
        ratio = results.ratio(key("matrix", tool), key("matrix", "plan by targets"))
        yield f"`{tool}`, matrix of {SIZE}, ÷ ours", ratio, -25
    for shape, tool in _planned():
        yield f"growth, {shape}, `{tool}`", _growth(results, shape, tool), GROWTH
    for shape, tool in _planned():
        yield f"MiB, {shape}, `{tool}`, {SIZE}", results.memory(key(shape, tool)), 22


def _nothing_to_do(results):
    for shape, tool in _run(NULL):
        label = NULL.label(shape)
        key = lambda other, size=SIZE: (label, size, other)
        ratio = lambda other, size=SIZE: results.ratio(key(tool, size), key(other, size))
        of = f"{label}, `{tool}`, {SIZE}"
        yield f"{of}, ÷ ninja", ratio("ninja"), 0.45 if shape == "wide" else 0.35
        yield f"{of}, ÷ stat of the files", ratio(STAT), 1.4
        yield f"{of}, as after a change of the recipe, ÷ ninja", ratio("ninja"), 0.8
        yield f"{of}, as after a change of the recipe, ÷ make", ratio("make"), 1.1
        yield f"{label}, `{tool}`, 100, ÷ ninja", ratio("ninja", 100), 0.6
        yield f"{label}, `{tool}`, 100, ÷ {TRUE}", ratio(TRUE, 100), 1.8
        yield f"growth, {label}, `{tool}`", _growth(results, label, tool), GROWTH
        yield f"MiB, {of}", results.memory(key(tool)), 6
        yield f"MiB, {of}, as after a change of the recipe", results.memory(key(tool)), 22


def _steps(results):
    """At 1000, of which there are several rounds."""
    for shape, tool in _run(STEPS):
        label, size = STEPS.label(shape), 1000
        key = lambda other: (label, size, other)
        yield f"{label}, `{tool}`, {size}, ÷ floor", results.ratio(key(tool), key(PLAIN)), 1.1
        yield f"{label}, `{tool}`, {size}, ÷ ninja", results.ratio(key(tool), key("ninja")), 0.52
        ours, least = (results.overhead(key(one), key(CAPTURED)) for one in (tool, CAPTURED))
        yield f"{label}, `{tool}`, {size}, overhead of a step ÷ the floor's", ours and least and ours / least, 1.8
        yield f"growth, {label}, `{tool}`", _growth(results, label, tool), GROWTH
        yield f"MiB, {label}, `{tool}`, {SIZE}", results.memory((label, SIZE, tool)), 16


def _growth(results, label, tool):
    found = [results.growth(label, tool, small, SIZE) for small in (100, 1000)]
    return max((one for one in found if one), default=None)


BUDGETS = {PLAN.name: _plan, NULL.name: _nothing_to_do, STEPS.name: _steps}


def _run(part):
    for shape in part.shapes:
        yield shape, RUN
        if shape in graphs.IN_LINE:
            yield shape, RUN_BY_TARGETS


def _planned():
    yield from ((shape, "plan") for shape in graphs.SHAPES)
    yield from ((shape, "plan by targets") for shape in graphs.IN_LINE)
    yield DELIVERY, "plan by targets"


def judged(results, parts):
    """The budgets as a table, and how many are not met."""
    lines, missed = ["| budget | limit | measured | |", "| --- | ---: | ---: | --- |"], 0
    for what, value, limit in budgets(results, parts):
        if value is None:
            verdict = "not measured"
        elif value <= limit if limit > 0 else value >= -limit:
            verdict = "met"
        else:
            verdict, missed = "**not met**", missed + 1
        sign = "≤" if limit > 0 else "≥"
        lines.append(f"| {what} | {sign} {abs(limit)} | {shown(value, 2)} | {verdict} |")
    return lines, missed
