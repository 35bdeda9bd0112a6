#!/usr/bin/env python3
"""Shows in which operators the time of a query goes, by EXPLAIN (TYPE DISTRIBUTED, ANALYZE).

    benches/operators.py --connection-file F --suite tpcds [--query 72] [--runs 3] [--queries FILE] [--top 3] [--markdown]

Printed for each query: the milliseconds of the statement, the CPU time that it reports, and the shares of groups of operators
in the sum of their own times over all partitions, in percent; then the operators that take most, with their milliseconds, rows
and what they do. `row filters` are the conditions that scans decide while they read, such as those that joins give them; the rest
of a scan is `scan`. Medians of the runs, after one to warm up.

The times of operators are of a clock, not of CPUs: on a busy machine they contain waits of threads, and their sum is then above
the CPU time. `covered` is that sum in percent of the CPU time; planning, and what no operator counts, is not in it.
"""

import argparse
import re
import statistics
import time

import clickbench
import tpc
import tpc_compare

UNITS = {"ns": 1e-6, "µs": 1e-3, "ms": 1, "s": 1e3}
TIME = r"=(\d+(?:\.\d+)?)(ns|µs|ms|s)\b"
# The times of an operator that are its own: of the others, `elapsed_compute`.
OWN = {"DataSourceExec": "time_elapsed_processing", "RepartitionExec": "repartition_time"}
# A part of the scan's time.
ROW_FILTERS = "row_pushdown_eval_time"
GROUPS = {
    "scan": ["DataSourceExec"],
    "row filters": [],
    "filter": ["FilterExec"],
    "project": ["ProjectionExec"],
    "join": ["HashJoinExec", "NestedLoopJoinExec", "CrossJoinExec", "SortMergeJoinExec"],
    "aggregate": ["AggregateExec"],
    "sort": ["SortExec", "SortPreservingMergeExec", "BoundedWindowAggExec", "WindowAggExec", "FirstRanksExec"],
    "exchange": ["RepartitionExec", "CoalescePartitionsExec"],
}
OTHER = "other"
GROUP_OF = {operator: group for group, operators in GROUPS.items() for operator in operators}


def time_of(metric, metrics):
    """Returns milliseconds, 0 if the operator does not have the metric."""
    found = re.search(rf"\b{metric}{TIME}", metrics)
    return float(found[1]) * UNITS[found[2]] if found else 0.0


class Operator:
    def __init__(self, name, what, metrics):
        self.name, self.what = name, what
        self.ms = time_of(OWN.get(name, "elapsed_compute"), metrics)
        self.row_filters = min(time_of(ROW_FILTERS, metrics), self.ms)
        rows = re.search(r"\boutput_rows=([\d.]+(?: [KMBT])?)", metrics)
        self.rows = rows[1].replace(" ", "") if rows else "?"


def parse(lines):
    """Returns the operators of a plan, from the root on, and the milliseconds of CPU time that the statement reports."""
    operators, cpu = [], None
    for line in lines:
        found = re.match(r" *([A-Z]\w*Exec)(?:: (.*?))?(?:, )?metrics=\[(.*)\]$", line)
        if found:
            operators.append(Operator(found[1], found[2] or "", found[3]))
        total = re.match(r"CPU time: ([\d.]+) (ns|µs|ms|s)$", line)
        if total:
            cpu = float(total[1]) * UNITS[total[2]]
    if not operators or cpu is None:
        raise SystemExit(f"EXPLAIN shows no operator or no CPU time: {lines[:3]} … {lines[-3:]}")
    return operators, cpu


class Run:
    def __init__(self, run, suite, sql):
        started = time.perf_counter()
        lines = [row[0] for row in run(suite, f"EXPLAIN (TYPE DISTRIBUTED, ANALYZE) {sql}")[1]]
        self.ms = (time.perf_counter() - started) * 1e3
        self.operators, self.cpu = parse(lines)
        self.total = sum(operator.ms for operator in self.operators)

    def share(self, group):
        if group == "row filters":
            own = sum(operator.row_filters for operator in self.operators)
        else:
            of_group = [operator for operator in self.operators if GROUP_OF.get(operator.name, OTHER) == group]
            own = sum(operator.ms - operator.row_filters for operator in of_group)
        return 100 * own / self.total if self.total else 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True, help="what lakegate demo --connection-file wrote")
    parser.add_argument("--suite", choices=tpc.SUITES, required=True)
    parser.add_argument("--query", type=int, action="append", help="only these numbers")
    parser.add_argument("--queries", help="ClickBench's postgresql/queries.sql")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--top", type=int, default=3, help="so many operators of each query")
    parser.add_argument("--markdown", action="store_true", help="print the shares as a table of Markdown")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be 1 at least")
    run, texts = tpc_compare.postgres(arguments.connection_file), tpc.queries(arguments.suite, arguments.queries)
    separator, edge = ("|", "|") if arguments.markdown else (" ", "")
    groups, tops = [*GROUPS, OTHER], []
    print(edge + separator.join(["query", "ms", "CPU", "covered", *groups]) + edge)
    if arguments.markdown:
        print("|" + "---|" * (4 + len(groups)))
    for number in arguments.query or texts:
        runs = [Run(run, arguments.suite, texts[number]) for _ in range(arguments.runs + 1)][1:]
        middle = {name: statistics.median(getattr(one, name) for one in runs) for name in ("ms", "cpu", "total")}
        shares = [statistics.median(one.share(group) for one in runs) for group in groups]
        name = f"{arguments.suite} {number:02}"
        covered = 100 * middle["total"] / max(middle["cpu"], 1e-3)
        cells = [name, f"{middle['ms']:.0f}", f"{middle['cpu']:.0f}", f"{covered:.0f}", *(f"{share:.0f}" for share in shares)]
        print(edge + separator.join(cells) + edge, flush=True)
        tops.append((name, sorted(runs[-1].operators, key=lambda operator: -operator.ms)[: arguments.top]))
    for name, operators in tops:
        print(f"\n{name}")
        for operator in operators:
            print(f"  {operator.ms:8.1f} ms {operator.rows:>9} rows  {operator.name}: {operator.what[:200]}")


if __name__ == "__main__":
    main()
