//! Databases and tables.

use super::{DatabaseName, PartitionSpec, Properties, Statement, TableName, WriteProperty};

/// `USE db`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub database: DatabaseName,
}

/// `CREATE {DATABASE|SCHEMA} [IF NOT EXISTS] n [COMMENT 'c'] [LOCATION 'l'] [WITH DBPROPERTIES
/// (..)]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    pub if_not_exists: bool,
    pub name: DatabaseName,
    pub comment: Option<String>,
    pub location: Option<String>,
    pub properties: Properties,
}

/// `DROP {DATABASE|SCHEMA} [IF EXISTS] n [RESTRICT|CASCADE]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropDatabase {
    pub if_exists: bool,
    pub name: DatabaseName,
    pub cascade: bool,
}

/// `ALTER {DATABASE|SCHEMA} n SET DBPROPERTIES (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterDatabaseSetProperties {
    pub name: DatabaseName,
    pub properties: Properties,
}

/// A column of a table's definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDef {
    /// Lower case.
    pub name: String,
    /// Hive type text, lower case and without spaces: `array<struct<a:int,b:decimal(10,2)>>`. Not
    /// validated here.
    pub data_type: String,
    pub comment: Option<String>,
    /// Rows that are written must have a value.
    pub not_null: bool,
}

/// What COMMIT does to a temporary table: `ON COMMIT {PRESERVE ROWS|DELETE ROWS|DROP}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnCommit {
    #[default]
    PreserveRows,
    DeleteRows,
    Drop,
}

/// `CREATE [EXTERNAL] TABLE`, in Hive's grammar, without EXTERNAL also in that of PostgreSQL and
/// Trino, and `CREATE TEMP TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTable {
    /// `Some`: it belongs to the session, and has nothing but columns.
    pub temporary: Option<OnCommit>,
    pub external: bool,
    pub if_not_exists: bool,
    pub name: TableName,
    pub columns: Vec<ColumnDef>,
    pub comment: Option<String>,
    pub partitioned_by: Vec<ColumnDef>,
    pub clustered_by: Option<ClusteredBy>,
    /// Of CLUSTERED BY, or a clause of its own.
    pub sorted_by: Vec<SortColumn>,
    pub row_format: Option<RowFormat>,
    pub stored_as: Option<StoredAs>,
    pub location: Option<String>,
    pub properties: Properties,
    /// `WITH (k = v, ..)`, in place of all clauses from PARTITIONED BY on. Partition keys are among
    /// the columns then.
    pub with: Vec<WriteProperty>,
}

impl CreateTable {
    /// A table of the catalog with nothing but a name.
    pub fn named(name: TableName) -> Self {
        Self {
            temporary: None,
            external: false,
            if_not_exists: false,
            name,
            columns: Vec::new(),
            comment: None,
            partitioned_by: Vec::new(),
            clustered_by: None,
            sorted_by: Vec::new(),
            row_format: None,
            stored_as: None,
            location: None,
            properties: Vec::new(),
            with: Vec::new(),
        }
    }
}

/// `CLUSTERED BY (c, ..) [SORTED BY (c [ASC|DESC], ..)] INTO n BUCKETS`, without the columns of
/// SORTED BY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusteredBy {
    pub columns: Vec<String>,
    pub buckets: u32,
}

/// A column of SORTED BY.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortColumn {
    pub name: String,
    pub ascending: bool,
}

/// `ROW FORMAT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowFormat {
    Delimited(Delimited),
    SerDe {
        /// The class name, its case kept.
        class: String,
        properties: Properties,
    },
}

/// `ROW FORMAT DELIMITED`; backslash escapes are already resolved (`'\t'` is one tab character).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delimited {
    pub fields: Option<String>,
    pub escaped: Option<String>,
    pub collection_items: Option<String>,
    pub map_keys: Option<String>,
    pub lines: Option<String>,
    pub null_defined_as: Option<String>,
}

/// `STORED AS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredAs {
    Format(StorageFormat),
    InputOutput { input: String, output: String },
}

/// The formats that STORED AS names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageFormat {
    SequenceFile,
    TextFile,
    JsonFile,
    RcFile,
    Orc,
    Parquet,
    Avro,
    Ion,
}

/// `CREATE TABLE t (LIKE s [{INCLUDING|EXCLUDING} ..])`, and Hive's `CREATE [EXTERNAL] TABLE t LIKE
/// s`: a table with the columns and the format of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateTableLike {
    pub if_not_exists: bool,
    pub name: TableName,
    pub source: TableName,
    /// Whether the table properties of the source are copied too, as in Hive's form and with
    /// INCLUDING PROPERTIES.
    pub with_properties: bool,
    /// Replaces the comment of the source.
    pub comment: Option<String>,
    /// `None`: an empty folder below that of the database.
    pub location: Option<String>,
    /// Added to those that are copied.
    pub properties: Properties,
}

/// `DROP TABLE [IF EXISTS] t, ..`: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropTable {
    pub if_exists: bool,
    /// At least one.
    pub names: Vec<TableName>,
}

/// `ALTER TABLE IF EXISTS t ..`: has no effect if the table does not exist.
#[derive(Debug, Clone, PartialEq)]
pub struct AlterTableIfExists {
    pub table: TableName,
    /// The statement without IF EXISTS, on the same table.
    pub change: Box<Statement>,
}

/// Hive's `ALTER TABLE t [PARTITION (..)] ADD COLUMNS (..)`, and `ALTER TABLE t ADD [COLUMN] [IF NOT
/// EXISTS] a type, ADD ..` of PostgreSQL and Trino.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableAddColumns {
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
    pub columns: Vec<ColumnDef>,
    /// Columns that the table has are passed over.
    pub if_not_exists: bool,
    /// It is not Hive's form: the types may have PostgreSQL's names.
    pub sql_types: bool,
}

/// `ALTER TABLE t [PARTITION (..)] REPLACE COLUMNS (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableReplaceColumns {
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
    pub columns: Vec<ColumnDef>,
}

/// A change of one column: `ALTER TABLE t [PARTITION (..)] CHANGE [COLUMN] a b type ..`, `RENAME
/// COLUMN`, `ALTER COLUMN .. {TYPE | DROP NOT NULL}` and `DROP COLUMN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableColumn {
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
    pub column: String,
    /// `IF EXISTS` of the column.
    pub if_exists: bool,
    pub change: ColumnChange,
}

/// What [`AlterTableColumn`] changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnChange {
    /// `RENAME [COLUMN] a TO b`: the new name.
    Rename(String),
    /// `ALTER [COLUMN] a [SET DATA] TYPE type`: Hive type text, as in [`ColumnDef`].
    Type(String),
    /// `ALTER [COLUMN] a DROP NOT NULL`.
    DropNotNull,
    /// `DROP [COLUMN] a`.
    Drop,
    /// `CHANGE [COLUMN] a b type [COMMENT 'c'] [{FIRST|AFTER d}]`. The comment stays where none is
    /// given.
    Definition {
        column: ColumnDef,
        place: Option<ColumnPlace>,
    },
}

/// Where CHANGE COLUMN moves a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnPlace {
    First,
    After(String),
}

/// PostgreSQL's `CREATE INDEX [CONCURRENTLY] [[IF NOT EXISTS] i] ON [ONLY] t [USING m] (a, ..) ..`,
/// which makes nothing: an index changes no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateIndex {
    pub table: TableName,
    /// Those of the index that are not expressions. Lower case.
    pub columns: Vec<String>,
}

/// PostgreSQL's `DROP INDEX [CONCURRENTLY] [IF EXISTS] i, ..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIndex {
    pub if_exists: bool,
    /// At least one.
    pub names: Vec<TableName>,
}

/// `COMMENT ON {TABLE|VIEW|COLUMN|SCHEMA} x IS {'c'|NULL}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentOn {
    pub object: Commented,
    /// `None`: the comment is removed. Never empty.
    pub comment: Option<String>,
}

/// What has a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Commented {
    Database(DatabaseName),
    Table(TableName),
    View(TableName),
    /// A column of a table or view.
    Column {
        table: TableName,
        column: String,
    },
}

/// `ALTER TABLE t SET TBLPROPERTIES (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableSetProperties {
    pub table: TableName,
    pub properties: Properties,
}

/// `ALTER TABLE t UNSET TBLPROPERTIES [IF EXISTS] ('k', ..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableUnsetProperties {
    pub table: TableName,
    pub if_exists: bool,
    pub keys: Vec<String>,
}

/// `ALTER TABLE t [PARTITION (..)] SET LOCATION 'l'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableSetLocation {
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
    pub location: String,
}

/// `ALTER TABLE t [PARTITION (..)] SET SERDE 'class' [WITH SERDEPROPERTIES (..)]` or `SET
/// SERDEPROPERTIES (..)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableSetSerdeProperties {
    pub table: TableName,
    pub partition: Option<PartitionSpec>,
    /// The new SerDe class, if one is named.
    pub class: Option<String>,
    pub properties: Properties,
}

/// `ALTER {TABLE|VIEW} t RENAME TO u`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTableRename {
    pub table: TableName,
    pub new_name: TableName,
    /// ALTER VIEW, which takes views only.
    pub only_view: bool,
}

/// `ANALYZE [TABLE] t [PARTITION (k = v, k2, ..)] [COMPUTE STATISTICS [FOR COLUMNS ..]]` (Hive),
/// `ANALYZE t [(c, ..)]` (PostgreSQL), `ANALYZE t WITH (columns = ARRAY['c', ..])` (Trino).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analyze {
    pub table: TableName,
    /// The partitions that are measured, each by itself; `None`: the table is.
    pub partitions: Option<AnalyzedPartitions>,
    /// `None`: all columns. Empty: the rows are counted only.
    pub columns: Option<Vec<String>>,
}

/// `PARTITION (k = v, k2, ..)` of ANALYZE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalyzedPartitions {
    pub spec: PartitionSpec,
    /// Keys without a value, which means every value. Lower case.
    pub open: Vec<String>,
}

/// `SHOW STATS FOR t`, `SHOW STATS FOR (SELECT .. FROM t [WHERE ..])`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShowStats {
    pub table: TableName,
    /// Columns of the table, with a condition or without, and nothing else. `None`: all of it.
    pub query: Option<Box<sqlparser::ast::Query>>,
}

/// `CREATE [OR REPLACE] [TEMP] VIEW [IF NOT EXISTS] v [(column, ..)] [COMMENT 'c'] [SECURITY
/// {DEFINER|INVOKER}] AS query`.
#[derive(Debug, Clone, PartialEq)]
pub struct CreateView {
    /// Whether it belongs to the session. It then runs with the rights of the session's user.
    pub temporary: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub name: TableName,
    /// The names of its columns, lower case. Empty: those of the query.
    pub columns: Vec<String>,
    pub comment: Option<String>,
    /// Whether it runs with the rights of the user that queries it, not with its definer's.
    pub runs_as_invoker: bool,
    pub query: Box<sqlparser::ast::Query>,
    /// The query as it was written.
    pub text: String,
}

/// `DROP VIEW [IF EXISTS] v, ..`: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropView {
    pub if_exists: bool,
    /// At least one.
    pub names: Vec<TableName>,
}
