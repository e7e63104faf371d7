"""What was measured, and what it says: medians, ratios inside one round, growth, budgets."""

import math
from statistics import median

import graphs

OURS = ("plan", "check", "plan by targets", "check by targets")
DELIVERY = "delivery"


class Results:
    """Runs by shape, size and tool; one for each round, as long as nothing went wrong."""

    def __init__(self):
        self.runs = {}
        self.problems = {}

    def add(self, key, run):
        self.runs.setdefault(key, []).append(run)
        if run.problem:
            self.problems[key] = run.problem

    def good(self, key):
        return [] if key in self.problems else self.runs.get(key, [])

    def cpu(self, key):
        good = self.good(key)
        return median(run.cpu for run in good) if good else None

    def memory(self, key):
        good = self.good(key)
        return median(run.memory for run in good) if good else None

    def ratio(self, key, other):
        """The median of the ratios in each round; a slow tool has fewer of them."""
        pairs = list(zip(self.good(key), self.good(other)))
        return median(run.cpu / peer.cpu for run, peer in pairs) if pairs else None

    def growth(self, shape, tool, small, large):
        """The exponent: 1 where ten times as many steps take ten times as long."""
        few, many = self.cpu((shape, small, tool)), self.cpu((shape, large, tool))
        return math.log(many / few) / math.log(large / small) if few and many else None


def shown(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def table(results, shape, sizes, tools):
    """The table of one shape, in Markdown."""
    most = sizes[-1]
    growths = [pair for pair in ((100, 10_000), (1000, 10_000)) if set(pair) <= set(sizes)]
    heads = [f"ms at {size}" for size in sizes] + ["÷ ninja", "÷ /bin/true"]
    heads += [f"growth {small} → {large}" for small, large in growths] + [f"MiB at {most}"]
    yield f"| {shape} | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(heads)}"
    for tool in tools:
        keys = [(shape, size, tool) for size in sizes]
        cells = [results.problems.get(key) or shown(results.cpu(key), 1) for key in keys]
        cells += [shown(results.ratio(keys[-1], (*keys[-1][:2], other)), 2) for other in ("ninja", "/bin/true")]
        cells += [shown(results.growth(shape, tool, *pair), 2) for pair in growths]
        cells.append(shown(results.memory(keys[-1]), 1))
        if set(cells) != {"-"}:
            yield f"| {tool} | {' | '.join(cells)} |"


def budgets(results):
    """Each budget with what was measured and its limit; a limit below zero is one to be above."""
    size = 10_000
    key = lambda shape, tool: (shape, size, tool)
    for tool, limit in (("ninja", 0.45), ("samu", 0.85)):
        for shape in graphs.IN_LINE:
            ratio = results.ratio(key(shape, "plan by targets"), key(shape, tool))
            yield f"{size} instances by targets ({shape}), ÷ `{tool} -n`", ratio, limit
    for shape in graphs.SHAPES:
        ratio = results.ratio(key(shape, "plan"), key(shape, "ninja"))
        yield f"{size} literal tables ({shape}), ÷ `ninja -n`", ratio, 1.2
    for tool in ("just", "task"):
        ratio = results.ratio(key("matrix", tool), key("matrix", "plan by targets"))
        yield f"`{tool}`, matrix of {size}, ÷ ours", ratio, -25
    for shape, tool in _planned():
        found = [results.growth(shape, tool, small, size) for small in (100, 1000)]
        worst = max((one for one in found if one), default=None)
        yield f"growth, {shape}, `{tool}`", worst, 1.05
    for shape, tool in _planned():
        yield f"MiB, {shape}, `{tool}`, {size}", results.memory(key(shape, tool)), 22
    for command, limit in (("--version", 2), ("check", 4)):
        ratio = results.ratio(("start-up", 1, command), ("start-up", 1, "/bin/true"))
        yield f"start-up of `{command}`, ÷ /bin/true", ratio, limit
    long = results.cpu(("chain", 100_000, "plan"))
    yield "a literal chain of 100000, s", long and long / 1000, 5


def _planned():
    yield from ((shape, "plan") for shape in graphs.SHAPES)
    yield from ((shape, "plan by targets") for shape in graphs.IN_LINE)
    yield DELIVERY, "plan by targets"


def judged(results):
    """The budgets as a table, and how many are not met."""
    lines, missed = ["| budget | limit | measured | |", "| --- | ---: | ---: | --- |"], 0
    for what, value, limit in budgets(results):
        if value is None:
            verdict = "not measured"
        elif value <= limit if limit > 0 else value >= -limit:
            verdict = "met"
        else:
            verdict, missed = "**not met**", missed + 1
        sign = "≤" if limit > 0 else "≥"
        lines.append(f"| {what} | {sign} {abs(limit)} | {shown(value, 2)} | {verdict} |")
    return lines, missed
