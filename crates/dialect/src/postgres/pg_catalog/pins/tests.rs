//! Filters, and the relations that they admit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use datafusion::logical_expr::{col, lit};

use super::*;

#[test]
fn equality_with_an_oid_pins_its_table() {
    let pins = RelationPins::of(
        "pg_attribute",
        &[
            col("attrelid").eq(lit(100_003_i64)),
            col("attnum").gt(lit(0)),
        ],
    );
    let Columns::Of(store) = pins.columns() else {
        panic!("{pins:?}")
    };
    assert_eq!(store.table_ids, Some([1].into()));
    assert!(pins.admit((0, "curated"), "orders", 100_003));
    assert!(!pins.admit((0, "curated"), "users", 100_005));
}

#[test]
fn a_literal_that_is_text_pins_as_a_number() {
    let pins = RelationPins::of("pg_class", &[col("oid").eq(lit("100003"))]);
    assert!(
        pins.admit((0, "curated"), "orders", 100_003)
            && !pins.admit((0, "curated"), "users", 100_005)
    );
}

#[test]
fn patterns_and_namespaces_pin_too() {
    let pins = RelationPins::of(
        "pg_class",
        &[
            col("relname").like(lit("t\\_%")),
            col("relnamespace").eq(lit(100_002_i64)),
        ],
    );
    assert!(pins.admit((100_002, "curated"), "t_1", 7));
    assert!(!pins.admit((100_002, "curated"), "tx1", 7));
    assert!(!pins.admit((100_004, "raw"), "t_1", 7));
    assert_eq!(pins.tables().database_ids, Some([1].into()));
    for unknown in [
        col("relname").not_like(lit("t%")),
        col("relname").ilike(lit("t%")),
        col("relkind").like(lit("t%")),
    ] {
        assert!(!is_useful("pg_class", &unknown), "{unknown}");
    }
}

#[test]
fn what_others_hold_holds_too() {
    let mut pins = RelationPins::of("pg_attribute", &[]);
    pins.meet(&RelationPins::of(
        "pg_class",
        &[col("relname").eq(lit("orders"))],
    ));
    pins.meet(&RelationPins::of(
        "pg_class",
        &[col("oid").in_list(vec![lit(100_003), lit(100_005)], false)],
    ));
    assert!(pins.admit((0, "curated"), "orders", 100_003));
    assert!(!pins.admit((0, "curated"), "users", 100_005));
    assert!(!pins.admit((0, "curated"), "orders", 100_007));
    pins.hold_to_nothing();
    assert!(!pins.admit((0, "curated"), "orders", 100_003));
}

#[test]
fn kinds_of_types_may_leave_out_those_of_rows() {
    for (column, values, without) in [
        ("typtype", vec!["d"], true),
        ("typtype", vec!["e", "r"], true),
        ("typtype", vec!["d", "c"], false),
        ("typtype", vec!["b"], false),
        ("typcategory", vec!["U"], true),
        ("typcategory", vec!["A"], false),
        ("typname", vec!["d"], false),
    ] {
        let filter = col(column).in_list(values.into_iter().map(lit).collect(), false);
        let pins = RelationPins::of("pg_type", std::slice::from_ref(&filter));
        assert_eq!(pins.without_row_types, without, "{filter}");
        assert!(!RelationPins::of("pg_class", &[filter]).without_row_types);
    }
    let number = col("typtype").eq(lit(7));
    assert!(!RelationPins::of("pg_type", &[number]).without_row_types);
}

#[test]
fn relations_are_tables_and_views() {
    for (values, none) in [
        (vec!["S", ""], true),
        (vec!["c"], true),
        (vec!["r", "S"], false),
        (vec!["v"], false),
    ] {
        let filter = col("relkind").in_list(values.into_iter().map(lit).collect(), false);
        let pins = RelationPins::of("pg_class", std::slice::from_ref(&filter));
        let admitted = pins.admit((0, "curated"), "orders", 100_003);
        assert_eq!(!admitted, none, "{filter}");
        assert_eq!(pins.tables() == Pins::none(), none, "{filter}");
    }
}

#[test]
fn types_are_of_relations_by_number_and_by_name() {
    let admits = |filter: Expr| {
        let pins = RelationPins::of("pg_type", &[filter]);
        [
            ("orders", oids::table(1)),
            ("_t", oids::table(2)),
            ("pg_class", 1259),
        ]
        .map(|(name, oid)| pins.admit((0, "curated"), name, oid))
    };
    for (filter, admitted) in [
        (col("oid").eq(lit(oids::row_type(1))), [true, false, false]),
        (
            col("oid").eq(lit(oids::array_type(2))),
            [false, true, false],
        ),
        (col("oid").eq(lit(83)), [false, false, true]),
        (col("oid").eq(lit(25)), [false, false, false]),
        (
            col("typelem").eq(lit(oids::row_type(1))),
            [true, false, false],
        ),
        (col("typelem").eq(lit(25)), [false, false, false]),
        // Types of rows have no items.
        (col("typelem").eq(lit(0)), [true, true, true]),
        (
            col("typelem").in_list(vec![lit(25), lit(0)], false),
            [true, true, true],
        ),
        (col("typarray").eq(lit(0)), [true, true, true]),
        (col("typarray").eq(lit(273)), [false, false, true]),
        (col("typrelid").eq(lit(0)), [true, true, true]),
        (
            col("typrelid").eq(lit(oids::table(1))),
            [true, false, false],
        ),
        (col("typname").eq(lit("orders")), [true, false, false]),
        (col("typname").eq(lit("_orders")), [true, false, false]),
        (col("typname").eq(lit("_t")), [false, true, false]),
        (col("typname").eq(lit("__t")), [false, true, false]),
        (col("typname").eq(lit("_")), [false, false, false]),
        (col("typname").like(lit("ord%")), [true, false, false]),
        (col("typname").like(lit("\\_ord%")), [true, true, true]),
        (col("typname").like(lit("%ord%")), [true, true, true]),
    ] {
        assert_eq!(admits(filter.clone()), admitted, "{filter}");
    }
}

#[test]
fn alternatives_pin_to_all_of_them_and_other_columns_to_none() {
    let either = col("table_name")
        .eq(lit("a"))
        .or(col("table_name").eq(lit("b")));
    let pins = RelationPins::of(
        "columns",
        &[either, col("table_schema").in_list(vec![lit("x")], false)],
    );
    assert!(
        pins.admit((0, "x"), "b", 1)
            && !pins.admit((0, "x"), "c", 1)
            && !pins.admit((0, "y"), "a", 1)
    );
    let mixed = col("table_name")
        .eq(lit("a"))
        .or(col("column_name").eq(lit("b")));
    assert!(!is_useful("columns", &mixed));
    assert!(!is_useful(
        "columns",
        &col("table_name").in_list(vec![lit("x")], true)
    ));
    assert!(is_useful("pg_class", &col("relname").eq(lit("orders"))));
    // Three in a row, and as many as may be.
    let chain = |many: i64| {
        let each = (0..many).map(|oid| col("oid").eq(lit(oid)));
        let left = each.clone().reduce(Expr::or).unwrap();
        [left, each.reduce(|chain, next| next.or(chain)).unwrap()]
    };
    for (many, useful) in [(3, true), (65, true), (66, false)] {
        for chain in chain(many) {
            assert_eq!(is_useful("pg_class", &chain), useful, "{many}");
        }
    }
}

#[test]
fn values_of_every_type_pin_to_what_they_equal_or_not_at_all() {
    use arrow::datatypes::DataType;
    use datafusion::logical_expr::{cast, try_cast};
    let admits = |filter: Expr| {
        let pins = RelationPins::of("pg_class", &[filter]);
        [7, 8].map(|oid| pins.admit((0, "curated"), "orders", oid))
    };
    for seven in [
        lit(7_i8),
        lit(7_i16),
        lit(7_i32),
        lit(7_i64),
        lit(7_u8),
        lit(7_u16),
        lit(7_u32),
        lit(7_u64),
        lit(" 7"),
    ] {
        assert_eq!(
            admits(col("oid").eq(seven.clone())),
            [true, false],
            "{seven}"
        );
    }
    for same in [
        cast(col("oid"), DataType::Int32),
        try_cast(col("oid"), DataType::Utf8),
    ] {
        assert_eq!(admits(same.clone().eq(lit(7))), [true, false], "{same}");
        assert_eq!(
            admits(same.clone().in_list(vec![lit(7)], false)),
            [true, false],
            "{same}"
        );
    }
    let decimal = lit(ScalarValue::Decimal128(Some(70), 10, 1));
    for unknown in [lit(7.0), decimal, lit(true)] {
        assert_eq!(
            admits(col("oid").eq(unknown.clone())),
            [true, true],
            "{unknown}"
        );
        assert!(
            !is_useful("columns", &col("table_name").eq(unknown.clone())),
            "{unknown}"
        );
        assert!(!is_useful("columns", &col("table_schema").eq(unknown)));
    }
    for (relation, column) in [
        ("pg_class", "oid"),
        ("columns", "table_name"),
        ("columns", "table_schema"),
    ] {
        let mixed = col(column).in_list(vec![lit("7"), lit(8.0)], false);
        assert!(!is_useful(relation, &mixed), "{mixed}");
    }
    assert_eq!(admits(col("oid").eq(lit("seven"))), [false, false]);
    assert_eq!(
        admits(col("oid").eq(lit(ScalarValue::Null))),
        [false, false]
    );
}

#[test]
fn only_comments_on_whole_relations_do_without_columns() {
    for (relation, column, values, whole) in [
        ("pg_description", "objsubid", vec![0], true),
        ("pg_description", "objsubid", vec![1], false),
        ("pg_description", "objsubid", vec![0, 1], false),
        ("pg_description", "classoid", vec![0], false),
        ("pg_description", "classoid", vec![1], false),
        ("pg_depend", "objsubid", vec![0], false),
    ] {
        let filter = col(column).in_list(values.into_iter().map(lit).collect(), false);
        let pins = RelationPins::of(relation, std::slice::from_ref(&filter));
        assert_eq!(pins.whole_relations, whole, "{relation}: {filter}");
    }
}
