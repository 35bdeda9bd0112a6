//! Which claims of a footer about values are relied on: statistics, indexes of pages and Bloom
//! filters.
//!
//! The engine rules out row groups, pages and files by them, answers `min`, `max` and `count` from
//! them, and replaces columns by constants. It checks none of them, so unreliable ones are removed
//! when a footer is decoded:
//!
//! | | why |
//! |---|---|
//! | bounds of floating-point columns | writers leave NaN out of them, which is the largest value here, and write one zero for the other |
//! | bounds of INT96, intervals, unknown types | no order is defined for them |
//! | `min` and `max` of old writers, but of signed integers | those compared everything as signed bytes |
//! | bounds without a column order, but of signed integers | the format says so |
//! | bounds that contradict themselves or the counts | nothing is known of them |
//! | statistics without a number of NULLs | the engine takes none for zero (apache/datafusion#25239) |
//! | Bloom filters of decimals, floating-point and fixed-length columns | one value has several forms in them |

use parquet::basic::{ColumnOrder, ConvertedType, LogicalType, SortOrder, Type};
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataBuilder,
};
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescriptor;

/// How values of a column are compared, where writers and the engine do it alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Signed,
    Unsigned,
    /// Byte by byte, unsigned.
    Bytes,
    /// Big-endian two's complement.
    Decimal,
}

/// Takes out what is not believed.
///
/// # Errors
/// Those of the crate's builders, which do not occur.
pub(super) fn believed(metadata: ParquetMetaData) -> Result<ParquetMetaData> {
    let mut builder = metadata.into_builder();
    let groups = builder.take_row_groups();
    let metadata = builder.build();
    let file = metadata.file_metadata();
    let counts_no_nulls = leaves_out_zero(file.created_by());
    let mut believed = Vec::with_capacity(groups.len());
    for group in groups {
        let mut group = group.into_builder();
        let columns = group.take_columns();
        let columns = columns
            .into_iter()
            .enumerate()
            .map(|(leaf, column)| chunk(column, is_ordered(file, leaf), counts_no_nulls))
            .collect::<Result<Vec<_>>>()?;
        believed.push(group.set_column_metadata(columns).build()?);
    }
    Ok(ParquetMetaDataBuilder::new_from_metadata(metadata)
        .set_row_groups(believed)
        .build())
}

/// What the file says of the order of a column; none if it says nothing at all.
fn is_ordered(file: &FileMetaData, leaf: usize) -> Option<bool> {
    file.column_orders()
        .and_then(|orders| orders.get(leaf))
        .map(|order| matches!(order, ColumnOrder::TYPE_DEFINED_ORDER(_)))
}

/// Rust's writer left the number of NULLs out where it was zero, up to version 52
/// (apache/arrow-rs#6256).
fn leaves_out_zero(writer: Option<&str>) -> bool {
    writer
        .and_then(|writer| writer.strip_prefix("parquet-rs version "))
        .and_then(|version| version.split('.').next())
        .and_then(|major| major.parse::<u32>().ok())
        .is_some_and(|major| major < 53)
}

fn chunk(
    column: ColumnChunkMetaData,
    ordered: Option<bool>,
    counts_no_nulls: bool,
) -> Result<ColumnChunkMetaData> {
    let descriptor = column.column_descr_ptr();
    let order = order(&descriptor).filter(|order| match ordered {
        Some(ordered) => ordered,
        None => *order == Order::Signed,
    });
    let filtered = order.is_some() && has_one_form(&descriptor);
    let values = u64::try_from(column.num_values()).unwrap_or(0);
    let statistics = column
        .statistics()
        .and_then(|known| summary(known, &descriptor, order, values, counts_no_nulls));
    let mut builder = column.into_builder().clear_statistics();
    if let Some(statistics) = statistics {
        builder = builder.set_statistics(statistics);
    }
    if order.is_none() {
        builder = builder
            .set_column_index_offset(None)
            .set_column_index_length(None);
    }
    if !filtered {
        builder = builder
            .set_bloom_filter_offset(None)
            .set_bloom_filter_length(None);
    }
    builder.build()
}

/// The order of a column's values; none if there is none that writers and the engine have in
/// common.
fn order(column: &ColumnDescriptor) -> Option<Order> {
    if column.max_rep_level() > 0 {
        return None;
    }
    let sorted = ColumnOrder::sort_order_for_type(
        column.logical_type_ref(),
        column.converted_type(),
        column.physical_type(),
    );
    match (column.physical_type(), sorted) {
        (Type::BOOLEAN, _) => Some(Order::Signed),
        (Type::INT32 | Type::INT64, SortOrder::SIGNED) => Some(Order::Signed),
        (Type::INT32 | Type::INT64, SortOrder::UNSIGNED) => Some(Order::Unsigned),
        (Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, _) if is_decimal(column) => {
            Some(Order::Decimal)
        }
        (Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY, SortOrder::UNSIGNED) => Some(Order::Bytes),
        _ => None,
    }
}

fn is_decimal(column: &ColumnDescriptor) -> bool {
    match column.logical_type_ref() {
        Some(logical) => matches!(logical, LogicalType::Decimal(_)),
        None => column.converted_type() == ConvertedType::DECIMAL,
    }
}

/// Whether equal values are equal bytes, for the engine's Bloom filters too.
fn has_one_form(column: &ColumnDescriptor) -> bool {
    match column.physical_type() {
        Type::INT32 | Type::INT64 | Type::BYTE_ARRAY => !is_decimal(column),
        _ => false,
    }
}

/// What is left of a column chunk's statistics.
fn summary(
    known: &Statistics,
    column: &ColumnDescriptor,
    order: Option<Order>,
    values: u64,
    counts_no_nulls: bool,
) -> Option<Statistics> {
    let nulls = match known.null_count_opt() {
        Some(nulls) if nulls > values => return None,
        Some(nulls) => nulls,
        None if column.max_def_level() == 0 || counts_no_nulls => 0,
        None => return None,
    };
    let order = order
        .filter(|order| *order == Order::Signed || !known.is_min_max_deprecated())
        .filter(|order| nulls < values && is_possible(known, column, *order));
    let distinct = known.distinct_count_opt().filter(|count| *count <= values);
    macro_rules! kept {
        ($make:expr, $of:expr) => {{
            let bounds = order.map(|_| ($of.min_opt().cloned(), $of.max_opt().cloned()));
            let (min, max) = bounds.unwrap_or_default();
            $make(
                ValueStatistics::new(min, max, distinct, Some(nulls), false)
                    .with_min_is_exact($of.min_is_exact())
                    .with_max_is_exact($of.max_is_exact()),
            )
        }};
    }
    Some(match known {
        Statistics::Boolean(of) => kept!(Statistics::Boolean, of),
        Statistics::Int32(of) => kept!(Statistics::Int32, of),
        Statistics::Int64(of) => kept!(Statistics::Int64, of),
        Statistics::Int96(of) => kept!(Statistics::Int96, of),
        Statistics::Float(of) => kept!(Statistics::Float, of),
        Statistics::Double(of) => kept!(Statistics::Double, of),
        Statistics::ByteArray(of) => kept!(Statistics::ByteArray, of),
        Statistics::FixedLenByteArray(of) => kept!(Statistics::FixedLenByteArray, of),
    })
}

/// Whether a minimum and a maximum are values of the column, the one not above the other.
fn is_possible(known: &Statistics, column: &ColumnDescriptor, order: Order) -> bool {
    let texts = |min: Option<&[u8]>, max: Option<&[u8]>| match order {
        Order::Decimal => {
            let (min, max) = (min.map(integer), max.map(integer));
            min != Some(None) && max != Some(None) && is_ascending(min, max)
        }
        _ => is_ascending(min, max),
    };
    match known {
        Statistics::Boolean(of) => is_ascending(of.min_opt(), of.max_opt()),
        Statistics::Int32(of) => match order {
            Order::Unsigned => is_ascending(
                of.min_opt().map(|min| min.cast_unsigned()),
                of.max_opt().map(|max| max.cast_unsigned()),
            ),
            _ => is_ascending(of.min_opt(), of.max_opt()),
        },
        Statistics::Int64(of) => match order {
            Order::Unsigned => is_ascending(
                of.min_opt().map(|min| min.cast_unsigned()),
                of.max_opt().map(|max| max.cast_unsigned()),
            ),
            _ => is_ascending(of.min_opt(), of.max_opt()),
        },
        Statistics::ByteArray(of) => texts(of.min_bytes_opt(), of.max_bytes_opt()),
        Statistics::FixedLenByteArray(of) => {
            let length = usize::try_from(column.type_length()).ok();
            let whole =
                |bytes: Option<&[u8]>| bytes.is_none_or(|bytes| Some(bytes.len()) == length);
            let (min, max) = (of.min_bytes_opt(), of.max_bytes_opt());
            (order != Order::Decimal || (whole(min) && whole(max))) && texts(min, max)
        }
        Statistics::Int96(_) | Statistics::Float(_) | Statistics::Double(_) => false,
    }
}

fn is_ascending<T: PartialOrd>(min: Option<T>, max: Option<T>) -> bool {
    match (min, max) {
        (Some(min), Some(max)) => min <= max,
        _ => true,
    }
}

/// The number that a decimal's bytes are; none for more bytes than the engine's decimals have, or
/// none at all.
fn integer(bytes: &[u8]) -> Option<i128> {
    let first = *bytes.first()?;
    let mut extended = [if first & 0x80 == 0 { 0 } else { 0xff }; 16];
    let start = extended.len().checked_sub(bytes.len())?;
    extended.get_mut(start..)?.copy_from_slice(bytes);
    Some(i128::from_be_bytes(extended))
}
