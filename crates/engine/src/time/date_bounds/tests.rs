#![allow(clippy::unwrap_used)]
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch};
use arrow::datatypes::{Field, Schema};
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{LogicalPlanBuilder, col};
use datafusion::optimizer::OptimizerContext;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::super::SECOND;
use super::super::calendar::{DAY, days_of};
use super::*;

const OPERATORS: [Operator; 8] = [
    Operator::Lt,
    Operator::LtEq,
    Operator::Gt,
    Operator::GtEq,
    Operator::Eq,
    Operator::NotEq,
    Operator::IsDistinctFrom,
    Operator::IsNotDistinctFrom,
];

/// Numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 2).unwrap() % below
    }
}

fn schema(nullable: bool) -> DFSchema {
    let field = Field::new("d", DataType::Date32, nullable);
    DFSchema::try_from(Schema::new(vec![field])).unwrap()
}

/// Returns the date as a time with a zone, or without one.
fn begins(zone: Option<&str>) -> Expr {
    let to = DataType::Timestamp(TimeUnit::Microsecond, zone.map(Arc::from));
    zones::by_the_clock(&col("d"), &DataType::Date32, &to)
        .unwrap_or_else(|| Expr::Cast(Cast::new(Box::new(col("d")), to)))
}

fn constant(micros: Option<i64>, zone: Option<&str>) -> Expr {
    let zone = zone.map(Arc::from);
    lit(ScalarValue::TimestampMicrosecond(micros, zone))
}

fn day(year: i64, month: i64, day: i64) -> i32 {
    i32::try_from(days_of(year, month, day)).unwrap()
}

/// Returns the values of a condition for dates.
fn values(context: &SessionContext, condition: &Expr, days: &[Option<i32>]) -> Vec<Option<bool>> {
    let schema = schema(true);
    let column: ArrayRef = Arc::new(Date32Array::from(days.to_vec()));
    let batch = RecordBatch::try_new(Arc::clone(schema.inner()), vec![column]).unwrap();
    let condition = context
        .create_physical_expr(condition.clone(), &schema)
        .unwrap();
    let values = condition.evaluate(&batch).unwrap();
    let values = values.into_array(days.len()).unwrap();
    values.as_boolean().iter().collect()
}

#[test]
fn random_dates_compare_as_the_times_at_which_they_begin() {
    let (context, schema) = (SessionContext::new(), schema(true));
    let mut numbers = Numbers(88_172_645_463_325_252);
    for zone in [
        None,
        Some("UTC"),
        Some("+05:30"),
        Some("Europe/Berlin"),
        Some("America/Sao_Paulo"),
        Some("Asia/Kolkata"),
        // Its clock was set forward by a day on 2011-12-29.
        Some("Pacific/Apia"),
        // Its clock was set back by a day in 1867.
        Some("America/Juneau"),
    ] {
        for _ in 0..60 {
            let center = match numbers.next(4) {
                0 => i64::from(day(2011, 12, 30)),
                1 => i64::from(day(1867, 10, 18)),
                2 => i64::from(day(2018, 11, 4)),
                _ => numbers.next(800_000) - 700_000,
            };
            let near = center + numbers.next(3) - 1;
            let time = match numbers.next(3) {
                0 => Clock::of_type(zone).unwrap().instant(near * DAY).unwrap(),
                1 => near * DAY + numbers.next(24) * 3600 * SECOND,
                _ => near * DAY + numbers.next(DAY),
            };
            let mut days: Vec<Option<i32>> = (center - 4..=center + 4)
                .map(|day| Some(i32::try_from(day).unwrap()))
                .collect();
            days.push(None);
            for op in OPERATORS {
                let before = binary_expr(begins(zone), op, constant(Some(time), zone));
                let Some(after) = with_dates(&before, &schema) else {
                    let is_distinct =
                        matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom);
                    assert!(is_distinct && zone == Some("Pacific/Apia"), "{before}");
                    continue;
                };
                let shown = format!("{before} is {after}");
                assert_eq!(
                    values(&context, &before, &days),
                    values(&context, &after, &days),
                    "{shown}"
                );
            }
            for negated in [false, true] {
                let list =
                    [Some(time), Some(near * DAY), Some(time + 1)].map(|time| constant(time, zone));
                let before = begins(zone).in_list(list.to_vec(), negated);
                let after = with_dates(&before, &schema).unwrap();
                let shown = format!("{before} is {after}");
                assert_eq!(
                    values(&context, &before, &days),
                    values(&context, &after, &days),
                    "{shown}"
                );
            }
        }
    }
}

#[test]
fn comparisons_are_of_the_date_alone() {
    let schema = schema(true);
    let date = |days: i32| lit(ScalarValue::Date32(Some(days)));
    let leap = day(2024, 2, 29);
    let midnight = i64::from(leap) * DAY;
    let null = || lit(ScalarValue::Boolean(None));
    let compare = |op, micros: i64| binary_expr(begins(None), op, constant(Some(micros), None));
    for (before, after) in [
        (
            compare(Operator::GtEq, midnight),
            col("d").gt_eq(date(leap)),
        ),
        (
            compare(Operator::GtEq, midnight + 1),
            col("d").gt_eq(date(leap + 1)),
        ),
        (compare(Operator::Gt, midnight), col("d").gt(date(leap))),
        (
            compare(Operator::Gt, midnight - 1),
            col("d").gt_eq(date(leap)),
        ),
        (compare(Operator::Lt, midnight), col("d").lt(date(leap))),
        (
            compare(Operator::Lt, midnight + 1),
            col("d").lt(date(leap + 1)),
        ),
        (
            compare(Operator::LtEq, midnight),
            col("d").lt_eq(date(leap)),
        ),
        (compare(Operator::Eq, midnight), col("d").eq(date(leap))),
        (
            compare(Operator::Eq, midnight + 1),
            col("d").is_null().and(null()),
        ),
        (
            compare(Operator::NotEq, midnight + 1),
            col("d").is_not_null().or(null()),
        ),
        (compare(Operator::IsDistinctFrom, midnight + 1), lit(true)),
        // The constant may be on the left.
        (
            binary_expr(constant(Some(midnight), None), Operator::Lt, begins(None)),
            col("d").gt(date(leap)),
        ),
        (
            begins(None).in_list(
                vec![constant(Some(midnight + 1), None), constant(None, None)],
                false,
            ),
            col("d").in_list(vec![lit(ScalarValue::Date32(None))], false),
        ),
    ] {
        let found = with_dates(&before, &schema);
        assert_eq!(found, Some(after), "{before}");
    }
    // A date that is never NULL.
    let never = super::with_dates(&compare(Operator::Eq, midnight + 1), &self::schema(false));
    assert_eq!(never, Some(lit(false)));
}

#[test]
fn other_comparisons_stay() {
    let schema = schema(true);
    let utc = Some("UTC");
    for before in [
        // A time with a zone, and one without.
        begins(None).lt(constant(Some(0), utc)),
        begins(utc).lt(constant(Some(0), None)),
        begins(None).lt(constant(None, None)),
        begins(None).lt(begins(None)),
        col("d").lt(lit(ScalarValue::Date32(Some(0)))),
        // Times whose days are beyond those of timestamps.
        begins(None).lt(constant(Some(i64::MAX), None)),
        begins(None).lt(constant(Some(i64::MIN), None)),
        begins(None).in_list(vec![constant(Some(0), None), begins(None)], false),
    ] {
        assert_eq!(with_dates(&before, &schema), None, "{before}");
    }
}

#[test]
fn days_skipped_by_a_clock_begin_with_the_next() {
    let clock = Clock::of("Pacific/Apia").unwrap();
    let skipped = day(2011, 12, 30);
    let time = clock.instant(i64::from(skipped) * DAY).unwrap();
    let found = Days::at(clock, time).unwrap();
    assert_eq!((found.first, found.after), (skipped, skipped + 2));
    let schema = schema(true);
    let zone = Some("Pacific/Apia");
    let days: Vec<Option<i32>> = (-2..4).map(|by| Some(skipped + by)).collect();
    let equal = begins(zone).eq(constant(Some(time), zone));
    let of_dates = with_dates(&equal, &schema).unwrap();
    let context = SessionContext::new();
    let found = values(&context, &equal, &days);
    assert_eq!(found, values(&context, &of_dates, &days));
    assert_eq!(found.iter().filter(|is| **is == Some(true)).count(), 2);
}

/// Returns the instant at which a unit of a date begins.
fn truncated(unit: &str, zone: &str) -> Expr {
    let mut config = SessionConfig::new();
    config.options_mut().execution.time_zone = Some(zone.to_owned());
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .build();
    super::super::register(&mut state).unwrap();
    super::super::register_truncated_dates(&mut state).unwrap();
    let function = Arc::clone(&state.scalar_functions()[truncated_dates::NAME]);
    function.call(vec![lit(unit), col("d")])
}

#[test]
fn random_dates_compare_as_the_units_that_contain_them() {
    let (context, schema) = (SessionContext::new(), schema(true));
    let mut numbers = Numbers(88_172_645_463_325_252);
    for zone in ["UTC", "Europe/Berlin", "Pacific/Apia", "America/Juneau"] {
        let clock = Clock::of(zone).unwrap();
        for unit in ["day", "week", "month", "quarter", "year", "century"] {
            let begins = truncated(unit, zone);
            for _ in 0..20 {
                let center = match numbers.next(4) {
                    0 => i64::from(day(2011, 12, 30)),
                    1 => i64::from(day(2024, 1, 1)),
                    _ => numbers.next(800_000) - 700_000,
                };
                let near = center + numbers.next(3) - 1;
                let start = Unit::named(unit).unwrap().next_first_day(near).unwrap();
                let time = match numbers.next(3) {
                    0 => clock.instant(start * DAY).unwrap(),
                    1 => clock.instant(near * DAY).unwrap(),
                    _ => near * DAY + numbers.next(DAY),
                };
                let mut days: Vec<Option<i32>> = (start - 4..start + 4)
                    .chain(near - 4..near + 4)
                    .chain([start - 40, start + 40, start - 400, start + 400])
                    .map(|day| Some(i32::try_from(day).unwrap()))
                    .collect();
                days.push(None);
                for op in OPERATORS {
                    let time = constant(Some(time), Some(zone));
                    let before = binary_expr(begins.clone(), op, time);
                    let Some(after) = with_dates(&before, &schema) else {
                        // A distinct value has many days.
                        let distinct = [Operator::IsDistinctFrom, Operator::IsNotDistinctFrom];
                        assert!(distinct.contains(&op), "{before}");
                        continue;
                    };
                    let shown = format!("{before} is {after}");
                    assert_eq!(
                        values(&context, &before, &days),
                        values(&context, &after, &days),
                        "{shown}"
                    );
                }
            }
        }
    }
}

#[test]
fn units_of_dates_are_ranges_of_days() {
    let schema = schema(true);
    let date = |days: i32| lit(ScalarValue::Date32(Some(days)));
    let (first, after) = (day(2024, 2, 1), day(2024, 3, 1));
    let month = truncated("month", "UTC");
    let start = constant(Some(i64::from(first) * DAY), Some("UTC"));
    for (before, expected) in [
        (
            month.clone().eq(start.clone()),
            col("d").gt_eq(date(first)).and(col("d").lt(date(after))),
        ),
        (
            month.clone().not_eq(start.clone()),
            col("d").lt(date(first)).or(col("d").gt_eq(date(after))),
        ),
        (month.clone().lt(start.clone()), col("d").lt(date(first))),
        (month.clone().gt(start.clone()), col("d").gt_eq(date(after))),
    ] {
        assert_eq!(with_dates(&before, &schema), Some(expected), "{before}");
    }
    // Hours are shorter than days, and a unit may be a column.
    let hour = truncated("hour", "UTC").eq(start.clone());
    assert_eq!(with_dates(&hour, &schema), None);
    let among = month.in_list(vec![start], false);
    assert_eq!(with_dates(&among, &schema), None);
}

#[test]
fn filters_drop_what_is_never_true() {
    let equal = |micros: i64| begins(None).eq(constant(Some(micros), None));
    let of_filter = |condition: Expr| {
        let rows = [Some(1), None].map(|day| vec![lit(ScalarValue::Date32(day))]);
        let dates = LogicalPlanBuilder::values(rows.to_vec());
        let dates = dates.unwrap().project([col("column1").alias("d")]).unwrap();
        let plan = dates.filter(condition).unwrap().build().unwrap();
        let changed = DateBounds.rewrite(plan, &OptimizerContext::new()).unwrap();
        match changed.data {
            LogicalPlan::Filter(filter) => filter.predicate,
            other => unreachable!("{other:?}"),
        }
    };
    let day = || col("d").eq(lit(ScalarValue::Date32(Some(1))));
    let unknown = || col("d").is_null().and(lit(ScalarValue::Boolean(None)));
    for (condition, expected) in [
        (equal(1), lit(false)),
        (equal(1).or(equal(DAY)), lit(false).or(day())),
        (equal(DAY).and(equal(1)), day().and(lit(false))),
        // NULL is not false everywhere.
        (
            Expr::Not(Box::new(equal(1))),
            Expr::Not(Box::new(unknown())),
        ),
        (equal(1).is_null(), unknown().is_null()),
    ] {
        assert_eq!(of_filter(condition.clone()), expected, "{condition}");
    }
}

#[test]
fn columns_of_a_list_keep_their_names() {
    let time = constant(Some(DAY), None);
    let dates = LogicalPlanBuilder::values(vec![vec![lit(ScalarValue::Date32(Some(1)))]]);
    let dates = dates.unwrap().project([col("column1").alias("d")]).unwrap();
    let condition = begins(None).gt(time);
    let name = condition.schema_name().to_string();
    let plan = dates.project([condition]).unwrap().build().unwrap();
    let rule = DateBounds;
    let changed = rule
        .rewrite(plan.clone(), &OptimizerContext::new())
        .unwrap();
    assert!(changed.transformed);
    assert_eq!(changed.data.schema().field(0).name(), &name);
    let LogicalPlan::Projection(list) = &changed.data else {
        unreachable!("{:?}", changed.data);
    };
    let expected = col("d").gt(lit(ScalarValue::Date32(Some(1))));
    assert_eq!(list.expr[0].clone().unalias(), expected);
    // Nothing is left to do.
    let again = rule
        .rewrite(changed.data, &OptimizerContext::new())
        .unwrap();
    assert!(!again.transformed);
}
