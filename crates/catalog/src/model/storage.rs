//! The location and format of a table's or a partition's data.

use serde::{Deserialize, Serialize};

use super::Parameters;

/// The property of a table that says by which hash function rows are divided into buckets: `1` is
/// the first one of Hive, which Athena and Trino use.
pub const BUCKETING_VERSION: &str = "bucketing_version";

/// The parameter of a column that is `true` if rows that Lakegate writes must have a value there.
/// Files of others may hold NULLs all the same.
const NOT_NULL: &str = "not_null";

/// A column or a partition key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Column {
    /// Lower case, 1 to 255 characters.
    pub name: String,
    /// A Hive type, for example `decimal(10,2)`; see [`crate::hive_type::HiveType`].
    #[serde(rename = "Type")]
    pub data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
}

impl Column {
    /// A column without comment or parameters.
    pub fn new(name: impl Into<String>, data_type: impl Into<String>) -> Self {
        Column {
            name: name.into(),
            data_type: data_type.into(),
            ..Column::default()
        }
    }

    /// Whether rows that are written must have a value of the column.
    pub fn is_required(&self) -> bool {
        self.parameters
            .get(NOT_NULL)
            .is_some_and(|set| set == "true")
    }

    /// Sets whether rows that are written must have a value of the column.
    pub fn require(&mut self, required: bool) {
        if required {
            self.parameters
                .insert(NOT_NULL.to_owned(), "true".to_owned());
        } else {
            self.parameters.remove(NOT_NULL);
        }
    }
}

/// The class that reads and writes rows, and its properties.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SerDeInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For example `org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serialization_library: Option<String>,
    /// SERDEPROPERTIES, for example `field.delim`.
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
}

/// A column of a bucketed table's sort order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SortColumn {
    pub column: String,
    /// 1 is ascending, 0 descending.
    pub sort_order: i32,
}

/// Columns, location and format of a table's or a partition's data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct StorageDescriptor {
    /// The columns in the files, without partition keys.
    pub columns: Vec<Column>,
    /// A URL such as `s3://bucket/prefix/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_format: Option<String>,
    pub compressed: bool,
    /// 0 or negative means not bucketed.
    pub number_of_buckets: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serde_info: Option<SerDeInfo>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bucket_columns: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sort_columns: Vec<SortColumn>,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    pub stored_as_sub_directories: bool,
}

impl StorageDescriptor {
    /// The bucketing columns with their places, in their order. `None`: there is no such column.
    pub fn bucketing_columns(&self) -> impl Iterator<Item = Option<(usize, &Column)>> {
        self.bucket_columns.iter().map(move |name| {
            let mut columns = self.columns.iter().enumerate();
            columns.find(|(_, column)| column.name.eq_ignore_ascii_case(name))
        })
    }

    /// Returns the places, names and types of the bucketing columns: rows of the same values are in
    /// the same buckets where these are the same.
    pub fn bucketing(&self) -> Vec<Option<(usize, &str, &str)>> {
        let columns = self.bucketing_columns().map(|found| {
            found.map(|(place, column)| (place, column.name.as_str(), column.data_type.as_str()))
        });
        columns.collect()
    }
}
