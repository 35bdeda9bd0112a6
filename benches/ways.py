"""Methods for one task that take turns, their times, and the ratios of these."""

import statistics
import time

import peers


def shown(ratio):
    return "" if ratio is None else f"{ratio:.2f}"


class Ways:
    """Times of several methods for the same task."""

    def __init__(self, runs):
        self.runs, self.ways, self.times, self.cpu = runs, {}, {}, {}

    def add(self, name, run, pid=None, before=lambda: None):
        """Adds a method. `before` runs before each measurement and is not timed."""
        self.ways[name] = (run, pid, before)

    def measure(self):
        names = list(self.ways)
        self.times = {name: [] for name in names}
        self.cpu = {name: [] for name in names}
        # The first run is a warm-up and is not counted.
        for number in range(self.runs + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                run, pid, before = self.ways[name]
                before()
                used = peers.cpu_seconds(pid) if pid else 0
                started = time.perf_counter()
                run()
                seconds = time.perf_counter() - started
                if number:
                    self.times[name].append(seconds)
                    self.cpu[name].append(peers.cpu_seconds(pid) - used if pid else None)

    def median(self, name):
        return statistics.median(self.times[name])

    def table(self, rows, size):
        """Prints the times. `size`: bytes by the name of the method; `None` applies to all other methods."""
        print(f"{'':34}{'ms':>10}{'rows/s':>13}{'MB/s':>9}{'CPU ms':>9}")
        for name, cpu in self.cpu.items():
            median = self.median(name)
            of = size.get(name, size[None])
            own = "-" if None in cpu else f"{statistics.median(cpu) * 1e3:.0f}"
            print(f"{name:34}{median * 1e3:10.1f}{rows / median:13.0f}{of / median / 1e6:9.1f}{own:>9}")
        print(f"  {'as fast as':60}{'times':>8}{'by CPU':>9}")

    def ratio(self, name, beside, goal=None):
        """Prints how many times as fast as `beside` a method is, also by CPU time, and whether it meets the goal."""
        ratio, by_cpu = self.compared(name, beside)
        met = "" if goal is None else f"   goal {goal:.2f}, {'met' if ratio >= goal else 'NOT met'}"
        print(f"  {f'{name} : {beside}':60}{ratio:8.2f}{shown(by_cpu):>9}{met}", flush=True)

    def compared(self, name, beside):
        """Returns how many times as fast as `beside` a method is: the median of the ratios of the runs, and by CPU time."""
        ratio = statistics.median(b / a for a, b in zip(self.times[name], self.times[beside]))
        used = [self.cpu[name], self.cpu[beside]]
        by_cpu = None if None in sum(used, []) else statistics.median(used[1]) / max(statistics.median(used[0]), 0.01)
        return ratio, by_cpu
