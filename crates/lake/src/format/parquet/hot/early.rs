//! Conditions of a scan whose rows an operator above tests, tested on kept columns before: rows that
//! fail are not made of them.
//!
//! ```text
//!  FilterExec: o_orderdate >= '1994-01-01' AND o_comment LIKE '%x%'      few rows are left to test
//!    scan: o_orderdate, o_comment, o_totalprice    o_orderdate is tested on all rows, the others are made of these
//! ```
//!
//! What is left out fails in any case, and what is not tested here is tested above: a condition that is not
//! worth it, or that fails, is left to the operator. Nothing is read less for this, and the query is charged
//! for all columns.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::BooleanBufferBuilder;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::PhysicalExpr;

use super::super::row_filters::is_plain;
use super::column::KeptColumn;
use super::condition::Condition;
use super::filter::BATCHES;
use crate::key_set::{KeyLookup, without_bounds};

/// Rows after which it is seen whether a condition leaves enough of them out.
pub(super) const TRIED: usize = 1 << 15;

/// The share of rows that it leaves out at least, as a divisor.
const WORTH: usize = 4;

/// Conditions of a scan.
pub(super) struct EarlyFilter {
    /// Of the columns that are read.
    schema: SchemaRef,
    /// Those that stay as they are.
    fixed: Vec<Condition>,
    /// Those that joins and sorts fill while the file is read. They leave out more and more rows.
    changing: Vec<Arc<dyn PhysicalExpr>>,
}

impl EarlyFilter {
    /// `predicate`: of columns of the file, which has `file` as its schema. `roots`: the columns that are
    /// read, in ascending order. `None`: no part of it is tested.
    ///
    /// # Errors
    /// The file has fewer columns.
    pub(super) fn of(
        predicate: &Arc<dyn PhysicalExpr>,
        file: &Schema,
        roots: &[usize],
    ) -> Result<Option<Self>> {
        let schema = Arc::new(file.project(roots)?);
        let (mut fixed, mut changing) = (Vec::new(), Vec::new());
        for part in split_conjunction(predicate) {
            let columns = collect_columns(part);
            let are_read = columns
                .iter()
                .all(|column| roots.binary_search(&column.index()).is_ok());
            if columns.is_empty() || !are_read {
                continue;
            }
            let part = reassign_expr_columns(Arc::clone(part), &schema)?;
            if part.is::<DynamicFilterPhysicalExpr>() {
                changing.push(part);
            } else {
                fixed.extend(tested(&part, &schema));
            }
        }
        let is_empty = fixed.is_empty() && changing.is_empty();
        Ok((!is_empty).then_some(Self {
            schema,
            fixed,
            changing,
        }))
    }

    /// The conditions as they are now, in the order in which they are tested.
    fn now(&self) -> Vec<Condition> {
        let parts = self.fixed.iter().cloned().chain(self.changed());
        Condition::all(parts).into_parts()
    }

    /// What the conditions that joins and sorts fill are now.
    fn changed(&self) -> Vec<Condition> {
        let mut parts = Vec::new();
        for filter in &self.changing {
            if let Some(lookup) = without_bounds(filter) {
                parts.extend(tested(&lookup, &self.schema));
                continue;
            }
            let current = filter.downcast_ref::<DynamicFilterPhysicalExpr>();
            let current = current.and_then(|filter| filter.current().ok());
            for part in current.iter().flat_map(split_conjunction) {
                parts.extend(tested(part, &self.schema));
            }
        }
        parts
    }

    /// The conditions as they are tested on columns that are being decoded. `None`: there are none.
    pub(super) fn while_decoded(&self) -> Option<WhileDecoded> {
        let mut changed = self.changed();
        changed.retain(|condition| !condition.is_by_kinds());
        let changes = !changed.is_empty();
        let fixed = self.fixed.iter();
        let fixed = fixed.filter(|condition| !condition.is_by_kinds()).cloned();
        let conditions = Condition::all(fixed.chain(changed)).into_parts();
        let mut places = BTreeSet::new();
        for condition in &conditions {
            condition.add_places(&mut places);
        }
        (!conditions.is_empty()).then(|| WhileDecoded {
            conditions: conditions.into_iter().map(Tried::new).collect(),
            places: places.into_iter().collect(),
            changes,
        })
    }

    /// Of these rows of a row group, those that may pass. `kept`: all columns that are read, with as many
    /// rows.
    pub(super) async fn passing(
        &self,
        kept: &[Arc<KeptColumn>],
        rows: &BooleanBuffer,
        batch_size: usize,
    ) -> BooleanBuffer {
        let mut conditions: Vec<Tried> = self.now().into_iter().map(Tried::new).collect();
        let mut passing = BooleanBufferBuilder::new(rows.len());
        let mut batches = 0;
        while passing.len() < rows.len() {
            let at = passing.len();
            let count = batch_size.max(1).min(rows.len() - at);
            let left = rows.slice(at, count);
            passing.append_buffer(&those_that_pass(&mut conditions, kept, at, left));
            batches += 1;
            if batches % BATCHES == 0 {
                tokio::task::yield_now().await;
            }
        }
        passing.finish()
    }
}

/// Conditions that are tested on columns which are being decoded.
pub(super) struct WhileDecoded {
    conditions: Vec<Tried>,
    /// The columns that they read, by their places among all that are read, in ascending order.
    places: Vec<usize>,
    /// Whether a join or a sort filled one of them: the operator above may not test it.
    changes: bool,
}

impl WhileDecoded {
    /// The columns that the conditions read, by their places among all that are read, in ascending
    /// order.
    pub(super) fn places(&self) -> &[usize] {
        &self.places
    }

    /// Whether rows are left out that would otherwise be passed on by the operator above.
    pub(super) fn changes(&self) -> bool {
        self.changes
    }

    /// Of so many rows, those that may pass. `columns`: all that are read, of which those that the
    /// conditions read have these rows.
    pub(super) fn passing(&mut self, columns: &[Arc<KeptColumn>], rows: usize) -> BooleanBuffer {
        let all = BooleanBuffer::new_set(rows);
        those_that_pass(&mut self.conditions, columns, 0, all)
    }
}

/// Of the rows from `from` on that are among these, those that may pass all conditions.
fn those_that_pass(
    conditions: &mut [Tried],
    kept: &[Arc<KeptColumn>],
    from: usize,
    among: BooleanBuffer,
) -> BooleanBuffer {
    let mut left = among;
    for condition in conditions {
        if !left.has_true() {
            break;
        }
        left = condition.passing(kept, from, left);
    }
    left
}

/// A condition, and how many rows it was true for.
struct Tried {
    condition: Condition,
    tested: usize,
    passed: usize,
    is_given_up: bool,
}

impl Tried {
    fn new(condition: Condition) -> Self {
        Self {
            condition,
            tested: 0,
            passed: 0,
            is_given_up: false,
        }
    }

    /// Of the rows from `from` on that are among these, those that may pass.
    fn passing(
        &mut self,
        kept: &[Arc<KeptColumn>],
        from: usize,
        among: BooleanBuffer,
    ) -> BooleanBuffer {
        if self.is_given_up {
            return among;
        }
        // The operator above evaluates it as well, and reports what fails for the rows that are left.
        let Ok(passing) = self.condition.passing(kept, from, &among) else {
            self.is_given_up = true;
            return among;
        };
        if !self.condition.is_cheap() {
            self.tested += among.count_set_bits();
            self.passed += passing.count_set_bits();
            self.is_given_up =
                self.tested >= TRIED && self.passed > self.tested - self.tested / WORTH;
        }
        passing
    }
}

/// A condition of columns of the schema, in the form in which it is tested. `None`: it is left to the
/// operator above.
fn tested(condition: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Condition> {
    let may_be = !collect_columns(condition).is_empty() && costs_little(condition);
    may_be.then(|| Condition::of(condition, schema).ok())?
}

/// Whether a condition costs little for each row, or can be decided by kinds of values.
fn costs_little(condition: &Arc<dyn PhysicalExpr>) -> bool {
    let mut open = vec![condition];
    while let Some(part) = open.pop() {
        if let Some(binary) = part.downcast_ref::<BinaryExpr>()
            && matches!(binary.op(), Operator::And | Operator::Or)
        {
            open.extend([binary.left(), binary.right()]);
            continue;
        }
        if let Some(not) = part.downcast_ref::<NotExpr>() {
            open.push(not.arg());
            continue;
        }
        let costs_little = if let Some(like) = part.downcast_ref::<LikeExpr>() {
            like.expr().is::<Column>() && like.pattern().is::<Literal>()
        } else if part.is::<KeyLookup>() {
            part.children().into_iter().all(|key| key.is::<Column>())
        } else {
            is_plain(part)
        };
        if !costs_little {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, Int64Array, StringViewArray};
    use arrow::datatypes::{DataType, Field};
    use datafusion::physical_expr::conjunction;
    use datafusion::physical_expr::expressions::{binary, lit};

    use super::super::narrow::Chunk;
    use super::*;

    const ROWS: i64 = 100_000;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("other", DataType::Boolean, true),
            Field::new("n", DataType::Int64, true),
            Field::new("s", DataType::Utf8View, true),
        ])
    }

    /// `n` is the number of the row, `s` has three kinds.
    fn kept() -> Vec<Arc<KeptColumn>> {
        let numbers = (0..ROWS).step_by(8192).map(|from| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(from..(from + 8192).min(ROWS)))
        });
        let kinds = (0..ROWS).step_by(8192).map(|from| -> ArrayRef {
            let kinds = (from..(from + 8192).min(ROWS)).map(|n| ["a", "b", "c"][n as usize % 3]);
            Arc::new(StringViewArray::from_iter_values(kinds))
        });
        let column = |chunks: Vec<ArrayRef>| {
            let chunks = chunks.iter().map(|chunk| Chunk::of(chunk).unwrap());
            Arc::new(KeptColumn::new(chunks.collect()))
        };
        vec![column(numbers.collect()), column(kinds.collect())]
    }

    fn n() -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new("n", 1))
    }

    fn compared(
        column: Arc<dyn PhysicalExpr>,
        operator: Operator,
        n: i64,
    ) -> Arc<dyn PhysicalExpr> {
        binary(column, operator, lit(n), &schema()).unwrap()
    }

    async fn count(predicate: &Arc<dyn PhysicalExpr>, rows: &BooleanBuffer) -> usize {
        let filter = EarlyFilter::of(predicate, &schema(), &[1, 2]).unwrap();
        let passing = filter.unwrap().passing(&kept(), rows, 8192).await;
        assert_eq!(passing.len(), rows.len());
        passing.count_set_bits()
    }

    #[tokio::test]
    async fn rows_that_fail_are_left_out() {
        let all = BooleanBuffer::new_set(ROWS as usize);
        let s: Arc<dyn PhysicalExpr> = Arc::new(Column::new("s", 2));
        let is_b = binary(s, Operator::Eq, lit(kind("b")), &schema()).unwrap();
        let both = conjunction([compared(n(), Operator::Lt, 30), Arc::clone(&is_b)]);
        assert_eq!(count(&both, &all).await, 10);
        let some = BooleanBuffer::collect_bool(ROWS as usize, |row| row < 6);
        assert_eq!(count(&both, &some).await, 2);
        // What is about other columns, or about none, is left to others.
        let other: Arc<dyn PhysicalExpr> = Arc::new(Column::new("other", 0));
        let more = conjunction([other, lit(false), Arc::clone(&both)]);
        assert_eq!(count(&more, &all).await, 10);
        assert!(
            EarlyFilter::of(&lit(true), &schema(), &[1])
                .unwrap()
                .is_none()
        );
    }

    fn kind(text: &str) -> datafusion::common::ScalarValue {
        datafusion::common::ScalarValue::Utf8View(Some(text.to_owned()))
    }

    #[tokio::test]
    async fn condition_that_most_rows_pass_is_given_up() {
        let all = BooleanBuffer::new_set(ROWS as usize);
        // Of two columns, so that it is more than a comparison.
        let or = |one, other| binary(one, Operator::Or, other, &schema()).unwrap();
        let s: Arc<dyn PhysicalExpr> = Arc::new(Column::new("s", 2));
        let is_d = binary(s, Operator::Eq, lit(kind("d")), &schema()).unwrap();
        let late = or(compared(n(), Operator::Lt, 60_000), is_d);
        let passed = count(&late, &all).await;
        assert_eq!(passed, ROWS as usize);
        // A comparison costs next to nothing.
        let early = compared(n(), Operator::Lt, 60_000);
        assert_eq!(count(&early, &all).await, 60_000);
    }

    #[tokio::test]
    async fn filters_that_change_are_tested_as_they_are() {
        let all = BooleanBuffer::new_set(ROWS as usize);
        let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![n()], lit(true)));
        let predicate: Arc<dyn PhysicalExpr> = Arc::<DynamicFilterPhysicalExpr>::clone(&filter);
        assert_eq!(count(&predicate, &all).await, ROWS as usize);
        let bounds = [
            compared(n(), Operator::GtEq, 50),
            compared(n(), Operator::LtEq, 59),
        ];
        filter.update(conjunction(bounds)).unwrap();
        assert_eq!(count(&predicate, &all).await, 10);
    }
}
