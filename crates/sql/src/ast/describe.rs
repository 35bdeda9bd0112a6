//! SHOW and DESCRIBE of catalog objects.

use super::{DatabaseName, PartitionFilter, PartitionSpec, TableName};

/// `SHOW {DATABASES|SCHEMAS} [{IN|FROM} catalog] [[LIKE] 'pattern']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowDatabases {
    pub catalog: Option<String>,
    /// Hive's pattern: `*` for any characters, `|` for alternatives.
    pub like: Option<String>,
}

/// `SHOW TABLES [{IN|FROM} db] [[LIKE] 'pattern']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowTables {
    pub database: Option<DatabaseName>,
    /// Hive's pattern: `*` for any characters, `|` for alternatives.
    pub pattern: Option<String>,
}

/// `SHOW VIEWS [{IN|FROM} db] [[LIKE] 'pattern']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowViews {
    pub database: Option<DatabaseName>,
    /// Hive's pattern: `*` for any characters, `|` for alternatives.
    pub pattern: Option<String>,
}

/// `SHOW COLUMNS {FROM|IN} [db.]t [{FROM|IN} db] [[LIKE] 'pattern']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowColumns {
    pub table: TableName,
    /// Hive's pattern.
    pub like: Option<String>,
}

/// `SHOW PARTITIONS t [PARTITION (..)]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowPartitions {
    pub table: TableName,
    pub filter: Option<PartitionFilter>,
}

/// `SHOW CREATE TABLE t`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowCreateTable {
    pub table: TableName,
}

/// `SHOW CREATE VIEW v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowCreateView {
    pub view: TableName,
}

/// `SHOW TBLPROPERTIES t [('k')]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowTblProperties {
    pub table: TableName,
    pub key: Option<String>,
}

/// `{DESCRIBE|DESC} [EXTENDED|FORMATTED] t [PARTITION (..)] [col[.field ..]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Describe {
    pub detail: DescribeDetail,
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
    /// The column and the fields in it, lower case; `$elem$`, `$key$` and `$value$` are Hive's.
    /// Empty: the whole table.
    pub column: Vec<String>,
}

/// `SHOW FUNCTIONS [[LIKE] 'pattern']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShowFunctions {
    /// Hive's pattern: `*` for any characters, `|` for alternatives.
    pub like: Option<String>,
}

/// The level of detail of DESCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescribeDetail {
    Plain,
    Extended,
    Formatted,
}
