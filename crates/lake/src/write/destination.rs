//! Where rows are written to: a folder, the format and names of its files, and the folders of
//! partitions.

use std::sync::Arc;

use arrow::datatypes::FieldRef;
use chrono::Utc;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Parameters, Table};
use lakegate_catalog::partition::projection::Projection;
use lakegate_catalog::partition::{
    PartitionInput, PartitionKey, Partitions, default_location, new_location,
};
use lakegate_catalog::store::{RetiredFolders, WriteId, WriteLog};
use lakegate_error::{Error, Result};

use super::layout::Layout;
use crate::format::{Codec, Codecs, TableFormat, not_writable};
use crate::roots::{Location, Roots};
use crate::table::{projection_of, symlinks};

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
    /// The names of the files have its number.
    pub write: WriteId,
    /// Of the rows in the files.
    pub layout: Arc<Layout>,
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
    /// Where the partitions are instead of where they are registered. `None`: they are registered.
    pub projection: Option<Projection>,
    /// Partitions that are registered anew do not get folders that these lie in.
    pub retired: Arc<RetiredFolders>,
    /// The rows take the place of those of their partitions, in new folders.
    pub replaces: bool,
    /// Gets folders outside of the table's own before the write has a file there.
    pub write_log: Arc<dyn WriteLog>,
}

/// The folder of one partition.
#[derive(Debug)]
pub(super) struct PartitionFolder {
    pub location: Location,
    /// The location's URL.
    url: String,
    /// What is to be registered. `None`: there are no keys, or partitions are projected.
    pub partition: Option<PartitionInput>,
}

impl Destination {
    /// Checks that files of the format can be written, with the codec.
    ///
    /// # Errors
    /// They cannot.
    pub(super) fn check(&self) -> Result<()> {
        let format = self.format.file_format();
        if !format.is_writable() {
            return Err(not_writable(&self.label));
        }
        if format.codecs().take(self.codec) {
            return Ok(());
        }
        // Says what they can be.
        let name = Some(self.codec.name());
        format.codecs().choose(&self.label, name, None).map(|_| ())
    }

    /// The folder of the rows with these values of the keys.
    ///
    /// # Errors
    /// The folder is under no lake root, or a link leads out of the destination's; files of the
    /// partition have a format that is not written; the projection does not have the values.
    pub(super) fn folder(&self, values: &[String]) -> Result<PartitionFolder> {
        if values.is_empty() {
            return Ok(PartitionFolder {
                location: self.roots.locate(&self.url)?,
                url: self.url.clone(),
                partition: None,
            });
        }
        if let Some(projection) = self.projection() {
            let url = projection.location_of(values, Utc::now())?;
            let location = self.roots.locate(&url)?;
            let base = self.roots.locate(projection.folder())?;
            base.check_below(std::iter::once(&location.path))?;
            return Ok(PartitionFolder {
                location,
                url,
                partition: None,
            });
        }
        let (values, url) = if self.table.as_ref().is_some_and(|table| table.replaces) {
            // Readers of the old files are not disturbed, and files of others are left behind.
            let new = new_location(&self.url, &self.keys, values, self.write);
            (values.to_vec(), new)
        } else {
            let registered = self.registered(values)?;
            registered.unwrap_or_else(|| (values.to_vec(), self.unregistered(values)))
        };
        let location = self.roots.locate(&url)?;
        let home = self.roots.locate(&self.url)?;
        if Arc::ptr_eq(&home.root, &location.root) && location.path.prefix_matches(&home.path) {
            home.check_below(std::iter::once(&location.path))?;
        }
        Ok(PartitionFolder {
            location,
            partition: Some(PartitionInput::at(values, url.clone())),
            url,
        })
    }

    /// The location of a partition that is not registered yet.
    fn unregistered(&self, values: &[String]) -> String {
        let default = default_location(&self.url, &self.keys, values);
        let table = self.table.as_ref();
        if table.is_some_and(|table| table.retired.are_in(&default)) {
            // A partition of these values was emptied and dropped, and a query reads its files yet.
            return new_location(&self.url, &self.keys, values, self.write);
        }
        default
    }

    /// The types of columns as the table declares them. Empty: there is no table.
    pub(super) fn declared(&self, columns: &[FieldRef]) -> Vec<Option<HiveType>> {
        let Some(folders) = &self.table else {
            return Vec::new();
        };
        let declared = &folders.table.storage_descriptor.columns;
        let of = |field: &FieldRef| {
            let mut declared = declared.iter();
            let column = declared.find(|column| column.name.eq_ignore_ascii_case(field.name()))?;
            column.data_type.parse::<HiveType>().ok()
        };
        columns.iter().map(of).collect()
    }

    fn projection(&self) -> Option<&Projection> {
        self.table.as_deref()?.projection.as_ref()
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
            return Err(Error::not_supported(format!(
                "partition {} of {} has files of another format than the table's new ones",
                partition.name(&partitions.keys),
                self.label
            ))
            .with_hint("drop the partition, and register its folder as a table of its own"));
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
        let url = format!("{}/", folder.url.trim_end_matches('/'));
        if !url.starts_with(&home) {
            let outside = vec![folder.url.clone()];
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
    /// Of files that are to be deleted.
    pub retired: Arc<RetiredFolders>,
    /// The rows take the place of those of their partitions.
    pub replaces: bool,
    pub write_log: Arc<dyn WriteLog>,
    /// [`Layout::of_table`] of the table.
    pub layout: Arc<Layout>,
}

impl Target {
    /// The destination of a write to the table.
    ///
    /// # Errors
    /// The table has no location; a partition key of no known type; an unknown codec; files of its
    /// format are not written; a partition projection that cannot be used.
    pub fn destination(&self, write: WriteId) -> Result<Destination> {
        let table = &self.table;
        let format = writable_format(table)?;
        Ok(Destination {
            label: format!("table {}", table.full_name()),
            url: location(table)?.to_owned(),
            roots: Arc::clone(&self.roots),
            codec: codec(
                &format,
                &table.parameters,
                &format!("table {}", table.full_name()),
            )?,
            format,
            keys: PartitionKey::of_table(table)?,
            write,
            layout: Arc::clone(&self.layout),
            table: Some(Arc::new(TableFolders {
                table: Arc::clone(table),
                partitions: self.partitions.clone(),
                projection: projection_of(table)?,
                retired: Arc::clone(&self.retired),
                replaces: self.replaces,
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

/// Checks that files of a table's format are written.
///
/// # Errors
/// They are not.
pub fn check_format(table: &Table) -> Result<()> {
    writable_format(table).map(|_| ())
}

/// Checks that rows can be added to a table.
///
/// # Errors
/// Files of its format are not written, or for new tables alone; it has buckets, which new files
/// would not be of.
pub fn check_append(table: &Table) -> Result<()> {
    let format = writable_format(table)?;
    let format = format.file_format();
    let storage = &table.storage_descriptor;
    if storage.number_of_buckets > 0 && !storage.bucket_columns.is_empty() {
        return Err(Error::not_supported(format!(
            "table {} has buckets, and rows are not added to tables with buckets",
            table.full_name()
        ))
        .with_hint("CREATE OR REPLACE TABLE .. AS makes another table of all rows"));
    }
    if format.takes_rows() {
        return Ok(());
    }
    Err(Error::not_supported(format!(
        "table {} has files of {}, to which rows are not added",
        table.full_name(),
        format.codecs().format
    ))
    .with_hint("make another table of the rows with CREATE TABLE AS"))
}

fn writable_format(table: &Table) -> Result<TableFormat> {
    let format = TableFormat::detect(&table.storage_descriptor, &table.parameters)?;
    if symlinks::is_symlink(&table.storage_descriptor) {
        return Err(Error::not_supported(format!(
            "table {} has manifests (SymlinkTextInputFormat), which are not written",
            table.full_name()
        ))
        .with_hint("write to a table over the folder of the data files"));
    }
    match format.file_format().is_writable() {
        true => Ok(format),
        false => Err(not_writable(&format!("table {}", table.full_name()))),
    }
}

/// The codec of new files, by the properties of a table: those that the format has for it, as Hive
/// and Athena spell them, and `compression_level`. `asker`: for messages, such as
/// `table sales.orders`.
///
/// # Errors
/// A codec or a level that files of the format cannot have.
pub fn codec(format: &TableFormat, properties: &Parameters, asker: &str) -> Result<Codec> {
    let codecs = format.file_format().codecs();
    let of = |name: &str| properties.get(name).map(String::as_str);
    let name = codecs.properties.iter().find_map(|name| of(name));
    codecs.choose(asker, name, of(Codecs::LEVEL))
}
