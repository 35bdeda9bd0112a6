"""The two servers: each answers a statement with columns and rows, or refuses it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
from psycopg.types.string import TextLoader


class Refused(Exception):
    pass


class Trino:
    """Trino's protocol: a statement is sent, and its result is fetched by the links that it gives."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.headers = {
            "X-Trino-User": "judge",
            "X-Trino-Catalog": "memory",
            "X-Trino-Schema": "default",
            "X-Trino-Time-Zone": "UTC",
            "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
        }

    def _fetch(self, url, body=None):
        request = urllib.request.Request(url, body and body.encode(), self.headers)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def ask(self, statement):
        """The columns as (name, type), and the rows."""
        answer = self._fetch(f"{self.url}/v1/statement", statement)
        columns, rows = [], []
        while True:
            if "error" in answer:
                raise Refused(answer["error"]["message"].replace("\n", " "))
            columns = answer.get("columns") or columns
            rows += answer.get("data") or []
            if "nextUri" not in answer:
                return [(column["name"], column["type"]) for column in columns], rows
            answer = self._fetch(answer["nextUri"])

    def ready(self):
        try:
            return not self._fetch(f"{self.url}/v1/info")["starting"]
        except (OSError, ValueError):
            return False


class Lakegate:
    """A demo server of Lakegate, through its PostgreSQL endpoint; all values as text."""

    def __init__(self, binary, dialect="trino"):
        self.folder = tempfile.TemporaryDirectory(prefix="judge-")
        where = Path(self.folder.name)
        self.log = open(where / "log", "w")  # noqa: SIM115
        arguments = ["demo", "--dir", str(where / "lake"), "--scale", "0.01", "--connection-file", str(where / "conn.json")]
        arguments += ["--postgres-port", "0", "--flight-port", "0", "--http-port", "0"]
        self.process = subprocess.Popen([binary, *arguments], stdout=self.log, stderr=self.log)
        try:
            self._connect(where / "conn.json", dialect)
        except BaseException:
            self.stop()
            raise

    def _connect(self, file, dialect):
        for _ in range(600):
            if file.exists():
                break
            if self.process.poll() is not None:
                sys.exit(f"lakegate ended: {Path(self.log.name).read_text()[-500:]}")
            time.sleep(0.1)
        known = json.loads(file.read_text())
        self.arguments = {
            "host": known["postgres"]["host"],
            "port": known["postgres"]["port"],
            "user": "admin",
            "password": next(user["password"] for user in known["users"] if user["name"] == "admin"),
            "dbname": known["catalog"],
            "sslmode": "require",
            "autocommit": True,
        }
        self.dialect = dialect
        self.open()

    def open(self):
        self.connection = psycopg.connect(**self.arguments)
        for kind in psycopg.adapters.types:
            self.connection.adapters.register_loader(kind.oid, TextLoader)
            if kind.array_oid:
                self.connection.adapters.register_loader(kind.array_oid, TextLoader)
        self.connection.execute(f"SET dialect = '{self.dialect}'")

    def run(self, statement):
        if self.connection.closed:
            self.open()
        try:
            cursor = self.connection.execute(statement, prepare=False)
            return [column.name for column in cursor.description or []], cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise Refused(f"{error.sqlstate} {error}".replace("\n", " ")) from error

    def ask(self, statement):
        names, rows = self.run(statement)
        if not names:
            return [], rows
        self.run(f"PREPARE judged FROM {statement}")
        types = [line[4] for line in self.run("DESCRIBE OUTPUT judged")[1]]
        self.run("DEALLOCATE PREPARE judged")
        return list(zip(names, types)), rows

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
        self.log.close()
        self.folder.cleanup()
