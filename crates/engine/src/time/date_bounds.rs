//! Comparisons of a date with a constant time become comparisons of the date with a date, so that
//! partitions, files and groups of rows are ruled out by them.
//!
//! ```text
//! CAST(d AS timestamp) >= '2024-01-31 10:00'     d >= '2024-02-01'
//! CAST(d AS timestamp) < '2024-01-31 10:00'      d < '2024-02-01'
//! CAST(d AS timestamp) = '2024-01-31 00:00'      d = '2024-01-31'
//! CAST(d AS timestamp) = '2024-01-31 10:00'      d IS NULL AND NULL
//! by_the_clock(d) > '2024-01-31 00:00+01'        d > '2024-01-31', in Berlin
//! date_trunc('month', d) = '2024-01-01 00:00+01' d >= '2024-01-01' AND d < '2024-02-01'
//! ```
//!
//! Runs after DataFusion has computed the constants, such as `now() - INTERVAL '7 days'`. A date that
//! is too far from 1970 for a timestamp is compared too, as in PostgreSQL.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{
    BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, Operator, binary_expr, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::calendar::{at, split};
use super::clock::Clock;
use super::units::Unit;
use super::{truncated_dates, zones};
use crate::plans::expressions;

/// Days before and after one that a clock shows at an instant, in which the first midnight not before
/// that instant is looked for. A clock is less than a day from UTC, so that midnights farther away
/// are on their side of it.
const NEAR: i64 = 3;

/// The rule.
#[derive(Debug)]
pub(crate) struct DateBounds;

impl OptimizerRule for DateBounds {
    fn name(&self) -> &str {
        "date_bounds"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let rewritten = expressions::of_node(plan, concerns, |expr, schema| {
            match with_dates(&expr, schema) {
                Some(of_dates) => Transformed::yes(of_dates),
                None => Transformed::no(expr),
            }
        })?;
        match rewritten.data {
            LogicalPlan::Filter(mut filter) if rewritten.transformed => {
                filter.predicate = without_unknown(filter.predicate)?;
                Ok(Transformed::yes(LogicalPlan::Filter(filter)))
            }
            plan => Ok(Transformed::new_transformed(plan, rewritten.transformed)),
        }
    }
}

/// Returns a condition of a filter with false in place of what is false or NULL, so that it does not
/// keep a scan from what the other conditions rule out.
fn without_unknown(condition: Expr) -> Result<Expr> {
    let is_null = |expr: &Expr| matches!(expr, Expr::Literal(ScalarValue::Boolean(None), _));
    let rewritten = condition.transform_down(|expr| {
        let is_logic = match &expr {
            Expr::BinaryExpr(binary) if binary.op == Operator::And && is_null(&binary.right) => {
                return Ok(Transformed::yes(lit(false)));
            }
            Expr::BinaryExpr(binary) => matches!(binary.op, Operator::And | Operator::Or),
            _ => false,
        };
        let next = match is_logic {
            true => TreeNodeRecursion::Continue,
            false => TreeNodeRecursion::Jump,
        };
        Ok(Transformed::new(expr, false, next))
    });
    rewritten.data()
}

fn concerns(expr: &Expr) -> bool {
    match expr {
        Expr::BinaryExpr(binary) if expressions::is_comparison(binary.op) => {
            let (left, right) = (time_of(&binary.left), time_of(&binary.right));
            left.is_some() != right.is_some()
        }
        Expr::InList(list) => list.list.iter().any(|item| time_of(item).is_some()),
        _ => false,
    }
}

/// A constant time in microseconds since 1970.
struct Time {
    micros: i64,
    is_instant: bool,
}

fn time_of(expr: &Expr) -> Option<Time> {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), zone), _) => Some(Time {
            micros: *micros,
            is_instant: zone.is_some(),
        }),
        _ => None,
    }
}

/// A date that is compared as the time at which it begins, or at which the unit begins that
/// contains it.
struct Compared<'a> {
    date: &'a Expr,
    unit: Unit,
    clock: Clock,
    is_instant: bool,
    is_nullable: bool,
}

fn compared<'a>(expr: &'a Expr, schema: &DFSchema) -> Option<Compared<'a>> {
    let (unit, date, to) = match expr {
        Expr::Cast(Cast { expr, field }) => (Unit::Day, expr.as_ref(), field.data_type()),
        Expr::ScalarFunction(call) => match zones::moved_argument(call) {
            Some((date, to)) => (Unit::Day, date, to),
            None => truncated_dates::truncated(call)?,
        },
        _ => return None,
    };
    let DataType::Timestamp(TimeUnit::Microsecond, zone) = to else {
        return None;
    };
    if date.get_type(schema).ok()? != DataType::Date32 {
        return None;
    }
    Some(Compared {
        date,
        unit,
        clock: Clock::of_type(zone.as_deref()).ok()?,
        is_instant: zone.is_some(),
        is_nullable: date.nullable(schema).ok()?,
    })
}

/// Returns the comparison of dates; `None` for other expressions.
fn with_dates(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if expressions::is_comparison(*op) => {
            let (date, op, time) = match time_of(right) {
                Some(time) => (compared(left, schema)?, *op, time),
                None => (compared(right, schema)?, op.swap()?, time_of(left)?),
            };
            let days = date.days(&time)?;
            date.beside(op, days)
        }
        Expr::InList(list) => {
            let date = compared(&list.expr, schema)?;
            date.among(&list.list, list.negated)
        }
        _ => None,
    }
}

/// Days for which a value is a time, such as those that begin at it: those from `first` on, and
/// before `after`. For all before `first`, the value is less, and from `after` on, it is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Days {
    first: i32,
    after: i32,
}

impl Days {
    /// Returns the days that begin at an instant, or at a time that a clock shows if `clock` is that
    /// of UTC; `None` if they are too far from 1970.
    fn at(clock: Clock, time: i64) -> Option<Self> {
        let (day, _) = split(clock.shown(time)?);
        let start = day - NEAR;
        // Some days of a clock that is set forward by a day begin at one instant.
        let midnights = (start..=day + NEAR)
            .map(|day| clock.instant(at(day, 0)?))
            .collect::<Option<Vec<i64>>>()?;
        if !midnights.is_sorted() {
            return None;
        }
        let before = midnights.partition_point(|midnight| *midnight < time);
        let until = midnights.partition_point(|midnight| *midnight <= time);
        // Midnights on both sides show that the day is among these.
        if before == 0 || until == midnights.len() {
            return None;
        }
        let nth = |place: usize| i32::try_from(start + i64::try_from(place).ok()?).ok();
        Some(Self {
            first: nth(before)?,
            after: nth(until)?,
        })
    }

    /// Returns the days of the units that begin on these days.
    fn of_units(self, unit: Unit, clock: Clock) -> Option<Self> {
        // The first day from `day` on that a unit begins with. The days before it are of the unit
        // before, unless the clock skips the last of them.
        let first_of_unit = |day: i32| {
            let first = unit.next_first_day(i64::from(day))?;
            let shown = clock.shown(clock.instant(at(first - 1, 0)?)?)?;
            let is_skipped = split(shown).0 != first - 1;
            match is_skipped && unit != Unit::Day {
                true => None,
                false => i32::try_from(first).ok(),
            }
        };
        Some(Self {
            first: first_of_unit(self.first)?,
            after: first_of_unit(self.after)?,
        })
    }
}

impl Compared<'_> {
    /// Returns the days for which the value is a time.
    fn days(&self, time: &Time) -> Option<Days> {
        match time.is_instant == self.is_instant {
            true => Days::at(self.clock, time.micros)?.of_units(self.unit, self.clock),
            false => None,
        }
    }

    fn compare(&self, op: Operator, day: i32) -> Expr {
        binary_expr(self.date.clone(), op, date(Some(day)))
    }

    /// Compares the date with the days for which the value is a time, as it was compared with the time.
    fn beside(&self, op: Operator, Days { first, after }: Days) -> Option<Expr> {
        use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
        Some(match op {
            _ if i64::from(first) + 1 == i64::from(after) => self.compare(op, first),
            Lt => self.compare(Lt, first),
            LtEq => self.compare(Lt, after),
            Gt => self.compare(GtEq, after),
            GtEq => self.compare(GtEq, first),
            IsDistinctFrom | IsNotDistinctFrom if first == after => lit(op == IsDistinctFrom),
            Eq | NotEq if first == after => self.always(op == NotEq),
            // The date is evaluated twice.
            Eq if self.is_column() => self.compare(GtEq, first).and(self.compare(Lt, after)),
            NotEq if self.is_column() => self.compare(Lt, first).or(self.compare(GtEq, after)),
            _ => return None,
        })
    }

    fn is_column(&self) -> bool {
        matches!(self.date, Expr::Column(_))
    }

    /// Returns `value` for every date, and NULL for NULL.
    fn always(&self, value: bool) -> Expr {
        let null = lit(ScalarValue::Boolean(None));
        match (self.is_nullable, value) {
            (false, value) => lit(value),
            (true, true) => self.date.clone().is_not_null().or(null),
            (true, false) => self.date.clone().is_null().and(null),
        }
    }

    /// Returns whether the date is one of the days for which the value is one of these times; `None`
    /// if they are not constants, or the days are many.
    fn among(&self, times: &[Expr], negated: bool) -> Option<Expr> {
        let mut days = Vec::with_capacity(times.len());
        for time in times {
            match time {
                Expr::Literal(value, _) if value.is_null() => days.push(date(None)),
                time => {
                    let Days { first, after } = self.days(&time_of(time)?)?;
                    if i64::from(after) - i64::from(first) > NEAR {
                        return None;
                    }
                    days.extend((first..after).map(|day| date(Some(day))));
                }
            }
        }
        if days.is_empty() {
            return Some(self.always(negated));
        }
        let of = Box::new(self.date.clone());
        Some(Expr::InList(InList::new(of, days, negated)))
    }
}

fn date(day: Option<i32>) -> Expr {
    lit(ScalarValue::Date32(day))
}

#[cfg(test)]
mod tests;
