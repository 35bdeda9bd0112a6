#!/usr/bin/env python3
"""Trino as the judge of Lakegate's Trino dialect: the same statements on both, and what differs.

    judge.py --lakegate target/release/lakegate [--trino http://127.0.0.1:18080] [FILE…] [--only NAME] [--all]

Compares the names, types and values of columns, or that both refuse, of

- `tests/judge/*.sql`: an expression or a statement a line. A line `-- name` starts the group of a function.
  `f({[ 'a' ; NULL ]}, {[ 1 ; 2 ]})` stands for all combinations of the alternatives. Those are asked as constants, of
  both servers, and then at Lakegate as columns of a table, which must give what the constants gave.
- `tests/sql/trino*.slt` and `tests/sql/docs_*.slt`: the queries of Lakegate's golden files that need no table of the demo lake.

A difference that `docs/sql/differences.md` lists is not reported (`--all` shows it). A row of a table there lists the
differences of the expressions that contain its first cell, where `…` is any text, and of the kind in its second cell: `rows`,
`type`, `name`, `refused` (Lakegate refuses what Trino answers) or `answered`. In the table of types, the cells are
Trino's type and Lakegate's. The exit status is 1 if other differences exist. It needs Python 3.11 and psycopg.

To start Trino (Java 24 or newer; about 1 GB of disk and 2.5 GB of memory):

    mvn dependency:copy -Dartifact=io.trino:trino-server:476:tar.gz -DoutputDirectory=.
    tar xzf trino-server-476.tar.gz --exclude='*/plugin/*'
    tar xzf trino-server-476.tar.gz --wildcards '*/plugin/memory/*' '*/plugin/tpch/*' '*/plugin/geospatial/*'
    cd trino-server-476; mkdir -p etc/catalog
    echo connector.name=memory >etc/catalog/memory.properties
    echo connector.name=tpch >etc/catalog/tpch.properties
    printf '%s\\n' node.environment=judge node.data-dir=/tmp/trino-data node.bind-ip=127.0.0.1 \\
        node.internal-address=127.0.0.1 >etc/node.properties
    printf '%s\\n' coordinator=true node-scheduler.include-coordinator=true http-server.http.port=18080 \\
        discovery.uri=http://127.0.0.1:18080 query.max-memory-per-node=600MB >etc/config.properties
    printf '%s\\n' -Xmx2G -XX:+UseSerialGC --add-modules=jdk.incubator.vector >etc/jvm.config
    nice bin/launcher run
"""

import argparse
import itertools
import re
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from servers import Lakegate, Refused, Trino
from values import canonical, parse_type, same, shown

HERE = Path(__file__).resolve().parent
SQL = HERE.parent / "sql"
PAGE = HERE.parent.parent / "docs/sql/differences.md"
SLOT = re.compile(r"\{\[(.*?)\]\}", re.S)
BATCH = 40


@dataclass
class Difference:
    kind: str
    group: str
    text: str
    trino: str
    lakegate: str


class Listed:
    """The differences that the page lists."""

    def __init__(self, page):
        self.patterns, self.types = [], {}
        for line in page.read_text().splitlines() if page.exists() else []:
            cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(cells) == 3 and cells[0].startswith("`") and cells[1].startswith("`"):
                self.types.setdefault(cells[0].strip("`"), set()).update(re.findall(r"`([^`]+)`", cells[1]))
            elif len(cells) > 3 and cells[0].startswith("`"):
                kinds = set(re.findall(r"\w+", cells[1]))
                for pattern in re.findall(r"`([^`]+)`", cells[0]):
                    parts = map(re.escape, re.split("…", pattern))
                    self.patterns.append((re.compile(".*".join(parts), re.S | re.I), kinds, pattern))
        self.used = set()

    def has(self, difference):
        if difference.kind == "type" and self.type(difference.trino, difference.lakegate):
            return True
        hits = [text for pattern, kinds, text in self.patterns if difference.kind in kinds and pattern.search(difference.text)]
        self.used.update(hits)
        return bool(hits)

    def unused(self):
        """The expressions of the page that listed no difference, which may be mended."""
        return sorted({text for *_, text in self.patterns} - self.used)

    def type(self, trino, lakegate):
        """Whether two types differ only where the table of types says so, at any depth."""
        return self._agree(parse_type(trino), parse_type(lakegate))

    def _agree(self, a, b):
        bases = str(b) in self.types.get(str(a), ()) or b.base in self.types.get(a.base, ())
        if not a.inner and not b.inner or a.base != b.base:
            return a.base == b.base or bases
        return len(a.inner) == len(b.inner) and all(map(self._agree, a.inner, b.inner))


def expanded(text):
    """The combinations of a template: the text, and the alternatives taken."""
    slots = [[one.strip() for one in re.split(r"(?<=\s);(?=\s)", found)] for found in SLOT.findall(text)]
    for choice in itertools.product(*slots):
        taken = iter(choice)
        yield SLOT.sub(lambda _: next(taken), text), choice


def lines_of(path):
    """The groups and lines of a file of cases; a line that is indented continues the one before."""
    group, current = path.stem, None
    for line in path.read_text().splitlines():
        if line.startswith((" ", "\t")) and current:
            current += "\n" + line
            continue
        if current:
            yield group, current
        current = None
        if line.startswith("-- "):
            group = line[3:].strip()
        elif line.strip():
            current = line.rstrip().removesuffix(";")
    if current:
        yield group, current


def queries_of(path):
    """The queries of a golden file that need no table."""
    for record in re.split(r"\n\s*\n", path.read_text()):
        lines = [line for line in record.splitlines() if not line.startswith("#")]
        if not lines or not lines[0].startswith("query"):
            continue
        text = "\n".join(lines[1:]).split("\n----")[0].strip()
        if re.match(r"(?i)(SELECT|WITH|VALUES)\b", text) and not re.search(r"(?i)\b(curated|system|raw)\.", text):
            yield path.stem, text


class Judge:
    def __init__(self, trino, lakegate, listed):
        self.trino, self.lakegate, self.listed = trino, lakegate, listed
        self.found, self.asked, self.columns_asked = [], 0, 0

    @staticmethod
    def attempt(server, statement):
        try:
            return server.ask(statement)
        except Refused as refusal:
            return refusal

    def differ(self, kind, group, text, trino, lakegate):
        self.found.append(Difference(kind, group, text, str(trino), str(lakegate)))

    def value(self, group, text, column, value, other_column, other):
        """Compares a column of one row; whether both agree."""
        ours = theirs = None
        try:
            theirs = canonical(value, parse_type(column[1]))
            ours = canonical(other, parse_type(other_column[1]))
            digits = 5 if "real" in column[1] else 12
            agree = same(theirs, ours, digits)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            self.differ("rows", group, text, shown(value), f"{shown(other)} ({other_column[1]}; not read: {error})")
            return False
        if not agree:
            self.differ("rows", group, text, shown(theirs), shown(ours))
        return agree

    def type(self, group, text, trino, lakegate):
        if str(parse_type(trino)) != str(parse_type(lakegate)):
            self.differ("type", group, text, trino, lakegate)

    def statement(self, group, text):
        self.asked += 1
        theirs, ours = self.attempt(self.trino, text), self.attempt(self.lakegate, text)
        if isinstance(theirs, Refused) or isinstance(ours, Refused):
            self.refusals(group, text, theirs, ours)
            return
        if [c[0] for c in theirs[0]] != [c[0] for c in ours[0]]:
            self.differ("name", group, text, [c[0] for c in theirs[0]], [c[0] for c in ours[0]])
        if len(theirs[0]) != len(ours[0]) or len(theirs[1]) != len(ours[1]):
            self.differ("rows", group, text, f"{len(theirs[1])} rows {shown(theirs[1])}", f"{len(ours[1])} rows {shown(ours[1])}")
            return
        for column, other in zip(*(side[0] for side in (theirs, ours))):
            self.type(group, text, column[1], other[1])
        for row, other in zip(theirs[1], ours[1]):
            if not all([self.value(group, text, *both) for both in zip(theirs[0], row, ours[0], other)]):
                return

    def refusals(self, group, text, theirs, ours):
        if isinstance(theirs, Refused) and isinstance(ours, Refused):
            return
        kind = "refused" if isinstance(ours, Refused) else "answered"
        show = lambda side: f"refuses: {shown(str(side), 160)}" if isinstance(side, Refused) else shown(side[1][:3])  # noqa: E731
        self.differ(kind, group, text, show(theirs), show(ours))

    def expressions(self, group, template):
        """All combinations of a template, as constants and then as columns."""
        cases = list(expanded(template))
        agreed = []
        for start in range(0, len(cases), BATCH):
            self.batch(group, cases[start : start + BATCH], agreed)
        if "{[" in template and len(agreed) > 1:
            self.columns(group, template, agreed)

    def batch(self, group, cases, agreed):
        texts = [text for text, _ in cases]
        both = []
        for server in (self.trino, self.lakegate):
            answer = self.attempt(server, "SELECT " + ", ".join(texts)) if len(texts) > 1 else Refused()
            if isinstance(answer, Refused) or len(answer[0]) != len(texts):
                singles = [self.attempt(server, f"SELECT {text}") for text in texts]
            else:
                singles = [([column], [[value]]) for column, value in zip(answer[0], answer[1][0])]
            both.append(singles)
        for (text, choice), theirs, ours in zip(cases, *both):
            self.asked += 1
            if isinstance(theirs, Refused) or isinstance(ours, Refused):
                self.refusals(group, text, theirs, ours)
                continue
            column, other = theirs[0][0], ours[0][0]
            self.type(group, text, column[1], other[1])
            if self.value(group, text, column, theirs[1][0][0], other, ours[1][0][0]):
                agreed.append((choice, text, other, ours[1][0][0]))

    def columns(self, group, template, agreed):
        """The combinations once more, with the alternatives in a table's columns."""
        number = itertools.count()
        expression = SLOT.sub(lambda _: f"c{next(number)}", template)
        width = next(number)
        names = ", ".join(f"c{i}" for i in range(width))
        rows = ", ".join(f"({i}, {', '.join(choice)})" for i, (choice, *_) in enumerate(agreed))
        try:
            columns, answer = self.lakegate.ask(f"SELECT {expression} FROM (VALUES {rows}) AS t (i, {names}) ORDER BY i")
        except Refused:
            return  # The alternatives have no common type, or the function needs constants.
        self.columns_asked += len(agreed)
        for (_, text, column, value), row in zip(agreed, answer):
            if column[1] != columns[0][1]:
                continue  # The common type of the alternatives is another one.
            self.value(group, f"{text} (as columns)", column, value, columns[0], row[0])


def report(judge, show_all, whole):
    groups, unlisted = defaultdict(list), Counter()
    for difference in judge.found:
        listed = judge.listed.has(difference)
        if not listed:
            unlisted[difference.kind] += 1
        if show_all or not listed:
            groups[difference.group].append((listed, difference))
    for group, differences in groups.items():
        print(f"\n## {group}")
        for listed, found in differences:
            print(f"[{found.kind}{', listed' if listed else ''}] {found.text}\n    Trino:    {found.trino}\n    Lakegate: {found.lakegate}")
    if whole and judge.listed.unused():
        print("\nlisted, but not found:", *judge.listed.unused(), sep="\n    ")
    listed = len(judge.found) - sum(unlisted.values())
    print(f"\n{judge.asked} statements on both servers, {judge.columns_asked} of them over columns too; {listed} differences are listed")
    print("not listed:", ", ".join(f"{count} {kind}" for kind, count in unlisted.most_common()) or "none")
    return bool(unlisted)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lakegate", required=True, help="the binary")
    parser.add_argument("--trino", default="http://127.0.0.1:18080")
    parser.add_argument("--only", help="only groups whose name has this text")
    parser.add_argument("--all", action="store_true", help="show the listed differences too")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    trino = Trino(options.trino)
    if not trino.ready():
        sys.exit(f"no Trino answers at {options.trino}")
    files = options.files or sorted(HERE.glob("*.sql")) + [*sorted(SQL.glob("trino*.slt")), *sorted(SQL.glob("docs_*.slt"))]
    lakegate = Lakegate(options.lakegate)
    judge = Judge(trino, lakegate, Listed(PAGE))
    try:
        for file in files:
            cases = lines_of(file) if file.suffix == ".sql" else queries_of(file)
            for group, text in cases:
                if options.only and options.only not in group:
                    continue
                if re.match(r"(?i)(SELECT|WITH|VALUES)\b", text):
                    for one, _ in expanded(text):
                        judge.statement(group, one)
                else:
                    judge.expressions(group, text)
    finally:
        lakegate.stop()
    sys.exit(report(judge, options.all, not options.files and not options.only))


if __name__ == "__main__":
    main()
