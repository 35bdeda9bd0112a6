"""dbt's commands in one process, which is loaded once: each line of the input is a JSON list of arguments.

Prints what a command prints, then a line `dbt succeeded` or `dbt failed`.
"""

import json
import sys

from dbt.cli.main import dbtRunner


def main():
    for line in sys.stdin:
        result = dbtRunner().invoke(json.loads(line))
        if result.exception is not None:
            print(result.exception)
        print("dbt succeeded" if result.success else "dbt failed", flush=True)


# dbt starts processes that import this file.
if __name__ == "__main__":
    main()
