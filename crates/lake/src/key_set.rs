//! Sets of whole numbers and dates, in which a scan looks up the keys of its rows.
//!
//! A set has a bit for each value between its least and its greatest key:
//!
//! ```text
//! keys 3, 5, 64 of BIGINT     bounds 3 and 64
//!                             first bit: of 0
//!                             words: 0b101000, 0b1
//! ```
//!
//! So a key is found with one shift and one read, without a hash. Keys that are far apart take much
//! memory for little: the caller limits the number of bits of a set.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::buffer::{BooleanBuffer, Buffer};
use arrow::compute::{max, min};
use arrow::datatypes::{
    ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Schema, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_plan::PhysicalExpr;

/// Evaluates `$then` where `$type` is the Arrow type of a data type; `$other` for a data type that no
/// set has.
macro_rules! typed {
    (@ $type:ident, $arrow:ty, $then:expr) => {{
        type $type = $arrow;
        $then
    }};
    ($data_type:expr, $type:ident => $then:expr, $other:expr) => {
        match $data_type {
            DataType::Int8 => typed!(@ $type, Int8Type, $then),
            DataType::Int16 => typed!(@ $type, Int16Type, $then),
            DataType::Int32 => typed!(@ $type, Int32Type, $then),
            DataType::Int64 => typed!(@ $type, Int64Type, $then),
            DataType::UInt8 => typed!(@ $type, UInt8Type, $then),
            DataType::UInt16 => typed!(@ $type, UInt16Type, $then),
            DataType::UInt32 => typed!(@ $type, UInt32Type, $then),
            DataType::UInt64 => typed!(@ $type, UInt64Type, $then),
            DataType::Date32 => typed!(@ $type, Date32Type, $then),
            _ => $other,
        }
    };
}

/// A set of keys of one type, whose memory is taken from a pool.
pub struct KeySet {
    data_type: DataType,
    /// The places of the least and the greatest key.
    bounds: Option<(u64, u64)>,
    /// Different keys.
    count: usize,
    /// The place of the first bit, a multiple of 64.
    first: u64,
    words: Vec<u64>,
    memory: MemoryReservation,
}

impl KeySet {
    /// Returns whether there are sets of keys of a type.
    pub fn holds(data_type: &DataType) -> bool {
        usize::BITS == u64::BITS && (data_type.is_integer() || *data_type == DataType::Date32)
    }

    /// Creates an empty set of keys of a type that [`holds`](Self::holds) accepts. `memory`: empty,
    /// grows with the set.
    pub fn new(data_type: DataType, memory: MemoryReservation) -> Self {
        Self {
            data_type,
            bounds: None,
            count: 0,
            first: 0,
            words: Vec::new(),
            memory,
        }
    }

    /// Adds keys; those that are NULL are left out. `most`: bits that the set may have then.
    ///
    /// Returns whether all of them are in the set. If they are not, because the set would have more
    /// bits, the pool has no room or the type is another one, it is of no more use.
    #[must_use]
    pub fn add(&mut self, keys: &[ArrayRef], most: u64) -> bool {
        if keys.iter().any(|keys| *keys.data_type() != self.data_type) {
            return false;
        }
        let sign = self.sign();
        let of_arrays = keys.iter().filter_map(
            |keys| typed!(keys.data_type(), T => ends::<T>(keys.as_primitive(), sign), None),
        );
        let all = of_arrays.chain(self.bounds);
        let all = all.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let Some((least, greatest)) = all else {
            return true;
        };
        if !self.reach(least, greatest, most) {
            return false;
        }
        for keys in keys {
            typed!(keys.data_type(), T => self.insert::<T>(keys.as_primitive()), ());
        }
        true
    }

    /// Returns how many different keys there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns whether all values between the bounds are in the set.
    pub fn is_full(&self) -> bool {
        self.bounds.is_some_and(|(least, greatest)| {
            let values = (greatest - least).saturating_add(1);
            values == self.count as u64
        })
    }

    /// Returns how many bits the set has.
    pub fn bits(&self) -> u64 {
        self.words.len() as u64 * 64
    }

    /// Returns the least and the greatest key; `None` if there are no keys.
    pub fn bounds(&self) -> Option<(ScalarValue, ScalarValue)> {
        let (least, greatest) = self.bounds?;
        let value = |place: u64| {
            let bits = (place ^ self.sign()) as usize;
            typed!(&self.data_type, T => {
                let key = <T as ArrowPrimitiveType>::Native::usize_as(bits);
                ScalarValue::new_primitive::<T>(Some(key), &self.data_type).ok()
            }, None)
        };
        Some((value(least)?, value(greatest)?))
    }

    /// Returns which keys are in the set; a NULL is not. All are, if they are of another type.
    pub fn contains(&self, keys: &dyn Array) -> BooleanBuffer {
        if *keys.data_type() != self.data_type {
            return BooleanBuffer::new_set(keys.len());
        }
        typed!(
            &self.data_type,
            T => self.found::<T>(keys.as_primitive()),
            BooleanBuffer::new_set(keys.len())
        )
    }

    /// Returns the bit in which a number of 64 bits differs from its place: numbers with a sign are
    /// in order if it is inverted.
    fn sign(&self) -> u64 {
        match self.data_type.is_unsigned_integer() {
            true => 0,
            false => 1 << 63,
        }
    }

    /// Makes room for the keys between these places, and all that there are. Returns whether there
    /// is.
    fn reach(&mut self, least: u64, greatest: u64, most: u64) -> bool {
        let first = least & !63;
        let last = greatest.saturating_sub(first);
        let Ok(words) = usize::try_from(last / 64 + 1) else {
            return false;
        };
        if last >= most {
            return false;
        }
        if words > self.words.len() {
            let before = self.memory.size();
            if self.memory.try_grow(words.saturating_mul(8)).is_err() {
                return false;
            }
            let mut grown = vec![0; words];
            let start = (self.first.saturating_sub(first) / 64) as usize;
            for (word, old) in grown.iter_mut().skip(start).zip(&self.words) {
                *word = *old;
            }
            self.words = grown;
            self.first = first;
            // It has as much.
            let _ = self.memory.try_shrink(before);
        }
        self.bounds = Some((least, greatest));
        true
    }

    fn insert<T: ArrowPrimitiveType>(&mut self, keys: &PrimitiveArray<T>) {
        let (first, sign) = (self.first, self.sign());
        let set = |key: T::Native| {
            let bit = place(key, sign).wrapping_sub(first);
            if let Some(word) = self.words.get_mut((bit / 64) as usize) {
                let with = *word | (1_u64 << (bit % 64));
                self.count += usize::from(with != *word);
                *word = with;
            }
        };
        match keys.null_count() {
            0 => keys.values().iter().copied().for_each(set),
            _ => keys.iter().flatten().for_each(set),
        }
    }

    fn found<T: ArrowPrimitiveType>(&self, keys: &PrimitiveArray<T>) -> BooleanBuffer {
        let (words, first, sign) = (self.words.as_slice(), self.first, self.sign());
        // Of a full set: the least key, and how many follow it.
        let all_from = self.bounds.filter(|_| self.is_full());
        let all_from = all_from.map(|(least, greatest)| (least, greatest - least));
        let mut found = Vec::with_capacity(keys.len().div_ceil(64));
        // Loops, because adapters of iterators are calls where units of compilation are many.
        for keys in keys.values().chunks(64) {
            let mut flags: u64 = 0;
            if let Some((least, more)) = all_from {
                for (row, key) in keys.iter().enumerate() {
                    let from_least = place(*key, sign).wrapping_sub(least);
                    flags |= u64::from(from_least <= more) << row;
                }
            } else {
                for (row, key) in keys.iter().enumerate() {
                    let bit = place(*key, sign).wrapping_sub(first);
                    let word = words.get((bit / 64) as usize).copied().unwrap_or(0);
                    flags |= ((word >> (bit % 64)) & 1) << row;
                }
            }
            found.push(flags.to_le());
        }
        let found = BooleanBuffer::new(Buffer::from_vec(found), 0, keys.len());
        match keys.nulls() {
            Some(nulls) => &found & nulls.inner(),
            None => found,
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet")
            .field("data_type", &self.data_type)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Returns a number for a key, in the order of keys. `sign`: the bit in which it differs.
#[inline]
fn place<N: ArrowNativeType>(key: N, sign: u64) -> u64 {
    key.as_usize() as u64 ^ sign
}

/// Returns the places of the least and the greatest key; `None` if there is none but NULL.
fn ends<T: ArrowPrimitiveType>(keys: &PrimitiveArray<T>, sign: u64) -> Option<(u64, u64)> {
    Some((place(min(keys)?, sign), place(max(keys)?, sign)))
}

/// Whether a key is in a set. It is never NULL.
#[derive(Debug)]
pub struct KeyLookup {
    key: Arc<dyn PhysicalExpr>,
    set: Arc<KeySet>,
}

impl KeyLookup {
    /// Looks up a key. `key`: of rows of any schema.
    pub fn new(key: Arc<dyn PhysicalExpr>, set: Arc<KeySet>) -> Self {
        Self { key, set }
    }

    /// Returns the keys that there are.
    pub fn set(&self) -> &KeySet {
        &self.set
    }
}

impl PartialEq for KeyLookup {
    fn eq(&self, other: &Self) -> bool {
        self.key.eq(&other.key) && Arc::ptr_eq(&self.set, &other.set)
    }
}

impl Eq for KeyLookup {}

impl Hash for KeyLookup {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
        Arc::as_ptr(&self.set).hash(state);
    }
}

impl fmt::Display for KeyLookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bitmap_lookup")
    }
}

impl PhysicalExpr for KeyLookup {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let keys = self.key.evaluate(batch)?.into_array(batch.num_rows())?;
        let found = BooleanArray::new(self.set.contains(keys.as_ref()), None);
        Ok(ColumnarValue::Array(Arc::new(found)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.key]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(key) = children.into_iter().next() else {
            return Ok(self);
        };
        Ok(Arc::new(Self {
            key,
            set: Arc::clone(&self.set),
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns what a filter of a join looks keys up in, if it has no other parts than the bounds of the
/// set and a list of the keys, and is complete. `None` of another condition.
///
/// Bounds and lists are for what has no keys but statistics and Bloom filters, such as row groups. On
/// rows, this is the same condition in one step.
pub(crate) fn without_bounds(condition: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
    let filter = condition.downcast_ref::<DynamicFilterPhysicalExpr>()?;
    let current = filter.current().ok()?;
    let parts = split_conjunction(&current);
    let found = parts.iter().find(|part| part.is::<KeyLookup>())?;
    let lookup = found.downcast_ref::<KeyLookup>()?;
    let (least, greatest) = lookup.set.bounds()?;
    let is_implied = |part: &Arc<dyn PhysicalExpr>| {
        if let Some(list) = part.downcast_ref::<InListExpr>() {
            return !list.negated() && list.expr().eq(&lookup.key);
        }
        let Some(bound) = part.downcast_ref::<BinaryExpr>() else {
            return false;
        };
        let value = bound.right().downcast_ref::<Literal>().map(Literal::value);
        let is_same = match bound.op() {
            Operator::GtEq => value == Some(&least),
            Operator::LtEq => value == Some(&greatest),
            _ => false,
        };
        is_same && bound.left().eq(&lookup.key)
    };
    let mut parts = parts.iter();
    let are_implied = parts.all(|part| Arc::ptr_eq(part, found) || is_implied(part));
    are_implied.then(|| Arc::clone(found))
}

#[cfg(test)]
mod tests;
