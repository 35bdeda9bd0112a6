//! Rows of PostgreSQL 16's catalog that are the same for every session: types, casts, operators and
//! so on.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::postgres::Cell;

/// The fields of one row, as text.
pub(super) type StaticRow = Vec<&'static str>;

/// A table of fixed rows: tab-separated, a header line, `\N` for NULL.
#[derive(Debug)]
pub(super) struct StaticTable {
    columns: HashMap<&'static str, usize>,
    pub rows: Vec<StaticRow>,
}

impl StaticTable {
    fn parse(text: &'static str) -> Self {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let columns = header
            .split('\t')
            .enumerate()
            .map(|(index, name)| (name, index))
            .collect();
        Self {
            columns,
            rows: lines.map(|line| line.split('\t').collect()).collect(),
        }
    }

    fn field<'a>(&self, row: &'a StaticRow, column: &str) -> Option<&'a &'static str> {
        self.columns.get(column).and_then(|index| row.get(*index))
    }

    /// Returns the first row that has a value in a column.
    pub(super) fn find(&self, column: &str, value: &str) -> Option<&StaticRow> {
        let mut rows = self.rows.iter();
        rows.find(|row| self.text(row, column) == value)
    }

    /// Returns the row of an object.
    pub(super) fn with_oid(&self, oid: i64) -> Option<&StaticRow> {
        let mut rows = self.rows.iter();
        rows.find(|row| self.int(row, "oid") == oid)
    }

    pub(super) fn text(&self, row: &StaticRow, column: &str) -> &'static str {
        self.field(row, column).copied().unwrap_or_default()
    }

    pub(super) fn int(&self, row: &StaticRow, column: &str) -> i64 {
        self.text(row, column).parse().unwrap_or(0)
    }

    /// Returns the value of a column of type `pg_type`, or `None` if the file lacks the column.
    pub(super) fn cell(
        &self,
        row: &StaticRow,
        column: &str,
        pg_type: &str,
    ) -> Option<Cell<'static>> {
        let text = *self.field(row, column)?;
        if text == "\\N" {
            return Some(Cell::Null);
        }
        Some(match pg_type {
            "bool" => Cell::Bool(text == "t"),
            "int2" | "int4" | "int8" | "oid" | "regproc" | "xid" => {
                Cell::Int(text.parse().unwrap_or(0))
            }
            "oid[]" => {
                let items = text.split(',').map(|item| item.parse().unwrap_or(0));
                Cell::List(items.map(Cell::Int).collect())
            }
            // None of the items has a comma.
            "char[]" | "text[]" => Cell::texts(text.split(',')),
            "float4" | "float8" => Cell::Float(text.parse().unwrap_or(0.0)),
            "oidvector" | "int2vector" => Cell::List(
                text.split_whitespace()
                    .filter_map(|item| item.parse().ok())
                    .map(Cell::Int)
                    .collect(),
            ),
            _ => Cell::text(text),
        })
    }
}

macro_rules! tables {
    ($($name:ident = $file:literal;)+) => {
        $(pub(super) static $name: LazyLock<StaticTable> = LazyLock::new(|| StaticTable::parse(include_str!($file)));)+
    };
}

tables! {
    PG_TYPES = "data/pg_type.tsv";
    PG_PROC = "data/pg_proc.tsv";
    PG_RANGE = "data/pg_range.tsv";
    PG_CAST = "data/pg_cast.tsv";
    PG_OPERATOR = "data/pg_operator.tsv";
    PG_COLLATION = "data/pg_collation.tsv";
    PG_AM = "data/pg_am.tsv";
    PG_LANGUAGE = "data/pg_language.tsv";
    PG_TABLESPACE = "data/pg_tablespace.tsv";
    PG_CONTROL_CHECKPOINT = "data/pg_control_checkpoint.tsv";
    PG_CONTROL_INIT = "data/pg_control_init.tsv";
    PG_CONTROL_RECOVERY = "data/pg_control_recovery.tsv";
    PG_CONTROL_SYSTEM = "data/pg_control_system.tsv";
    KEYWORDS = "data/keywords.tsv";
    ABSENT_FUNCTIONS = "data/absent_functions.tsv";
    REFUSED_FUNCTIONS = "data/refused_functions.tsv";
}

/// Returns the fixed rows of a relation.
pub(super) fn fixed_rows(relation: &str) -> Option<&'static StaticTable> {
    Some(match relation {
        "pg_range" => &PG_RANGE,
        "pg_cast" => &PG_CAST,
        "pg_operator" => &PG_OPERATOR,
        "pg_collation" => &PG_COLLATION,
        "pg_am" => &PG_AM,
        "pg_language" => &PG_LANGUAGE,
        "pg_tablespace" => &PG_TABLESPACE,
        // What functions that describe the server return.
        "pg_control_checkpoint" => &PG_CONTROL_CHECKPOINT,
        "pg_control_init" => &PG_CONTROL_INIT,
        "pg_control_recovery" => &PG_CONTROL_RECOVERY,
        "pg_control_system" => &PG_CONTROL_SYSTEM,
        _ => return None,
    })
}
