"""Compares TPC-H over the wire with DuckDB's and DataFusion's wheels, on the same Parquet files.

    pip install -r tests/clients/requirements.txt -r benches/requirements.txt
    target/release/lakegate demo --dir L --scale 0.0001 --tpch 1 --connection-file F &
    benches/compare.py --connection-file F --lake L [--runs 5]

Prints medians in milliseconds; result reuse is off. Lakegate's times include the wire and Python's reading of it; the
others' include Python's reading of their results.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "clients"))

import tpc_compare  # noqa: E402


def datafusion(lake):
    import datafusion as engine

    config = engine.SessionConfig().with_target_partitions(2)
    context = engine.SessionContext(config)
    for table in sorted((Path(lake) / "tpch").iterdir()):
        context.register_parquet(table.name, str(table))

    def run(suite, sql):
        batches = context.sql(sql).collect()
        return [], [row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns))]

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connection-file", required=True)
    parser.add_argument("--lake", required=True)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    lakegate = tpc_compare.postgres(arguments.connection_file)
    lakegate("tpch", "SELECT 1")
    lakegate.connection("tpch").execute("SET result_reuse = off")
    engines = {"lakegate": lakegate, "duckdb": tpc_compare.duckdb(arguments.lake), "datafusion": datafusion(arguments.lake)}
    print("query " + "".join(f"{name:>12}" for name in engines))
    totals = dict.fromkeys(engines, 0.0)
    for number in range(1, 23):
        sql = tpc_compare.query_text("tpch", number)
        times = {name: [] for name in engines}
        for name, run in engines.items():
            run("tpch", sql)
        for _ in range(arguments.runs):
            for name, run in engines.items():
                started = time.perf_counter()
                run("tpch", sql)
                times[name].append(time.perf_counter() - started)
        medians = {name: statistics.median(seconds) * 1e3 for name, seconds in times.items()}
        for name, median in medians.items():
            totals[name] += median
        print(f"q{number:02}   " + "".join(f"{median:12.1f}" for median in medians.values()), flush=True)
    print("total " + "".join(f"{total:12.1f}" for total in totals.values()))


if __name__ == "__main__":
    main()
