//! Files that say what is not so.

use bytes::Bytes;
use parquet::file::metadata::{
    ColumnChunkMetaDataBuilder, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaDataBuilder,
};

use super::*;

/// `id` 0 to 99 and a `name` that repeats, in one row group.
pub(super) fn honest() -> Vec<u8> {
    file(&rows(), 100)
}

pub(super) fn rows() -> RecordBatch {
    batch(vec![
        ("id", ints(0..100)),
        ("name", texts((0..100).map(|i| format!("name {}", i % 7)))),
    ])
}

/// The file with another footer behind its data.
pub(super) fn with_footer(file: &[u8], footer: &[u8]) -> Vec<u8> {
    let length = u32::from_le_bytes(*file[..file.len() - 4].last_chunk().unwrap());
    let mut forged = file[..file.len() - 8 - usize::try_from(length).unwrap()].to_vec();
    forged.extend_from_slice(footer);
    forged.extend_from_slice(&u32::try_from(footer.len()).unwrap().to_le_bytes());
    forged.extend_from_slice(b"PAR1");
    forged
}

fn metadata_of(file: &[u8]) -> ParquetMetaData {
    ParquetMetaDataReader::new()
        .parse_and_finish(&Bytes::copy_from_slice(file))
        .unwrap()
}

/// The file with its first row group changed.
pub(super) fn with_group(
    file: &[u8],
    change: impl FnOnce(RowGroupMetaDataBuilder) -> RowGroupMetaDataBuilder,
) -> Vec<u8> {
    let metadata = metadata_of(file);
    let mut groups = metadata.row_groups().to_vec();
    let first = groups.remove(0);
    groups.insert(0, change(first.into_builder()).build().unwrap());
    let forged = metadata.into_builder().set_row_groups(groups).build();
    let mut written = Vec::new();
    ParquetMetaDataWriter::new(&mut written, &forged)
        .finish()
        .unwrap();
    // The writer closes the footer with its length and the magic bytes.
    with_footer(file, &written[..written.len() - 8])
}

/// The file with its first column chunk changed.
pub(super) fn with_column(
    file: &[u8],
    change: impl FnOnce(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder,
) -> Vec<u8> {
    with_group(file, |mut group| {
        let mut columns = group.take_columns();
        let first = columns.remove(0);
        columns.insert(0, change(first.into_builder()).build().unwrap());
        group.set_column_metadata(columns)
    })
}

/// The file with these bytes in the place of the first column's pages.
pub(super) fn with_pages(file: &[u8], pages: &[u8]) -> Vec<u8> {
    let at = file.len() - 8 - footer_length(file);
    let mut longer = file[..at].to_vec();
    longer.extend_from_slice(pages);
    longer.extend_from_slice(&file[at..]);
    let (at, length) = (
        i64::try_from(at).unwrap(),
        i64::try_from(pages.len()).unwrap(),
    );
    with_column(&longer, |column| {
        column
            .set_dictionary_page_offset(None)
            .set_data_page_offset(at)
            .set_total_compressed_size(length)
            .set_offset_index_offset(None)
            .set_offset_index_length(None)
            .set_column_index_offset(None)
            .set_column_index_length(None)
    })
}

fn footer_length(file: &[u8]) -> usize {
    let length = u32::from_le_bytes(*file[..file.len() - 4].last_chunk().unwrap());
    usize::try_from(length).unwrap()
}

/// Thrift's compact encoding, to say what no writer would.
#[derive(Default, Clone)]
pub(super) struct Thrift(pub Vec<u8>);

impl Thrift {
    /// An unsigned number of variable length.
    pub(super) fn count(mut self, mut value: u64) -> Self {
        while value >= 0x80 {
            self.0.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        self.0.push(u8::try_from(value).unwrap());
        self
    }

    fn header(mut self, skipped: u8, code: u8) -> Self {
        self.0.push((skipped << 4) | code);
        self
    }

    /// A field `delta` after the one before it.
    pub(super) fn int(self, delta: u8, value: i64) -> Self {
        let zigzag = (value << 1) ^ (value >> 63);
        self.header(delta, 5).count(zigzag.cast_unsigned())
    }

    pub(super) fn text(self, delta: u8, text: &str) -> Self {
        let mut with = self.header(delta, 8).count(text.len() as u64);
        with.0.extend_from_slice(text.as_bytes());
        with
    }

    pub(super) fn list(self, delta: u8, items: &[Thrift]) -> Self {
        let mut with = self.claimed_list(delta, items.len() as u64);
        for item in items {
            with.0.extend_from_slice(&item.0);
        }
        with
    }

    /// The beginning of a list of structs.
    pub(super) fn claimed_list(self, delta: u8, items: u64) -> Self {
        let mut with = self.header(delta, 9);
        with.0.push(0xfc);
        with.count(items)
    }

    pub(super) fn structure(self, delta: u8, fields: Thrift) -> Self {
        let mut with = self.header(delta, 12);
        with.0.extend_from_slice(&fields.0);
        with
    }

    pub(super) fn end(mut self) -> Self {
        self.0.push(0);
        self
    }
}

/// An element of a schema.
pub(super) fn group(name: &str, children: i64) -> Thrift {
    let start = Thrift::default().int(3, 0);
    start.text(1, name).int(1, children).end()
}

pub(super) fn leaf(name: &str, physical_type: i64, length: i64) -> Thrift {
    let start = Thrift::default().int(1, physical_type).int(1, length);
    start.int(1, 1).text(1, name).end()
}

/// A footer without row groups.
pub(super) fn footer(elements: &[Thrift]) -> Vec<u8> {
    let start = Thrift::default().int(1, 1).list(1, elements);
    start.int(1, 0).list(1, &[]).end().0
}

/// A page with a header that says this of it. `dictionary`: of how many values.
pub(super) fn page(uncompressed: i64, compressed: i64, dictionary: Option<i64>) -> Vec<u8> {
    let sizes = Thrift::default()
        .int(1, if dictionary.is_some() { 2 } else { 0 })
        .int(1, uncompressed)
        .int(1, compressed);
    let header = match dictionary {
        Some(values) => sizes.structure(4, Thrift::default().int(1, values).int(1, 0).end()),
        None => {
            let data = Thrift::default().int(1, 100).int(1, 0).int(1, 3).int(1, 3);
            sizes.structure(2, data.end())
        }
    };
    let mut page = header.end().0;
    page.extend_from_slice(&[7; 64]);
    page
}
