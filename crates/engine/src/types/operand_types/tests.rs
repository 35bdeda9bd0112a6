#![allow(clippy::unwrap_used, clippy::panic)]
use arrow::datatypes::{Field, Schema, TimeUnit};
use datafusion::logical_expr::ExprSchemable;
use datafusion::prelude::{col, lit};
use datafusion::scalar::ScalarValue;

use super::*;

/// Returns the type of an operation on columns `s`, `i`, `l`, `d`, `t`, `p`, `q` and `h`.
fn type_of(left: Expr, op: BinaryOperator, right: Expr) -> DataType {
    let columns = [
        ("s", DataType::Int16),
        ("i", DataType::Int32),
        ("l", DataType::Int64),
        ("d", DataType::Float64),
        ("t", DataType::Date32),
        ("p", DataType::Decimal128(10, 2)),
        ("q", DataType::Decimal128(38, 9)),
        ("h", DataType::Decimal256(76, 0)),
    ];
    let fields = columns.map(|(name, of)| Field::new(name, of, true));
    let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
    let raw = RawBinaryExpr { op, left, right };
    let (left, op, right) = match OperandTypes.plan_binary_op(raw, &schema).unwrap() {
        PlannerResult::Planned(planned) => return planned.get_type(&schema).unwrap(),
        PlannerResult::Original(RawBinaryExpr { op, left, right }) => (left, op, right),
    };
    let op = match op {
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Multiply => Operator::Multiply,
        BinaryOperator::Modulo => Operator::Modulo,
        BinaryOperator::Divide => Operator::Divide,
        _ => Operator::BitwiseAnd,
    };
    let planned = BinaryExpr::new(Box::new(left), op, Box::new(right));
    Expr::BinaryExpr(planned).get_type(&schema).unwrap()
}

#[test]
fn literals_of_integers_have_32_bits_beside_integers() {
    use BinaryOperator as Op;
    let one = || lit(1_i64);
    for (left, op, right, expected) in [
        (col("i"), Op::Plus, one(), DataType::Int32),
        (one(), Op::Minus, col("i"), DataType::Int32),
        (col("s"), Op::Multiply, one(), DataType::Int32),
        (col("i"), Op::Modulo, one(), DataType::Int32),
        (col("i"), Op::Divide, one(), DataType::Int32),
        (col("i"), Op::BitwiseAnd, one(), DataType::Int32),
        (one(), Op::Plus, one(), DataType::Int32),
        (lit("3"), Op::Plus, one(), DataType::Int32),
        (col("s"), Op::Plus, col("s"), DataType::Int16),
        (col("s"), Op::Plus, col("i"), DataType::Int32),
        (col("i"), Op::Plus, col("l"), DataType::Int64),
        (col("l"), Op::Plus, one(), DataType::Int64),
        (col("l"), Op::BitwiseAnd, one(), DataType::Int64),
        (col("i"), Op::Plus, lit(3_000_000_000_i64), DataType::Int64),
        (
            col("i"),
            Op::Plus,
            cast(one(), DataType::Int64),
            DataType::Int64,
        ),
        (col("d"), Op::Plus, one(), DataType::Float64),
        (col("q"), Op::Plus, col("h"), DataType::Decimal256(76, 9)),
    ] {
        let shown = format!("{left} {op} {right}");
        assert_eq!(type_of(left, op, right), expected, "{shown}");
    }
}

#[test]
fn marked_literals_and_those_of_arrays_have_32_bits() {
    let schema = DFSchema::empty();
    for (value, expected) in [
        (lit(5_i64), lit(5_i32)),
        (lit(-2_147_483_648_i64), lit(i32::MIN)),
        (lit(3_000_000_000_i64), lit(3_000_000_000_i64)),
        (lit(-0.25), lit(ScalarValue::Decimal128(Some(-25), 2, 2))),
    ] {
        let raw = RawBinaryExpr {
            op: BinaryOperator::Custom(integer_literals::LITERAL.to_owned()),
            left: lit(ScalarValue::Null),
            right: value,
        };
        let planned = OperandTypes.plan_binary_op(raw, &schema).unwrap();
        assert!(matches!(planned, PlannerResult::Planned(of) if of == expected));
    }
    let raw = RawBinaryExpr {
        op: BinaryOperator::StringConcat,
        left: lit("x"),
        right: lit(1_i64),
    };
    let PlannerResult::Original(raw) = OperandTypes.plan_binary_op(raw, &schema).unwrap() else {
        panic!("the engine plans it");
    };
    assert_eq!((raw.left, raw.right), (lit("x"), lit(1_i32)));
}

#[test]
fn literals_of_other_operands_are_as_before() {
    let schema = DFSchema::try_from(Schema::new(vec![
        Field::new("t", DataType::Date32, true),
        Field::new("p", DataType::Decimal128(10, 2), true),
    ]))
    .unwrap();
    for (column, op) in [("t", BinaryOperator::Minus), ("p", BinaryOperator::Plus)] {
        let raw = RawBinaryExpr {
            op,
            left: col(column),
            right: lit(7_i64),
        };
        let planned = OperandTypes.plan_binary_op(raw, &schema).unwrap();
        let PlannerResult::Original(raw) = planned else {
            continue;
        };
        assert_eq!(raw.right, lit(7_i64), "{column}");
    }
}

#[test]
fn the_operator_and_the_other_operand_decide_the_type() {
    use BinaryOperator as Op;
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    for (op, beside, expected) in [
        (Op::Multiply, DataType::Int32, Some(DataType::Int32)),
        (Op::Modulo, DataType::Int64, Some(DataType::Int64)),
        (Op::Plus, DataType::Float32, Some(DataType::Float32)),
        (Op::PGExp, DataType::Int64, Some(DataType::Float64)),
        (Op::Plus, moment.clone(), Some(INTERVAL)),
        (Op::Minus, moment.clone(), Some(moment.clone())),
        (Op::Multiply, moment, None),
        (Op::Minus, DataType::Date32, Some(DataType::Date32)),
        (Op::Plus, DataType::Date32, None),
        (Op::Plus, INTERVAL, Some(INTERVAL)),
        (Op::Multiply, INTERVAL, Some(DataType::Float64)),
        (Op::Plus, DataType::Utf8, None),
        (Op::Minus, DataType::Boolean, None),
    ] {
        assert_eq!(type_beside(&op, &beside), expected, "{op} {beside}");
    }
}

#[test]
fn nulls_and_texts_beside_times_have_the_types_that_operators_take() {
    use BinaryOperator as Op;
    let moment = DataType::Timestamp(TimeUnit::Microsecond, None);
    let time = DataType::Time64(TimeUnit::Nanosecond);
    let schema = DFSchema::try_from(Schema::new(vec![
        Field::new("m", moment.clone(), true),
        Field::new("c", time.clone(), true),
        Field::new("v", INTERVAL, true),
    ]))
    .unwrap();
    let null = || Expr::Literal(ScalarValue::Null, None);
    for (column, op, literal, expected) in [
        ("m", Op::Plus, null(), INTERVAL),
        ("m", Op::Minus, null(), moment),
        ("c", Op::Plus, null(), INTERVAL),
        ("c", Op::Plus, lit("1 hour"), INTERVAL),
        ("c", Op::Minus, lit("11:00"), time),
        ("v", Op::Multiply, null(), DataType::Float64),
        ("v", Op::Divide, null(), DataType::Float64),
    ] {
        let shown = format!("{column} {op} {literal}");
        let (left, right) = (col(column), literal);
        let raw = RawBinaryExpr { op, left, right };
        let PlannerResult::Original(typed) = OperandTypes.plan_binary_op(raw, &schema).unwrap()
        else {
            panic!("{shown}")
        };
        assert_eq!(typed.right.get_type(&schema).unwrap(), expected, "{shown}");
    }
}
