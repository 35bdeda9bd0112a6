//! Values of Ion in the columns of a table.
//!
//! | Ion | column |
//! |---|---|
//! | bool | boolean |
//! | int, decimal without a fraction | tinyint, smallint, int, bigint |
//! | int, decimal | decimal, float, double |
//! | float | float, double |
//! | timestamp | timestamp, date: in UTC |
//! | string, symbol | string, varchar, char |
//! | blob, clob | binary |
//! | list, S-expression | array |
//! | struct | struct, map |
//!
//! A null of any type is NULL. Of a field that is there twice the last counts.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::datatypes::DataType;

use super::cursor::{Cursor, Stop, Value};
use super::numbers::Number;
use super::options::IonFormat;
use super::paths::{Shape, place};
use crate::format::text::columns::{Column, Data, Map, Typed};
use crate::format::text::rows::MAX_CELLS;
use crate::format::text::scalars::{BinaryText, Epoch, Fractions, Misfit, ScalarRules};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How the keys of maps are read, which are text.
const KEYS: ScalarRules = ScalarRules {
    fractions: Fractions::Refuse,
    epoch: Epoch::Refuse,
    binary: BinaryText::Raw,
    patterns: Vec::new(),
};

/// Puts values into columns, and counts those in nested ones and the bytes of texts.
#[derive(Debug)]
pub(super) struct Fitter<'f> {
    pub format: &'f IonFormat,
    /// Whether a number out of range is an error in the column at hand.
    pub fails_on_overflow: bool,
    pub cells: usize,
    /// Of texts: a symbol is short, and its text may be long.
    pub bytes: usize,
    pub max_bytes: usize,
}

#[derive(Debug)]
pub(super) enum Failure {
    Stop(Stop),
    /// A value that its column cannot hold.
    Value {
        shown: String,
        wanted: DataType,
        misfit: Misfit,
    },
    TooManyValues,
    TooManyBytes,
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Fitter<'_> {
    /// Appends exactly one value. After an error the column must be cut back.
    ///
    /// Recursion is bounded by the column's type.
    pub(super) fn put(
        &mut self,
        cursor: &mut Cursor<'_>,
        value: Value<'_>,
        column: &mut Column,
        shape: &Shape,
    ) -> Result<(), Failure> {
        let (depth, length) = (cursor.depth(), column.len());
        match self.put_value(cursor, value, column, shape) {
            Err(Failure::Value { .. }) if self.format.ignore_malformed => {
                cursor.leave_to(depth)?;
                column.truncate(length);
                column.append_null();
                Ok(())
            }
            put => put,
        }
    }

    fn put_value(
        &mut self,
        cursor: &mut Cursor<'_>,
        value: Value<'_>,
        column: &mut Column,
        shape: &Shape,
    ) -> Result<(), Failure> {
        let length = column.len();
        match (&value, &mut column.data, shape) {
            (Value::Null, ..) => {
                column.append_null();
                return Ok(());
            }
            (Value::List, Data::List(list), Shape::List(shape)) => {
                let depth = cursor.depth();
                cursor.enter()?;
                while let Some(item) = cursor.next()? {
                    self.count(list.item.leaves)?;
                    self.put(cursor, item.value, &mut list.item, shape)?;
                }
                cursor.leave_to(depth)?;
            }
            (Value::Struct, Data::Map(map), Shape::Map(shape)) => {
                self.put_map(cursor, map, shape)?;
            }
            (Value::Struct, Data::Struct(_, children), Shape::Struct(fields, shapes)) => {
                let depth = cursor.depth();
                cursor.enter()?;
                while let Some(item) = cursor.next()? {
                    let index = place(self.format, fields, item.field.as_deref());
                    let target = index
                        .and_then(|index| Some((children.get_mut(index)?, shapes.get(index)?)));
                    if let Some((child, shape)) = target {
                        child.truncate(length);
                        self.put(cursor, item.value, child, shape)?;
                    }
                }
                cursor.leave_to(depth)?;
            }
            _ => return self.put_scalar(&value, column),
        }
        column
            .close()
            .map_err(|misfit| misplaced(&value, column, misfit))
    }

    /// Of a key that is there twice the last value counts, so the keys are read before the values.
    fn put_map(
        &mut self,
        cursor: &mut Cursor<'_>,
        map: &mut Map,
        shape: &Shape,
    ) -> Result<(), Failure> {
        let depth = cursor.depth();
        cursor.enter()?;
        let mut last: HashMap<Cow<'_, str>, u64> = HashMap::new();
        let mut keys = cursor.clone();
        for index in 0.. {
            let Some(item) = keys.next()? else { break };
            self.count(map.key.leaves + map.value.leaves)?;
            if let Some(field) = item.field {
                last.insert(field, index);
            }
        }
        for index in 0.. {
            let Some(item) = cursor.next()? else { break };
            let Some(field) = item.field.filter(|field| last.get(field) == Some(&index)) else {
                continue;
            };
            self.count_bytes(field.len())?;
            match map.key.append_text(&field, &KEYS) {
                Ok(()) => {}
                // The entry alone is left out.
                Err(_) if self.format.ignore_malformed => continue,
                Err(misfit) => {
                    return Err(Failure::Value {
                        shown: field.into_owned(),
                        wanted: map.key.data_type.clone(),
                        misfit,
                    });
                }
            }
            self.put(cursor, item.value, &mut map.value, shape)?;
        }
        cursor.leave_to(depth)?;
        Ok(())
    }

    fn put_scalar(&mut self, value: &Value<'_>, column: &mut Column) -> Result<(), Failure> {
        let typed = match self.typed(value, &column.data) {
            Ok(Some(typed)) => {
                if let Typed::Bytes(bytes) = typed {
                    self.count_bytes(bytes.len())?;
                }
                column.append_typed(typed)
            }
            // What a decimal does not hold is NULL where that is not an error.
            Ok(None) => {
                column.append_null();
                Ok(())
            }
            Err(misfit) => Err(misfit),
        };
        typed.map_err(|misfit| misplaced(value, column, misfit))
    }

    /// `None`: NULL.
    fn typed<'v>(&self, value: &'v Value<'_>, data: &Data) -> Result<Option<Typed<'v>>, Misfit> {
        let typed = match (data, value) {
            (Data::Boolean(_), Value::Boolean(value)) => Typed::Boolean(*value),
            (Data::Int8(_), Value::Number(number)) => {
                return self.integer(*number, |value| i64::from(value as i8));
            }
            (Data::Int16(_), Value::Number(number)) => {
                return self.integer(*number, |value| i64::from(value as i16));
            }
            (Data::Int32(_), Value::Number(number)) => {
                return self.integer(*number, |value| i64::from(value as i32));
            }
            (Data::Int64(_), Value::Number(number)) => {
                return self.integer(*number, |value| value as i64);
            }
            (Data::Float32(_), Value::Float(value)) => Typed::Float(self.single(*value)?),
            (Data::Float64(_), Value::Float(value)) => Typed::Float(*value),
            (Data::Float32(_), Value::Number(number)) => {
                Typed::Float(self.single(number.float()?)?)
            }
            (Data::Float64(_), Value::Number(number)) => Typed::Float(number.float()?),
            (Data::Decimal(_, precision, scale), Value::Number(number)) => {
                match number.unscaled(*precision, *scale) {
                    Ok(unscaled) => Typed::Unscaled(unscaled),
                    Err(Misfit::OutOfRange) if !self.fails_on_overflow => return Ok(None),
                    Err(misfit) => return Err(misfit),
                }
            }
            (Data::Timestamp(_), Value::Timestamp(micros)) => Typed::Micros(*micros),
            (Data::Date(_), Value::Timestamp(micros)) => {
                let days = micros.div_euclid(MICROS_PER_DAY);
                Typed::Days(i32::try_from(days).map_err(|_| Misfit::OutOfRange)?)
            }
            (Data::Text(_), Value::Text(text)) => Typed::Bytes(text.as_bytes()),
            (Data::Binary(_), Value::Bytes(bytes)) => Typed::Bytes(bytes),
            _ => return Err(Misfit::NotA),
        };
        Ok(Some(typed))
    }

    /// `cut`: to the bits that the column has, as Java cuts numbers.
    fn integer(
        &self,
        number: Number,
        cut: impl FnOnce(i128) -> i64,
    ) -> Result<Option<Typed<'static>>, Misfit> {
        let whole = match number.whole() {
            Err(Misfit::OutOfRange) if !self.fails_on_overflow => return Ok(None),
            whole => whole?,
        };
        let held = cut(whole);
        if i128::from(held) != whole && self.fails_on_overflow {
            return Err(Misfit::OutOfRange);
        }
        Ok(Some(Typed::Integer(held)))
    }

    fn single(&self, value: f64) -> Result<f64, Misfit> {
        let is_over = value.is_finite() && (value as f32).is_infinite();
        match is_over && self.fails_on_overflow {
            true => Err(Misfit::OutOfRange),
            false => Ok(value),
        }
    }

    fn count(&mut self, cells: usize) -> Result<(), Failure> {
        self.cells += cells;
        match self.cells > MAX_CELLS {
            true => Err(Failure::TooManyValues),
            false => Ok(()),
        }
    }

    fn count_bytes(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(bytes);
        match self.bytes > self.max_bytes {
            true => Err(Failure::TooManyBytes),
            false => Ok(()),
        }
    }
}

fn misplaced(value: &Value<'_>, column: &Column, misfit: Misfit) -> Failure {
    let shown = match value {
        Value::Null => "null".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Number(number) => {
            let text = number.text();
            text.unwrap_or_else(|| "a number of more than 128 bits".to_owned())
        }
        Value::Float(value) => value.to_string(),
        Value::Timestamp(_) => "a timestamp".to_owned(),
        // No more of it is shown.
        Value::Text(text) => text.chars().take(100).collect(),
        Value::Unknown => "a symbol without text".to_owned(),
        Value::Bytes(_) => "a blob".to_owned(),
        Value::List => "a list".to_owned(),
        Value::Struct => "a struct".to_owned(),
    };
    Failure::Value {
        shown,
        wanted: column.data_type.clone(),
        misfit,
    }
}
