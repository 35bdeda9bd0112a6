//! Where rows are written to: a folder, the format and names of its files, and the folders of
//! partitions.

use std::sync::Arc;

use lakegate_catalog::model::Table;
use lakegate_catalog::partition::{PartitionInput, PartitionKey, Partitions, default_location};
use lakegate_catalog::store::{WriteId, WriteLog};
use lakegate_error::{Code, Error, Result};

use crate::format::{Codec, TableFormat, not_writable};
use crate::roots::{Location, Roots};

/// A folder that rows are written to, of a table or of none.
#[derive(Debug, Clone)]
pub struct Destination {
    /// What error messages call it, such as `table sales.orders`.
    pub label: String,
    /// The folder's URL, as the user wrote it.
    pub url: String,
    pub roots: Arc<Roots>,
    pub format: TableFormat,
    pub codec: Codec,
    /// Their values are in the names of folders and not in the files.
    pub keys: Arc<[PartitionKey]>,
    /// The names of the files begin with its number.
    pub write: WriteId,
    /// `None`: no table has the folder, and each partition is in the folder of its values.
    pub table: Option<Arc<TableFolders>>,
}

/// What a table has to say on the folders of its partitions.
#[derive(Debug)]
pub struct TableFolders {
    pub table: Arc<Table>,
    /// The registered ones, which keep their folders and the spelling of their values. `None`:
    /// there are none.
    pub partitions: Option<Arc<Partitions>>,
    /// Gets folders outside of the table's own before the write has a file there.
    pub write_log: Arc<dyn WriteLog>,
}

/// The folder of one partition.
#[derive(Debug)]
pub(super) struct PartitionFolder {
    pub location: Location,
    /// `None`: there are no keys.
    pub partition: Option<PartitionInput>,
}

impl Destination {
    /// Checks that files of the format can be written.
    ///
    /// # Errors
    /// They cannot.
    pub(super) fn check(&self) -> Result<()> {
        match self.format.file_format().is_writable() {
            true => Ok(()),
            false => Err(not_writable(&self.label)),
        }
    }

    /// The folder of the rows with these values of the keys.
    ///
    /// # Errors
    /// The folder is under no lake root, or a link leads out of the destination's; files of the
    /// partition have a format that is not written.
    pub(super) fn folder(&self, values: &[String]) -> Result<PartitionFolder> {
        if values.is_empty() {
            return Ok(PartitionFolder {
                location: self.roots.locate(&self.url)?,
                partition: None,
            });
        }
        let (values, url) = match self.registered(values)? {
            Some(registered) => registered,
            None => (
                values.to_vec(),
                default_location(&self.url, &self.keys, values),
            ),
        };
        let location = self.roots.locate(&url)?;
        let home = self.roots.locate(&self.url)?;
        if Arc::ptr_eq(&home.root, &location.root) && location.path.prefix_matches(&home.path) {
            home.check_below(std::iter::once(&location.path))?;
        }
        Ok(PartitionFolder {
            location,
            partition: Some(PartitionInput::at(values, url)),
        })
    }

    /// The values and the location of a partition that is registered already, as they are spelled
    /// there.
    fn registered(&self, values: &[String]) -> Result<Option<(Vec<String>, String)>> {
        let Some(TableFolders {
            table,
            partitions: Some(partitions),
            ..
        }) = self.table.as_deref()
        else {
            return Ok(None);
        };
        let Some(partition) = partitions.find(values)? else {
            return Ok(None);
        };
        let format = TableFormat::detect(&partition.storage_descriptor, &table.parameters)?;
        if format != self.format {
            return Err(not_writable(&format!(
                "partition {} of {}",
                partition.name(&partitions.keys),
                self.label
            )));
        }
        let spelled = partition.values.iter().map(ToString::to_string).collect();
        Ok(Some((spelled, partition.location(&partitions.keys))))
    }

    /// Announces a partition's folder that lies outside of the destination's, so that its files are
    /// found and removed if the process dies before the commit.
    ///
    /// # Errors
    /// The catalog.
    pub(super) async fn announce(&self, folder: &PartitionFolder) -> Result<()> {
        let Some(table) = &self.table else {
            return Ok(());
        };
        let home = format!("{}/", self.url.trim_end_matches('/'));
        let partition = folder.partition.as_ref();
        let url = partition.and_then(|partition| partition.location.as_ref());
        if let Some(outside) = url.filter(|url| !url.starts_with(&home)) {
            let outside = vec![outside.clone()];
            table.write_log.extend_write(self.write, outside).await?;
        }
        Ok(())
    }
}

/// A table that rows are added to, which the catalog may not have yet.
#[derive(Debug, Clone)]
pub struct Target {
    pub table: Arc<Table>,
    /// The registered ones. `None`: the table has no keys, or does not exist yet.
    pub partitions: Option<Arc<Partitions>>,
    pub roots: Arc<Roots>,
    pub write_log: Arc<dyn WriteLog>,
}

impl Target {
    /// The destination of a write to the table.
    ///
    /// # Errors
    /// The table has no location; a partition key of no known type; an unknown codec; files of its
    /// format are not written.
    pub fn destination(&self, write: WriteId) -> Result<Destination> {
        let table = &self.table;
        Ok(Destination {
            label: format!("table {}", table.full_name()),
            url: location(table)?.to_owned(),
            roots: Arc::clone(&self.roots),
            format: writable_format(table)?,
            codec: codec(table)?,
            keys: PartitionKey::of_table(table)?,
            write,
            table: Some(Arc::new(TableFolders {
                table: Arc::clone(table),
                partitions: self.partitions.clone(),
                write_log: Arc::clone(&self.write_log),
            })),
        })
    }
}

/// The URL of a table's folder.
///
/// # Errors
/// The table has none.
pub fn location(table: &Table) -> Result<&str> {
    table.storage_descriptor.location.as_deref().ok_or_else(|| {
        Error::invalid(format!(
            "table {} has no location; ALTER TABLE … SET LOCATION gives it one",
            table.full_name()
        ))
    })
}

/// Checks that rows can be added to a table.
///
/// # Errors
/// Files of its format are not written.
pub fn check_format(table: &Table) -> Result<()> {
    writable_format(table).map(|_| ())
}

fn writable_format(table: &Table) -> Result<TableFormat> {
    let format = TableFormat::detect(&table.storage_descriptor, &table.parameters)?;
    match format.file_format().is_writable() {
        true => Ok(format),
        false => Err(not_writable(&format!("table {}", table.full_name()))),
    }
}

/// The codec that the table's properties name, as Hive and Athena spell them; Snappy by default.
fn codec(table: &Table) -> Result<Codec> {
    let asked = [
        "parquet.compression",
        "parquet.compress",
        "write.compression",
    ]
    .iter()
    .find_map(|name| table.parameters.get(*name));
    let Some(asked) = asked else {
        return Ok(Codec::default());
    };
    Codec::parse(asked).ok_or_else(|| {
        Error::new(
            Code::InvalidTable,
            format!(
                "table {} asks for Parquet compression '{asked}'; it can be SNAPPY, GZIP, ZSTD, LZ4, BROTLI or NONE",
                table.full_name()
            ),
        )
    })
}
