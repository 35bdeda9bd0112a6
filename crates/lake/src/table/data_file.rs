//! A data file as an index has it.

use chrono::{DateTime, Utc};
use lakegate_catalog::store::WriteId;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::roots::object_version;

/// One file of a partition, in the state that a query reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// The key in the store of the partition's root.
    pub path: Path,
    /// Bytes.
    pub size: u64,
    /// `None`: the store has no ETags.
    pub e_tag: Option<String>,
    pub modified: DateTime<Utc>,
    /// The write of Lakegate's that made the file. `None`: another program wrote it.
    pub write: Option<WriteId>,
}

impl DataFile {
    /// The object as the store knows it.
    pub fn object(&self) -> ObjectMeta {
        ObjectMeta {
            location: self.path.clone(),
            last_modified: self.modified,
            size: self.size,
            e_tag: self.e_tag.clone(),
            version: None,
        }
    }

    /// What identifies the state of the file.
    pub fn version(&self) -> String {
        object_version(&self.object())
    }
}

impl From<ObjectMeta> for DataFile {
    fn from(object: ObjectMeta) -> Self {
        let write = object.location.filename().and_then(WriteId::of_file);
        Self {
            path: object.location,
            size: object.size,
            e_tag: object.e_tag,
            modified: object.last_modified,
            write,
        }
    }
}
