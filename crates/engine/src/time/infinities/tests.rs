#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, TimeUnit};
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::prelude::{col, when};

use super::*;

const MOMENT: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

fn shown(expr: &Expr) -> Option<String> {
    let columns = [
        ("d", DataType::Date32),
        ("t", MOMENT),
        ("x", DataType::Utf8),
        ("n", DataType::Float64),
    ];
    let fields = columns.map(|(name, of)| Field::new(name, of, true));
    let schema = DFSchema::try_from(Schema::new(fields.to_vec())).unwrap();
    of_expression(expr, &schema).map(|expr| expr.to_string())
}

fn last() -> Expr {
    cast(lit("infinity"), MOMENT)
}

#[test]
fn finite_times_are_between_the_ends() {
    let yes = |name: &str| Some(format!("{name} IS NOT NULL OR Boolean(NULL)"));
    let no = |name: &str| Some(format!("{name} IS NULL AND Boolean(NULL)"));
    let first = || cast(lit(" -Infinity"), DataType::Date32);
    for (condition, expected) in [
        (col("t").lt(last()), yes("t")),
        (col("d").lt(last()), yes("d")),
        (col("t").eq(last()), no("t")),
        (col("t").not_eq(last()), yes("t")),
        (col("t").gt_eq(last()), no("t")),
        (last().gt(col("t")), yes("t")),
        (last().lt_eq(col("t")), no("t")),
        (col("d").gt(first()), yes("d")),
        (first().gt_eq(col("d")), no("d")),
        // A literal takes the type of the time beside it.
        (col("t").lt(lit("infinity")), yes("t")),
        (lit("-INFINITY").lt(col("d")), yes("d")),
        // Texts and numbers are compared as such.
        (col("x").lt(lit("infinity")), None),
        (col("n").lt(lit("infinity")), None),
        (col("x").lt(last()), None),
        (lit("infinity").eq(lit("-infinity")), None),
        (col("t").eq(lit("2024-01-01")), None),
        (last().eq(last()), Some("Boolean(true)".to_owned())),
        (first().lt(last()), Some("Boolean(true)".to_owned())),
        (first().gt(last()), Some("Boolean(false)".to_owned())),
    ] {
        assert_eq!(shown(&condition), expected, "{condition}");
    }
    let distinct = |op| shown(&binary_expr(col("t"), op, last())).unwrap();
    assert_eq!(distinct(Operator::IsDistinctFrom), "Boolean(true)");
    assert_eq!(distinct(Operator::IsNotDistinctFrom), "Boolean(false)");
    let mirrored = binary_expr(last(), Operator::IsDistinctFrom, col("t"));
    assert_eq!(shown(&mirrored).unwrap(), "Boolean(true)");
}

#[test]
fn choices_are_compared_one_by_one() {
    let until = || coalesce(vec![col("t"), last()]);
    let compared = shown(&col("d").lt(until())).unwrap();
    assert_eq!(compared, "coalesce(d < t, d IS NOT NULL OR Boolean(NULL))");
    // An untyped literal takes the type of the values before it.
    let untyped = coalesce(vec![col("t"), lit("infinity")]);
    assert_eq!(shown(&col("d").lt(untyped)).unwrap(), compared);
    let between = shown(&col("d").between(col("t"), until())).unwrap();
    assert!(
        between.starts_with("d >= t AND coalesce(d <= t"),
        "{between}"
    );
    let apart = shown(&col("d").not_between(col("t"), until())).unwrap();
    assert!(apart.starts_with("d < t OR coalesce(d > t"), "{apart}");
    let both = shown(&until().eq(until())).unwrap();
    assert!(both.ends_with("Boolean(true)))"), "{both}");
    let case = when(col("t").is_null(), last())
        .otherwise(col("t"))
        .unwrap();
    assert_eq!(
        shown(&case.gt(col("d"))).unwrap(),
        "CASE WHEN t IS NULL THEN d IS NOT NULL OR Boolean(NULL) ELSE t > d END"
    );
    let distinct = binary_expr(col("d"), Operator::IsDistinctFrom, until());
    assert_eq!(
        shown(&distinct).unwrap(),
        "CASE WHEN t IS NOT NULL THEN d IS DISTINCT FROM t ELSE Boolean(true) END"
    );
    assert_eq!(
        shown(&col("d").lt(coalesce(vec![col("t"), col("d")]))),
        None
    );
    assert_eq!(shown(&col("x").lt(until())), None);
    // A value that may be infinite otherwise is not taken for a finite one.
    let latest = datafusion::functions::core::expr_fn::greatest(vec![col("t"), last()]);
    assert_eq!(shown(&latest.lt(last())), None);
}

#[test]
fn lists_and_ranges_have_ends() {
    let within = |negated| {
        let list = vec![lit("infinity"), col("t")];
        shown(&col("d").in_list(list, negated)).unwrap()
    };
    let rest = "d IS NULL AND Boolean(NULL) OR d IN ([t])";
    assert_eq!(within(false), rest);
    assert!(
        within(true).ends_with("AND d NOT IN ([t])"),
        "{}",
        within(true)
    );
    let twice = vec![lit("infinity"), col("t"), lit("Infinity"), last()];
    let once = shown(&col("d").in_list(twice, false)).unwrap();
    assert_eq!(once.matches("d IS NULL").count(), 2, "{once}");
    let of_texts = vec![lit("infinity"), lit("infinity")];
    assert_eq!(shown(&col("x").in_list(of_texts, false)), None);
    assert_eq!(shown(&col("d").in_list(vec![col("t")], false)), None);
    assert_eq!(shown(&col("d").between(col("t"), col("t"))), None);
}

#[test]
fn nested_choices_end_at_a_depth() {
    let mut value = col("t");
    for _ in 0..20 {
        value = coalesce(vec![value, last()]);
    }
    let compared = shown(&value.clone().lt(value));
    assert!(compared.is_none_or(|text| text.len() < 1_000_000));
}

#[test]
fn choices_of_many_values_are_not_compared_with_each_other() {
    let choice = |count: usize| {
        let whens = (0..count).map(|_| (Box::new(col("t").is_null()), Box::new(last())));
        Expr::Case(Case::new(None, whens.collect(), Some(Box::new(col("t")))))
    };
    assert!(shown(&choice(2).lt(choice(2))).is_some());
    assert!(shown(&choice(300).lt(col("t"))).is_some());
    assert_eq!(shown(&choice(300).lt(choice(300))), None);
}

#[test]
fn infinite_values_are_not_finite() {
    let is_finite = |value: Expr| {
        let evaluated = |_: &[ColumnarValue]| -> Result<ColumnarValue> {
            Err(DataFusionError::Internal(String::new()))
        };
        let (of, volatility) = (vec![MOMENT], Volatility::Immutable);
        let function = Arc::new(evaluated);
        create_udf("isfinite", of, DataType::Boolean, volatility, function).call(vec![value])
    };
    let constant = shown(&is_finite(last())).unwrap();
    assert_eq!(constant, "Boolean(false) AND Boolean(true)");
    assert_eq!(shown(&is_finite(col("t"))), None);
    let chosen = shown(&is_finite(coalesce(vec![col("t"), last()]))).unwrap();
    assert_eq!(
        chosen,
        "coalesce(t IS NOT NULL OR Boolean(NULL), Boolean(false)) AND coalesce(t IS NOT NULL OR Boolean(NULL), Boolean(true))"
    );
}
