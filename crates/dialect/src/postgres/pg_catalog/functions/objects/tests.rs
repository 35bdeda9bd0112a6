#![allow(clippy::unwrap_used)]
use lakegate_error::Code;

use super::*;

/// Returns the type, schema, name and identity of an object, and its description.
fn identified(class: i64, oid: i64, column: i64) -> Option<[String; 5]> {
    let lookup = Lookup::complete(Arc::default(), Arc::default());
    let object = object(&lookup, class, oid, column)?;
    let optional = |text: Option<String>| text.unwrap_or_else(|| "NULL".to_owned());
    Some([
        object.kind,
        optional(object.schema),
        optional(object.name),
        object.identity,
        object.description,
    ])
}

#[test]
fn objects_are_identified_as_postgresql_does() {
    for (address, expected) in [
        (
            (1259, 1259, 0),
            [
                "table",
                "pg_catalog",
                "pg_class",
                "pg_catalog.pg_class",
                "table pg_class",
            ],
        ),
        (
            (1259, 1259, 1),
            [
                "table column",
                "pg_catalog",
                "pg_class",
                "pg_catalog.pg_class.oid",
                "column oid of table pg_class",
            ],
        ),
        (
            (1247, 23, 0),
            ["type", "pg_catalog", "int4", "integer", "type integer"],
        ),
        (
            (1247, 25, 0),
            ["type", "pg_catalog", "text", "pg_catalog.text", "type text"],
        ),
        (
            (1247, 1009, 0),
            [
                "type",
                "pg_catalog",
                "_text",
                "pg_catalog.text[]",
                "type text[]",
            ],
        ),
        (
            (1255, 1066, 0),
            [
                "function",
                "pg_catalog",
                "NULL",
                "pg_catalog.generate_series(integer,integer,integer)",
                "function generate_series(integer,integer,integer)",
            ],
        ),
        (
            (1255, 2147, 0),
            [
                "aggregate",
                "pg_catalog",
                "NULL",
                "pg_catalog.count(pg_catalog.\"any\")",
                "function count(\"any\")",
            ],
        ),
        (
            (2617, 484, 0),
            [
                "operator",
                "pg_catalog",
                "NULL",
                "pg_catalog.-(NONE,bigint)",
                "operator -(NONE,bigint)",
            ],
        ),
        (
            (3456, 950, 0),
            [
                "collation",
                "pg_catalog",
                "\"C\"",
                "pg_catalog.\"C\"",
                "collation \"C\"",
            ],
        ),
        (
            (2615, 11, 0),
            [
                "schema",
                "NULL",
                "pg_catalog",
                "pg_catalog",
                "schema pg_catalog",
            ],
        ),
        (
            (2612, 14, 0),
            ["language", "NULL", "sql", "sql", "language sql"],
        ),
        (
            (1213, 1663, 0),
            [
                "tablespace",
                "NULL",
                "pg_default",
                "pg_default",
                "tablespace pg_default",
            ],
        ),
    ] {
        let (class, oid, column) = address;
        let found = identified(class, oid, column).unwrap();
        assert_eq!(found, expected.map(str::to_owned), "{address:?}");
    }
    for (class, oid, column) in [
        (1259, 0, 0),
        (1259, 1259, 99),
        (1259, 1259, -1),
        (1259, 1259, i64::MIN),
        (1259, 100_003, 0),
        (1247, 0, 0),
        (1247, 2_000_025_001, 0),
        (1255, i64::MAX, 0),
        (1260, 16_400, 0),
        (1262, 0, 0),
        (2606, 1, 0),
    ] {
        assert_eq!(
            identified(class, oid, column),
            None,
            "{class} {oid} {column}"
        );
    }
}

#[test]
fn addresses_are_the_parts_of_names() {
    let lookup = Lookup::complete(Arc::default(), Arc::default());
    let address = |class, oid| {
        let object = object(&lookup, class, oid, 0).unwrap();
        (object.names, object.arguments)
    };
    let texts = |all: &[&str]| {
        all.iter()
            .map(|text| (*text).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        address(1255, 870),
        (texts(&["pg_catalog", "lower"]), texts(&["pg_catalog.text"]))
    );
    assert_eq!(address(1247, 25), (texts(&["pg_catalog.text"]), texts(&[])));
    assert_eq!(
        address(2617, 484),
        (texts(&["pg_catalog", "-"]), texts(&["bigint"]))
    );
}

#[test]
fn classes_are_catalogs() {
    assert_eq!(kind(1259, 0).unwrap(), "relation");
    assert_eq!(kind(1259, 1).unwrap(), "table column");
    assert_eq!(kind(1255, 0).unwrap(), "routine");
    assert_eq!(kind(2606, 0).unwrap(), "constraint");
    assert_eq!(kind(9999, 0).unwrap_err().code(), Code::InvalidParameter);
}
