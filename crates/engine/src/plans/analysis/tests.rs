#![allow(clippy::unwrap_used)]
use arrow::datatypes::DataType;
use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::common::{JoinType, ScalarValue, Spans};
use datafusion::functions::expr_fn::{coalesce, nullif};
use datafusion::functions_aggregate::expr_fn::{array_agg, sum};
use datafusion::functions_nested::expr_fn::{array_transform, make_array};
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::logical_plan::builder::LogicalTableSource;
use datafusion::logical_expr::{
    ExprFunctionExt, LogicalPlanBuilder, Subquery, cast, col, exists, in_subquery, lambda, lit,
    scalar_subquery, try_cast, when,
};

use super::*;
use crate::{Names, PlanSettings, StatementState};

/// Rules of the crates above.
const OF_LIBRARY: [&str; 6] = [
    "array_casts",
    "json_casts",
    "mixed_unions",
    "plain_extremes",
    "recursive_types",
    "refused_casts",
];

fn state() -> StatementState {
    let directory = tempfile::tempdir().unwrap();
    let engine = crate::testing::small_engine(directory.path());
    let settings = PlanSettings {
        time_zone: "UTC".to_owned(),
        search_path: Vec::new(),
        names: Names::Postgres,
    };
    let catalogs = Arc::new(MemoryCatalogProviderList::new());
    engine.session(&settings, catalogs).unwrap()
}

fn rows() -> LogicalPlanBuilder {
    let row = vec![lit(1_i64), lit(2.5_f64), lit("x"), lit(true)];
    LogicalPlanBuilder::values(vec![row]).unwrap()
}

/// Returns a plan for each kind, and one without any.
fn samples() -> Vec<(u32, LogicalPlan)> {
    let one = || LogicalPlanBuilder::empty(true);
    let (number, float, text, flag) = (
        || col("column1"),
        || col("column2"),
        || col("column3"),
        || col("column4"),
    );
    let projected = |expr: Expr| rows().project([expr.alias("value")]);
    let built = |rows: LogicalPlanBuilder| rows.build().unwrap();
    let within = || exists(Arc::new(built(rows())));
    let samples = [
        (0, one().project([lit(1_i64)])),
        (BINARY, projected(number().gt(lit(0_i64)))),
        (ARITHMETIC, projected(number() + lit(1_i64))),
        (ARITHMETIC, projected(float() / lit(2.0_f64))),
        (
            LOGIC,
            projected(flag().and((lit(1_i64) / number()).gt(lit(0_i64)))),
        ),
        (NEGATIVE, projected(-number())),
        (CAST, projected(cast(float(), DataType::Int32))),
        (CAST, projected(try_cast(text(), DataType::Int64))),
        (CALL, projected(coalesce(vec![number(), lit(0_i64)]))),
        (CALL, projected(nullif(number(), lit(1_i64)))),
        (
            CASE,
            projected(
                when(flag(), number())
                    .otherwise(lit(1_i64) / number())
                    .unwrap(),
            ),
        ),
        (
            IN_LIST,
            projected(float().in_list(vec![lit(1_i64), float()], false)),
        ),
        (BETWEEN, projected(float().between(lit(1_i64), lit("2")))),
        (PATTERN, projected(text().like(lit("a%")))),
        (SUBQUERY, rows().filter(within())),
        (
            AGGREGATE_CALL | AGGREGATE,
            rows().aggregate([text()], [sum(number())]),
        ),
        (AGGREGATE, rows().aggregate([text()], Vec::<Expr>::new())),
        (
            SORT,
            rows().sort([float().sort(true, false), text().sort(true, false)]),
        ),
        (LIMIT, rows().limit(1, Some(2))),
        (DISTINCT, rows().distinct()),
        (
            JOIN,
            rows().alias("a").and_then(|left| {
                let right = built(rows().alias("b").unwrap());
                left.join(
                    right,
                    JoinType::Full,
                    (vec!["a.column1"], vec!["b.column1"]),
                    None,
                )
            }),
        ),
        (UNION, rows().union(built(rows()))),
        (
            VALUES,
            LogicalPlanBuilder::values(vec![vec![lit(1_i64)], vec![lit(2_i64)]]),
        ),
        (
            0,
            one().project([lit(ScalarValue::TimestampNanosecond(Some(1_500), None))]),
        ),
    ];
    let samples = samples.into_iter();
    samples
        .map(|(kind, plan)| (kind, built(plan.unwrap())))
        .collect()
}

/// Returns plans with a cast in each place that an expression may be in.
fn casts_in_all_places() -> Vec<LogicalPlan> {
    let number = || col("column1");
    let whole = || cast(col("column2"), DataType::Int32);
    let is_whole = || whole().gt(lit(0_i32));
    let ordered = || vec![whole().sort(true, false)];
    let built = |rows: Result<LogicalPlanBuilder>| rows.unwrap().build().unwrap();
    let listed = || rows().project([whole().alias("value")]);
    let below = || Arc::new(built(listed()));
    let one = || rows().project([lit(1_i32).alias("value")]);
    let lateral = LogicalPlan::Subquery(Subquery {
        subquery: below(),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    });
    let nested = || exists(Arc::new(built(rows().filter(exists(below())))));
    let list = make_array(vec![number()]);
    let transformed = array_transform(list, lambda(["x"], cast(lit(2.5_f64), DataType::Int32)));
    let table = || {
        let schema = Arc::clone(rows().schema().inner());
        Arc::new(LogicalTableSource::new(schema))
    };
    let expected = sum(number()).filter(is_whole()).build().unwrap();
    let gathered = array_agg(number()).order_by(ordered()).build().unwrap();
    let numbered = row_number().partition_by(vec![whole()]).build().unwrap();
    let sorted = row_number().order_by(ordered()).build().unwrap();
    let none = Vec::<Expr>::new;
    let plans = [
        listed(),
        rows().filter(is_whole()),
        rows().filter(transformed.is_not_null()),
        rows().sort(ordered()),
        rows().limit_by_expr(None, Some(cast(lit(2.5_f64), DataType::Int64))),
        rows().distinct_on(vec![whole()], vec![number()], None),
        rows().aggregate([whole()], none()),
        rows().aggregate(none(), [expected]),
        rows().aggregate(none(), [gathered]),
        rows().window([numbered]),
        rows().window([sorted]),
        one().and_then(|left| left.join_on(built(Ok(rows())), JoinType::Inner, [is_whole()])),
        LogicalPlanBuilder::values(vec![vec![cast(lit(2.5_f64), DataType::Int32)]]),
        one().and_then(|rows| rows.union(built(listed()))),
        one().and_then(|rows| rows.to_recursive_query("r".to_owned(), built(listed()), false)),
        rows().project([scalar_subquery(below()).alias("value")]),
        rows().filter(in_subquery(number(), below())),
        rows().filter(exists(below())),
        rows().filter(nested()),
        rows().sort([nested().sort(true, false)]),
        rows().project([lit(1_i32).alias("one")]).and_then(|rows| {
            let lateral = LogicalPlanBuilder::from(lateral).alias("l")?.build()?;
            rows.join_on(lateral, JoinType::Inner, [lit(true)])
        }),
        listed().and_then(|rows| rows.explain(false, false)),
        LogicalPlanBuilder::from(crate::barrier::barrier("d.v", built(listed()))).limit(1, None),
        LogicalPlanBuilder::scan_with_filters("t", table(), None, vec![is_whole()]),
        LogicalPlanBuilder::insert_into(built(listed()), "t", table(), InsertOp::Append),
    ];
    plans.into_iter().map(built).collect()
}

#[test]
fn kinds_are_found_in_all_places() {
    let bare = rows().build().unwrap();
    assert_eq!(Found::of(&bare).unwrap().kinds & CAST, 0);
    for plan in casts_in_all_places() {
        let found = Found::of(&plan).unwrap();
        assert_eq!(found.kinds & CAST, CAST, "{}", plan.display_indent());
    }
}

#[test]
fn plans_are_those_of_all_rules() {
    let state = state();
    let samples = samples().into_iter().map(|(_, plan)| plan);
    for plan in samples.chain(casts_in_all_places()) {
        let (analyzer, options) = (state.analyzer(), state.config_options());
        let all = analyzer.execute_and_check(plan.clone(), options, |_, _| {});
        let all = all.map_err(|error| error.to_string());
        let by_kinds = analyzed(&state, plan.clone()).map_err(|error| error.to_string());
        assert_eq!(by_kinds, all, "{}", plan.display_indent());
    }
}

#[test]
fn kinds_are_found() {
    let mut all = 0;
    for (kind, plan) in samples() {
        let found = Found::of(&plan).unwrap();
        assert_eq!(found.kinds & kind, kind, "{}", plan.display_indent());
        assert!(found.parts > 0);
        all |= kind;
    }
    // All but windows, recursive queries, LATERAL and columns of a query outside.
    assert_eq!(all.count_ones(), 19);
    let one = LogicalPlanBuilder::empty(true).project([lit(1_i64)]);
    assert_eq!(Found::of(&one.unwrap().build().unwrap()).unwrap().kinds, 0);
}

#[test]
fn rules_that_need_kinds_are_rules_of_sessions() {
    let state = state();
    let rules = &state.analyzer().rules;
    for (name, needed) in NEEDED {
        let is_known = rules.iter().any(|rule| rule.name() == name);
        assert!(is_known != OF_LIBRARY.contains(&name), "{name}");
        assert_eq!(needed_by(name), Some(needed));
    }
    assert_eq!(needed_by("type_coercion"), None);
}

#[test]
fn a_rule_that_needs_more_than_it_says_is_noticed() {
    /// Drops the list of a query without any of the kinds that the name needs.
    #[derive(Debug)]
    struct Eager;

    impl AnalyzerRule for Eager {
        fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
            Ok(plan
                .inputs()
                .first()
                .map_or(plan.clone(), |input| (*input).clone()))
        }

        fn name(&self) -> &str {
            "divisors"
        }
    }

    let one = LogicalPlanBuilder::empty(true).project([lit(1_i64)]);
    let one = one.unwrap().build().unwrap();
    let rules: [Arc<dyn AnalyzerRule + Send + Sync>; 1] = [Arc::new(Eager)];
    let found = Found::of(&one).unwrap();
    let made = by_kinds(&rules, one, found, &ConfigOptions::new());
    assert_eq!(made.is_err(), cfg!(debug_assertions));
    if let Err(error) = made {
        let error = error.to_string();
        assert!(error.contains("divisors changes a plan"), "{error}");
    }
}

#[test]
fn a_rule_that_refuses_more_than_it_says_is_noticed() {
    #[derive(Debug)]
    struct Strict;

    impl AnalyzerRule for Strict {
        fn analyze(&self, _: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
            Err(DataFusionError::Plan("not this one".to_owned()))
        }

        fn name(&self) -> &str {
            "refused_casts"
        }
    }

    let one = LogicalPlanBuilder::empty(true).project([lit(1_i64)]);
    let one = one.unwrap().build().unwrap();
    let rules: [Arc<dyn AnalyzerRule + Send + Sync>; 1] = [Arc::new(Strict)];
    let found = Found::of(&one).unwrap();
    let made = by_kinds(&rules, one, found, &ConfigOptions::new());
    assert_eq!(made.is_err(), cfg!(debug_assertions));
    if let Err(error) = made {
        let error = error.to_string();
        assert!(error.contains("refused_casts refuses a plan"), "{error}");
    }
}
