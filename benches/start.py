"""Measures how fast a server starts and answers, and how much memory it uses while it is idle.

    benches/start.py target/release/lakegate [--dir DIR] [--runs N]

Prints medians: start (from exec to the connection file, on a lake that exists), connect and SELECT 1 (TCP, TLS,
SCRAM, first row), SELECT 1 on an open connection, planning of ten of a million projected partitions (EXPLAIN of a
query whose folders do not exist; the goal is 5 ms), and the resident memory before and after.
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg


def start(binary, lake, file):
    file.unlink(missing_ok=True)
    started = time.perf_counter()
    server = subprocess.Popen(
        [binary, "demo", "--dir", lake, "--scale", "0.01", "--postgres-port", "0", "--flight-port", "0",
         "--http-port", "0", "--connection-file", file],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    while not file.exists():
        if server.poll() is not None:
            raise SystemExit("the server does not start")
        time.sleep(0.0005)
    return server, time.perf_counter() - started, json.loads(file.read_text())


def resident(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmRSS")


def connect(to):
    admin = next(user for user in to["users"] if user["name"] == "admin")
    return psycopg.connect(
        host=to["postgres"]["host"], port=to["postgres"]["port"], user="admin", password=admin["password"],
        dbname="awsdatacatalog", sslmode="verify-full", sslrootcert=to["tls"]["ca_file"], autocommit=True,
    )


PROJECTED = """
CREATE EXTERNAL TABLE IF NOT EXISTS bench_start.projected (v BIGINT) PARTITIONED BY (day STRING, shard INT)
STORED AS PARQUET LOCATION 's3://datalake/bench_start/projected/'
TBLPROPERTIES ('projection.enabled' = 'true', 'projection.day.type' = 'date', 'projection.day.format' = 'yyyy-MM-dd',
'projection.day.range' = '2000-01-01,2027-05-18', 'projection.shard.type' = 'integer', 'projection.shard.range' = '0,99')
"""
PLANNED = """
EXPLAIN SELECT count(*), max(v) FROM bench_start.projected
WHERE day BETWEEN '2024-05-05' AND '2024-05-06' AND shard IN (3, 7, 11, 12, 99, 500)
"""


def planned(connection):
    plan = "\n".join(str(row[0]) for row in connection.execute(PLANNED).fetchall())
    if "partitions: 10 of 1000000" not in plan:
        raise SystemExit(f"unexpected plan:\n{plan}")


def timed(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--dir", help="a demo lake of scale 0.01; made if it is not there")
    parser.add_argument("--runs", type=int, default=11)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temp:
        lake = arguments.dir or os.path.join(temp, "lake")
        file = Path(temp) / "connection.json"
        server, made, _ = start(arguments.binary, lake, file)
        server.terminate()
        server.wait()
        print(f"first start, the lake made     {made * 1e3:9.1f} ms")
        starts, idle, firsts, opens, plans = [], [], [], [], []
        for _ in range(arguments.runs):
            server, seconds, to = start(arguments.binary, lake, file)
            starts.append(seconds)
            time.sleep(0.2)
            idle.append(resident(server.pid))
            firsts.append(timed(lambda: connect(to).execute("SELECT 1").fetchone()))
            with connect(to) as connection:
                connection.execute("SELECT 1").fetchone()
                opens += [timed(lambda: connection.execute("SELECT 1").fetchone()) for _ in range(50)]
                connection.execute("CREATE DATABASE IF NOT EXISTS bench_start")
                connection.execute(PROJECTED)
                planned(connection)
                plans += [timed(lambda: planned(connection)) for _ in range(20)]
            after = resident(server.pid)
            server.terminate()
            server.wait()
    print(f"start                          {statistics.median(starts) * 1e3:9.1f} ms")
    print(f"connect and SELECT 1           {statistics.median(firsts) * 1e3:9.1f} ms")
    print(f"SELECT 1 on an open connection {statistics.median(opens) * 1e3:9.2f} ms")
    print(f"10 of 1,000,000 projected      {statistics.median(plans) * 1e3:9.2f} ms")
    print(f"resident, idle                 {statistics.median(idle):9.1f} MiB")
    print(f"resident, after these queries  {after:9.1f} MiB")


if __name__ == "__main__":
    main()
