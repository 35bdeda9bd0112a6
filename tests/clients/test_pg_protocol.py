"""Messages of PostgreSQL's protocol, as PostgreSQL 15 answers them."""

import socket
import ssl
import struct

import pytest
from conftest import parameters
from scramp import ScramClient  # of pg8000

FIVE = "SELECT g::int FROM generate_series(1, 5) g"


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def startup(user, database, version=(3, 0), options=()):
    words = ["user", user, "database", database, *(word for option in options for word in option)]
    body = struct.pack("!HH", *version) + b"".join(map(text, words)) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


def query(sql):
    return message(b"Q", text(sql))


def parse(name, sql):
    return message(b"P", text(name) + text(sql) + b"\0\0")


def bind(portal, name, *values):
    sent = b"".join(struct.pack("!i", len(value)) + value for value in values)
    return message(b"B", text(portal) + text(name) + b"\0\0" + struct.pack("!h", len(values)) + sent + b"\0\0")


def execute(portal="", rows=0):
    return message(b"E", text(portal) + struct.pack("!i", rows))


def describe(kind, name=""):
    return message(b"D", kind + text(name))


def close(kind, name):
    return message(b"C", kind + text(name))


SYNC = message(b"S")


class Wire:
    """A connection by TLS that begins with its handshake."""

    def __init__(self, demo, alpn=("postgresql",), **start):
        p = parameters(demo, "admin")
        context = ssl.create_default_context(cafile=p["sslrootcert"])
        context.set_alpn_protocols(list(alpn))
        tcp = socket.create_connection((p["host"], p["port"]), timeout=60)
        self.stream = context.wrap_socket(tcp, server_hostname=p["host"])
        self.stream.sendall(startup(p["user"], p["dbname"], **start))
        self.password, self.user, self.first = p["password"], p["user"], self.receive()

    def receive(self):
        head = self.read(5)
        return head[:1], self.read(struct.unpack("!i", head[1:])[0] - 4)

    def read(self, count):
        data = b""
        while len(data) < count:
            received = self.stream.recv(count - len(data))
            assert received, "the server has closed the connection"
            data += received
        return data

    def log_in(self):
        scram = ScramClient(["SCRAM-SHA-256"], self.user, self.password)
        first = scram.get_client_first().encode()
        self.stream.sendall(message(b"p", text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
        scram.set_server_first(self.receive()[1][4:].decode())
        self.stream.sendall(message(b"p", scram.get_client_final().encode()))
        scram.set_server_final(self.receive()[1][4:].decode())
        self.answers(1)
        return self

    def answers(self, ready):
        """Answers up to so many ReadyForQuery, in short, without parameters' values."""
        answers = []
        while ready:
            kind, body = self.receive()
            ready -= kind == b"Z"
            if kind == b"E":
                fields = dict((field[:1], field[1:].decode()) for field in body.split(b"\0") if field)
                answers.append(f"{fields[b'S']} {fields[b'C']}: {fields[b'M']}")
            elif kind in b"CZ":
                answers.append(f"{kind.decode()} {body.rstrip(bytes(1)).decode()}")
            elif kind != b"S":
                answers.append(kind.decode())
        return answers


@pytest.fixture(scope="module")
def wire(demo):
    return Wire(demo).log_in()


def test_tls_begins_without_a_request(demo):
    wire = Wire(demo)
    assert wire.stream.selected_alpn_protocol() == "postgresql"
    assert wire.first == (b"R", b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
    with pytest.raises(ssl.SSLError):
        Wire(demo, alpn=["h2"])


@pytest.mark.parametrize(
    ("version", "options", "negotiated"),
    [
        ((3, 1), [], (3 << 16, 0, b"")),
        ((3, 99), [], (3 << 16 | 2, 0, b"")),
        ((3, 2), [("_pq_.new", "1")], (3 << 16 | 2, 1, b"_pq_.new\0")),
    ],
)
def test_versions_are_negotiated(demo, version, options, negotiated):
    kind, body = Wire(demo, version=version, options=options).first
    assert kind == b"v"
    assert (*struct.unpack("!ii", body[:8]), body[8:]) == negotiated


# Messages that are sent at once, and what PostgreSQL 15 answers.
ANSWERS = {
    "nothing": (query("") + query(" ;; -- x\n"), ["I", "Z I", "I", "Z I"]),
    "an empty statement": (parse("", "") + bind("", "") + describe(b"P") + execute() + SYNC, ["1", "2", "n", "I", "Z I"]),
    "names that do not exist are closed": (close(b"S", "none") + close(b"P", "none") + SYNC, ["3", "3", "Z I"]),
    "names that do not exist are no statements": (
        describe(b"S", "none") + SYNC + bind("", "none") + SYNC + describe(b"P", "none") + SYNC + execute("none") + SYNC,
        [
            'ERROR 26000: prepared statement "none" does not exist', "Z I",
            'ERROR 26000: prepared statement "none" does not exist', "Z I",
            'ERROR 34000: portal "none" does not exist', "Z I",
            'ERROR 34000: portal "none" does not exist', "Z I",
        ],
    ),
    "after an error up to Sync": (
        parse("", "SELEC 1") + bind("", "") + execute() + parse("", "SELECT 1") + SYNC + parse("", "SELECT 1") + SYNC,
        ['ERROR 42601: syntax error at or near "SELEC"', "Z I", "1", "Z I"],
    ),
    "a name that is taken": (
        parse("a", "SELECT 1") + parse("a", "SELECT 2") + SYNC + close(b"S", "a") + SYNC,
        ["1", 'ERROR 42P05: prepared statement "a" already exists', "Z I", "3", "Z I"],
    ),
    "two statements to prepare": (
        parse("", "SELECT 1; SELECT 2") + SYNC,
        ["ERROR 42601: cannot insert multiple commands into a prepared statement", "Z I"],
    ),
    "fewer values than parameters": (
        parse("", "SELECT $1::int") + bind("", "") + SYNC,
        ["1", 'ERROR 08P01: bind message supplies 0 parameters, but prepared statement "" requires 1', "Z I"],
    ),
    "statements up to Sync": (
        parse("", "SELECT 1::int") + bind("", "") + execute() + parse("", "BEGIN") + bind("", "") + execute() + SYNC
        + query("ROLLBACK"),
        ["1", "2", "D", "C SELECT 1", "1", "2", "C BEGIN", "Z T", "C ROLLBACK", "Z I"],
    ),
    "savepoints need a block": (
        query("SELECT 1::int; SAVEPOINT s"),
        ["T", "D", "C SELECT 1", "ERROR 25P01: SAVEPOINT can only be used in transaction blocks", "Z I"],
    ),
    "a portal in pieces": (
        parse("", FIVE) + bind("", "") + execute("", 2) + execute("", 2) + execute("", 2) + execute() + SYNC,
        ["1", "2", "D", "D", "s", "D", "D", "s", "D", "C SELECT 1", "C SELECT 0", "Z I"],
    ),
    "a portal of as many rows as asked for": (
        parse("", FIVE) + bind("", "") + execute("", 5) + execute("", 5) + SYNC,
        ["1", "2", "D", "D", "D", "D", "D", "s", "C SELECT 0", "Z I"],
    ),
    "a portal after Sync": (
        parse("", FIVE) + bind("p", "") + execute("p", 1) + SYNC + execute("p", 1) + SYNC,
        ["1", "2", "D", "s", "Z I", 'ERROR 34000: portal "p" does not exist', "Z I"],
    ),
    "two portals, of which one is closed early": (
        query("BEGIN") + parse("x", FIVE) + bind("p", "x") + bind("q", "x") + execute("p", 2) + execute("q", 1)
        + close(b"P", "p") + execute("q", 2) + execute("p", 1) + SYNC + query("ROLLBACK") + close(b"S", "x") + SYNC,
        [
            "C BEGIN", "Z T", "1", "2", "2", "D", "D", "s", "D", "s", "3", "D", "D", "s",
            'ERROR 34000: portal "p" does not exist', "Z E", "C ROLLBACK", "Z I", "3", "Z I",
        ],
    ),
    "a block that has failed": (
        query("BEGIN") + query("SELECT 1/0::int") + query("SELECT 1") + query("") + parse("", "COMMIT") + bind("", "")
        + execute() + SYNC,
        [
            "C BEGIN", "Z T", "ERROR 22012: division by zero", "Z E",
            "ERROR 25P02: current transaction is aborted, commands ignored until end of transaction block", "Z E",
            "I", "Z E", "1", "2", "C ROLLBACK", "Z I",
        ],
    ),
    "COPY by the extended protocol": (
        parse("", "COPY (SELECT 1) TO STDOUT") + bind("", "") + describe(b"P") + execute() + SYNC,
        ["1", "2", "n", "H", "d", "c", "C COPY 1", "Z I"],
    ),
    "notices before the outcome": (
        query("DROP TABLE IF EXISTS of_nobody.t; SELECT 1::int") + parse("", "DROP TABLE IF EXISTS of_nobody.t") + bind("", "")
        + execute() + SYNC,
        ["N", "C DROP TABLE", "T", "D", "C SELECT 1", "Z I", "1", "2", "N", "C DROP TABLE", "Z I"],
    ),
    "COPY that has ended": (
        message(b"d", b"x") + message(b"c") + message(b"f", text("x")) + query("SELECT 1::int"),
        ["T", "D", "C SELECT 1", "Z I"],
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_those_of_postgresql(wire, name):
    messages, expected = ANSWERS[name]
    wire.stream.sendall(messages)
    answers = wire.answers(sum(answer.startswith("Z") for answer in expected))
    # A description may come before the error of a row.
    assert [answer for answer in answers if answer != "T" or "T" in expected] == expected


def test_function_calls_end_the_transaction_up_to_them(wire):
    wire.stream.sendall(parse("", "SET application_name = 'lost'") + bind("", "") + execute() + message(b"F"))
    refused = "ERROR 0A000: function calls over the wire are not supported"
    assert wire.answers(1) == ["1", "2", "C SET", refused, "Z I"]


def test_texts_that_are_none(wire):
    for value, shown in [(b"a\0b", "0x00"), (b"a\xff", "0xff"), (b"\xe2\x28\xa1", "0xe2 0x28 0xa1")]:
        wire.stream.sendall(parse("", "SELECT $1::text") + bind("", "", value) + SYNC)
        why = f'ERROR 22021: invalid byte sequence for encoding "UTF8": {shown}'
        assert wire.answers(1) == ["1", why, "Z I"]


def test_settings_of_what_fails_are_taken_back(wire):
    wire.stream.sendall(query("SET application_name = 'lost'; SELECT 1/0"))
    wire.answers(1)
    wire.stream.sendall(query("SHOW application_name"))
    kinds = [wire.receive() for _ in range(4)]
    assert (b"D", b"\0\x01\0\0\0\x04lost") not in kinds
