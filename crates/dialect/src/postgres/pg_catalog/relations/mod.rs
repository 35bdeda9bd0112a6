//! Fills the relations: each is a list of rows and a function from a row and a column to a value.
//!
//! A relation that is not listed here is empty, which is correct: a lake has no indexes, triggers,
//! sequences or policies in Postgres' sense. A column that a relation's function does not handle
//! has Postgres' value for "nothing".

mod objects;
pub(crate) mod roles;
pub(crate) mod routines;
mod row_types;
mod server;
mod sessions;
mod statistics;
mod system_columns;
mod time_zones;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use datafusion::error::Result;
#[cfg(test)]
pub(crate) use objects::number;
pub(crate) use objects::{
    Namespace, NumberedAttribute, Relation, attributes, column_comment, namespaces, relations,
};

use self::system_columns::Places;
use super::data::{StaticTable, fixed_rows};
use super::oids;
use super::pins::RelationPins;
use super::shape::{Shape, Shapes};
use crate::postgres::{Cell, SessionInfo, build_array};
use crate::visible::{Columns, Needs, Pins, VisibleCatalog};

/// The input of a relation.
#[derive(Debug)]
pub(crate) struct Input {
    pub catalog: Arc<VisibleCatalog>,
    pub session: Arc<SessionInfo>,
    pub pins: RelationPins,
    /// The engine's functions: name and `prokind`.
    pub functions: Vec<(String, &'static str)>,
}

/// Returns what a relation needs beyond names if only these columns of it are read.
pub(crate) fn needs(
    shapes: &Shapes,
    relation: &str,
    columns: &[&str],
    pins: &RelationPins,
) -> Needs {
    let reads_columns = match relation {
        relation if has_rows_of_columns(relation) => true,
        "pg_description" => !pins.whole_relations,
        "pg_class" => columns.contains(&"relnatts"),
        "pg_views" => columns.contains(&"definition"),
        "views" => shapes.namespace == "information_schema" && columns.contains(&"view_definition"),
        _ => false,
    };
    let row_counts = match relation {
        "pg_class" => columns.contains(&"reltuples") || columns.contains(&"relpages"),
        _ => columns.contains(&"n_live_tup"),
    };
    let counts_sessions = columns.contains(&"numbackends");
    let columns = match reads_columns {
        true => pins.columns(),
        false => Columns::None,
    };
    let only_fixed = relation == "pg_type" && pins.without_row_types;
    let tables = match reads_tables(shapes, relation) && !only_fixed {
        true => pins.tables(),
        false => Pins::none(),
    };
    Needs {
        tables,
        columns,
        row_counts,
        activity: match relation {
            "pg_stat_activity" | "pg_stat_ssl" | "pg_stat_gssapi" => true,
            "pg_stat_database" => counts_sessions,
            _ => false,
        },
        own: matches!(relation, "pg_prepared_statements" | "pg_cursors"),
    }
}

/// Returns whether a relation has rows about the columns of each relation, and no others.
pub(crate) fn has_rows_of_columns(relation: &str) -> bool {
    matches!(
        relation,
        "pg_attribute" | "pg_stats" | "columns" | "column_privileges" | "role_column_grants"
    )
}

/// Returns whether a relation has rows about tables of the lake.
fn reads_tables(shapes: &Shapes, relation: &str) -> bool {
    if shapes.namespace == "information_schema" {
        return matches!(
            relation,
            "tables"
                | "views"
                | "columns"
                | "table_privileges"
                | "role_table_grants"
                | "column_privileges"
                | "role_column_grants"
        );
    }
    matches!(
        relation,
        "pg_class"
            | "pg_attribute"
            | "pg_type"
            | "pg_description"
            | "pg_tables"
            | "pg_views"
            | "pg_stats"
            | "pg_stat_all_tables"
            | "pg_stat_user_tables"
            | "pg_stat_sys_tables"
            | "pg_statio_all_tables"
            | "pg_statio_user_tables"
            | "pg_statio_sys_tables"
    )
}

/// Returns whether a relation of `pg_catalog` is one of those that clients often ask for and that
/// never have rows.
pub(crate) fn is_always_empty(relation: &str) -> bool {
    matches!(
        relation,
        "pg_aggregate"
            | "pg_attrdef"
            | "pg_constraint"
            | "pg_depend"
            | "pg_enum"
            | "pg_event_trigger"
            | "pg_extension"
            | "pg_foreign_data_wrapper"
            | "pg_foreign_server"
            | "pg_foreign_table"
            | "pg_index"
            | "pg_indexes"
            | "pg_inherits"
            | "pg_matviews"
            | "pg_opclass"
            | "pg_partitioned_table"
            | "pg_policies"
            | "pg_policy"
            | "pg_publication"
            | "pg_publication_namespace"
            | "pg_publication_rel"
            | "pg_rewrite"
            | "pg_rules"
            | "pg_seclabel"
            | "pg_sequence"
            | "pg_sequences"
            | "pg_shdescription"
            | "pg_statistic_ext"
            | "pg_subscription"
            | "pg_trigger"
    )
}

/// Returns the rows of a relation, with the columns at these indexes.
pub(crate) fn fill(
    shapes: &Shapes,
    shape: &Shape,
    projection: &[usize],
    input: &Input,
) -> Result<RecordBatch> {
    let table = Projected {
        shape,
        projection,
        places: Places::of(shape, &input.session),
    };
    if shapes.namespace == "information_schema" {
        return crate::postgres::information_schema::fill(&table, input);
    }
    match shape.name {
        "pg_namespace" => table.build(objects::namespaces(input), objects::pg_namespace),
        "pg_class" => table.build(objects::relations(input), |row, column| {
            objects::pg_class(input, row, column)
        }),
        "pg_attribute" => table.build(objects::attributes(input), objects::pg_attribute),
        "pg_description" => table.build(objects::descriptions(input), objects::pg_description),
        "pg_tables" => table.build(objects::tables(input), |row, column| {
            objects::pg_tables(input, row, column)
        }),
        "pg_views" => table.build(objects::views(input), |row, column| {
            objects::pg_views(input, row, column)
        }),
        "pg_stats" => table.build(statistics::columns(input), statistics::pg_stats),
        "pg_stat_all_tables"
        | "pg_stat_user_tables"
        | "pg_stat_sys_tables"
        | "pg_statio_all_tables"
        | "pg_statio_user_tables"
        | "pg_statio_sys_tables" => table.build(
            objects::statistics(input, shape.name),
            objects::pg_stat_tables,
        ),
        "pg_roles" => table.build(roles::roles(input), roles::pg_roles),
        "pg_authid" => table.build(roles::roles(input), roles::pg_authid),
        "pg_group" => table.build(roles::groups(input), |row, column| {
            roles::pg_group(input, row, column)
        }),
        "pg_user" => table.build(roles::users(input), roles::pg_user),
        "pg_shadow" => table.build(roles::users(input), roles::pg_shadow),
        "pg_auth_members" => table.build(roles::members(input), roles::pg_auth_members),
        "pg_database" => table.build(vec![()], |(), column| server::pg_database(input, column)),
        "pg_stat_database" | "pg_stat_database_conflicts" => table.build(vec![()], |(), column| {
            server::pg_stat_database(input, column)
        }),
        "pg_stat_archiver" | "pg_stat_bgwriter" | "pg_stat_wal" => {
            table.build(vec![()], |(), column| server::server_counter(input, column))
        }
        "pg_timezone_names" => table.build(time_zones::zones(), time_zones::pg_timezone_names),
        "pg_settings" => table.build(server::settings(input), server::pg_settings),
        "pg_stat_activity" => table
            .build(input.catalog.activity.iter().collect(), |row, column| {
                sessions::pg_stat_activity(input, row, column)
            }),
        "pg_stat_ssl" => table.build(
            input.catalog.activity.iter().collect(),
            sessions::pg_stat_ssl,
        ),
        "pg_stat_gssapi" => table.build(
            input.catalog.activity.iter().collect(),
            sessions::pg_stat_gssapi,
        ),
        "pg_prepared_statements" => table.build(
            input.catalog.prepared.iter().collect(),
            sessions::pg_prepared_statements,
        ),
        "pg_cursors" => table.build(input.catalog.cursors.iter().collect(), sessions::pg_cursors),
        "pg_proc" => {
            let types = table.types();
            table.build(server::functions(input), |row, column| {
                let pg_type = types.get(column).copied().unwrap_or("text");
                server::pg_proc(row, column, pg_type)
            })
        }
        "pg_type" => {
            let types = table.types();
            table.build(row_types::types(input), |row, column| {
                let pg_type = types.get(column).copied().unwrap_or("text");
                row_types::pg_type(row, column, pg_type)
            })
        }
        name => match fixed_rows(name) {
            Some(fixed) => table.build_fixed(fixed),
            None => table.build(Vec::<()>::new(), |(), _| None),
        },
    }
}

/// A relation, with the columns that are read.
pub(crate) struct Projected<'a> {
    pub shape: &'a Shape,
    projection: &'a [usize],
    places: Places,
}

impl Projected<'_> {
    /// Builds the rows. `value` may return `None` for Postgres' value for "nothing" in a column of
    /// the type.
    pub(crate) fn build<'r, R>(
        &self,
        rows: Vec<R>,
        value: impl Fn(&R, &str) -> Option<Cell<'r>>,
    ) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.projection.len());
        let mut fields = Vec::with_capacity(self.projection.len());
        for index in self.projection {
            let (name, pg_type) = self.shape.column(*index).unwrap_or_default();
            let is_system_column = *index >= self.shape.columns.len();
            let field = Arc::clone(&self.shape.with_system_columns.fields()[*index]);
            let cells = rows.iter().map(|row| {
                let cell = match is_system_column {
                    true => self.places.value(name, |column| value(row, column)),
                    false => value(row, name),
                };
                cell.unwrap_or_else(|| nothing(pg_type))
            });
            arrays.push(build_array(field.data_type(), cells)?);
            fields.push(field);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(
            Arc::new(Schema::new(fields)),
            arrays,
            &options,
        )?)
    }

    /// Returns the types of the columns, by name.
    fn types(&self) -> HashMap<&'static str, &'static str> {
        let columns = self.shape.columns.iter();
        columns
            .map(|column| (column.name, column.pg_type))
            .collect()
    }

    fn build_fixed(&self, fixed: &'static StaticTable) -> Result<RecordBatch> {
        let types = self.types();
        self.build(fixed.rows.iter().collect(), |row, column| {
            let pg_type = types.get(column).copied().unwrap_or("text");
            fixed
                .cell(row, column, pg_type)
                .or_else(|| fixed_value(column))
        })
    }
}

/// Returns the value of columns that are equal in all fixed rows.
fn fixed_value(column: &str) -> Option<Cell<'static>> {
    Some(match column {
        "oprnamespace" | "collnamespace" => Cell::Int(oids::PG_CATALOG),
        "typisdefined" => Cell::Bool(true),
        "typdelim" => Cell::text(","),
        "typowner" | "oprowner" | "collowner" | "lanowner" | "spcowner" => Cell::Int(oids::OWNER),
        _ => return None,
    })
}

/// Returns the value of a column without information.
fn nothing(pg_type: &str) -> Cell<'static> {
    match pg_type {
        "bool" => Cell::Bool(false),
        "oid" | "regproc" | "xid" | "cid" | "int2" | "int4" => Cell::Int(0),
        "char" => Cell::text(""),
        _ => Cell::Null,
    }
}
