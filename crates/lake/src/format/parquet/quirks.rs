//! Known mistakes of writers in footers, corrected before the footer is checked.
//!
//! | writer | |
//! |---|---|
//! | parquet-rs 0.3 | says that the file has no rows, but not that its row groups have none |
//! | Dremio | has the dictionary of a column that has none at the start of the file |
//! | parquet-mr before 1.2.9 | leaves the header of the dictionary out of a column chunk's size (PARQUET-816) |

use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, RowGroupMetaData,
};

/// The most bytes that the header of a dictionary has.
const DICTIONARY_HEADER: i64 = 100;

/// Puts a footer right. `data_end`: where the footer starts, in bytes from the start of the file.
///
/// # Errors
/// Those of the crate's builders, which do not occur.
pub(super) fn put_right(metadata: ParquetMetaData, data_end: u64) -> Result<ParquetMetaData> {
    let metadata = without_empty_dictionaries(with_rows_of_groups(metadata))?;
    if !leaves_headers_out(metadata.file_metadata().created_by()) {
        return Ok(metadata);
    }
    let mut starts: Vec<i64> = metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns)
        .map(|column| {
            let dictionary = column.dictionary_page_offset();
            dictionary.unwrap_or(column.data_page_offset())
        })
        .collect();
    starts.extend(i64::try_from(data_end));
    starts.sort_unstable();
    let file = metadata.file_metadata().clone();
    let groups = metadata.into_builder().take_row_groups();
    let groups = groups
        .into_iter()
        .map(|group| with_whole_chunks(group, &starts))
        .collect::<Result<Vec<_>>>()?;
    Ok(ParquetMetaData::new(file, groups))
}

/// Nothing is at the start of a file but its mark.
fn without_empty_dictionaries(metadata: ParquetMetaData) -> Result<ParquetMetaData> {
    let is_none = |column: &ColumnChunkMetaData| column.dictionary_page_offset() == Some(0);
    let mut columns = metadata
        .row_groups()
        .iter()
        .flat_map(RowGroupMetaData::columns);
    if !columns.any(is_none) {
        return Ok(metadata);
    }
    let file = metadata.file_metadata().clone();
    let groups = metadata.into_builder().take_row_groups();
    let groups = groups
        .into_iter()
        .map(|group| {
            let mut group = group.into_builder();
            let columns = group
                .take_columns()
                .into_iter()
                .map(|column| match is_none(&column) {
                    true => column
                        .into_builder()
                        .set_dictionary_page_offset(None)
                        .build(),
                    false => Ok(column),
                })
                .collect::<Result<Vec<_>>>()?;
            group.set_column_metadata(columns).build()
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(ParquetMetaData::new(file, groups))
}

/// A file has the rows that its row groups have.
fn with_rows_of_groups(metadata: ParquetMetaData) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let groups = metadata.row_groups();
    let rows = groups.iter().map(RowGroupMetaData::num_rows);
    let rows = rows.fold(0, i64::saturating_add);
    if rows == file.num_rows() {
        return metadata;
    }
    let file = FileMetaData::new(
        file.version(),
        rows,
        file.created_by().map(ToOwned::to_owned),
        file.key_value_metadata().cloned(),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let groups = metadata.into_builder().take_row_groups();
    ParquetMetaData::new(file, groups)
}

fn leaves_headers_out(writer: Option<&str>) -> bool {
    let Some(version) = writer.and_then(|writer| writer.strip_prefix("parquet-mr")) else {
        return false;
    };
    let version = version.trim_start().strip_prefix("version").unwrap_or("");
    let mut numbers = version.trim_start().split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next().and_then(|part| part.parse::<u32>().ok());
    match (number(), number(), number()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) < (1, 2, 9),
        _ => true,
    }
}

/// Lets column chunks reach to where the next one starts, if only a header can be between.
fn with_whole_chunks(group: RowGroupMetaData, starts: &[i64]) -> Result<RowGroupMetaData> {
    let mut group = group.into_builder();
    let columns = group
        .take_columns()
        .into_iter()
        .map(|column| {
            let dictionary = column.dictionary_page_offset();
            let start = dictionary.unwrap_or(column.data_page_offset());
            let Some(end) = start.checked_add(column.compressed_size()) else {
                return Ok(column);
            };
            let next = starts.get(starts.partition_point(|next| *next < end));
            match next.and_then(|next| next.checked_sub(end)) {
                Some(gap @ 1..=DICTIONARY_HEADER) => {
                    let size = column.compressed_size().saturating_add(gap);
                    column
                        .into_builder()
                        .set_total_compressed_size(size)
                        .build()
                }
                _ => Ok(column),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    group.set_column_metadata(columns).build()
}
