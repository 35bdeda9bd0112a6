//! What a write writes to: the folders of partitions, and the buckets in them.

use std::collections::HashMap;

use lakegate_catalog::partition::PartitionInput;
use lakegate_error::{Code, Error, Result};

use super::destination::{Destination, PartitionFolder};
use super::waiting::Waiting;
use crate::format::FileWriter;
use crate::roots::Location;

/// Partitions that one write may write to.
const MAX_PARTITIONS: usize = 10_000;
/// Buckets that one write may write to, of all its partitions.
const MAX_FOLDERS: usize = 100_000;

/// A folder that files are written to, or a bucket in it. Rows wait only where no file is open.
#[derive(Debug)]
pub(super) struct Folder {
    /// The number of the folder of its partition.
    place: usize,
    /// `None`: there are no buckets.
    pub bucket: Option<u32>,
    pub open: Option<Box<dyn FileWriter>>,
    pub waiting: Waiting,
    /// The number of the last batch that it took.
    pub used: u64,
}

impl Folder {
    /// Bytes that it holds in memory.
    pub(super) fn memory(&self) -> usize {
        self.waiting.bytes() + self.open.as_ref().map_or(0, |open| open.memory())
    }
}

/// The folders by the values of the partition keys, and by bucket. They are numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Folders {
    places: Vec<PartitionFolder>,
    by_values: HashMap<Box<[String]>, usize>,
    all: Vec<Folder>,
    /// By the number of the partition's folder, and the bucket.
    by_bucket: HashMap<(usize, Option<u32>), usize>,
}

impl Folders {
    /// The number of the folder for the rows with these values of the keys, in this bucket.
    ///
    /// # Errors
    /// There are too many partitions, or buckets in them; the partition's folder cannot be written
    /// to; the catalog.
    pub(super) async fn number(
        &mut self,
        destination: &Destination,
        values: Box<[String]>,
        bucket: Option<u32>,
    ) -> Result<usize> {
        let place = self.place(destination, values).await?;
        if let Some(number) = self.by_bucket.get(&(place, bucket)) {
            return Ok(*number);
        }
        if self.all.len() >= MAX_FOLDERS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!(
                    "the rows are of more than {MAX_FOLDERS} buckets in the partitions of {}; write fewer buckets, or fewer partitions",
                    destination.label
                ),
            ));
        }
        let number = self.all.len();
        self.all.push(Folder {
            place,
            bucket,
            open: None,
            waiting: Waiting::default(),
            used: 0,
        });
        self.by_bucket.insert((place, bucket), number);
        Ok(number)
    }

    /// The number of the folder of a partition, which is announced when it is new.
    async fn place(&mut self, destination: &Destination, values: Box<[String]>) -> Result<usize> {
        if let Some(place) = self.by_values.get(&values) {
            return Ok(*place);
        }
        if !values.is_empty() && self.places.len() >= MAX_PARTITIONS {
            return Err(Error::new(
                Code::TooManyQueries,
                format!(
                    "the rows are of more than {MAX_PARTITIONS} partitions of {}; write them in several parts",
                    destination.label
                ),
            ));
        }
        let folder = destination.folder(&values)?;
        destination.announce(&folder).await?;
        let place = self.places.len();
        self.places.push(folder);
        self.by_values.insert(values, place);
        Ok(place)
    }

    /// # Errors
    /// There is no folder of the number.
    pub(super) fn get(&mut self, number: usize) -> Result<&mut Folder> {
        self.all.get_mut(number).ok_or_else(gone)
    }

    /// Where the files of a folder are, and their bucket.
    ///
    /// # Errors
    /// There is no folder of the number.
    pub(super) fn location(&self, number: usize) -> Result<(&Location, Option<u32>)> {
        let folder = self.all.get(number).ok_or_else(gone)?;
        let place = self.places.get(folder.place).ok_or_else(gone)?;
        Ok((&place.location, folder.bucket))
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Folder> {
        self.all.iter()
    }

    /// The files that are open.
    pub(super) fn open(&self) -> impl Iterator<Item = &(dyn FileWriter + 'static)> {
        self.iter().filter_map(|folder| folder.open.as_deref())
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Folder> {
        self.all.iter_mut()
    }

    /// The partitions that are to be registered, in the order of their values.
    pub(super) fn into_partitions(self) -> Vec<PartitionInput> {
        let places = self.places.into_iter();
        let mut partitions: Vec<PartitionInput> =
            places.filter_map(|place| place.partition).collect();
        partitions.sort_unstable_by(|one, other| one.values.cmp(&other.values));
        partitions
    }
}

fn gone() -> Error {
    Error::internal("a partition's folder is gone")
}
