//! `lag`, `lead` and `nth_value` whose offset or default is an expression: each row has its own.
//!
//! ```text
//! lag(x, n, d) OVER w     the value n rows before, else d of the current row; n must not be NULL
//!                         or negative, except in PostgreSQL's dialect
//! nth_value(x, n)         the value in row n of the frame; NULL if n is NULL
//! … IGNORE NULLS          only rows whose value is not NULL are counted
//! ```

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, new_null_array};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::PartitionEvaluator;
use datafusion::logical_expr::function::PartitionEvaluatorArgs;
use lakegate_error::{Code, Error};

use super::{Function, least_offset, no_integer};
use crate::arrays::types::conformed;
use crate::work::Work;

/// Returns the evaluator of one partition.
///
/// # Errors
///
/// The offset is not an integer, or the default of integers is none in PostgreSQL's dialect.
pub(super) fn evaluator(
    function: Function,
    turns: bool,
    args: &PartitionEvaluatorArgs<'_>,
) -> Result<Box<dyn PartitionEvaluator>> {
    let type_of = |index: usize| {
        args.input_fields()
            .get(index)
            .map(|field| field.data_type())
    };
    let is_offset = |of: &&DataType| of.is_integer() || of.is_null();
    if let Some(wrong) = type_of(1).filter(|of| !is_offset(of)) {
        let name = function.name();
        return Err(Error::new(
            Code::TypeMismatch,
            format!("the offset of {name} must be an integer, not {wrong}"),
        )
        .into());
    }
    let ignores_nulls = args.ignore_nulls();
    Ok(match function {
        Function::NthValue => Box::new(Nth {
            from_the_end: args.is_reversed(),
            ignores_nulls,
            row: 0,
            offsets: None,
        }),
        Function::Lag | Function::Lead => {
            // `lag(NULL, n, d)` has the type of the default.
            let own = type_of(0).filter(|own| !own.is_null());
            let returns = own.or_else(|| type_of(2)).unwrap_or(&DataType::Null);
            let loses_digits =
                |of: &&DataType| returns.is_integer() && of.is_numeric() && !of.is_integer();
            if turns && let Some(wrong) = type_of(2).filter(loses_digits) {
                return Err(no_integer(function, wrong));
            }
            Box::new(Shift {
                function,
                turns,
                back: (function == Function::Lag) != args.is_reversed(),
                ignores_nulls,
                returns: returns.clone(),
            })
        }
    })
}

fn argument(values: &[ArrayRef], index: usize) -> Result<&ArrayRef> {
    let value = values.get(index);
    value.ok_or_else(|| Error::internal("a window function lacks an argument").into())
}

fn integers(offsets: &ArrayRef) -> Result<Int64Array> {
    Ok(cast(offsets, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

/// Returns the offset of a row; `None` if it is NULL.
///
/// # Errors
///
/// The offset is too small, or is NULL where it must not be.
fn offset(function: Function, offsets: &Int64Array, row: usize) -> Result<Option<usize>> {
    if offsets.is_null(row) {
        return match function {
            Function::NthValue => Ok(None),
            Function::Lag | Function::Lead => {
                let name = function.name();
                Err(Error::invalid(format!("the offset of {name} must not be NULL")).into())
            }
        };
    }
    let offset = offsets.value(row);
    match usize::try_from(offset) {
        Ok(rows) if offset >= function.least() => Ok(Some(rows)),
        _ => Err(least_offset(function, offset)),
    }
}

/// Returns the offset of a row, and whether it counts the other way; `None` if it is NULL.
fn turned_offset(offsets: &Int64Array, row: usize) -> Option<(usize, bool)> {
    let offset = offsets.is_valid(row).then(|| offsets.value(row))?;
    let rows = usize::try_from(offset.unsigned_abs()).ok()?;
    Some((rows, offset < 0))
}

/// The rows of a partition that offsets count.
#[derive(Debug)]
enum Rows {
    All,
    /// Those of values that are not NULL, in order.
    Listed(Vec<usize>),
}

impl Rows {
    fn of(values: &ArrayRef, ignores_nulls: bool) -> Self {
        match values.logical_nulls() {
            Some(nulls) if ignores_nulls => Self::Listed(nulls.valid_indices().collect()),
            _ => Self::All,
        }
    }

    /// Returns the row that is `offset` counted rows before `row`.
    fn before(&self, row: usize, offset: usize) -> Option<usize> {
        match self {
            Self::All => row.checked_sub(offset),
            Self::Listed(rows) => {
                let until = rows.partition_point(|counted| *counted < row);
                rows.get(until.checked_sub(offset)?).copied()
            }
        }
    }

    /// Returns the row that is `offset` counted rows after `row`, if it is less than `end`.
    fn after(&self, row: usize, offset: usize, end: usize) -> Option<usize> {
        let found = match self {
            Self::All => row.checked_add(offset),
            Self::Listed(rows) => {
                let until = rows.partition_point(|counted| *counted <= row);
                let place = until.checked_add(offset)?.checked_sub(1)?;
                rows.get(place).copied()
            }
        };
        found.filter(|found| *found < end)
    }

    /// Returns the counted row number `n` of a frame, from 1.
    fn nth(&self, n: usize, frame: &Range<usize>, from_the_end: bool) -> Option<usize> {
        let found = match (self, from_the_end) {
            (Self::All, false) => frame.start.checked_add(n)?.checked_sub(1),
            (Self::All, true) => frame.end.checked_sub(n),
            (Self::Listed(rows), false) => {
                let first = rows.partition_point(|counted| *counted < frame.start);
                let place = first.checked_add(n)?.checked_sub(1)?;
                rows.get(place).copied()
            }
            (Self::Listed(rows), true) => {
                let until = rows.partition_point(|counted| *counted < frame.end);
                rows.get(until.checked_sub(n)?).copied()
            }
        };
        found.filter(|found| frame.contains(found))
    }
}

/// `lag` or `lead`.
#[derive(Debug)]
struct Shift {
    function: Function,
    /// Whether an offset may be NULL, or negative: then it counts the other way.
    turns: bool,
    /// Whether rows are counted towards the first one.
    back: bool,
    ignores_nulls: bool,
    returns: DataType,
}

impl PartitionEvaluator for Shift {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let null = new_null_array(&self.returns, 1);
        if self.returns.is_null() {
            return Ok(new_null_array(&self.returns, num_rows));
        }
        let value = conformed(argument(values, 0)?, &self.returns)?;
        let offsets = integers(argument(values, 1)?)?;
        let default = values.get(2);
        let default = default
            .map(|default| conformed(default, &self.returns))
            .transpose()?;
        let rows = Rows::of(&value, self.ignores_nulls);
        let work = Work::new(self.function.name(), false);
        let mut places = Vec::with_capacity(num_rows);
        for row in 0..num_rows {
            work.step()?;
            let counted = match self.turns {
                true => turned_offset(&offsets, row),
                false => offset(self.function, &offsets, row)?.map(|offset| (offset, false)),
            };
            places.push(match counted {
                None => (2, 0),
                Some((0, _)) => (0, row),
                Some((offset, turned)) => {
                    let found = match self.back != turned {
                        true => rows.before(row, offset),
                        false => rows.after(row, offset, num_rows),
                    };
                    match (found, &default) {
                        (Some(found), _) => (0, found),
                        (None, Some(_)) => (1, row),
                        (None, None) => (2, 0),
                    }
                }
            });
        }
        let default = default.as_ref().unwrap_or(&null);
        let arrays = [value.as_ref(), default.as_ref(), null.as_ref()];
        Ok(interleave(&arrays, &places)?)
    }
}

/// `nth_value`. The engine calls it for each row in order, with all rows of the partition.
#[derive(Debug)]
struct Nth {
    from_the_end: bool,
    ignores_nulls: bool,
    row: usize,
    offsets: Option<(Int64Array, Rows)>,
}

impl PartitionEvaluator for Nth {
    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let value = argument(values, 0)?;
        if self.offsets.is_none() {
            let offsets = integers(argument(values, 1)?)?;
            self.offsets = Some((offsets, Rows::of(value, self.ignores_nulls)));
        }
        let row = self.row;
        self.row += 1;
        let found = match &self.offsets {
            Some((offsets, rows)) if !range.is_empty() && row < offsets.len() => {
                let n = offset(Function::NthValue, offsets, row)?;
                n.and_then(|n| rows.nth(n, range, self.from_the_end))
            }
            _ => None,
        };
        match found {
            Some(found) => ScalarValue::try_from_array(value, found),
            None => ScalarValue::try_from(value.data_type()),
        }
    }

    fn uses_window_frame(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows};

    const OVER: &str = "OVER (ORDER BY i) FROM (VALUES (1, 'a', 1, 'u'), (2, NULL, 1, 'v'), (3, 'c', 2, 'w'), (4, 'd', 1, 'x'), (5, NULL, 0, 'y')) t(i, x, n, d)";

    // Expected values: Trino 476.
    #[tokio::test]
    async fn each_row_has_its_offset() {
        for (call, expected) in [
            ("lag(x, n)", ["NULL", "a", "a", "c", "NULL"]),
            ("lag(x, n, d)", ["u", "a", "a", "c", "NULL"]),
            ("lag(x, 1, d)", ["u", "a", "NULL", "c", "d"]),
            ("lead(x, n, d)", ["NULL", "c", "NULL", "NULL", "NULL"]),
            ("lag(x, n) IGNORE NULLS", ["NULL", "a", "NULL", "c", "NULL"]),
            ("lead(x, n, d) IGNORE NULLS", ["c", "c", "w", "x", "NULL"]),
            ("lag(x, n + i)", ["NULL", "NULL", "NULL", "NULL", "NULL"]),
        ] {
            let query = format!("SELECT {call} {OVER}");
            assert_eq!(rows(&query).await.unwrap(), expected, "{call}");
        }
        for (offset, expected) in [
            ("-1", "must be at least 0, not -1"),
            ("NULL", "must not be NULL"),
        ] {
            let over = OVER.replace("2, 'w'", &format!("{offset}, 'w'"));
            for call in ["lag(x, n)", "lead(x, n)"] {
                let found = error(&format!("{call} {over}")).await;
                assert!(found.contains(expected), "{found}");
            }
        }
    }

    #[tokio::test]
    async fn frames_have_an_nth_value_for_each_row() {
        for (frame, expected) in [
            ("ROWS UNBOUNDED PRECEDING", ["1", "1", "2"]),
            (
                "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
                ["1", "2", "NULL"],
            ),
        ] {
            let query = format!(
                "SELECT nth_value(i, n) OVER (ORDER BY i {frame}) FROM (VALUES (1, 1), (2, 1), (3, 2)) t(i, n)"
            );
            assert_eq!(rows(&query).await.unwrap(), expected, "{frame}");
        }
        let query = "SELECT nth_value(x, n) IGNORE NULLS OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM (VALUES (1, NULL, 1), (2, 'b', 2), (3, 'c', NULL)) t(i, x, n)";
        assert_eq!(rows(query).await.unwrap(), ["b", "c", "NULL"]);
        let zero = "nth_value(i, n) OVER (ORDER BY i) FROM (VALUES (1, 0)) t(i, n)";
        assert!(error(zero).await.contains("must be at least 1, not 0"));
    }

    #[tokio::test]
    async fn orders_may_be_reversed() {
        let query = "SELECT lag(i, n) OVER (ORDER BY i DESC) * 10 + lead(i, n) OVER (ORDER BY i) FROM (VALUES (1, 1), (2, 1), (3, 0)) t(i, n) ORDER BY 1";
        assert_eq!(rows(query).await.unwrap(), ["22", "33", "33"]);
    }
}
