//! Tests of groups that are emitted before the others are complete, as from sorted input.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::{AggregateUDF, EmitTo};
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

use crate::entry::Function;

fn function(name: &str) -> Arc<AggregateUDF> {
    let entries = [super::entries(), crate::sketches::entries()].concat();
    let found = entries.into_iter().find_map(|entry| match entry.function {
        Function::Aggregate(function) if function.name() == name => Some(function),
        _ => None,
    });
    found.unwrap()
}

/// A call over the columns k (text), v (bigint) and b (boolean); a number is a constant.
fn check(name: &str, args: &[&str], distinct: bool, ordered: bool) {
    let schema = Arc::new(Schema::new(vec![
        Field::new("k", DataType::Utf8, true),
        Field::new("v", DataType::Int64, true),
        Field::new("b", DataType::Boolean, true),
        Field::new("f", DataType::Float64, true),
    ]));
    let expr = |arg: &&str| -> Arc<dyn PhysicalExpr> {
        match arg.parse::<i64>() {
            Ok(number) => Arc::new(Literal::new(number.into())),
            Err(_) => Arc::new(Column::new_with_schema(arg, &schema).unwrap()),
        }
    };
    let exprs: Vec<_> = args.iter().map(expr).collect();
    let mut call = AggregateExprBuilder::new(function(name), exprs)
        .schema(Arc::clone(&schema))
        .alias("x");
    if distinct {
        call = call.distinct();
    }
    let order = ["v"]
        .iter()
        .filter(|_| ordered)
        .map(|column| PhysicalSortExpr {
            expr: expr(column),
            options: SortOptions {
                descending: true,
                nulls_first: false,
            },
        });
    let call = call.order_by(order.collect()).build().unwrap();

    // Group 0 ends with row 3; the others go on.
    let groups = [0usize, 1, 0, 2, 1, 2, 2, 1, 3];
    let texts = ["a", "b", "a", "c", "b", "a", "c", "d", "a"];
    let numbers = [
        Some(1),
        Some(5),
        None,
        Some(3),
        Some(5),
        Some(2),
        Some(9),
        None,
        Some(4),
    ];
    let (k, v): (ArrayRef, ArrayRef) = (
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(Int64Array::from(numbers.to_vec())),
    );
    let b: ArrayRef = Arc::new(BooleanArray::from(
        numbers.map(|n| n.map(|n| n > 3)).to_vec(),
    ));
    let f = arrow::compute::cast(&v, &DataType::Float64).unwrap();
    let column = |arg: &&str| match *arg {
        "k" => Arc::clone(&k),
        "v" => Arc::clone(&v),
        "b" => Arc::clone(&b),
        "f" => Arc::clone(&f),
        number => Arc::new(Int64Array::from(vec![number.parse::<i64>().unwrap(); 9])),
    };
    let mut columns: Vec<ArrayRef> = args.iter().map(column).collect();
    if ordered {
        columns.push(Arc::clone(&v));
    }
    let part = |from: usize, length: usize| -> Vec<ArrayRef> {
        let columns = columns.iter();
        columns.map(|column| column.slice(from, length)).collect()
    };

    let mut whole = call.create_groups_accumulator().unwrap();
    whole.update_batch(&columns, &groups, None, 4).unwrap();
    let expected = whole.evaluate(EmitTo::All).unwrap();

    let mut early = call.create_groups_accumulator().unwrap();
    early
        .update_batch(&part(0, 4), &groups[..4], None, 3)
        .unwrap();
    let first = early.evaluate(EmitTo::First(1)).unwrap();
    let moved: Vec<usize> = groups[4..].iter().map(|group| group - 1).collect();
    early.update_batch(&part(4, 5), &moved, None, 3).unwrap();
    let rest = early.evaluate(EmitTo::All).unwrap();
    assert_eq!(&first, &expected.slice(0, 1), "{name}");
    assert_eq!(&rest, &expected.slice(1, 3), "{name}");

    // The same from states: of the early part, of rows on their own, and merged twice.
    let mut merged = call.create_groups_accumulator().unwrap();
    let mut early = call.create_groups_accumulator().unwrap();
    early
        .update_batch(&part(0, 4), &groups[..4], None, 3)
        .unwrap();
    let first = early.state(EmitTo::First(1)).unwrap();
    merged.merge_batch(&first, &[0], 1).unwrap();
    let rest = early.state(EmitTo::All).unwrap();
    merged.merge_batch(&rest, &[1, 2], 3).unwrap();
    let single = early.convert_to_state(&part(4, 5), None).unwrap();
    merged.merge_batch(&single, &groups[4..], 4).unwrap();
    assert_eq!(&merged.evaluate(EmitTo::All).unwrap(), &expected, "{name}");
}

#[test]
fn groups_that_are_emitted_early_leave_the_others_as_they_are() {
    for (name, args) in [
        ("any_value", &["v"][..]),
        ("any_value", &["k"]),
        ("count_if", &["b"]),
        ("checksum", &["k"]),
        ("max_by", &["k", "v"]),
        ("min_by", &["v", "k"]),
        ("max_by", &["v", "v", "2"]),
        ("$min_n", &["v", "2"]),
        ("histogram", &["k"]),
        ("map_agg", &["k", "v"]),
        ("multimap_agg", &["k", "v"]),
        ("set_agg", &["v"]),
        ("approx_distinct", &["k"]),
        ("approx_set", &["v"]),
        ("tdigest_agg", &["f"]),
        ("numeric_histogram", &["2", "f"]),
        ("approx_most_frequent", &["2", "v", "9"]),
    ] {
        check(name, args, false, false);
    }
}

#[test]
fn so_do_groups_of_distinct_or_ordered_rows() {
    check("histogram", &["k"], true, false);
    check("multimap_agg", &["k", "v"], true, false);
    check("multimap_agg", &["k", "v"], false, true);
    check("multimap_agg", &["k", "v"], true, true);
    check("map_agg", &["k", "v"], false, true);
    check("count_if", &["b"], true, false);
    check("set_agg", &["k"], false, true);
}
