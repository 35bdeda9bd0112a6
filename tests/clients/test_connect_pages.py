"""The programs of docs/connect/python.md, as they are written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import variables

PAGE = Path(__file__).parents[2] / "docs" / "connect" / "python.md"
BLOCKS = re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
PROGRAMS = {title: program for title, program in BLOCKS if program.startswith("import")}


def test_page_has_programs():
    assert {"psycopg", "asyncpg", "psycopg2, pg8000", "polars", "connectorx", "ADBC", "ibis"} <= PROGRAMS.keys()


@pytest.mark.parametrize("title", PROGRAMS)
def test_program_runs(demo, title):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[title]],
        env=variables(demo, "analyst", "curated"), capture_output=True, text=True, timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
