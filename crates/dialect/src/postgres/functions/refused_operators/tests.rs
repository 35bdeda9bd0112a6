#![allow(clippy::unwrap_used)]
use arrow::datatypes::{Field, Schema, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{cast, col, in_list, lit};

use super::operands::is_checked;
use super::*;
use crate::postgres::pg_catalog::types::of_shape;

/// Columns `i`, `l`, `p`, `s`, `b`, `d`, `t`, `a`, `ds`, `ts`, `ss`, `j`, `n`, `o` and `u`.
fn columns() -> DFSchema {
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    let list = |of: DataType| DataType::new_list(of, true);
    let marked =
        |name: &str, of: DataType, mark: &str| crate::postgres::hinted_field(name, of, mark);
    let fields = vec![
        Field::new("i", DataType::Int32, true),
        Field::new("l", DataType::Int64, true),
        Field::new("p", DataType::Float64, true),
        Field::new("s", DataType::Utf8, true),
        Field::new("b", DataType::Boolean, true),
        Field::new("d", DataType::Date32, true),
        Field::new("t", moment.clone(), true),
        Field::new("a", list(DataType::Int32), true),
        Field::new("ds", list(DataType::Date32), true),
        Field::new("ts", list(moment), true),
        Field::new("ss", list(DataType::Utf8), true),
        marked("j", DataType::Utf8, "json"),
        marked("n", DataType::Utf8, "name"),
        marked("o", DataType::Int64, "oid"),
        marked("u", DataType::Utf8, "uuid"),
    ];
    DFSchema::try_from(Schema::new(fields)).unwrap()
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

#[test]
fn operators_without_their_operands_are_refused() {
    use Operator as Op;
    let columns = columns();
    for (left, op, right, expected) in [
        (col("i"), Op::Eq, col("s"), Some("integer = text")),
        (col("s"), Op::Gt, lit(5_i64), Some("text > integer")),
        (col("b"), Op::Eq, lit(1_i64), Some("boolean = integer")),
        (col("d"), Op::LtEq, lit(1.5), Some("date <= numeric")),
        (col("d"), Op::Multiply, lit(2_i64), Some("date * integer")),
        (col("b"), Op::Plus, lit("x"), Some("boolean + unknown")),
        (col("s"), Op::Minus, col("s"), Some("text - text")),
        (
            col("t"),
            Op::Plus,
            lit(1_i64),
            Some("timestamp without time zone + integer"),
        ),
        (
            lit(1_i64),
            Op::StringConcat,
            lit(2_i64),
            Some("integer || integer"),
        ),
        (col("a"), Op::Eq, col("i"), Some("integer[] = integer")),
        (
            col("a"),
            Op::StringConcat,
            col("b"),
            Some("integer[] || boolean"),
        ),
        (
            col("i"),
            Op::RegexMatch,
            lit("a"),
            Some("integer ~ unknown"),
        ),
        (col("n"), Op::Eq, col("i"), Some("name = integer")),
        // What PostgreSQL has, and what is not looked at.
        (col("i"), Op::Eq, col("p"), None),
        (col("i"), Op::Eq, lit("5"), None),
        (col("b"), Op::Eq, lit("t"), None),
        (col("d"), Op::Minus, col("d"), None),
        (col("d"), Op::Plus, col("l"), None),
        (col("d"), Op::Lt, col("t"), None),
        (col("t"), Op::Minus, col("d"), None),
        (col("s"), Op::StringConcat, col("i"), None),
        (col("i"), Op::StringConcat, lit("x"), None),
        (col("a"), Op::StringConcat, col("l"), None),
        (col("a"), Op::Eq, col("a"), None),
        // The columns may be texts.
        (col("j"), Op::Eq, col("j"), None),
        (col("n"), Op::Eq, col("s"), None),
        (col("n"), Op::RegexMatch, lit("a"), None),
        (col("o"), Op::Eq, col("s"), None),
        (col("u"), Op::Eq, col("s"), None),
        (col("u"), Op::Eq, col("i"), Some("uuid = integer")),
        (col("i"), Op::Eq, lit(ScalarValue::Null), None),
        (cast(col("s"), DataType::Int32), Op::Eq, col("i"), None),
    ] {
        let expr = binary(left, op, right);
        let said = checked(&expr, &columns).map(|error| error.message().to_owned());
        let expected = expected.map(|operation| format!("operator does not exist: {operation}"));
        assert_eq!(said, expected, "{expr}");
    }
}

#[test]
fn other_conditions_are_checked_by_their_operators() {
    let columns = columns();
    let like = |value: Expr, negated: bool| {
        let (value, pattern) = (Box::new(value), Box::new(lit("a%")));
        Expr::Like(Like::new(negated, value, pattern, None, false))
    };
    for (expr, expected) in [
        (
            col("d").between(lit(1_i64), lit(2_i64)),
            Some("operator does not exist: date >= integer"),
        ),
        (
            in_list(col("s"), vec![lit("a"), lit(1_i64)], true),
            Some("operator does not exist: text <> integer"),
        ),
        (
            like(col("i"), false),
            Some("operator does not exist: integer ~~ unknown"),
        ),
        (
            like(col("d"), true),
            Some("operator does not exist: date !~~ unknown"),
        ),
        (
            Expr::Negative(Box::new(col("b"))),
            Some("operator does not exist: - boolean"),
        ),
        (
            Expr::IsTrue(Box::new(col("i"))),
            Some("argument of IS TRUE must be type boolean, not type integer"),
        ),
        (
            binary(col("b"), Operator::And, col("s")),
            Some("argument of AND must be type boolean, not type text"),
        ),
        (like(col("s"), true), None),
        (like(col("n"), false), None),
        (in_list(col("i"), vec![lit("1"), lit(2_i64)], false), None),
        (col("d").between(lit("2024-01-01"), col("t")), None),
        (Expr::Negative(Box::new(col("i"))), None),
        (binary(col("b"), Operator::Or, lit("t")), None),
    ] {
        let said = checked(&expr, &columns).map(|error| error.message().to_owned());
        assert_eq!(said.as_deref(), expected, "{expr}");
    }
}

#[test]
fn operators_are_found_by_the_words_beside_them() {
    let columns = columns();
    let found = |expr: &Expr| {
        checked(expr, &columns)
            .unwrap()
            .operands()
            .cloned()
            .unwrap()
    };
    let operands = |sign: &str, before: Option<&str>, after: Option<&str>| Operands {
        sign: sign.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
        place: None,
    };
    assert_eq!(
        found(&binary(col("i"), Operator::Eq, col("s"))),
        operands("=", Some("i"), Some("s"))
    );
    assert_eq!(
        found(&in_list(col("s"), vec![lit(1_i64)], true)),
        operands("NOT", Some("s"), None)
    );
    assert_eq!(
        found(&binary(col("b"), Operator::And, lit(1_i64))),
        operands("1", Some("AND"), None)
    );
}

#[test]
fn values_of_one_type_have_a_common_category() {
    let columns = columns();
    for (values, expected) in [
        (vec![col("i"), col("s")], Some("integer and text")),
        (
            vec![lit("x"), col("d"), lit(1_i64)],
            Some("date and integer"),
        ),
        (
            vec![col("i"), lit(1.5), col("b")],
            Some("numeric and boolean"),
        ),
        (vec![col("a"), col("i")], Some("integer[] and integer")),
        (vec![col("i"), lit("x"), col("p")], None),
        (vec![col("d"), col("t")], None),
        (
            vec![col("ds"), col("ts"), col("ss")],
            Some("date[] and text[]"),
        ),
        (vec![col("ds"), col("ts")], None),
        (vec![col("s"), col("n")], None),
        (vec![col("u"), col("s")], None),
        (vec![col("i"), col("o"), col("s")], None),
        (Vec::new(), None),
    ] {
        let error = of_values("COALESCE", values.iter(), &columns);
        let said = error.map(|error| error.message().to_owned());
        let expected = expected.map(|types| format!("COALESCE types {types} cannot be matched"));
        assert_eq!(said, expected, "{values:?}");
    }
}

#[test]
fn all_checked_types_exist() {
    for name in ["text", "jsonb", "int4[]", "float8"] {
        assert!(is_checked(of_shape(name)), "{name}");
    }
    for name in ["oid", "regclass", "char", "oid[]", "inet"] {
        assert!(!is_checked(of_shape(name)), "{name}");
    }
}

#[test]
fn results_of_functions_of_texts_are_texts() {
    let columns = columns();
    let refused = |expr: Expr| {
        let error = checked(&expr, &columns)?;
        Some(error.message().to_owned())
    };
    let lower = || datafusion::functions::expr_fn::lower(col("s"));
    for (expr, expected) in [
        (
            binary(lower(), Operator::Eq, lit(1_i64)),
            Some("operator does not exist: text = integer"),
        ),
        (
            binary(col("d"), Operator::Lt, lower()),
            Some("operator does not exist: date < text"),
        ),
        (binary(lower(), Operator::Eq, col("s")), None),
        (binary(lower(), Operator::Eq, lit("a")), None),
        // Columns of the lake have texts of such types.
        (binary(lower(), Operator::Eq, col("u")), None),
    ] {
        let text = expr.to_string();
        assert_eq!(refused(expr).as_deref(), expected, "{text}");
    }
}

#[test]
fn casts_to_types_that_are_texts_have_their_operators() {
    let columns = columns();
    let input = |name: &str| {
        let mut functions = crate::postgres::functions::shared_functions().iter();
        let function = functions.find(|function| function.name() == name).unwrap();
        function.call(vec![col("s")])
    };
    let (json, uuid) = (input("$json_in"), input("$uuid_in"));
    let jsonb = input("$jsonb_in");
    for (left, op, right, expected) in [
        (&json, Operator::StringConcat, &json, Some("json || json")),
        (&uuid, Operator::StringConcat, &uuid, Some("uuid || uuid")),
        (&jsonb, Operator::Eq, &uuid, Some("jsonb = uuid")),
        (&uuid, Operator::Lt, &lit(1_i64), Some("uuid < integer")),
        (
            &uuid,
            Operator::RegexMatch,
            &lit("a"),
            Some("uuid ~ unknown"),
        ),
        (&uuid, Operator::Eq, &uuid, None),
        (&uuid, Operator::Eq, &lit("a"), None),
        (&uuid, Operator::Eq, &col("s"), None),
        (&uuid, Operator::Eq, &col("u"), None),
        (&uuid, Operator::StringConcat, &lit("a"), None),
    ] {
        let expr = binary(left.clone(), op, right.clone());
        let text = expr.to_string();
        let error = checked(&expr, &columns);
        let message = error.as_ref().map(|error| error.message());
        let expected = expected.map(|of| format!("operator does not exist: {of}"));
        assert_eq!(message, expected.as_deref(), "{text}");
    }
}

#[test]
fn functions_of_texts_are_sorted() {
    assert!(super::operands::OF_TEXT.is_sorted());
}
