use super::*;

#[test]
fn rows_that_are_values_are_in_parentheses() {
    for (sql, expected) in [
        (
            "SELECT md5(t.*::text), d.t.* ::text, t.* IS NOT NULL FROM d.t",
            "SELECT md5((t.*)::text), (d.t.*)::text, (t.*) IS NOT NULL FROM d.t",
        ),
        (
            "SELECT 1 FROM t, u WHERE t.* = u.* AND \"T\".* <> a.b.c.*",
            "SELECT 1 FROM t, u WHERE (t.*) = (u.*) AND (\"T\".*) <> (a.b.c.*)",
        ),
        (
            "SELECT t.*, (u.*)::text, count(t.*), a * 2 = b FROM t, u",
            "SELECT t.*, (u.*)::text, count(t.*), a * 2 = b FROM t, u",
        ),
    ] {
        assert_eq!(query(sql), query(expected), "{sql}");
    }
    assert!(query("SELECT t.*::text FROM t").contains("(t.*)::"));
}
