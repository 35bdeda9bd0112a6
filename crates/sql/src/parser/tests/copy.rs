//! COPY in both directions, and its options.

use super::*;
use crate::ast::*;

#[test]
fn copy_to_stdout_takes_old_and_new_options() {
    let copy = |sql: &str| match one(sql) {
        Statement::Copy(copy) => copy,
        other => panic!("{other:?}"),
    };
    let adbc = copy(
        "COPY (SELECT 1; ) TO STDOUT (FORMAT binary)"
            .replace("; ", "")
            .as_str(),
    );
    assert_eq!(
        (adbc.format, adbc.query.to_string().as_str()),
        (CopyFormat::Binary, "SELECT 1")
    );
    assert_eq!(
        copy("COPY (SELECT (1)) TO STDOUT WITH BINARY").format,
        CopyFormat::Binary
    );
    let csv = copy(
        "COPY db.t (a, B) TO STDOUT WITH (FORMAT CSV, HEADER, DELIMITER ';', NULL 'x', FORCE_QUOTE *)",
    );
    assert_eq!(
        csv.query.to_string(),
        "SELECT \"a\", \"b\" FROM \"db\".\"t\""
    );
    assert_eq!(csv.format, CopyFormat::Csv);
    assert_eq!(csv.options.header, CopyHeader::Line);
    assert_eq!(csv.options.delimiter.as_deref(), Some(";"));
    assert_eq!(csv.options.force_quote, ForcedColumns::All);
    let old = copy("COPY t TO STDOUT DELIMITER AS ',' CSV HEADER");
    assert_eq!(
        (old.options.header, old.format),
        (CopyHeader::Line, CopyFormat::Csv)
    );
    assert!(refused("COPY t TO '/tmp/x'").contains("COPY .. TO STDOUT"));
    assert_eq!(copy("COPY t TO STDIN"), copy("COPY t TO STDOUT"));
}

#[test]
fn copy_from_stdin_names_a_table_its_columns_and_options() {
    let copy = |sql: &str| match one(sql) {
        Statement::CopyFrom(copy) => copy,
        other => panic!("{other:?}"),
    };
    let plain = copy("COPY db.T FROM STDIN");
    assert_eq!(plain.table.to_string(), "db.t");
    assert_eq!((plain.format, plain.columns.len()), (CopyFormat::Text, 0));
    let csv = copy(
        "copy t (a, \"B\") from stdin with (format csv, header match, null '-', force_null (a), force_not_null (B, a), encoding 'UTF8', freeze)",
    );
    assert_eq!(csv.columns, ["a", "b"]);
    assert_eq!(csv.options.header, CopyHeader::Match);
    assert_eq!(csv.options.null.as_deref(), Some("-"));
    let named = |names: &[&str]| {
        ForcedColumns::Columns(names.iter().map(|name| (*name).to_owned()).collect())
    };
    assert_eq!(csv.options.force_null, named(&["a"]));
    assert_eq!(csv.options.force_not_null, named(&["b", "a"]));
    let all =
        copy("COPY t FROM STDIN (FORCE_NULL *, FORCE_NOT_NULL *, DEFAULT '#', ON_ERROR ignore)");
    assert_eq!(all.options.force_null, ForcedColumns::All);
    assert_eq!(all.options.force_not_null, all.options.force_null);
    assert_eq!(all.options.default.as_deref(), Some("#"));
    assert!(all.options.ignore_errors);
    assert!(
        !copy("COPY t FROM STDIN (ON_ERROR stop)")
            .options
            .ignore_errors
    );
    let old = copy("COPY t FROM STDIN WITH DELIMITER AS ';' CSV QUOTE '''' FORCE NOT NULL a, b");
    assert_eq!(old.format, CopyFormat::Csv);
    assert_eq!(old.options.delimiter.as_deref(), Some(";"));
    assert_eq!(old.options.force_not_null, named(&["a", "b"]));
    assert_eq!(copy("COPY BINARY t FROM STDIN").format, CopyFormat::Binary);
    assert_eq!(copy("COPY t FROM STDOUT"), copy("COPY t FROM STDIN"));
    assert!(one("COPY t FROM STDIN").is_kept_for_commit());
    assert!(refused("COPY t FROM '/etc/passwd'").contains("COPY .. FROM STDIN"));
    assert!(refused("COPY t FROM PROGRAM 'x'").contains("COPY .. FROM STDIN"));
    let some = copy("COPY db.t (a) FROM STDIN CSV WHERE db.t.a > 1 AND b IS NULL");
    assert_eq!(
        some.condition.unwrap().to_string(),
        "SELECT t.a > 1 AND b IS NULL FROM pg_temp_1.\"returning\" AS \"t\""
    );
    assert!(refused("COPY t FROM STDIN WHERE a IN (SELECT 1)").contains("a subquery"));
    for sql in [
        "COPY t FROM STDIN WHERE",
        "COPY t FROM STDIN WHERE a, b",
        "COPY t TO STDOUT WHERE a",
    ] {
        assert!(crate::parse(sql).is_err(), "{sql}");
    }
}

// Expected messages: PostgreSQL 15.18.
#[test]
fn options_of_copy_are_refused_in_postgres_words() {
    for (options, message) in [
        ("FORMAT json", "COPY format \"json\" not recognized"),
        (
            "FORMAT csv, FORMAT text",
            "conflicting or redundant options",
        ),
        (
            "FORMAT csv, HEADER, HEADER",
            "conflicting or redundant options",
        ),
        ("HEADER 2", "header requires a Boolean value or \"match\""),
        ("foo 'x'", "option \"foo\" not recognized"),
        ("DEFAULT", "default requires a parameter"),
        ("ON_ERROR x", "COPY ON_ERROR \"x\" not recognized"),
        ("DELIMITER", "delimiter requires a parameter"),
        ("FORMAT", "format requires a parameter"),
        (
            "FORMAT csv, FORCE_NULL b",
            "argument to option \"force_null\" must be a list of column names",
        ),
        (
            "FORMAT csv, FORCE_QUOTE b",
            "argument to option \"force_quote\" must be a list of column names",
        ),
    ] {
        for direction in ["TO STDOUT", "FROM STDIN"] {
            let sql = format!("COPY t {direction} ({options})");
            let error = crate::parse(&sql).unwrap_err();
            assert_eq!(error.message, message, "{sql}");
        }
    }
}
