//! Partitions of a table.

use std::fmt;

use super::TableName;

/// `(k = v, ..)` as in ADD PARTITION.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSpec {
    pub values: Vec<PartitionValue>,
}

/// `k = v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionValue {
    /// Lower case.
    pub key: String,
    /// The value's text (`2024-01-01` for `DATE '2024-01-01'`, `7` for `7`); `None` is NULL.
    pub value: Option<String>,
}

/// `(k < v, ..)` as in DROP PARTITION and SHOW PARTITIONS: a conjunction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionFilter {
    pub conditions: Vec<PartitionCondition>,
}

/// `k < v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionCondition {
    /// Lower case.
    pub key: String,
    pub op: CompareOp,
    /// The value's text; `None` is NULL, which only `=` and `<>` take.
    pub value: Option<String>,
}

/// How a key is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
}

impl fmt::Display for CompareOp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            CompareOp::Eq => "=",
            CompareOp::NotEq => "<>",
            CompareOp::Lt => "<",
            CompareOp::LtEq => "<=",
            CompareOp::Gt => ">",
            CompareOp::GtEq => ">=",
        })
    }
}

/// `MSCK [REPAIR] TABLE t [{ADD|DROP|SYNC} PARTITIONS]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MsckRepair {
    pub table: TableName,
    /// `ADD` by default.
    pub mode: MsckMode,
}

/// What MSCK does with partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsckMode {
    Add,
    Drop,
    Sync,
}

/// `ALTER TABLE t ADD [IF NOT EXISTS] PARTITION (..) [LOCATION '..'] [PARTITION ..]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableAddPartitions {
    pub table: TableName,
    pub if_not_exists: bool,
    /// At least one.
    pub partitions: Vec<NewPartition>,
}

/// One partition of ADD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartition {
    pub spec: PartitionSpec,
    pub location: Option<String>,
}

/// `ALTER TABLE t DROP [IF EXISTS] PARTITION (..) [, PARTITION (..)]`: drops the partitions that
/// any filter matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableDropPartitions {
    pub table: TableName,
    pub if_exists: bool,
    /// At least one.
    pub filters: Vec<PartitionFilter>,
}

/// `ALTER TABLE t PARTITION (..) RENAME TO PARTITION (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableRenamePartition {
    pub table: TableName,
    pub from: PartitionSpec,
    pub to: PartitionSpec,
}
