"""What was measured, and what it says: medians, ratios inside one round, growth."""

import math
from statistics import median


class Results:
    """Runs by graph, size and tool; one for each round, as long as nothing went wrong."""

    def __init__(self):
        self.runs = {}
        self.problems = {}

    def add(self, key, run):
        self.runs.setdefault(key, []).append(run)
        if run.problem:
            self.problems[key] = run.problem

    def good(self, key):
        return [] if key in self.problems else self.runs.get(key, [])

    def middle(self, key, figure):
        good = self.good(key)
        return median(getattr(run, figure) for run in good) if good else None

    def cpu(self, key):
        return self.middle(key, "cpu")

    def wall(self, key):
        return self.middle(key, "wall")

    def memory(self, key):
        return self.middle(key, "memory")

    def together(self, key, other, value):
        """The median of what `value` makes of both in each round; a slow tool has fewer of them."""
        pairs = list(zip(self.good(key), self.good(other)))
        return median(value(run, peer) for run, peer in pairs) if pairs else None

    def ratio(self, key, other):
        return self.together(key, other, lambda run, peer: run.cpu / peer.cpu)

    def overhead(self, key, floor):
        """Microseconds of CPU for each step beyond what the step itself takes: what the floor's children took."""
        return self.together(key, floor, lambda run, least: (run.cpu - least.cpu + least.own) * 1000 / key[1])

    def growth(self, label, tool, small, large):
        """The exponent: 1 where ten times as many steps take ten times as long."""
        few, many = self.cpu((label, small, tool)), self.cpu((label, large, tool))
        return math.log(many / few) / math.log(large / small) if few and many else None


def shown(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def table(results, label, sizes, tools, against, floor=None):
    """The table of one graph, in Markdown. With a floor also the overhead of each step."""
    most = sizes[-1]
    growths = [pair for pair in ((100, 10_000), (1000, 10_000)) if set(pair) <= set(sizes)]
    heads = [f"ms at {size}" for size in sizes] + [f"clock at {most}"] + [f"÷ {other}" for other in against]
    heads += [f"overhead µs at {size}" for size in sizes if floor]
    heads += [f"growth {small} → {large}" for small, large in growths] + [f"MiB at {most}"]
    yield f"| {label} | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(heads)}"
    for tool in tools:
        keys = [(label, size, tool) for size in sizes]
        cells = [results.problems.get(key) or shown(results.cpu(key), 1) for key in keys]
        cells.append(shown(results.wall(keys[-1]), 1))
        cells += [shown(results.ratio(keys[-1], (label, most, other)), 2) for other in against]
        cells += [shown(results.overhead(key, (*key[:2], floor)), 0) for key in keys if floor]
        cells += [shown(results.growth(label, tool, *pair), 2) for pair in growths]
        cells.append(shown(results.memory(keys[-1]), 1))
        if set(cells) != {"-"}:
            yield f"| {tool} | {' | '.join(cells)} |"
