//! Functions about kinds of objects that a lake does not have. Like Postgres for an object that
//! does not exist, they return NULL.

use arrow::datatypes::{DataType, TimeUnit};

use crate::postgres::{Cell, PgFunction};

pub(super) fn functions() -> Vec<PgFunction> {
    let text = || DataType::Utf8;
    let null = |name: &str, arity, returns| {
        PgFunction::new(name, arity, returns, |_| Ok(Cell::Null)).called_on_null()
    };
    vec![
        // There are no defaults, indexes, constraints, rules, triggers, extended statistics,
        // sequences or partitioned tables.
        PgFunction::new("pg_get_expr", 2..=3, text(), |args| Ok(args[0].clone())),
        null("pg_get_indexdef", 1..=3, text()),
        null("pg_get_constraintdef", 1..=2, text()),
        null("pg_get_ruledef", 1..=2, text()),
        null("pg_get_triggerdef", 1..=2, text()),
        null("pg_get_statisticsobjdef", 1..=1, text()),
        null("pg_get_statisticsobjdef_columns", 1..=1, text()),
        null("pg_get_serial_sequence", 2..=2, text()),
        null("pg_get_partkeydef", 1..=1, text()),
        null("pg_get_partition_constraintdef", 1..=1, text()),
        null("pg_get_function_sqlbody", 1..=1, text()),
        null("pg_sequence_last_value", 1..=1, DataType::Int64),
        null(
            "pg_last_xact_replay_timestamp",
            0..=0,
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
        null("pg_last_wal_receive_lsn", 0..=0, text()).shown_as("pg_lsn"),
        // No multixact ids are used up.
        PgFunction::new("mxid_age", 1..=1, DataType::Int32, |_| Ok(Cell::Int(0))),
        null("pg_tablespace_location", 1..=1, text()),
        // Of a whole database, tools compute shares: the size is not known, which is not none.
        null("pg_database_size", 1..=1, DataType::Int64),
        PgFunction::new("pg_tablespace_size", 1..=1, DataType::Int64, |_| {
            Ok(Cell::Int(0))
        }),
        PgFunction::new("pg_relation_filenode", 1..=1, DataType::Int64, |_| {
            Ok(Cell::Null)
        }),
        PgFunction::new("pg_is_other_temp_schema", 1..=1, DataType::Boolean, |_| {
            Ok(Cell::Bool(false))
        }),
        // Changes to the lake's tables are not captured.
        PgFunction::new(
            "pg_relation_is_publishable",
            1..=1,
            DataType::Boolean,
            |_| Ok(Cell::Bool(false)),
        ),
        PgFunction::new("pg_relation_is_updatable", 2..=2, DataType::Int32, |_| {
            Ok(Cell::Int(0))
        }),
        PgFunction::new("pg_column_is_updatable", 3..=3, DataType::Boolean, |_| {
            Ok(Cell::Bool(false))
        }),
        PgFunction::new("pg_stat_get_numscans", 1..=1, DataType::Int64, |_| {
            Ok(Cell::Int(0))
        }),
    ]
}
