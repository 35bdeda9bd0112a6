#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::logical_expr::{
    Expr, LogicalPlanBuilder, col, exists, in_subquery, lit, table_scan,
};
use datafusion::optimizer::OptimizerContext;
use datafusion::optimizer::eliminate_cross_join::EliminateCrossJoin;

use super::*;

fn table(name: &str) -> LogicalPlan {
    let columns = ["k", "l", "x"].map(|name| Field::new(name, DataType::Int64, true));
    let schema = Schema::new(columns.to_vec());
    table_scan(Some(name), &schema, None)
        .unwrap()
        .build()
        .unwrap()
}

fn from(name: &str) -> LogicalPlanBuilder {
    LogicalPlanBuilder::from(table(name))
}

/// Returns a plan after the rule, and after the guard.
fn both(plan: &LogicalPlan) -> [Transformed<LogicalPlan>; 2] {
    let (rule, config) = (EliminateCrossJoin::new(), OptimizerContext::new());
    let bare = rule.rewrite(plan.clone(), &config).unwrap();
    let guarded = guard(&rule, plan.clone(), &config).unwrap();
    [bare, guarded]
}

/// Checks that the guard does what the rule does, also in later passes.
fn check(plan: LogicalPlan) {
    let mut plan = plan;
    for _ in 0..3 {
        let [bare, guarded] = both(&plan);
        let (shown, expected) = (
            guarded.data.display_indent_schema().to_string(),
            bare.data.display_indent_schema().to_string(),
        );
        assert_eq!(shown, expected);
        assert_eq!(guarded.data, bare.data, "{shown}");
        assert_eq!(guarded.transformed, bare.transformed, "{shown}");
        plan = guarded.data;
    }
}

/// `a, b, c, d, …`
fn crossed(names: &[&str]) -> LogicalPlanBuilder {
    let (first, others) = names.split_first().unwrap();
    others.iter().fold(from(first), |joined, name| {
        joined.cross_join(table(name)).unwrap()
    })
}

fn equal(left: &str, right: &str) -> Expr {
    col(left).eq(col(right))
}

fn where_is(names: &[&str], condition: Expr) -> LogicalPlan {
    crossed(names).filter(condition).unwrap().build().unwrap()
}

#[test]
fn cross_joins_get_the_keys_of_the_filter() {
    let chain = equal("a.k", "b.k").and(equal("b.l", "c.l"));
    let star = equal("c.k", "a.k")
        .and(equal("c.l", "b.l"))
        .and(equal("d.x", "c.x"));
    for (names, condition) in [
        (&["a", "b"][..], equal("a.k", "b.k")),
        (
            &["a", "b"],
            equal("a.k", "b.k").and(col("a.x").gt(lit(1_i64))),
        ),
        (&["a", "b"], col("a.x").gt(lit(1_i64))),
        (&["a", "b"], equal("a.k", "b.k").and(equal("b.k", "a.k"))),
        (&["a", "b"], (col("a.k") + col("a.l")).eq(col("b.k"))),
        (&["a", "b"], (col("a.k") + col("b.l")).eq(col("b.k"))),
        (&["a", "b"], col("a.k").eq(lit(1_i64))),
        (&["a", "b", "c"], chain.clone()),
        (&["a", "c", "b"], chain.clone()),
        (&["a", "b", "c", "d"], chain),
        (&["a", "b", "c", "d"], star.clone()),
        (&["d", "a", "b", "c"], star),
        (
            &["a", "b", "c"],
            (col("a.k") + col("b.k"))
                .eq(col("c.k"))
                .and(equal("b.x", "c.x")),
        ),
    ] {
        check(where_is(names, condition));
    }
}

#[test]
fn keys_in_both_sides_of_or_are_keys() {
    let side = |limit: i64| equal("a.k", "b.k").and(col("b.x").gt(lit(limit)));
    for condition in [
        side(1).or(side(2)),
        side(1).or(equal("b.k", "a.k")),
        side(1).or(equal("a.l", "b.l")),
        side(1).or(side(2)).and(equal("a.l", "b.l")),
    ] {
        check(where_is(&["a", "b"], condition));
    }
}

#[test]
fn conditions_and_keys_of_written_joins_stay() {
    let on = |left: LogicalPlanBuilder, right: &str, conditions: Vec<Expr>| {
        left.join_on(table(right), JoinType::Inner, conditions)
            .unwrap()
    };
    let keys = |left: LogicalPlanBuilder, right: &str, columns: (Vec<&str>, Vec<&str>)| {
        left.join(table(right), JoinType::Inner, columns, None)
            .unwrap()
    };
    let three = keys(from("a"), "b", (vec!["a.k"], vec!["b.k"]));
    let three = keys(three, "c", (vec!["b.l"], vec!["c.l"]));
    for plan in [
        three.clone(),
        three.clone().filter(equal("a.x", "c.x")).unwrap(),
        three.clone().project([col("a.k")]).unwrap(),
        on(from("a"), "b", vec![col("a.x").gt(col("b.x"))]),
        on(
            on(from("a"), "b", vec![col("a.x").gt(col("b.x"))]),
            "c",
            vec![col("b.x").gt(col("c.x")), equal("a.k", "c.k")],
        )
        .filter(equal("a.k", "b.k"))
        .unwrap(),
        three
            .join(table("d"), JoinType::Left, (vec!["a.k"], vec!["d.k"]), None)
            .unwrap()
            .filter(equal("a.x", "d.x"))
            .unwrap(),
    ] {
        check(plan.build().unwrap());
    }
}

#[test]
fn chains_on_the_right_and_below_other_operators_are_joined_too() {
    let inner = || where_is(&["c", "d"], equal("c.k", "d.k"));
    let right = crossed(&["c", "d"]).build().unwrap();
    let plans = [
        from("a")
            .cross_join(right)
            .unwrap()
            .filter(equal("a.k", "d.k").and(equal("c.l", "d.l"))),
        from("a")
            .cross_join(inner())
            .unwrap()
            .filter(equal("a.k", "c.k")),
        LogicalPlanBuilder::from(inner())
            .aggregate([col("c.k")], Vec::<Expr>::new())
            .unwrap()
            .filter(col("c.k").gt(lit(1_i64))),
        LogicalPlanBuilder::from(inner()).sort([col("c.k").sort(true, false)]),
    ];
    for plan in plans {
        check(plan.unwrap().build().unwrap());
    }
}

#[test]
fn columns_of_no_table_are_keys_too() {
    let part = |name: &str| {
        from(name)
            .project([col(format!("{name}.k")).alias(format!("of_{name}"))])
            .unwrap()
            .build()
            .unwrap()
    };
    let plan = LogicalPlanBuilder::from(part("a"))
        .cross_join(part("b"))
        .unwrap()
        .cross_join(part("c"))
        .unwrap()
        .filter(equal("of_a", "of_b").and(equal("of_b", "of_c")))
        .unwrap();
    check(plan.build().unwrap());
}

#[test]
fn joins_in_subqueries_get_their_keys_too() {
    let of = |plan: LogicalPlan| {
        LogicalPlanBuilder::from(plan)
            .project([col("c.k")])
            .unwrap()
            .build()
            .map(Arc::new)
            .unwrap()
    };
    let inner = || of(where_is(&["c", "d"], equal("c.k", "d.k")));
    for condition in [
        equal("a.k", "b.k").and(in_subquery(col("a.l"), inner())),
        equal("a.k", "b.k").and(exists(inner())),
        in_subquery(col("a.l"), inner()),
    ] {
        check(where_is(&["a", "b"], condition.clone()));
    }
    let plan = from("a").filter(in_subquery(col("a.l"), inner()));
    check(plan.unwrap().build().unwrap());
}

#[test]
fn many_keys_are_left_to_the_rule() {
    let condition = (0..300_i64).fold(equal("a.k", "b.k"), |all, added| {
        all.and((col("a.l") + lit(added)).eq(col("b.l")))
    });
    check(where_is(&["a", "b"], condition));
}

#[test]
fn a_key_of_several_parts_is_not_lost() {
    let sum = || (vec![col("a.k") + col("b.k")], vec![col("c.k")]);
    let joined = || {
        let pairs = crossed(&["a", "b"]);
        pairs
            .join_with_expr_keys(table("c"), JoinType::Inner, sum(), None)
            .unwrap()
    };
    let many = (0..300_i64).fold(equal("a.x", "c.x"), |all, added| {
        all.and((col("a.l") + lit(added)).eq(col("c.l")))
    });
    for condition in [equal("a.x", "c.x"), many] {
        let plan = joined().filter(condition).unwrap().build().unwrap();
        let [bare, guarded] = both(&plan);
        let key = "a.k + b.k = c.k";
        assert!(!bare.data.display_indent().to_string().contains(key));
        let shown = guarded.data.display_indent().to_string();
        assert!(shown.contains(key), "{shown}");
        assert_eq!(guarded.data.schema(), plan.schema());
    }
    // Without another key, the order is that of the statement.
    check(joined().build().unwrap());
}

#[test]
fn joins_of_equal_nulls_stay() {
    let plan = from("a")
        .join_detailed(
            table("b"),
            JoinType::Inner,
            (vec!["a.k"], vec!["b.k"]),
            None,
            NullEquality::NullEqualsNull,
        )
        .unwrap()
        .cross_join(table("c"))
        .unwrap()
        .filter(equal("c.k", "a.k"))
        .unwrap()
        .build()
        .unwrap();
    let [_, guarded] = both(&plan);
    assert!(!guarded.transformed);
    assert_eq!(guarded.data, plan);
}

#[test]
fn plans_without_joins_stay() {
    let plan = from("a").filter(col("a.k").gt(lit(1_i64))).unwrap();
    let plan = plan.build().unwrap();
    let [bare, guarded] = both(&plan);
    assert!(!guarded.transformed && !bare.transformed);
    assert_eq!(guarded.data, plan);
}
