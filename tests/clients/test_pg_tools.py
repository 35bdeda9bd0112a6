"""PostgreSQL's own programs, pgbouncer and ODBC against a running demo."""

import datetime
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import pytest

from conftest import parameters, variables
from postgres import FOREVER, LAKE_ROWS, MIDDAY, lake_table, run, stopped

BIN = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))


@pytest.fixture
def psql(demo):
    def psql(*arguments, user="admin", database="awsdatacatalog", fails=False, stdin=None, **more):
        command = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", *arguments]
        return run(command, variables(demo, user, database, **more), fails, stdin)

    return psql


# Every \d command of psql 15, and its fellows that ask the catalog; with a pattern where that makes other statements.
LISTS = [
    "\\d", "\\dS", "\\d+", "\\d curated.*", "\\da", "\\dA", "\\dA+", "\\dAc", "\\dAf", "\\dAo", "\\dAp", "\\db", "\\db+",
    "\\dc", "\\dconfig", "\\dC", "\\dd", "\\dD", "\\ddp", "\\dE", "\\des", "\\det", "\\deu", "\\dew", "\\df", "\\dfa", "\\df+", "\\df count", "\\dF",
    "\\dFd", "\\dFp", "\\dFt", "\\dg", "\\di", "\\dl", "\\dL", "\\dm", "\\dn", "\\dn+", "\\do", "\\dO", "\\dp", "\\dp curated.*", "\\dP",
    "\\dPi", "\\dPt", "\\drds", "\\dRp", "\\dRs", "\\ds", "\\dt", "\\dt+ *.*", "\\dT", "\\dT+", "\\du", "\\du+", "\\dv", "\\dv+ *.*", "\\dx", "\\dX", "\\dy",
    "\\l", "\\l+", "\\z", "\\z curated.*", "\\conninfo", "\\encoding",
]


@pytest.mark.client("psql", "Debian's")
class TestPsql:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects(self, psql, other_ca):
        assert psql("-At", "-c", "SELECT current_user, 1 + 1") == "admin|2\n"
        assert "certificate verify failed" in psql("-c", "SELECT 1", fails=True, sslrootcert=other_ca)

    def test_lists_databases(self, psql):
        """`psql -l` connects to the database `postgres`, whatever PGDATABASE says."""
        assert psql("-lAt", database="curated").startswith("awsdatacatalog|")
        assert psql("-At", "-c", "SELECT current_database()", database="postgres") == "awsdatacatalog\n"
        assert 'database "template1" does not exist' in psql("-c", "SELECT 1", database="template1", fails=True)

    @pytest.mark.shows("error for a wrong password")
    def test_wrong_password(self, psql):
        assert 'password authentication failed for user "admin"' in psql("-c", "SELECT 1", fails=True, password="wrong")

    @pytest.mark.shows("results of all types")
    def test_values(self, psql):
        shown = psql("-At", "-P", "null=∅", "-c", (
            "SELECT NULL::int, true, 7::bigint, 2.5::double precision, CAST('12.50' AS numeric(10,2)), 'dß', DATE '2024-02-29',"
            " TIMESTAMP '2024-02-29 12:34:56.789', '2024-02-29 12:34:56+00'::timestamptz, INTERVAL '1 day 2 hours', '\\x00ff'::bytea,"
            " '{\"a\": 1}'::json, ARRAY['a', 'b,c', NULL], TIME '12:34:56', 'NaN'::float8"
        ))
        assert shown == (
            "∅|t|7|2.5|12.50|dß|2024-02-29|2024-02-29 12:34:56.789|2024-02-29 12:34:56+00|1 day 02:00:00|\\x00ff|"
            '{"a": 1}|{a,"b,c",NULL}|12:34:56|NaN\n'
        )

    @pytest.mark.shows("psql's \\d commands")
    @pytest.mark.parametrize("user", ["admin", "scientist"])
    def test_lists(self, demo, user):
        script = "".join(f"\\warn now {name}\n{command}\n" for command in LISTS for name in [command.replace("\\", "")])
        done = subprocess.run(
            ["psql", "-X", "-P", "pager=off", "-f", "-"], env=variables(demo, user), input=script, capture_output=True, text=True,
        )
        assert done.returncode == 0 and "curated" in done.stdout
        told = done.stderr.splitlines()
        failed = [(told[i - 1], line) for i, line in enumerate(told) if "ERROR" in line or "FATAL" in line]
        assert failed == []

    @pytest.mark.shows("tables and columns")
    @pytest.mark.shows("views and comments")
    def test_describes(self, psql, connect):
        with lake_table(connect, "of_psql"):
            shown = psql("-c", "\\d+ of_psql.*")
            listed = psql("-At", "-c", "\\dt+ of_psql.*", "-c", "\\dv+ of_psql.*")
        flat = [" ".join(line.split()) for line in shown.splitlines()]
        assert any(line.startswith("id | integer |") and line.endswith("| the key") for line in flat)
        assert any(line.startswith("price | numeric(10,2) |") for line in flat) and "View definition:" in flat
        assert "of_psql|things|table|" in listed and "all the things" in listed and "things with a name" in listed

    @pytest.mark.shows("parameters of all types")
    @pytest.mark.shows("prepared statement")
    def test_variables_and_prepare(self, psql):
        script = "\\set v 'd''x'\nSELECT :'v';\nPREPARE p (int, date) AS SELECT $1 + 1, $2;\n" + "EXECUTE p(1, '2024-02-29');\n" * 2
        assert psql("-Atq", "-f", "-", stdin=script) == "d'x\n2|2024-02-29\n2|2024-02-29\n"

    @pytest.mark.shows("reading a result in pieces")
    def test_fetch_count(self, psql):
        shown = psql("-At", "-v", "FETCH_COUNT=100", "-c", "SELECT x FROM generate_series(1, 950) t(x) ORDER BY x")
        assert shown.split() == [str(x) for x in range(1, 951)]

    @pytest.mark.shows("transaction with rollback")
    def test_rollback(self, psql, connect):
        with lake_table(connect, "of_psql") as admin:
            insert = "INSERT INTO of_psql.things (id) VALUES"
            psql("-c", f"BEGIN; {insert} (1); ROLLBACK", "-c", f"BEGIN; {insert} (2); COMMIT")
            psql("-1", "-c", f"{insert} (3)", "-c", "SELECT 1/0", fails=True)
            assert admin.execute("SELECT id FROM of_psql.things").fetchall() == [(2,)]

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, psql):
        error = psql("-v", "VERBOSITY=verbose", "-c", "SELECT no_such FROM curated.orders", fails=True)
        assert "ERROR:  42703:" in error and "LINE 1: SELECT no_such" in error and error.index("^") > 0

    @pytest.mark.shows("cancel")
    def test_interrupt(self, demo, connect):
        command = ["psql", "-X", "-c", FOREVER.format("psql-cancel")]
        process = subprocess.Popen(command, env=variables(demo), stderr=subprocess.PIPE, text=True)
        with stopped(connect, "psql-cancel", lambda: process.send_signal(signal.SIGINT)):
            _, error = process.communicate(timeout=120)
        assert "canceling statement due to user request" in error

    @pytest.mark.shows("timeout")
    def test_timeout(self, psql):
        error = psql("-c", "SET statement_timeout = 300", "-c", FOREVER.format("psql-timeout"), fails=True)
        assert "canceling statement due to statement timeout" in error

    @pytest.mark.shows("bulk load")
    @pytest.mark.shows("COPY TO")
    def test_copies(self, psql, connect, tmp_path):
        with lake_table(connect, "of_psql") as admin:
            file = tmp_path / "rows.csv"
            file.write_text('id,name\n1,"a,b"\n2,\n')
            psql("-c", f"\\copy of_psql.things (id, name) FROM '{file}' CSV HEADER")
            assert admin.execute("SELECT id, name FROM of_psql.things ORDER BY 1").fetchall() == [(1, "a,b"), (2, None)]
            out = tmp_path / "out.csv"
            psql("-c", f"\\copy (SELECT id, name FROM of_psql.things ORDER BY id) TO '{out}' CSV HEADER")
            assert out.read_text() == 'id,name\n1,"a,b"\n2,\n'

    @pytest.mark.shows("columns without a grant are hidden")
    def test_hidden_columns(self, psql):
        shown = psql("-c", "\\d curated.customers", user="scientist")
        assert "segment" in shown and "email" not in shown and "phone" not in shown

    def test_small_commands(self, psql):
        script = (
            "SELECT 1 AS a, 'x' AS b \\gdesc\nSELECT 'SELECT ' || 7 \\gexec\nSELECT 5 AS five \\gset\nSELECT :five;\n"
            "SELECT x % 2 AS r, x % 3 AS c, x FROM generate_series(1, 6) t(x) \\crosstabview\n\\errverbose\n\\timing on\nSELECT 1;\n"
        )
        shown = psql("-f", "-", stdin=script)
        assert "Time: " in shown and "text" in shown


# PostgreSQL and PgBouncer refuse to run as root.
AS_USER = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []


@pytest.fixture
def open_folder():
    """A folder of the user that AS_USER changes to, and that others may enter; pytest closes its own to others."""
    with tempfile.TemporaryDirectory(prefix="lakegate-tools-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def given_away(folder):
    """The folder, after its files became the user's that AS_USER changes to."""
    if AS_USER:
        subprocess.run(["chown", "-R", "postgres", folder], check=True)
    return folder


def ca_in(folder, file):
    """A copy of the authority's certificate that everybody may read."""
    copy = folder / "ca.pem"
    shutil.copy(file, copy)
    copy.chmod(0o644)
    return copy


@pytest.fixture
def other_server(open_folder):
    """An empty PostgreSQL for the time of a test, and its variables."""
    folder = given_away(open_folder) / "data"
    port = free_port()
    quiet = {"check": True, "capture_output": True, "cwd": open_folder}
    subprocess.run([*AS_USER, BIN / "initdb", "-D", folder, "-U", "admin", "-A", "trust", "--no-sync"], **quiet)
    settings = f"-p {port} -k {open_folder} -h '' -F"
    # libpq in the server looks for a client's certificate in the home folder.
    home = {**os.environ, "HOME": str(open_folder)}
    start = [BIN / "pg_ctl", "-D", folder, "-o", settings, "-l", open_folder / "log", "-w", "start"]
    subprocess.run([*AS_USER, *start], env=home, **quiet)
    yield {**os.environ, "PGHOST": str(open_folder), "PGPORT": str(port), "PGUSER": "admin", "PGDATABASE": "postgres"}
    subprocess.run([*AS_USER, BIN / "pg_ctl", "-D", folder, "-m", "immediate", "stop"], **quiet)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.mark.client("postgres_fdw", "Debian's")
class TestForeignDataWrapper:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("tables and columns")
    @pytest.mark.shows("results of all types")
    @pytest.mark.shows("reading a result in pieces")
    @pytest.mark.shows("views and comments")
    @pytest.mark.shows("bulk load")
    def test_foreign_schema(self, demo, other_server, connect):
        p = parameters(demo, "admin")
        ca = ca_in(Path(other_server["PGHOST"]), p["sslrootcert"])

        def ask(*statements):
            return run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", *[a for s in statements for a in ("-c", s)]], other_server)

        with lake_table(connect, "of_fdw") as admin:
            insert = "INSERT INTO of_fdw.things VALUES (" + ", ".join(["%s"] * 9) + ")"
            admin.cursor().executemany(insert, LAKE_ROWS)
            ask(
                "CREATE EXTENSION postgres_fdw",
                f"CREATE SERVER lake FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{p['host']}', port '{p['port']}',"
                f" dbname 'awsdatacatalog', sslmode 'verify-full', sslrootcert '{ca}', fetch_size '100')",
                f"CREATE USER MAPPING FOR admin SERVER lake OPTIONS (user 'admin', password '{p['password']}')",
                "CREATE SCHEMA curated", "IMPORT FOREIGN SCHEMA curated FROM SERVER lake INTO curated",
                "CREATE SCHEMA mine", "IMPORT FOREIGN SCHEMA of_fdw FROM SERVER lake INTO mine",
            )
            columns = ask("SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
                          " WHERE attrelid = 'curated.orders'::regclass AND attname IN ('quantity', 'total', 'order_date') ORDER BY 1")
            assert columns == "order_date|date\nquantity|integer\ntotal|numeric(10,2)\n"
            there = admin.execute("SELECT count(*), sum(total) FROM curated.orders WHERE order_date >= DATE '2024-06-01'").fetchone()
            sql = "SELECT count(*), sum(total) FROM curated.orders WHERE order_date >= DATE '2024-06-01'"
            assert ask(sql) == f"{there[0]}|{there[1]}\n"
            # Rows are fetched by a cursor, a hundred at a time.
            assert ask("SELECT count(*) FROM (SELECT * FROM curated.orders OFFSET 0) t") == ask("SELECT count(*) FROM curated.orders")
            assert ask("SELECT id, big, ok, price, name, day, at, bytes FROM mine.things ORDER BY id") == (
                "1|9007199254740993|t|12.50|d'ß|2024-02-29|2024-02-29 12:34:56.789|\\x00ff\n2|||||||\n"
            )
            assert ask("SELECT * FROM mine.named") == "1|d'ß\n"
            ask("INSERT INTO mine.things (id, name) VALUES (3, 'three')")
            assert ask("SELECT name FROM mine.things WHERE id = 3") == "three\n"
            # The planner may ask the other side for its costs.
            ask("ALTER SERVER lake OPTIONS (ADD use_remote_estimate 'true')")
            assert ask("SELECT count(*) FROM mine.things WHERE id > 1") == "2\n"


@pytest.mark.client("pgbench", "Debian's")
class TestPgbench:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("prepared statement")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("parameters of all types")
    @pytest.mark.parametrize("protocol", ["simple", "extended", "prepared"])
    def test_script(self, demo, tmp_path, protocol):
        script = tmp_path / "script.sql"
        script.write_text("\\set n random(1, 10)\nSELECT count(*) FROM curated.orders WHERE quantity = :n;\n")
        shown = run([BIN / "pgbench", "-n", "-M", protocol, "-c", "2", "-t", "5", "-f", script], variables(demo))
        assert "number of transactions actually processed: 10/10" in shown and "number of failed transactions: 0" in shown


@pytest.mark.client("PgBouncer", "Debian's")
class TestPgbouncer:
    @pytest.fixture(params=["session", "transaction"])
    def pooled(self, demo, open_folder, request):
        p = parameters(demo, "admin")
        port = free_port()
        ca = ca_in(open_folder, p["sslrootcert"])
        (open_folder / "users.txt").write_text(f'"admin" "{p["password"]}"\n')
        (open_folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={p['host']} port={p['port']}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"auth_type = scram-sha-256\nauth_file = {open_folder}/users.txt\npool_mode = {request.param}\nunix_socket_dir =\n"
            f"server_tls_sslmode = verify-full\nserver_tls_ca_file = {ca}\nlogfile = {open_folder}/log\ndefault_pool_size = 1\n"
        )
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        process = subprocess.Popen([*AS_USER, program, "-q", given_away(open_folder) / "pgbouncer.ini"])
        try:
            yield lambda: self.connect(p, port)
        finally:
            process.terminate()
            process.wait(timeout=30)

    def connect(self, p, port):
        import psycopg

        for attempt in range(100):
            try:
                return psycopg.connect(
                    host="127.0.0.1", port=port, user="admin", password=p["password"], dbname=p["dbname"], sslmode="disable",
                    prepare_threshold=None, autocommit=True,
                )
            except psycopg.OperationalError as error:
                if attempt == 99 or "refused" not in str(error):
                    raise
                time.sleep(0.1)

    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    @pytest.mark.shows("parameters of all types")
    @pytest.mark.shows("transaction with rollback")
    @pytest.mark.shows("pool")
    def test_pool(self, pooled):
        with pooled() as one, pooled() as other:
            assert one.execute("SELECT current_user").fetchone() == ("admin",)
            one.close()
            pid = other.execute("SELECT pg_backend_pid()").fetchone()
            with other.transaction(force_rollback=True):
                other.execute("CREATE DATABASE of_pgbouncer")
            assert other.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'of_pgbouncer'").fetchone() == (0,)
            assert other.execute("SELECT %s::int + 1", (41,)).fetchone() == (42,)
            other.execute("SET statement_timeout = '17s'")
            other.close()
        with pooled() as third:
            # The same connection to the server, and in session mode reset by DISCARD ALL.
            assert third.execute("SELECT pg_backend_pid()").fetchone() == pid


@pytest.fixture
def odbc(demo):
    import pyodbc

    opened = []

    def connect(user="admin", autocommit=True, **more):
        p = parameters(demo, user)
        settings = {
            "Driver": "PostgreSQL Unicode", "Server": p["host"], "Port": p["port"], "Database": p["dbname"], "UID": user,
            "PWD": p["password"], "SSLmode": "verify-full", "pqopt": f"{{sslrootcert={p['sslrootcert']}}}",
        } | more
        text = ";".join(f"{name}={value}" for name, value in settings.items())
        connection = pyodbc.connect(text, autocommit=autocommit, timeout=20)
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.close()


@pytest.mark.client("psqlODBC", "Debian's")
class TestOdbc:
    @pytest.mark.shows("TLS with certificate verification")
    @pytest.mark.shows("simple query")
    def test_connects(self, odbc, other_ca):
        assert tuple(odbc().execute("SELECT current_user::text, 1 + 1").fetchone()) == ("admin", 2)
        with pytest.raises(Exception, match="certificate verify failed"):
            odbc(pqopt=f"{{sslrootcert={other_ca}}}")

    @pytest.mark.shows("error for a wrong password")
    def test_wrong_password(self, odbc):
        with pytest.raises(Exception, match="password authentication failed"):
            odbc(PWD="wrong")

    @pytest.mark.shows("results of all types")
    def test_results(self, odbc):
        row = odbc().execute(
            "SELECT NULL::int, (-32768)::smallint, 7::int, (-9223372036854775808)::bigint, 2.5::double precision,"
            " CAST('12.50' AS numeric(10,2)), 'dß€'::text, DATE '2024-02-29', TIMESTAMP '2024-02-29 12:34:56.789', '\\x00ff'::bytea"
        ).fetchone()
        assert tuple(row) == (
            None, -32768, 7, -9223372036854775808, 2.5, Decimal("12.50"), "dß€", datetime.date(2024, 2, 29), MIDDAY, b"\x00\xff",
        )
        assert tuple(odbc(BoolsAsChar="0").execute("SELECT true, false").fetchone()) == (True, False)

    @pytest.mark.shows("parameters of all types")
    @pytest.mark.shows("prepared statement")
    def test_parameters(self, odbc):
        cursor = odbc().cursor()
        sql = (
            "SELECT ?::int, ?::bigint, ?::double precision, ?::numeric(10,2), ?::text, ?::date, ?::timestamp, ?::bytea, ?::boolean = true"
        )
        values = (7, 9007199254740993, 2.5, Decimal("12.50"), "d'ß", datetime.date(2024, 2, 29), MIDDAY, b"\x00\xff")
        for _ in range(2):
            assert tuple(cursor.execute(sql, *values, True).fetchone())[:8] == values
        count = "SELECT count(*) FROM curated.orders WHERE order_date = ? AND quantity >= ? AND total < ?"
        assert cursor.execute(count, datetime.date(2024, 5, 5), 1, Decimal("1000000.00")).fetchone()[0] > 0

    @pytest.mark.shows("reading a result in pieces")
    def test_declare_fetch(self, odbc):
        cursor = odbc(UseDeclareFetch="1", Fetch="100", autocommit=False).execute("SELECT x FROM generate_series(1, 950) t(x) ORDER BY x")
        assert [x for (x,) in cursor] == list(range(1, 951))

    @pytest.mark.shows("transaction with rollback")
    @pytest.mark.shows("bulk load")
    def test_rollback(self, odbc, connect):
        with lake_table(connect, "of_odbc") as admin:
            connection = odbc(autocommit=False)
            connection.execute("INSERT INTO of_odbc.things (id) VALUES (1)")
            connection.rollback()
            connection.cursor().executemany("INSERT INTO of_odbc.things (id, name) VALUES (?, ?)", [(2, "two"), (3, None)])
            connection.commit()
            assert admin.execute("SELECT id, name FROM of_odbc.things ORDER BY id").fetchall() == [(2, "two"), (3, None)]

    @pytest.mark.shows("SQLSTATE and position of an error")
    def test_error(self, odbc):
        import pyodbc

        with pytest.raises(pyodbc.Error) as raised:
            odbc().execute("SELECT no_such FROM curated.orders")
        assert "no_such" in raised.value.args[1] and raised.value.args[0] in ("42703", "42S22")

    @pytest.mark.shows("cancel")
    def test_cancel(self, odbc, connect):
        cursor = odbc().cursor()
        with stopped(connect, "odbc-cancel", cursor.cancel), pytest.raises(Exception, match="cancel"):
            cursor.execute(FOREVER.format("odbc-cancel")).fetchall()

    @pytest.mark.shows("timeout")
    def test_timeout(self, odbc):
        connection = odbc(ConnSettings="SET statement_timeout = 300")
        with pytest.raises(Exception, match="statement timeout"):
            connection.execute(FOREVER.format("odbc-timeout")).fetchall()

    @pytest.mark.shows("tables and columns")
    @pytest.mark.shows("views and comments")
    def test_catalog_functions(self, odbc, connect):
        with lake_table(connect, "of_odbc"):
            cursor = odbc().cursor()
            tables = {(row.table_name, row.table_type) for row in cursor.tables(schema="of_odbc")}
            assert tables == {("things", "TABLE"), ("named", "VIEW")}
            columns = {row.column_name: row.type_name for row in cursor.columns(table="things", schema="of_odbc")}
            assert (columns["id"], columns["price"], columns["at"], columns["name"]) == ("int4", "numeric", "timestamp", "text")
            assert cursor.primaryKeys(table="things", schema="of_odbc").fetchall() == []
            assert cursor.foreignKeys(table="things", schema="of_odbc").fetchall() == []
            assert cursor.statistics("things", schema="of_odbc").fetchall() is not None
            assert {row[0] for row in cursor.getTypeInfo()} >= {"int4", "text", "numeric"}

    @pytest.mark.shows("columns without a grant are hidden")
    def test_hidden_columns(self, odbc):
        cursor = odbc("scientist").cursor()
        assert [row.column_name for row in cursor.columns(table="customers", schema="curated")] == ["customer_id", "segment", "region"]
