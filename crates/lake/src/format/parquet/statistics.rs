//! The statistics of a file's footer, for the table's columns.

use std::cell::OnceCell;
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::RowGroupMetaData;

use super::convert::{convert, keeps_order};
use super::decode::{Footer, caught};

/// Bytes of a bound that is remembered. Writers truncate texts to about this length.
const MAX_BOUND: usize = 256;

/// The statistics of a footer's columns, each in the type that a table last had it as. They follow
/// from the footer and that type.
#[derive(Debug, Default)]
pub(super) struct KnownColumns(Mutex<HashMap<String, (DataType, ColumnStatistics)>>);

impl KnownColumns {
    /// The bytes that the statistics of so many columns take at most, with bounds of a usual length.
    pub(super) fn bytes(columns: usize) -> usize {
        columns.saturating_mul(size_of::<(String, (DataType, ColumnStatistics))>() + 64)
    }

    fn of(&self, table: &Field) -> Option<ColumnStatistics> {
        let columns = self.0.lock();
        let (data_type, known) = columns.get(table.name())?;
        (data_type == table.data_type()).then(|| known.clone())
    }

    /// Remembers a column of the file. The bounds of long texts are found anew each time.
    fn remember(&self, table: &Field, known: &ColumnStatistics) {
        let is_short = |bound: &Precision<ScalarValue>| {
            let value = bound.get_value();
            value.is_none_or(|value| value.size() <= size_of::<ScalarValue>() + MAX_BOUND)
        };
        if !table.data_type().is_nested()
            && is_short(&known.min_value)
            && is_short(&known.max_value)
        {
            let of_type = (table.data_type().clone(), known.clone());
            self.0.lock().insert(table.name().clone(), of_type);
        }
    }
}

/// Statistics of one file in the table's columns: row count, and per column bounds and null counts.
/// Unknown where the footer says nothing usable. Exact bounds are values of the file; inexact ones
/// bound its values, too, but may be the value of no row.
pub fn file_statistics(footer: &Footer, file_schema: &SchemaRef) -> Statistics {
    let groups = footer.metadata.row_groups();
    let rows: i64 = groups.iter().map(RowGroupMetaData::num_rows).sum();
    let Ok(rows) = usize::try_from(rows) else {
        return Statistics::new_unknown(file_schema);
    };
    let leaves = OnceCell::new();
    let columns = file_schema.fields().iter().map(|table| {
        if let Some(known) = footer.known.of(table) {
            return known;
        }
        let of_name = leaves.get_or_init(|| first_leaves(footer));
        let leaf = of_name.get(table.name().as_str()).copied();
        let mut known = caught(|| match leaf {
            Some((leaf, file)) => of_column(footer, leaf, file, table),
            None => of_no_column(rows),
        })
        .unwrap_or_else(|_| ColumnStatistics::new_unknown());
        known.byte_size = byte_size(table.data_type(), leaf.map(|(leaf, _)| leaf), groups, rows);
        // A file has few columns, and a table may have any.
        if leaf.is_some() {
            footer.known.remember(table, &known);
        }
        known
    });
    Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: Precision::Absent,
        column_statistics: columns.collect(),
    }
}

/// The file's columns by name, each with the first of its leaves in the Parquet schema.
fn first_leaves(footer: &Footer) -> HashMap<&str, (usize, &Field)> {
    let schema = footer.metadata.file_metadata().schema_descr();
    let fields = footer.schema.fields();
    // Backwards, so that the first of a column's leaves is the one that stays.
    (0..schema.num_columns())
        .rev()
        .filter_map(|leaf| {
            let field = fields.get(schema.get_column_root_idx(leaf))?;
            Some((field.name().as_str(), (leaf, field.as_ref())))
        })
        .collect()
}

/// A column that the file does not have is NULL in every row.
fn of_no_column(rows: usize) -> ColumnStatistics {
    ColumnStatistics {
        null_count: Precision::Exact(rows),
        ..ColumnStatistics::new_unknown()
    }
}

fn of_column(footer: &Footer, leaf: usize, file: &Field, table: &Field) -> ColumnStatistics {
    let mut known = ColumnStatistics::new_unknown();
    if file.data_type().is_nested() || file.data_type() == &DataType::Null {
        return known;
    }
    let groups = footer.metadata.row_groups();
    let chunks = || groups.iter().filter_map(|group| group.columns().get(leaf));
    let mut nulls = 0_u64;
    let mut distinct = 0_u64;
    let mut counted = true;
    let mut bounded = true;
    let mut exact = (true, true);
    for chunk in chunks() {
        let values = u64::try_from(chunk.num_values()).unwrap_or(u64::MAX);
        let Some(statistics) = chunk.statistics() else {
            counted &= values == 0;
            bounded &= values == 0;
            continue;
        };
        let of_chunk = statistics.null_count_opt();
        nulls = nulls.saturating_add(of_chunk.unwrap_or(0));
        counted &= of_chunk.is_some();
        distinct = distinct.max(statistics.distinct_count_opt().unwrap_or(0));
        if of_chunk == Some(values) {
            continue;
        }
        // Writers leave out the bounds of a row group whose texts are long.
        bounded &= statistics.min_bytes_opt().is_some() && statistics.max_bytes_opt().is_some();
        exact.0 &= statistics.min_is_exact();
        exact.1 &= statistics.max_is_exact();
    }
    if counted && let Ok(nulls) = usize::try_from(nulls) {
        known.null_count = Precision::Exact(nulls);
    }
    if distinct > 0
        && let Ok(distinct) = usize::try_from(distinct)
    {
        known.distinct_count = Precision::Inexact(distinct);
    }
    if bounded
        && keeps_order(file.data_type(), table.data_type())
        && let Some((min, max)) = bounds(footer, leaf, file, table)
    {
        known.min_value = with_exactness(min, exact.0);
        known.max_value = with_exactness(max, exact.1);
    }
    known
}

fn with_exactness(value: ScalarValue, exact: bool) -> Precision<ScalarValue> {
    if value.is_null() {
        Precision::Absent
    } else if exact {
        Precision::Exact(value)
    } else {
        Precision::Inexact(value)
    }
}

/// The least minimum and the greatest maximum of a column's row groups, as values of the table.
fn bounds(
    footer: &Footer,
    leaf: usize,
    file: &Field,
    table: &Field,
) -> Option<(ScalarValue, ScalarValue)> {
    let schema = footer.metadata.file_metadata().schema_descr();
    let converter = StatisticsConverter::from_column_index(leaf, file, schema).ok()?;
    let groups = || footer.metadata.row_groups().iter();
    let mins = converter.row_group_mins(groups()).ok()?;
    let maxes = converter.row_group_maxes(groups()).ok()?;
    // A bound that is there, but is not a value of the column's type, is not known.
    let known = |values: &ArrayRef, of: fn(&parquet::file::statistics::Statistics) -> bool| {
        groups().enumerate().all(|(row, group)| {
            let statistics = group
                .columns()
                .get(leaf)
                .and_then(|chunk| chunk.statistics());
            !statistics.is_some_and(of) || values.is_valid(row)
        })
    };
    if !known(&mins, |known| known.min_bytes_opt().is_some())
        || !known(&maxes, |known| known.max_bytes_opt().is_some())
    {
        return None;
    }
    let min = extreme(&convert(&mins, file, table.data_type()).ok()?, |a, b| a < b)?;
    let max = extreme(&convert(&maxes, file, table.data_type()).ok()?, |a, b| {
        a > b
    })?;
    (min.is_null() || max.is_null() || min <= max).then_some((min, max))
}

/// The first in order of values that are not NULL; NULL if there is none.
fn extreme(
    values: &ArrayRef,
    is_before: impl Fn(&ScalarValue, &ScalarValue) -> bool,
) -> Option<ScalarValue> {
    let mut found = ScalarValue::try_from(values.data_type()).ok()?;
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let value = ScalarValue::try_from_array(values, row).ok()?;
        if found.is_null() || is_before(&value, &found) {
            found = value;
        }
    }
    Some(found)
}

/// What the column's values take in memory: known where all are of one width, else the bytes of
/// their pages.
fn byte_size(
    data_type: &DataType,
    leaf: Option<usize>,
    groups: &[RowGroupMetaData],
    rows: usize,
) -> Precision<usize> {
    if let Some(width) = data_type.primitive_width() {
        return Precision::Exact(width.saturating_mul(rows));
    }
    let Some(leaf) = leaf else {
        return Precision::Absent;
    };
    let chunks = groups.iter().filter_map(|group| group.columns().get(leaf));
    let sizes = chunks.map(|chunk| usize::try_from(chunk.uncompressed_size()).unwrap_or(0));
    Precision::Inexact(sizes.fold(0, usize::saturating_add))
}
