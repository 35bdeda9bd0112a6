use super::*;

#[test]
fn tables_are_without_those_that_inherit() {
    for (sql, expected) in [
        (
            "SELECT * FROM ONLY d.t JOIN only u ON true WHERE x = (SELECT 1 FROM\nOnly \"T\" v)",
            "SELECT * FROM d.t JOIN u ON true WHERE x = (SELECT 1 FROM \"T\" v)",
        ),
        (
            "SELECT 1 FROM ONLY (d.t) AS v JOIN ONLY (u) ON ONLY (1) = 1",
            "SELECT 1 FROM d.t AS v JOIN u ON ONLY (1) = 1",
        ),
        ("SELECT 1 FROM only", "SELECT 1 FROM only"),
        (
            "SELECT a IS DISTINCT FROM only AND b",
            "SELECT a IS DISTINCT FROM only AND b",
        ),
        ("SELECT 1 FROM only AS t", "SELECT 1 FROM only AS t"),
        (
            "SELECT 1 FROM only JOIN only ON true",
            "SELECT 1 FROM only JOIN only ON true",
        ),
    ] {
        assert_eq!(query(sql), query(expected), "{sql}");
    }
}
