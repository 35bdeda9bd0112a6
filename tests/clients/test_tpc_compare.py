"""The comparison itself must notice what is wrong."""

from decimal import Decimal

from tpc_compare import compare, difference, match, order_by, same, without_limit

ROWS = [("a", 1, Decimal("2.50")), ("b", 2, Decimal("3.50")), ("c", 2, None)]
SQL = "SELECT k, n, d FROM t ORDER BY n"
COLUMNS = ["k", "n", "d"]


def test_equal_results_have_no_difference():
    assert difference(SQL, COLUMNS, ROWS, list(ROWS)) is None


def test_a_changed_value_a_missing_row_and_a_null_are_noticed():
    assert "not in DuckDB" in difference(SQL, COLUMNS, ROWS, [("a", 1, Decimal("2.51")), *ROWS[1:]])
    assert "2 rows" in difference(SQL, COLUMNS, ROWS[:2], ROWS)
    assert "not in DuckDB" in difference(SQL, COLUMNS, ROWS, [*ROWS[:2], ("c", 2, Decimal(0))])


def test_peers_may_change_places_and_others_may_not():
    assert difference(SQL, COLUMNS, ROWS, [ROWS[0], ROWS[2], ROWS[1]]) is None
    assert difference(SQL, COLUMNS, ROWS, [ROWS[1], ROWS[0], ROWS[2]]).startswith("order")


def test_a_row_twice_is_not_two_rows():
    assert "not in DuckDB" in difference(SQL, COLUMNS, [ROWS[0], ROWS[0], ROWS[2]], [ROWS[0], ROWS[2], ROWS[2]])


def test_tolerance_is_for_floats_only():
    assert same(1.0, 1.0 + 1e-10) and not same(1.0, 1.0 + 1e-8)
    assert same(Decimal("0.333333"), 1 / 3) and not same(Decimal("0.333333"), 0.33334)
    assert not same(Decimal("1.000000"), Decimal("1.000001")) and not same(1, 2)
    assert same(Decimal("2.50"), Decimal("2.5")) and not same(None, 0) and same("x ", "x")


def test_order_by_reads_names_ordinals_and_stops_at_expressions():
    columns = ["a", "b", "c"]
    assert order_by("select a, b, c from t order by b desc nulls first, 1, t.c limit 10", columns) == [1, 0, 2]
    assert order_by("select * from (select a from t order by a) x order by c, case when a then b end, a", columns) == [2]
    assert order_by("select a, 'order by b' from t", columns) == []


def run(rows):
    return lambda suite, sql: (COLUMNS, rows)


def test_known_failures_must_fail_and_others_must_pass():
    lines = []
    assert compare(run(ROWS), run(ROWS), "tpch", [6], {}, lines.append) == 0
    assert compare(run(ROWS), run(ROWS), "tpch", [6], {"tpch q06": "why"}, lines.append) == 1
    assert compare(run(ROWS[:1]), run(ROWS), "tpch", [6], {"tpch q06": "why"}, lines.append) == 0
    assert compare(run(ROWS[:1]), run(ROWS), "tpch", [6], {}, lines.append) == 1
    assert compare(run([]), run([]), "tpch", [6], {}, lines.append) == 0
    assert lines[-1] == "tpch: empty on both sides: tpch q06"


def test_a_query_is_whole_without_limit_and_offset():
    assert without_limit("select a from t limit 5") == ("select a from t", 0)
    assert without_limit("select a from t\nLIMIT 10 OFFSET 20 ") == ("select a from t", 20)
    assert without_limit("select a from (select a from t limit 5) x") == ("select a from (select a from t limit 5) x", None)
    assert order_by("select a, b from t order by b limit 10 offset 20", ["a", "b"]) == [1]


def cut(theirs_whole, ours_cut, theirs_cut, sql="SELECT k, n, d FROM t ORDER BY n LIMIT 1 OFFSET 1"):
    def side(whole, part):
        return lambda suite, asked: (COLUMNS, part if "LIMIT" in asked else whole)

    lines = []
    wrong = compare(side(ROWS, ours_cut), side(theirs_whole, theirs_cut), "any", [1], {}, lines.append, lambda suite, number: sql)
    return wrong, lines[0]


def test_a_cut_through_peers_may_give_either_and_nothing_else():
    assert cut(ROWS, [ROWS[2]], [ROWS[1]])[0] == 0
    assert cut(ROWS, [ROWS[0]], [ROWS[1]])[0] == 1
    assert cut(ROWS, [("z", 2, None)], [ROWS[1]])[0] == 1
    assert "0 rows" in cut(ROWS, [], [ROWS[1]])[1]
    assert cut([*ROWS[:2], ("z", 2, None)], [ROWS[2]], [ROWS[1]])[0] == 1
    assert cut(ROWS, [ROWS[2]], [ROWS[0]], "SELECT k, n, d FROM t LIMIT 1")[0] == 0


def test_numbers_of_many_digits_match_in_whatever_order():
    rows = [(10**18 + i, 1.5) for i in range(3000)]
    assert match(rows, rows[::-1]) is None
    assert match([*rows[1:], (10**18 - 1, 1.5)], rows) == (10**18 - 1, 1.5)
