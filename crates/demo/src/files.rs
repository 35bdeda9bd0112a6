//! Writes single files, each completely, at its final path.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use flate2::{Compression, GzBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression as ParquetCompression;
use parquet::file::properties::WriterProperties;

use crate::error::{Error, Result};

/// Rows of a row group. Files of about a million rows then have four.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Creates the folder and returns it.
pub(crate) fn folder(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&path).map_err(Error::io("create the directory", &path))?;
    Ok(path)
}

/// Writes snappy Parquet as other engines do, without the Arrow schema in its metadata: readers see
/// plain types, and the bytes depend only on the rows.
pub(crate) fn write_parquet(
    path: &Path,
    schema: SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<()> {
    let fail = |source| Error::Parquet {
        path: path.to_path_buf(),
        source,
    };
    let properties = WriterProperties::builder()
        .set_created_by("lakegate-demo".to_owned())
        .set_compression(ParquetCompression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let file = File::create(path).map_err(Error::io("create", path))?;
    let mut writer =
        ArrowWriter::try_new_with_options(BufWriter::new(file), schema, options).map_err(fail)?;
    for batch in batches {
        let batch = batch.map_err(|source| Error::Arrow {
            path: path.to_path_buf(),
            source,
        })?;
        writer.write(&batch).map_err(fail)?;
    }
    let mut file = writer.into_inner().map_err(fail)?;
    file.flush().map_err(Error::io("write", path))
}

/// Writes gzip whose header has neither a name nor a time.
pub(crate) fn write_gzip(path: &Path, content: &[u8]) -> Result<()> {
    let mut encoder = GzBuilder::new().mtime(0).write(
        Vec::with_capacity(content.len() / 3 + 64),
        Compression::new(6),
    );
    let compressed = encoder.write_all(content).and_then(|()| encoder.finish());
    let compressed = compressed.map_err(Error::io("compress", path))?;
    write(path, &compressed)
}

pub(crate) fn write(path: &Path, content: &[u8]) -> Result<()> {
    fs::write(path, content).map_err(Error::io("write", path))
}

/// Appends a value as one line of JSON.
pub(crate) fn push_json_line(
    lines: &mut Vec<u8>,
    value: &impl serde::Serialize,
    path: &Path,
) -> Result<()> {
    serde_json::to_writer(&mut *lines, value).map_err(|source| Error::Json {
        path: path.to_path_buf(),
        source,
    })?;
    lines.push(b'\n');
    Ok(())
}
