"""Texts in other encodings than UTF8, and other forms of dates and bytes, as PostgreSQL 15 answers."""

import psycopg
import pytest
from psycopg import sql

TEXTS = {
    "LATIN1": "Zoë ½",
    "LATIN9": "10 €",
    "WIN1252": "“10 €”",
    "WIN1251": "Привет",
    "WIN1250": "žluť",
    "KOI8R": "Привет",
    "SJIS": "日本 ｱ語",
    "EUC_JP": "日本ｱ",
    "EUC_KR": "한글",
    "UHC": "똠",
    "EUC_CN": "中文",
    "GBK": "中國",
    "BIG5": "中文",
}

ALIASES = {"windows-1252": "WIN1252", "iso-8859-1": "LATIN1", "shift_jis": "SJIS", "UNICODE": "UNICODE"}


def opened(connect, **more):
    return connect(autocommit=True, **more)


def reported(connection):
    return connection.info.parameter_status("client_encoding")


@pytest.mark.parametrize("encoding", TEXTS)
def test_texts_have_the_encoding_of_the_client(connect, encoding):
    text = TEXTS[encoding]
    connection = opened(connect, client_encoding=encoding)
    assert reported(connection) == encoding
    assert connection.execute("SHOW client_encoding").fetchone() == (encoding,)
    assert connection.execute("SELECT pg_client_encoding()").fetchone() == (encoding,)
    # Statements, names of columns, texts, arrays and rows.
    statement = sql.SQL("SELECT {0} AS {1}, ARRAY[{0}, 'a'] AS texts, {0} = {2} AS is_same")
    for prepare in (False, True):
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            query = statement.format(sql.Literal(text), sql.Identifier(text), sql.SQL("%s::text"))
            cursor.execute(query, (text,), prepare=prepare)
            assert cursor.description[0].name == text
            assert cursor.fetchone() == (text, [text, "a"], True)
    raw = connection.pgconn.exec_(f"SELECT '{text}'::text".encode(connection.info.encoding))
    assert raw.get_value(0, 0) == text.encode(connection.info.encoding)
    with pytest.raises(psycopg.errors.UndefinedColumn) as raised:
        connection.execute(sql.SQL("SELECT {}").format(sql.Identifier(text)))
    assert f'column "{text}" does not exist'.lower() in str(raised.value).lower()


def test_characters_that_an_encoding_lacks(connect):
    connection = opened(connect, client_encoding="LATIN1")
    missing = 'character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1"'
    for query in (
        "SELECT chr(8364)",
        "SELECT ARRAY['a', chr(8364)]",
        "SELECT 'a' AS a, g::text || chr(8364) FROM generate_series(1, 3) g",
    ):
        with pytest.raises(psycopg.errors.UntranslatableCharacter, match=missing):
            connection.execute(query)
    # An error that cannot be told is this error.
    with pytest.raises(psycopg.errors.UntranslatableCharacter, match=missing):
        connection.execute("SELECT ('x' || chr(8364))::int")
    assert connection.execute("SELECT 'é'").fetchone() == ("é",)
    connection = opened(connect, client_encoding="WIN1252")
    answer = connection.pgconn.exec_(b"SELECT '\x81'")
    why = b'ERROR:  character with byte sequence 0x81 in encoding "WIN1252" has no equivalent in encoding "UTF8"'
    assert answer.error_message.strip() == why
    connection = opened(connect, client_encoding="EUC_JP")
    answer = connection.pgconn.exec_(b"SELECT '\xa4'")
    assert answer.error_message.strip() == b'ERROR:  invalid byte sequence for encoding "EUC_JP": 0xa4 0x27'


@pytest.mark.parametrize("name", ALIASES)
def test_encodings_have_several_names(connect, name):
    connection = opened(connect)
    connection.execute(sql.SQL("SET client_encoding TO {}").format(sql.Literal(name)))
    assert connection.execute("SHOW client_encoding").fetchone() == (ALIASES[name],)
    assert reported(connection) == ALIASES[name]
    connection.execute("RESET client_encoding")
    assert reported(connection) == "UTF8"
    connection.execute("SET NAMES 'latin1'")
    assert connection.execute("SELECT 'é'").fetchone() == ("é",)
    connection.execute("SET NAMES")
    assert reported(connection) == "UTF8"


def test_bytes_of_characters_may_look_like_signs(connect):
    connection = opened(connect, client_encoding="SJIS")
    # The second byte is a backslash, which is a backslash nowhere.
    answer = connection.pgconn.exec_(b"SELECT '\x95\x5c'::text, length('\x95\x5c'), '\x95\x5c' = U&'\\8868'")
    assert [answer.get_value(0, place) for place in range(3)] == [b"\x95\x5c", b"1", b"t"]
    with connection.cursor().copy("COPY (SELECT U&'\\8868' AS a) TO STDOUT") as copy:
        assert b"".join(bytes(block) for block in copy) == b"\x95\x5c\n"


def test_the_encoding_ends_with_its_transaction(connect):
    connection = opened(connect)
    with pytest.raises(ZeroDivisionError), connection.transaction():
        connection.execute("SET LOCAL client_encoding TO 'LATIN1'")
        assert connection.execute("SELECT 'é'").fetchone() == ("é",)
        raise ZeroDivisionError
    assert reported(connection) == "UTF8"
    assert connection.execute("SELECT '€'").fetchone() == ("€",)
    assert connection.execute("SELECT set_config('client_encoding', 'WIN1252', false)").fetchone() == ("WIN1252",)
    raw = connection.pgconn.exec_(b"SELECT '\x80'::text")
    assert raw.get_value(0, 0) == b"\x80"


def test_encodings_that_do_not_exist_refuse_the_connection(connect):
    with pytest.raises(psycopg.OperationalError, match='invalid value for parameter "client_encoding": "ebcdic"'):
        opened(connect, client_encoding="ebcdic")


def test_rows_are_copied_in_an_encoding(connect):
    connection = opened(connect, client_encoding="WIN1252")

    def copied(options):
        with connection.cursor().copy(f"COPY (SELECT '€' AS \"é\", 'a' AS b) TO STDOUT {options}") as copy:
            return b"".join(bytes(block) for block in copy)

    assert copied("") == b"\x80\ta\n"
    assert copied("(FORMAT csv, HEADER)") == b"\xe9,b\n\x80,a\n"
    assert copied("(FORMAT csv, HEADER, ENCODING 'UTF8')") == "é,b\n€,a\n".encode()
    assert copied("(ENCODING 'LATIN9')") == b"\xa4\ta\n"
    assert b"\0\0\0\x01\x80\0\0\0\x01a" in copied("(FORMAT binary)")
    with pytest.raises(psycopg.errors.UntranslatableCharacter):
        copied("(ENCODING 'LATIN1')")


DATES = {
    "ISO, MDY": ("2003-02-01", "2003-02-01 04:05:06.7", "2003-02-01 04:05:06.7-05", "{2003-02-01}", "2003-01-02"),
    "SQL, MDY": ("02/01/2003", "02/01/2003 04:05:06.7", "02/01/2003 04:05:06.7 EST", "{02/01/2003}", "01/02/2003"),
    "SQL, DMY": ("01/02/2003", "01/02/2003 04:05:06.7", "01/02/2003 04:05:06.7 EST", "{01/02/2003}", "01/02/2003"),
    "Postgres, MDY": (
        "02-01-2003",
        "Sat Feb 01 04:05:06.7 2003",
        "Sat Feb 01 04:05:06.7 2003 EST",
        "{02-01-2003}",
        "01-02-2003",
    ),
    "Postgres, DMY": (
        "01-02-2003",
        "Sat 01 Feb 04:05:06.7 2003",
        "Sat 01 Feb 04:05:06.7 2003 EST",
        "{01-02-2003}",
        "01-02-2003",
    ),
    "German, DMY": ("01.02.2003", "01.02.2003 04:05:06.7", "01.02.2003 04:05:06.7 EST", "{01.02.2003}", "01.02.2003"),
}


@pytest.mark.parametrize("style", DATES)
def test_dates_have_the_form_of_the_session(connect, style):
    connection = opened(connect)
    connection.execute(sql.SQL("SET DateStyle TO {}").format(sql.Literal(style)))
    connection.execute("SET TimeZone TO 'America/New_York'")
    assert connection.info.parameter_status("DateStyle") == style
    query = (
        "SELECT '2003-02-01'::date, '2003-02-01 04:05:06.7'::timestamp, "
        "'2003-02-01 04:05:06.7-05'::timestamptz, ARRAY['2003-02-01'::date], '01/02/2003'::date"
    )

    def shown(sent):
        return [column.decode() for column in (sent.get_value(0, place) for place in range(sent.nfields))]

    assert shown(connection.pgconn.exec_(query.encode())) == list(DATES[style])
    # Parameters are read in the same order.
    sent = connection.pgconn.exec_params(b"SELECT $1::date", [b"01/02/2003"])
    assert shown(sent) == [DATES[style][4]]
    answer = connection.pgconn.exec_(b"SELECT to_json(DATE '2003-02-01')")
    assert shown(answer) == ['"2003-02-01"']
    with connection.cursor().copy("COPY (SELECT '2003-02-01'::date AS d) TO STDOUT (FORMAT csv, DELIMITER '/')") as copy:
        rows = b"".join(bytes(block) for block in copy).decode().strip()
    date = DATES[style][0]
    assert rows == (f'"{date}"' if "/" in date else date)


def test_bytes_are_escaped(connect):
    connection = opened(connect)
    connection.execute("SET bytea_output TO 'escape'")
    answer = connection.pgconn.exec_(rb"SELECT '\x00416d5c7f80ff22'::bytea, ARRAY['\x5c22'::bytea]")
    shown = [answer.get_value(0, place) for place in range(2)]
    assert shown == [rb'\000Am\\\177\200\377"', rb'{"\\\\\""}']
    with connection.cursor().copy(r"COPY (SELECT '\x00415c'::bytea) TO STDOUT") as copy:
        assert b"".join(bytes(block) for block in copy) == b"\\\\000A\\\\\\\\\n"
    with connection.cursor(binary=True) as cursor:
        assert cursor.execute(r"SELECT '\x00ff'::bytea").fetchone() == (b"\0\xff",)
