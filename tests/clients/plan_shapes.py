"""The join orders of TPC-H, TPC-DS and the queries of tests/tpc/own, compared with tests/tpc/plans.

A plan is reduced to its joins and tables: no numbers, columns or generated names, and no operators of one
input but parts that are computed once. A query is a block: its name, then a tree, in which the inputs of an
operator are indented below it. The first input of a join is the one that is held in memory (the build side), the
second is streamed past it:

    tpch q03
      inner broadcast               the build side is collected once, for all partitions
        inner hashed                both sides are divided by the join's keys
          customer
          orders
        lineitem

A part that several operators read is `shared 1`, and has its plan below it in the first place.

Plans depend on how many partitions the server aims at, so it must run with LAKEGATE_ENGINE__THREADS=2, and on
the data: TPC-H and TPC-DS at scale 0.1.

The result: nothing but a count if the plans are those of the files, else their differences, and failure. With
LAKEGATE_UPDATE_PLANS=1 the files are written anew.
"""

import argparse
import difflib
import os
import re
import sys

import tpc_compare

PLANS = tpc_compare.QUERIES / "plans"
OWN = tpc_compare.QUERIES / "own"
JOINS = {"HashJoinExec": "", "NestedLoopJoinExec": "loop", "CrossJoinExec": "cross", "SortMergeJoinExec": "merge"}
KINDS = {
    "Inner": "inner",
    "Left": "left",
    "Right": "right",
    "Full": "full",
    "LeftSemi": "left semi",
    "RightSemi": "right semi",
    "LeftAnti": "left anti",
    "RightAnti": "right anti",
    "LeftMark": "left mark",
    "RightMark": "right mark",
}
MODES = {"CollectLeft": "broadcast", "Partitioned": "hashed", "Auto": "undecided"}
OPERATOR = re.compile(r"( *)([A-Z]\w*)(?:: (.*))?")
OTHERS = {"UnionExec": "union", "InterleaveExec": "interleave", "ScalarSubqueryExec": "scalar subqueries"}
WITHOUT_TABLE = {"EmptyExec": "empty", "PlaceholderRowExec": "one row", "WorkTableExec": "work table"}


class Node:
    def __init__(self, operator, rest, inputs):
        self.operator, self.rest, self.inputs = operator, rest, inputs


def parse(lines):
    """Returns the root of what EXPLAIN (TYPE DISTRIBUTED) prints."""
    root, path = None, []
    for line in lines:
        if line == "Scans:":
            break
        found = OPERATOR.fullmatch(line)
        if found is None:
            continue  # The rest of a text with line breaks.
        depth, node = len(found[1]) // 2, Node(found[2], found[3] or "", [])
        if root is None:
            root = node
        elif 0 < depth <= len(path):
            path[depth - 1].inputs.append(node)
        else:
            continue
        path[depth:] = [node]
    if root is None:
        raise ValueError("EXPLAIN shows no operator")
    return root


def table(rest):
    """Returns the table of a scan: the folder below the suite's, of its first file."""
    found = re.search(r"\b(?:tpch|tpcds)/(\w+)/", rest)
    return found[1] if found else "values"


def label(node):
    if node.operator in JOINS:
        kind = re.search(r"\bjoin_type=(\w+)", node.rest)
        mode = re.search(r"\bmode=(\w+)", node.rest)
        words = [KINDS.get(kind[1], kind[1]) if kind else "", JOINS[node.operator]]
        words.append(MODES.get(mode[1], mode[1]) if mode else "")
        return " ".join(word for word in words if word)
    if node.operator == "SharedExec":
        return node.rest.replace("part=", "shared ")
    if not node.inputs:
        return WITHOUT_TABLE.get(node.operator) or table(node.rest)
    return OTHERS.get(node.operator, node.operator)


def shape(node, depth=1):
    """Returns the lines of a plan's joins, unions, shared parts and tables."""
    while len(node.inputs) == 1 and node.operator != "SharedExec":
        node = node.inputs[0]
    lines = ["  " * depth + label(node)]
    for child in node.inputs:
        lines.extend(shape(child, depth + 1))
    return lines


def queries():
    """Returns (file of plans, database, name, text) of every query."""
    for suite, count in tpc_compare.SUITES.items():
        for number in range(1, count + 1):
            yield suite, suite, f"q{number:02}", tpc_compare.query_text(suite, number)
    # Each query of a suite runs in the database of that name.
    for database in tpc_compare.SUITES:
        for path in sorted(OWN.glob(f"{database}_*.sql")):
            yield "own", database, path.stem, tpc_compare.text_of(path)


def difference(suite, seen):
    """Returns None if the plans are those of the suite's file, else what differs."""
    path = PLANS / f"{suite}.txt"
    said = path.read_text().splitlines() if path.exists() else []
    seen = seen[:-1]  # The blank line behind the last block.
    if said == seen:
        return None
    return "\n".join(difflib.unified_diff(said, seen, f"tests/tpc/plans/{suite}.txt", "now", n=30, lineterm=""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True, help="what lakegate demo --connection-file wrote")
    run = tpc_compare.postgres(parser.parse_args().connection_file)
    plans, failed, count = {}, 0, 0
    for suite, database, name, text in queries():
        count += 1
        try:
            rows = run(database, f"EXPLAIN (TYPE DISTRIBUTED) {text}")[1]
            lines = shape(parse([row[0] for row in rows]))
        except Exception as error:  # whatever a query does, the others are still compared
            failed += 1
            print(f"FAIL  {suite} {name}  {type(error).__name__}: {' '.join(str(error).split())[:300]}")
            lines = ["  (no plan)"]
        plans.setdefault(suite, []).extend([f"{suite} {name}", *lines, ""])
    if os.environ.get("LAKEGATE_UPDATE_PLANS") and not failed:
        PLANS.mkdir(exist_ok=True)
        for suite, seen in plans.items():
            (PLANS / f"{suite}.txt").write_text("\n".join(seen[:-1]) + "\n")
        print(f"plans of {count} queries written")
        return
    differences = [text for text in (difference(suite, seen) for suite, seen in plans.items()) if text]
    for text in differences:
        print(text)
    if differences:
        print("plans have changed; to write them anew: LAKEGATE_UPDATE_PLANS=1 ./test tpc, then read the diff")
    print(f"plans of {count} queries, {failed} without a plan, {len(differences)} files differ")
    sys.exit(1 if failed or differences else 0)


if __name__ == "__main__":
    main()
