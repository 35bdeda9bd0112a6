//! Conditions of scans in the form in which they are tested on kept columns.
//!
//! ```text
//!  shipdate >= '1994-01-01' AND shipdate < '1995-01-01'    numbers between two, as distances from the least
//!  shipmode IN ('MAIL', 'SHIP')                            a flag for each distinct text, looked up by row
//!  receiptdate > commitdate                                evaluated on rows that are made of the columns
//! ```
//!
//! Only rows for which a condition is true pass, and AND and OR are true by what is true below them:
//! so each part is tested where it is fastest, and NULL never becomes a value.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, LikeExpr,
};
use datafusion::physical_expr::utils::{collect_columns, reassign_expr_columns};
use datafusion::physical_plan::PhysicalExpr;

use super::between::Between;
use super::column::{KeptColumn, batch, chosen_batch};
use super::narrow::Chunk;

/// The share of a batch's rows that is few, as a divisor: these are copied before they are tested.
const FEW: usize = 8;

/// How deep AND and OR are looked into.
const DEEPEST: usize = 32;

/// A condition of kept columns.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    OfColumn(OfColumn),
    OfRows(OfRows),
}

impl Condition {
    /// `condition`: of columns of the schema, at least one.
    ///
    /// # Errors
    /// It reads other columns, or fails for NULL.
    pub(super) fn of(condition: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Self> {
        Self::within(condition, schema, DEEPEST)
    }

    fn within(condition: &Arc<dyn PhysicalExpr>, schema: &Schema, deepest: usize) -> Result<Self> {
        let places = places(condition);
        let changes = condition.exists(|part| Ok(part.is::<DynamicFilterPhysicalExpr>()))?;
        if let ([place], false) = (places.as_slice(), changes) {
            return OfColumn::new(condition, schema, *place).map(Self::OfColumn);
        }
        let joined = condition.downcast_ref::<BinaryExpr>();
        let joined = joined.filter(|joined| {
            let sides = [joined.left(), joined.right()];
            deepest > 0
                && sides
                    .into_iter()
                    .all(|side| !collect_columns(side).is_empty())
        });
        if let Some(joined) = joined {
            let sides = || -> Result<[Self; 2]> {
                let left = Self::within(joined.left(), schema, deepest - 1)?;
                let right = Self::within(joined.right(), schema, deepest - 1)?;
                Ok([left, right])
            };
            match joined.op() {
                Operator::And => return Ok(Self::all(sides()?)),
                Operator::Or => {
                    let parts = sides()?.into_iter().flat_map(|side| match side {
                        Self::Any(parts) => parts,
                        other => vec![other],
                    });
                    return Ok(Self::Any(parts.collect()));
                }
                _ => {}
            }
        }
        let schema = Arc::new(schema.project(&places)?);
        Ok(Self::OfRows(OfRows {
            condition: reassign_expr_columns(Arc::clone(condition), &schema)?,
            schema,
            places,
        }))
    }

    /// A condition that is true where all of these are: the cheap ones are tested first, and those that
    /// are about numbers of one column at once.
    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all: Vec<Self> = Vec::new();
        let parts = parts.into_iter().flat_map(|part| match part {
            Self::All(parts) => parts,
            other => vec![other],
        });
        for part in parts {
            let is_merged = match &part {
                Self::OfColumn(part) => all.iter_mut().any(|known| match known {
                    Self::OfColumn(known) => known.merge(part),
                    _ => false,
                }),
                _ => false,
            };
            if !is_merged {
                all.push(part);
            }
        }
        all.sort_by_key(Self::cost);
        Self::All(all)
    }

    /// The conditions that are all true where this one is.
    pub(super) fn into_parts(self) -> Vec<Self> {
        match self {
            Self::All(parts) => parts,
            other => vec![other],
        }
    }

    /// Whether it, or a part of it, is tested by kinds of values only: never on values that are decoded.
    pub(super) fn is_by_kinds(&self) -> bool {
        match self {
            Self::OfColumn(part) => part.is_costly,
            Self::OfRows(_) => false,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::is_by_kinds),
        }
    }

    /// Adds the places of the columns that it reads.
    pub(super) fn add_places(&self, places: &mut BTreeSet<usize>) {
        match self {
            Self::OfColumn(part) => {
                places.insert(part.place);
            }
            Self::OfRows(part) => places.extend(&part.places),
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().for_each(|part| part.add_places(places));
            }
        }
    }

    /// Whether it takes next to no time beside making a row.
    pub(super) fn is_cheap(&self) -> bool {
        self.cost() == 0
    }

    /// A number that is greater for conditions that take more time for a row.
    fn cost(&self) -> usize {
        match self {
            Self::OfColumn(part) if part.is_between => 0,
            Self::OfColumn(_) => 1,
            Self::OfRows(_) => 3,
            Self::All(parts) | Self::Any(parts) => parts
                .iter()
                .map(Self::cost)
                .max()
                .map_or(0, |most| most.max(2)),
        }
    }

    /// Of the rows from `from` on, those that are among these and for which the condition is true.
    /// `kept`: the columns of the schema. Of a condition that is worth testing by kinds of values only,
    /// rows may be among them for which it is not.
    ///
    /// # Errors
    /// Those of the condition. A column has fewer rows.
    pub(super) fn passing(
        &self,
        kept: &[Arc<KeptColumn>],
        from: usize,
        among: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        match self {
            Self::All(parts) => {
                let mut passing = among.clone();
                for part in parts {
                    if !passing.has_true() {
                        break;
                    }
                    passing = part.passing(kept, from, &passing)?;
                }
                Ok(passing)
            }
            Self::Any(parts) => {
                let mut passing = BooleanBuffer::new_unset(among.len());
                for part in parts {
                    let left = among & &!&passing;
                    if !left.has_true() {
                        break;
                    }
                    passing |= &part.passing(kept, from, &left)?;
                }
                Ok(passing)
            }
            Self::OfColumn(part) => part.passing(kept, from, among),
            Self::OfRows(part) => part.passing(kept, from, among),
        }
    }
}

/// A condition of one column.
#[derive(Debug, Clone)]
pub(super) struct OfColumn {
    place: usize,
    condition: Arc<dyn PhysicalExpr>,
    /// Of the column.
    schema: SchemaRef,
    /// Whether it is true for NULL.
    of_null: bool,
    /// The numbers for which it may be true.
    between: Option<Between>,
    /// Whether it is true for all of these.
    is_between: bool,
    /// Whether it is tested by kinds of values only: an operator tests the rows that are left again.
    is_costly: bool,
}

impl OfColumn {
    fn new(condition: &Arc<dyn PhysicalExpr>, schema: &Schema, place: usize) -> Result<Self> {
        let one = schema.project(&[place])?;
        let fields = one.fields().iter();
        // Kinds of values are evaluated beside NULL.
        let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let data_type = schema.field(0).data_type();
        let condition = reassign_expr_columns(Arc::clone(condition), &schema)?;
        let null = RecordBatch::try_new(Arc::clone(&schema), vec![new_null_array(data_type, 1)])?;
        let between = Between::of(&condition, data_type);
        let is_costly = condition.exists(|part| Ok(part.is::<LikeExpr>()))?;
        Ok(Self {
            place,
            of_null: is_true(&condition, &null)?.has_true(),
            is_between: between.is_some_and(|(_, is_all)| is_all),
            between: between.map(|(between, _)| between),
            is_costly,
            condition,
            schema,
        })
    }

    /// Takes the condition of the same column in, if both are about numbers between two. Returns whether
    /// it did.
    fn merge(&mut self, other: &Self) -> bool {
        let are_between = self.is_between && other.is_between && self.place == other.place;
        let both = self.between.zip(other.between);
        let both = both.and_then(|(one, other)| one.and(&other));
        let Some(both) = both.filter(|_| are_between) else {
            return false;
        };
        let conditions = (Arc::clone(&self.condition), Arc::clone(&other.condition));
        self.condition = Arc::new(BinaryExpr::new(conditions.0, Operator::And, conditions.1));
        self.between = Some(both);
        true
    }

    fn passing(
        &self,
        kept: &[Arc<KeptColumn>],
        from: usize,
        among: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let column = kept.get(self.place).ok_or_else(|| not_there(self.place))?;
        let mut passing = BooleanBufferBuilder::new(among.len());
        for piece in column.pieces(from, among.len())? {
            let of_piece = among.slice(passing.len(), piece.count);
            if of_piece.has_true() {
                passing.append_buffer(&self.of_chunk(piece.chunk, piece.from, &of_piece)?);
            } else {
                passing.append_n(piece.count, false);
            }
        }
        Ok(passing.finish())
    }

    fn of_chunk(&self, chunk: &Chunk, from: usize, among: &BooleanBuffer) -> Result<BooleanBuffer> {
        let count = among.len();
        if let (Chunk::Numbers(numbers), Some(between)) = (chunk, &self.between) {
            if self.is_between {
                return Ok(among & &numbers.among(between, from, count)?);
            }
            if !numbers.may_be(between) {
                return Ok(BooleanBuffer::new_unset(count));
            }
        }
        if let Some(kinds) = chunk.kinds(count) {
            let of_kinds = self.is_true(kinds?)?;
            let flags = chunk.flags(from, count, &of_kinds, self.of_null)?;
            return Ok(among & &flags);
        }
        if self.is_costly {
            return Ok(among.clone());
        }
        if are_few(among) {
            let few = chunk.chosen(from, &BooleanArray::new(among.clone(), None))?;
            return Ok(those_of(among, &self.is_true(few)?));
        }
        Ok(among & &self.is_true(chunk.rows(from, count)?)?)
    }

    /// A flag for each value.
    fn is_true(&self, values: ArrayRef) -> Result<BooleanBuffer> {
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), vec![values])?;
        is_true(&self.condition, &batch)
    }
}

/// A condition that is evaluated on rows.
#[derive(Debug, Clone)]
pub(super) struct OfRows {
    condition: Arc<dyn PhysicalExpr>,
    /// Of its columns.
    schema: SchemaRef,
    places: Vec<usize>,
}

impl OfRows {
    fn passing(
        &self,
        kept: &[Arc<KeptColumn>],
        from: usize,
        among: &BooleanBuffer,
    ) -> Result<BooleanBuffer> {
        let kept = self.places.iter().filter_map(|place| kept.get(*place));
        if are_few(among) {
            let few = BooleanArray::new(among.clone(), None);
            let few = chosen_batch(kept, &self.schema, from, &few)?;
            return Ok(those_of(among, &is_true(&self.condition, &few)?));
        }
        let batch = batch(kept, &self.schema, from, among.len())?;
        Ok(among & &is_true(&self.condition, &batch)?)
    }
}

/// The places of the columns that a condition reads, in ascending order.
fn places(condition: &Arc<dyn PhysicalExpr>) -> Vec<usize> {
    let columns = collect_columns(condition);
    let places: BTreeSet<usize> = columns.iter().map(Column::index).collect();
    places.into_iter().collect()
}

fn not_there(place: usize) -> DataFusionError {
    DataFusionError::Internal(format!(
        "a condition reads column {place}, which is not kept"
    ))
}

/// A flag for each row of a batch: whether a condition is true.
///
/// # Errors
/// Those of the condition.
pub(super) fn is_true(
    condition: &Arc<dyn PhysicalExpr>,
    batch: &RecordBatch,
) -> Result<BooleanBuffer> {
    let result = condition.evaluate(batch)?;
    let result = result.into_array(batch.num_rows())?;
    let result = as_boolean_array(&result)?;
    Ok(match result.null_count() {
        0 => result.values().clone(),
        _ => prep_null_mask_filter(result).values().clone(),
    })
}

/// Whether so few rows of a batch are left that a condition is evaluated on a copy of these.
pub(super) fn are_few(rows: &BooleanBuffer) -> bool {
    rows.count_set_bits() <= rows.len() / FEW
}

/// Of the rows that are set, those whose flag is set; there is a flag for each of them, in order.
pub(super) fn those_of(set: &BooleanBuffer, flags: &BooleanBuffer) -> BooleanBuffer {
    let mut those = BooleanBufferBuilder::new(set.len());
    those.append_n(set.len(), false);
    for (row, flag) in set.set_indices().zip(flags.iter()) {
        if flag {
            those.set_bit(row, true);
        }
    }
    those.finish()
}

#[cfg(test)]
mod tests;
