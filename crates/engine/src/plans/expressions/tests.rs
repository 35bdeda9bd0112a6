#![allow(clippy::unwrap_used)]
use std::cell::RefCell;

use arrow::datatypes::Schema;
use datafusion::logical_expr::logical_plan::builder::table_scan;
use datafusion::logical_expr::{ExprSchemable, LogicalPlanBuilder, col, exists, lit};

use super::*;

fn table(name: &str) -> LogicalPlanBuilder {
    let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
    table_scan(Some(name), &schema, None).unwrap()
}

/// `u` WHERE EXISTS (`t` WHERE EXISTS (`s` WHERE a = 7))
fn nested() -> LogicalPlan {
    let within = |rows: LogicalPlanBuilder| exists(Arc::new(rows.build().unwrap()));
    let inner = table("s").filter(col("a").eq(lit(7_i64))).unwrap();
    let middle = table("t").filter(within(inner)).unwrap();
    let outer = table("u").filter(within(middle)).unwrap();
    outer.build().unwrap()
}

#[test]
fn a_search_finds_what_is_in_subqueries_of_subqueries() {
    let plan = nested();
    for (number, there) in [(7_i64, true), (8, false)] {
        let found = has(&plan, |part| *part == lit(number)).unwrap();
        assert_eq!(found, there, "{number}");
    }
    for (name, there) in [("s", true), ("v", false)] {
        let is = |node: &LogicalPlan| matches!(node, LogicalPlan::TableScan(scan) if scan.table_name.table() == name);
        let found = has_any(&plan, &is, &|_: &Expr| false).unwrap();
        assert_eq!(found, there, "{name}");
    }
    let named = |field: &Field| field.name() == "a";
    assert!(has_values(&plan, named, |_| false).unwrap());
    assert!(!has_values(&plan, |_| false, |_| false).unwrap());
}

#[test]
fn operators_above_a_change_know_of_it() {
    // Which filters have a change below them if a scan of this table changes.
    let told = |changed: &str| {
        let told = RefCell::new(Vec::new());
        let of = |node: LogicalPlan, is_changed: bool| {
            Ok(match &node {
                LogicalPlan::TableScan(scan) if scan.table_name.table() == changed => {
                    Transformed::yes(node)
                }
                LogicalPlan::Filter(_) => {
                    told.borrow_mut().push(is_changed);
                    Transformed::no(node)
                }
                _ => Transformed::no(node),
            })
        };
        let is_changed = each_operator(nested(), &of).unwrap().transformed;
        (told.into_inner(), is_changed)
    };
    assert_eq!(told("s"), (vec![true, true, true], true));
    assert_eq!(told("t"), (vec![false, true, true], true));
    assert_eq!(told("u"), (vec![false, false, true], true));
    assert_eq!(told("v"), (vec![false, false, false], false));
}

#[test]
fn only_expressions_of_concern_are_rewritten() {
    let both = [
        (col("a") + lit(1_i64)).alias("x"),
        (col("a") - lit(1_i64)).alias("y"),
    ];
    let plan = table("t").project(both).unwrap().build().unwrap();
    let is_sum = |expr: &Expr| matches!(expr, Expr::BinaryExpr(of) if of.op == Operator::Plus);
    let seen = RefCell::new(Vec::new());
    let rewritten = rewritten(plan, is_sum, |expr, _| {
        seen.borrow_mut().push(expr.to_string());
        match is_sum(&expr) {
            true => Transformed::yes(lit(3_i64)),
            false => Transformed::no(expr),
        }
    });
    let made = rewritten.unwrap().expressions();
    assert_eq!(made[0], lit(3_i64).alias("x"));
    assert_eq!(made[1], (col("t.a") - lit(1_i64)).alias("y"));
    assert!(!seen.into_inner().iter().any(|part| part.contains('-')));
}

#[test]
fn operators_change_where_they_are_as_in_a_plan_that_is_taken_apart() {
    let is_seven = |expr: &Expr| *expr == lit(7_i64);
    let eight = |expr: Expr, _: &DFSchema| match is_seven(&expr) {
        true => Transformed::yes(lit(8_i64)),
        false => Transformed::no(expr),
    };
    let sevens = |name: &str| {
        let rows = table(name).filter(col("a").gt(lit(7_i64))).unwrap();
        rows.project([(col("a") + lit(7_i64)).alias("a")]).unwrap()
    };
    let built = |rows: LogicalPlanBuilder| rows.build().unwrap();
    let named = |name: &str| sevens(name).alias(name).unwrap();
    let joined = named("t").cross_join(built(named("u"))).unwrap();
    let shared = Arc::new(built(named("s")));
    let twice = LogicalPlanBuilder::from(Arc::clone(&shared));
    for plan in [
        nested(),
        built(joined.filter(col("t.a").eq(lit(7_i64))).unwrap()),
        built(twice.union(shared.as_ref().clone()).unwrap()),
        built(sevens("t").distinct().unwrap().limit(0, Some(7)).unwrap()),
        built(sevens("t").sort([col("a").sort(true, false)]).unwrap()),
        built(
            sevens("t")
                .aggregate([col("a") * lit(7_i64)], Vec::<Expr>::new())
                .unwrap(),
        ),
        built(sevens("t").explain(false, false).unwrap()),
    ] {
        let apart = plan
            .clone()
            .transform_up_with_subqueries(|node| of_node(node, is_seven, eight));
        let made = rewritten(plan, is_seven, eight).unwrap();
        assert_eq!(made, apart.unwrap().data);
        assert!(!has(&made, is_seven).unwrap());
    }
}

#[test]
fn a_search_by_types_knows_the_columns_of_each_operator() {
    let plan = nested();
    let is_binary = |expr: &Expr| matches!(expr, Expr::BinaryExpr(_));
    let left_is = |of: DataType| {
        move |expr: &Expr, schema: &DFSchema| match expr {
            Expr::BinaryExpr(binary) => binary.left.get_type(schema).is_ok_and(|left| left == of),
            _ => false,
        }
    };
    assert!(has_typed(&plan, is_binary, left_is(DataType::Int64)).unwrap());
    assert!(!has_typed(&plan, is_binary, left_is(DataType::Utf8)).unwrap());
    assert!(!has_typed(&plan, |_| false, |_, _| true).unwrap());
}
