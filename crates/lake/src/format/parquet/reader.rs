//! Readers for one scan: they charge footers, check columns and pages, and read through the query's
//! meter.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Error, Result};
use object_store::ObjectMeta;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use super::checks::ColumnChecks;
use super::decode::Footer;
use super::footer::{FooterCache, ranges};
use super::names::ColumnNames;
use super::pages::{Page, pages};
use super::{damaged, from_parquet};
use crate::format::PartitionName;
use crate::meter::{MeteredStore, QueryMeter};
use crate::roots::Root;

/// Makes the readers of a scan's Parquet files, which meter their bytes and check their footers.
#[derive(Debug, Clone)]
pub struct LakeReaderFactory {
    pub root: Arc<Root>,
    pub footers: FooterCache,
    /// What the columns of the files are called.
    pub names: ColumnNames,
    pub meter: Arc<QueryMeter>,
    pub checks: Arc<ColumnChecks>,
}

impl LakeReaderFactory {
    /// The footer of a file, charged to the query.
    pub(super) async fn footer(&self, file: &ObjectMeta) -> Result<Arc<Footer>> {
        let names = &self.names;
        self.footers
            .footer(&self.root, file, &self.meter, names)
            .await
    }
}

impl ParquetFileReaderFactory for LakeReaderFactory {
    fn create_reader(
        &self,
        _partition_index: usize,
        file: PartitionedFile,
        _metadata_size_hint: Option<usize>,
        _metrics: &ExecutionPlanMetricsSet,
    ) -> datafusion::error::Result<Box<dyn AsyncFileReader + Send>> {
        let pages = Arc::clone(&self.meter);
        Ok(Box::new(LakeReader::new(self, file, pages)))
    }
}

/// The metadata of a file with the index of its pages, which was read and charged. An extension of
/// a file.
#[derive(Debug)]
pub(super) struct PageIndexed(pub Arc<ParquetMetaData>);

pub(super) struct LakeReader {
    store: MeteredStore,
    /// The file as a user knows it, for errors.
    url: String,
    factory: LakeReaderFactory,
    file: PartitionedFile,
}

impl LakeReader {
    /// `pages`: charged for all but the footer.
    pub(super) fn new(
        factory: &LakeReaderFactory,
        file: PartitionedFile,
        pages: Arc<QueryMeter>,
    ) -> Self {
        Self {
            store: MeteredStore::of_file(&factory.root, file.object_meta.clone(), pages),
            url: factory.root.display_path(&file.object_meta.location),
            factory: factory.clone(),
            file,
        }
    }

    async fn footer(&self) -> Result<Arc<Footer>> {
        self.factory.footer(&self.file.object_meta).await
    }

    async fn read(&self, wanted: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let size = self.file.object_meta.size;
        // An index of pages may point anywhere; what is asked for is charged.
        if let Some(outside) = wanted
            .iter()
            .find(|range| range.start > range.end || range.end > size)
        {
            return Err(damaged(
                &self.url,
                format!(
                    "an index points at bytes {} to {}, the file has {size}",
                    outside.start, outside.end
                ),
            ));
        }
        let path = &self.file.object_meta.location;
        ranges(&self.store, path, &self.url, wanted).await
    }

    /// Reads ranges that begin with a page each.
    async fn pages(&self, wanted: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let pieces = self.read(wanted).await?;
        let footer = self.footer().await?;
        let mut checked = Vec::with_capacity(pieces.len());
        for (piece, range) in pieces.into_iter().zip(wanted) {
            let bad = |e| from_parquet(&self.url, &e);
            let pages = pages(&piece).map_err(bad)?;
            for page in pages.iter().filter(|page| page.is_large()) {
                check(page, range.start, &footer).map_err(bad)?;
            }
            checked.push(
                footer
                    .packed
                    .checked(piece, range, &pages)
                    .await
                    .map_err(bad)?,
            );
        }
        Ok(checked)
    }
}

/// `start`: where in the file the bytes are that the page was found in.
fn check(page: &Page, start: u64, footer: &Footer) -> parquet::errors::Result<()> {
    let at = start + page.header.start as u64;
    let columns = footer
        .metadata
        .row_groups()
        .iter()
        .flat_map(|g| g.columns());
    for column in columns {
        let (first, length) = column.byte_range();
        if (first..first + length).contains(&at) {
            page.check(column.compression())?;
        }
    }
    Ok(())
}

fn external(error: Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for LakeReader {
    /// Indexes of pages and Bloom filters.
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, parquet::errors::Result<Bytes>> {
        async move {
            let mut pieces = self.read(&[range]).await.map_err(external)?;
            Ok(pieces.pop().unwrap_or_default())
        }
        .boxed()
    }

    /// Pages.
    fn get_byte_ranges(
        &mut self,
        ranges: Vec<Range<u64>>,
    ) -> BoxFuture<'_, parquet::errors::Result<Vec<Bytes>>> {
        async move { self.pages(&ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, parquet::errors::Result<Arc<ParquetMetaData>>> {
        async move {
            let footer = self.footer().await.map_err(external)?;
            let partition = self
                .file
                .extension::<PartitionName>()
                .map_or("", |name| &name.0);
            self.factory
                .checks
                .check(&footer, partition, &self.url)
                .map_err(external)?;
            let indexed = self.file.extension::<PageIndexed>();
            let metadata = indexed.map_or(&footer.metadata, |PageIndexed(indexed)| indexed);
            Ok(Arc::clone(metadata))
        }
        .boxed()
    }
}
