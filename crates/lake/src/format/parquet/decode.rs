//! A footer's bytes, checked before and after they are decoded.
//!
//! ```text
//!  bytes ─ walk ─▶ no list, tree or value that claims more than there is
//!        ─ decode ─▶ ParquetMetaData ─ extents ─▶ every offset lies in the file
//!        ─ names ─▶ columns in lower case ─▶ Footer
//! ```
//!
//! What never happens: memory is allocated for what a footer claims, an offset outside the file is
//! read.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::{ARROW_SCHEMA_META_KEY, encode_arrow_schema, parquet_to_arrow_schema};
use parquet::errors::Result;
use parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, KeyValue, ParquetMetaData, ParquetMetaDataOptions,
    ParquetMetaDataReader,
};
use parquet::schema::types::SchemaDescriptor;

use super::faults::Faults;
use super::names::ColumnNames;
use super::packed::PackedChunks;
use super::shapes::{self, ELEMENT_CHILDREN, ELEMENT_LENGTH, ELEMENT_TYPE};
use super::statistics::KnownColumns;
use super::thrift::{Part, Walk, Watch, broken};
use super::{hints, names, quirks, trust};

/// How deep a schema may nest. A list takes two levels, a map three.
const MAX_DEPTH: usize = 64;

/// The longest value of a FIXED_LEN_BYTE_ARRAY column, in bytes: a NULL takes as much as a value.
const MAX_FIXED_LENGTH: i64 = 64 * 1024;

/// The most rows of a file, and the most bytes of a column chunk once decompressed: sums of them do
/// not overflow.
const MAX_ROWS: u64 = 1 << 48;
const MAX_CHUNK_BYTES: u64 = 1 << 44;

/// A footer that holds nothing impossible, with its columns named as [`ColumnNames`] says.
#[derive(Debug)]
pub struct Footer {
    pub metadata: Arc<ParquetMetaData>,
    /// The file's columns as they are read.
    pub schema: SchemaRef,
    /// What is impossible in single columns, by their names. In the metadata they are empty.
    pub faults: HashMap<String, String>,
    /// What reading the footer costs: the bytes between the last page or index and the end of the
    /// file.
    pub bytes: u64,
    pub(super) packed: PackedChunks,
    pub(super) known: KnownColumns,
}

/// Decodes the footer of a file of `file_size` bytes. `bytes` are what lies before its last eight,
/// `names` what its columns are called.
///
/// # Errors
/// The footer is damaged, or claims what the file does not have.
pub(super) fn decode(bytes: &[u8], file_size: u64, names: &ColumnNames) -> Result<Footer> {
    let mut tree = SchemaTree::default();
    let mut walk = Walk::mending(bytes);
    walk.structure(&shapes::FILE, &mut tree)?;
    let mut faults = tree.finish()?;
    let data_end = file_size.saturating_sub(bytes.len() as u64 + 8);
    let mended = walk.mended();
    let bytes = mended.as_ref();
    caught(|| {
        let metadata = ParquetMetaDataReader::decode_metadata(bytes)?;
        let metadata = quirks::put_right(metadata, data_end)?;
        let last = check_extents(&metadata, data_end, &mut faults)?;
        let (metadata, schema) = folded(metadata, bytes, names)?;
        let metadata = quirks::put_right(metadata, data_end)?;
        let metadata = faults.emptied(metadata)?;
        Ok(Footer {
            faults: faults.by_name(&metadata, &schema),
            packed: PackedChunks::of(&metadata),
            known: KnownColumns::default(),
            metadata: Arc::new(trust::believed(metadata)?),
            schema: Arc::new(schema),
            bytes: file_size.saturating_sub(last),
        })
    })
    .unwrap_or_else(|panic| Err(broken(panic)))
}

/// Runs code of the Parquet crate, which panics at some damaged files. The error is what it said
/// then.
pub(in crate::format) fn caught<T>(work: impl FnOnce() -> T) -> std::result::Result<T, String> {
    // Nothing of the work is used after it has panicked.
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| panic_message(panic.as_ref()))
}

/// What a panic says.
pub(in crate::format) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let said = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied());
    format!("its reader gave up: {}", said.unwrap_or("no reason given"))
}

/// The schema as a tree, counted element by element in the order of the file.
#[derive(Default)]
struct SchemaTree {
    started: bool,
    /// Children that are still to come, level by level.
    open: Vec<i64>,
    element: Element,
    /// Elements without children so far: the columns.
    leaves: usize,
    /// Columns whose values are wider than any may be.
    wide: Vec<(usize, i64)>,
}

#[derive(Default)]
struct Element {
    children: i64,
    length: i64,
    fixed: bool,
}

impl Watch for SchemaTree {
    fn int(&mut self, part: Part, field: i16, value: i64) -> Result<()> {
        match (part, field) {
            (Part::SchemaElement, ELEMENT_CHILDREN) => self.element.children = value,
            (Part::SchemaElement, ELEMENT_LENGTH) => self.element.length = value,
            (Part::SchemaElement, ELEMENT_TYPE) => self.element.fixed = value == FIXED_LEN,
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, part: Part) -> Result<()> {
        if part != Part::SchemaElement {
            return Ok(());
        }
        let element = std::mem::take(&mut self.element);
        if element.fixed && element.length > MAX_FIXED_LENGTH {
            self.wide.push((self.leaves, element.length));
        }
        self.leaves += usize::from(element.children == 0);
        self.close();
        match self.open.last_mut() {
            Some(left) => *left -= 1,
            None if self.started => return Err(broken("its schema has more than one root")),
            None => self.started = true,
        }
        if element.children < 0 {
            return Err(broken("its schema counts below zero"));
        }
        if element.children > 0 {
            self.open.push(element.children);
        }
        if self.open.len() > MAX_DEPTH {
            return Err(broken(format!(
                "its schema nests deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(())
    }
}

/// The number of the physical type FIXED_LEN_BYTE_ARRAY.
const FIXED_LEN: i64 = 7;

impl SchemaTree {
    /// Leaves the groups that have all their children.
    fn close(&mut self) {
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
    }

    fn finish(mut self) -> Result<Faults> {
        self.close();
        let mut faults = Faults::default();
        for (leaf, length) in &self.wide {
            let wide = format!("a column has values of {length} bytes each");
            faults.add(*leaf, &broken(wide));
        }
        match self.open.is_empty() {
            true => Ok(faults),
            false => Err(broken("its schema claims children that it does not have")),
        }
    }
}

/// Checks that all that the footer points at lies before `data_end`, and returns the end of the
/// last of it. What is wrong in a single column is a fault of that one.
fn check_extents(metadata: &ParquetMetaData, data_end: u64, faults: &mut Faults) -> Result<u64> {
    let mut last = 0;
    let mut rows: u64 = 0;
    for (index, group) in metadata.row_groups().iter().enumerate() {
        let counted = u64::try_from(group.num_rows())
            .ok()
            .and_then(|of_group| rows.checked_add(of_group))
            .filter(|rows| *rows <= MAX_ROWS);
        let Some(counted) = counted else {
            return Err(broken(format!(
                "row group {index} claims {} rows",
                group.num_rows()
            )));
        };
        rows = counted;
        for (leaf, column) in group.columns().iter().enumerate() {
            match check_chunk(column, index, group.num_rows(), data_end) {
                Ok(end) => last = last.max(end),
                Err(fault) => faults.add(leaf, &fault),
            }
        }
    }
    Ok(last)
}

/// Checks one column chunk, and returns the end of the last of it.
fn check_chunk(
    column: &ColumnChunkMetaData,
    group: usize,
    rows: i64,
    data_end: u64,
) -> Result<u64> {
    let wrong = |what: String| {
        let path = column.column_path().string();
        broken(format!("column '{path}' of row group {group} {what}"))
    };
    if column.num_values() < 0 {
        return Err(wrong(format!("claims {} values", column.num_values())));
    }
    // A value a row, NULLs counted, unless it lies in a list or a map.
    if column.column_descr().max_rep_level() == 0 && column.num_values() != rows {
        return Err(wrong(format!(
            "claims {} values in {rows} rows",
            column.num_values()
        )));
    }
    if !u64::try_from(column.uncompressed_size()).is_ok_and(|size| size <= MAX_CHUNK_BYTES) {
        return Err(wrong(format!(
            "claims {} bytes of data",
            column.uncompressed_size()
        )));
    }
    let mut last = 0;
    for (offset, length) in extents(column) {
        let end = u64::try_from(offset)
            .ok()
            .zip(u64::try_from(length).ok())
            .and_then(|(offset, length)| offset.checked_add(length))
            .filter(|end| *end <= data_end);
        let Some(end) = end else {
            return Err(wrong(format!(
                "is said to have {length} bytes from byte {offset} on, its data end at byte {data_end}"
            )));
        };
        last = last.max(end);
    }
    Ok(last)
}

/// Offset and length of all that belongs to a column chunk.
fn extents(column: &ColumnChunkMetaData) -> impl Iterator<Item = (i64, i64)> {
    // As the reader has it: the dictionary comes first where there is one.
    let start = column
        .dictionary_page_offset()
        .unwrap_or(column.data_page_offset());
    let part = |offset: Option<i64>, length: Option<i32>| {
        offset.map(|offset| (offset, i64::from(length.unwrap_or(0))))
    };
    [
        Some((start, column.compressed_size())),
        Some((column.data_page_offset(), 0)),
        part(column.column_index_offset(), column.column_index_length()),
        part(column.offset_index_offset(), column.offset_index_length()),
        part(column.bloom_filter_offset(), column.bloom_filter_length()),
    ]
    .into_iter()
    .flatten()
}

/// Names the columns, and returns the columns as they are read.
fn folded(
    metadata: ParquetMetaData,
    bytes: &[u8],
    names: &ColumnNames,
) -> Result<(ParquetMetaData, Schema)> {
    let file = metadata.file_metadata();
    let root = file.schema_descr().root_schema_ptr();
    let folded_root = names::folded_schema(&root, names)?;
    let as_written = arrow_schema(file);
    // A hint that does not fit the columns is as good as none.
    let hint = as_written.as_ref().ok();
    let hint = hint.map(|schema| names::folded_arrow(schema, names));
    if Arc::ptr_eq(&root, &folded_root)
        && let Ok(schema) = as_written
        && Some(schema.fields()) == hint.as_ref().map(Schema::fields)
    {
        return hinted(metadata, schema);
    }
    let metadata = if Arc::ptr_eq(&root, &folded_root) {
        metadata
    } else {
        let schema = Arc::new(SchemaDescriptor::new(folded_root));
        let options = ParquetMetaDataOptions::new().with_schema(schema);
        ParquetMetaDataReader::decode_metadata_with_options(bytes, Some(&options))?
    };
    let metadata = with_folded_hint(metadata, hint.as_ref());
    if let Ok(schema) = arrow_schema(metadata.file_metadata()) {
        return hinted(metadata, schema);
    }
    let plain = with_folded_hint(metadata, None);
    let schema = arrow_schema(plain.file_metadata())?;
    hinted(plain, schema)
}

/// Puts right how columns are read.
fn hinted(metadata: ParquetMetaData, schema: Schema) -> Result<(ParquetMetaData, Schema)> {
    let columns = metadata.file_metadata().schema_descr();
    let Some(corrected) = hints::corrected(&schema, columns) else {
        return Ok((metadata, schema));
    };
    let metadata = with_hint(metadata, Some(&corrected));
    let schema = arrow_schema(metadata.file_metadata())?;
    Ok((metadata, schema))
}

/// The columns as the Parquet crate reads them, by the Arrow schema in the file's metadata where
/// there is one.
fn arrow_schema(file: &FileMetaData) -> Result<Schema> {
    caught(|| parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata()))
        .unwrap_or_else(|panic| Err(broken(panic)))
}

fn is_hint(entry: &KeyValue) -> bool {
    entry.key == ARROW_SCHEMA_META_KEY
}

/// Replaces the Arrow schema in a file's metadata, if it has one.
fn with_folded_hint(metadata: ParquetMetaData, hint: Option<&Schema>) -> ParquetMetaData {
    let entries = metadata.file_metadata().key_value_metadata();
    if entries.is_some_and(|entries| entries.iter().any(is_hint)) {
        with_hint(metadata, hint)
    } else {
        metadata
    }
}

/// Sets the Arrow schema in a file's metadata.
fn with_hint(metadata: ParquetMetaData, hint: Option<&Schema>) -> ParquetMetaData {
    let file = metadata.file_metadata();
    let entries = file.key_value_metadata();
    let mut entries = entries.cloned().unwrap_or_default();
    entries.retain(|entry| !is_hint(entry));
    entries.extend(hint.map(|hint| {
        KeyValue::new(
            ARROW_SCHEMA_META_KEY.to_owned(),
            Some(encode_arrow_schema(hint)),
        )
    }));
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(ToOwned::to_owned),
        Some(entries),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let row_groups = metadata.into_builder().take_row_groups();
    ParquetMetaData::new(file, row_groups)
}
