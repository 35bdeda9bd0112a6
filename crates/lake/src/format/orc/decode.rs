//! Rows of one stripe, decoded by `orc-rust`.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Schema, TimeUnit, TimestampMicrosecondType,
};
use bytes::Bytes;
use orc_rust::{ArrowReader, ArrowReaderBuilder};

use super::demands::{Demands, TimeColumn};
use super::stripe::{Streams, StripeFooter};
use super::subset;
use super::times;
use super::types::{Kind, Types};
use super::{Fault, Result, broken};
use crate::leaves::with_leaves;
use crate::lengths::Fit;

/// Decodes the rows of a stripe batch by batch.
pub(super) struct Rows {
    reader: ArrowReader<Bytes>,
    columns: Vec<Column>,
    /// Rows that are still to come.
    left: u64,
}

struct Column {
    data_type: DataType,
    /// By [`times::rewrite`].
    has_rewritten_times: bool,
    /// `None`: it has no texts of the type `char`.
    padding: Option<Fit>,
}

/// Where a column has texts of the type `char`: writers in Java fill these with spaces up to their
/// length, and a `char(n)` of a table has none.
fn padding(types: &Types, id: u32) -> Option<Fit> {
    let node = types.get(id)?;
    match node.kind {
        Kind::Char => Some(Fit::Char(u32::MAX)),
        _ => Fit::inside(node.children.iter().map(|child| padding(types, *child))),
    }
}

impl Rows {
    /// `columns`: of rows, by their numbers; at least one. A batch has at most `batch_size` rows.
    ///
    /// # Errors
    /// The streams are damaged.
    pub(super) fn new(
        types: &Types,
        columns: &[u32],
        footer: &StripeFooter,
        mut streams: Streams,
        rows: u64,
        batch_size: usize,
    ) -> Result<Self> {
        let of_times = RefCell::default();
        let demands = Demands {
            types,
            footer,
            streams: &streams,
            times: &of_times,
        };
        let batch_rows = demands.batch_rows(columns, rows, batch_size)?;
        let of_times: Vec<TimeColumn> = of_times.take();
        let zone = match of_times.iter().any(|column| column.is_local) {
            true => footer.zone()?,
            false => None,
        };
        // The decoder converts all times of a stripe from one zone, or none: where some of them
        // are converted here, all are.
        let converted = zone.filter(|_| of_times.iter().any(|column| column.is_negative));
        let mut rewritten = Vec::with_capacity(columns.len());
        for column in columns {
            let range = types.range(*column);
            let inner = of_times.iter().filter(|inner| range.contains(&inner.id));
            let is_rewritten = inner
                .clone()
                .any(|inner| inner.is_negative || (inner.is_local && converted.is_some()));
            if is_rewritten {
                for inner in inner {
                    let from = converted.filter(|_| inner.is_local);
                    times::rewrite(inner.id, inner.values, from, footer, &mut streams)?;
                }
            }
            rewritten.push(is_rewritten);
        }
        let zone = zone.filter(|_| converted.is_none());
        let file = subset::file(types, columns, footer, streams, rows, zone)?;
        let reader = ArrowReaderBuilder::try_new(Bytes::from(file)).map_err(text)?;
        let decoded = columns.iter().map(|id| types.decoded(*id)).enumerate();
        let decoded = decoded.map(|(place, decoded)| Field::new(place.to_string(), decoded, true));
        let reader = reader
            .with_batch_size(batch_rows)
            .with_schema(Arc::new(Schema::new(decoded.collect::<Vec<_>>())))
            .build();
        Ok(Self {
            reader,
            columns: columns
                .iter()
                .zip(rewritten)
                .map(|(id, has_rewritten_times)| Column {
                    data_type: types.arrow(*id),
                    has_rewritten_times,
                    padding: padding(types, *id),
                })
                .collect(),
            left: rows,
        })
    }

    /// The next rows, by columns in the order that they were asked for, and how many there are.
    ///
    /// # Errors
    /// The streams are damaged, or end too early; a time is out of range.
    pub(super) fn next(&mut self) -> Result<Option<(Vec<ArrayRef>, usize)>> {
        let Some(batch) = self.reader.next() else {
            return match self.left {
                0 => Ok(None),
                left => Err(broken(format!("{left} rows of a stripe are missing"))),
            };
        };
        let batch = batch.map_err(text)?;
        self.left = (self.left)
            .checked_sub(batch.num_rows() as u64)
            .filter(|_| batch.num_rows() > 0)
            .ok_or_else(|| broken("a stripe has other rows than it claims"))?;
        let columns = batch.columns().iter().zip(&self.columns);
        let columns = columns.map(|(array, column)| {
            let array = with_leaves(array, &column.data_type, &|leaf, to| {
                micros(leaf, to, column.has_rewritten_times)
            })?;
            check_decimals(&array)?;
            match &column.padding {
                Some(padding) => Ok(padding.fitted(&array)?),
                None => Ok(array),
            }
        });
        Ok(Some((columns.collect::<Result<_>>()?, batch.num_rows())))
    }
}

/// Times from decimals of seconds, rounded down. `rewritten`: by [`times::rewrite`].
fn micros(array: &ArrayRef, target: &DataType, rewritten: bool) -> Result<ArrayRef> {
    let (DataType::Decimal128(..), DataType::Timestamp(TimeUnit::Microsecond, zone)) =
        (array.data_type(), target)
    else {
        return Err(broken(format!("{} is no {target}", array.data_type())));
    };
    let nanos = array.as_primitive::<Decimal128Type>();
    let micros = nanos.try_unary::<_, TimestampMicrosecondType, _>(|nanos| {
        let nanos = match rewritten {
            true => times::read(nanos),
            false => nanos,
        };
        i64::try_from(nanos.div_euclid(1000)).map_err(|_| broken("a timestamp is out of range"))
    })?;
    Ok(Arc::new(micros.with_timezone_opt(zone.clone())))
}

/// The crate does not look whether decimals have more digits than their type.
fn check_decimals(array: &ArrayRef) -> Result<()> {
    match array.data_type() {
        DataType::Decimal128(precision, _) => {
            let decimals = array.as_primitive::<Decimal128Type>();
            decimals
                .validate_decimal_precision(*precision)
                .map_err(text)
        }
        DataType::List(_) => check_decimals(array.as_list::<i32>().values()),
        DataType::Map(..) => {
            let columns = array.as_map().entries().columns();
            columns.iter().try_for_each(check_decimals)
        }
        DataType::Struct(_) => array
            .as_struct()
            .columns()
            .iter()
            .try_for_each(check_decimals),
        _ => Ok(()),
    }
}

fn text(error: impl std::fmt::Display) -> Fault {
    broken(error.to_string())
}
