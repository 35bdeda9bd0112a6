//! What is written of a row: nothing that is read back otherwise.

use std::collections::HashSet;
use std::ops::Range;

use arrow::array::Array;

use super::kinds::IonKind;
use super::symbols::MAX_SYMBOLS;
use crate::format::text::rows::MAX_CELLS;
use crate::format::text::write::delimited::too_many_values;
use crate::format::text::write::values::{Unwritable, Values, items};

/// Keys of maps in one row: each is a symbol, and with those of the rows before it in a member they are
/// no more than are read.
const MAX_KEYS: usize = MAX_SYMBOLS / 4;
const MICROS_PER_MINUTE: i64 = 60_000_000;
/// The years 1 to 9999 in microseconds since the Unix epoch.
const TIMES: Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;
/// The same for days.
const DAYS: Range<i32> = -719_162..2_932_897;

/// Checks that a value is read back as it is. `offset`: of timestamps, in minutes. Recursion is bounded
/// by the column's type.
pub(super) fn check(
    values: &Values<'_>,
    row: usize,
    offset: i32,
    counted: &mut Counted,
) -> Result<(), Unwritable> {
    if values.is_null(row) {
        return Ok(());
    }
    match values {
        Values::Date(array) if !DAYS.contains(&array.value(row)) => Err(beyond("date")),
        Values::Timestamp(array) => {
            let time = array.value(row);
            let local = time.saturating_add(i64::from(offset) * MICROS_PER_MINUTE);
            match TIMES.contains(&time) && TIMES.contains(&local) {
                true => Ok(()),
                false => Err(beyond("timestamp")),
            }
        }
        Values::List(list, values) => {
            for item in items(list.value_offsets(), row) {
                counted.add(values.leaves())?;
                check(values, item, offset, counted)?;
            }
            Ok(())
        }
        Values::Map(map, entries) => {
            let (keys, values) = &**entries;
            let Values::Text(texts) = keys else {
                return Err(Unwritable::new(
                    "a map whose keys are not strings",
                    "make the keys strings",
                ));
            };
            let range = items(map.value_offsets(), row);
            counted.add_key(range.len())?;
            let mut seen = HashSet::with_capacity(range.len());
            for entry in range {
                counted.add(keys.leaves() + values.leaves())?;
                if texts.is_null(entry) {
                    return Err(Unwritable::new("a map with NULL for a key", "leave it out"));
                }
                if !seen.insert(texts.value(entry)) {
                    return Err(Unwritable::new(
                        "a map with a key that is there twice",
                        "leave one of the entries out",
                    ));
                }
                check(values, entry, offset, counted)?;
            }
            Ok(())
        }
        Values::Struct(_, fields) => {
            let mut fields = fields.iter();
            fields.try_for_each(|field| check(field, row, offset, counted))
        }
        _ => Ok(()),
    }
}

/// Checks that a value is read back as it is once it has another type than its column's own.
pub(super) fn check_kind(
    values: &Values<'_>,
    row: usize,
    kind: Option<IonKind>,
    counted: &mut Counted,
) -> Result<(), Unwritable> {
    match (values, kind) {
        // Its text becomes a symbol, as a map's keys do.
        (Values::Text(_), Some(IonKind::Symbol)) => counted.add_key(1),
        (Values::Decimal(array), Some(IonKind::Int)) if !array.is_null(row) => {
            match whole(array.value(row), array.scale()) {
                Some(_) => Ok(()),
                None => Err(Unwritable::new(
                    "a number with a fraction, which is to be written as an int",
                    "write it as a decimal",
                )),
            }
        }
        _ => Ok(()),
    }
}

/// The whole number that a decimal is; `None`: it has a fraction.
pub(super) fn whole(unscaled: i128, scale: i8) -> Option<i128> {
    let unit = 10_i128.checked_pow(u32::try_from(scale).ok()?)?;
    (unscaled % unit == 0).then(|| unscaled / unit)
}

/// What a row has in nested columns.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Values without children, as readers count them.
    cells: usize,
    keys: usize,
}

impl Counted {
    fn add(&mut self, leaves: usize) -> Result<(), Unwritable> {
        self.cells += leaves;
        match self.cells > MAX_CELLS {
            true => Err(too_many_values()),
            false => Ok(()),
        }
    }

    fn add_key(&mut self, keys: usize) -> Result<(), Unwritable> {
        self.keys += keys;
        match self.keys > MAX_KEYS {
            true => Err(Unwritable::new(
                format!("more than {MAX_KEYS} symbols and keys of maps in one row"),
                "write to a table of Parquet",
            )),
            false => Ok(()),
        }
    }
}

fn beyond(what: &str) -> Unwritable {
    Unwritable::new(
        format!("a {what} outside of the years 1 to 9999, which Ion does not have"),
        "write to a table of Parquet, or make the column a string",
    )
}
