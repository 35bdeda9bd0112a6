//! `information_schema`: PostgreSQL's views of the SQL standard, with the columns `comment` and
//! `extra_info` that Athena adds to `columns`.
//!
//! Types have the names that the Postgres protocol sends, and Trino's in the dialects of Trino and
//! Athena: `array(varchar)`. `extra_info` is `partition key` where Athena reports it.

use arrow::array::RecordBatch;
use arrow::datatypes::Field;
use datafusion::error::Result;

use super::pg_catalog::privileges::OWNER_NAME;
use super::pg_catalog::relations::{
    Input, Namespace, NumberedAttribute, Projected, Relation, attributes, namespaces, relations,
    roles, routines,
};
use super::pg_catalog::types;
use crate::Dialect;
use crate::postgres::Cell;
use crate::visible::{TableKind, VisibleColumn, VisibleTable};

type Value<'a> = Option<Cell<'a>>;

fn yes_no(value: bool) -> Cell<'static> {
    Cell::text(if value { "YES" } else { "NO" })
}

pub(super) fn fill(table: &Projected<'_>, input: &Input) -> Result<RecordBatch> {
    match table.shape.name {
        "information_schema_catalog_name" => table.build(vec![()], |(), _| {
            Some(Cell::text(input.session.database.as_str()))
        }),
        "schemata" => table.build(namespaces(input), |row, column| {
            schemata(input, row, column)
        }),
        "tables" => table.build(relations(input), |row, column| tables(input, row, column)),
        "views" => {
            let rows = relations(input)
                .into_iter()
                .filter(Relation::is_view)
                .collect();
            table.build(rows, |row, column| views(input, row, column))
        }
        "columns" => table.build(columns(input), |row, column| {
            column_value(input, row, column)
        }),
        "table_privileges" | "role_table_grants" => table
            .build(table_privileges(input), |row, column| {
                table_privilege(input, row, column)
            }),
        "column_privileges" | "role_column_grants" => table
            .build(column_privileges(input), |row, column| {
                column_privilege(input, row, column)
            }),
        "applicable_roles" => table.build(held_roles(input), |role, column| {
            Some(match column {
                "grantee" => Cell::text(input.catalog.principal.as_str()),
                "role_name" => Cell::text(role.clone()),
                "is_grantable" => yes_no(false),
                _ => return None,
            })
        }),
        "enabled_roles" => {
            let mut rows = held_roles(input);
            rows.insert(0, input.catalog.principal.clone());
            table.build(rows, |role, _| Some(Cell::text(role.clone())))
        }
        "character_sets" => table.build(vec![()], |(), column| {
            Some(match column {
                "character_set_name" | "form_of_use" => Cell::text("UTF8"),
                "character_repertoire" => Cell::text("UCS"),
                "default_collate_catalog" => Cell::text(input.session.database.as_str()),
                "default_collate_schema" => Cell::text("pg_catalog"),
                "default_collate_name" => Cell::text("C"),
                _ => return None,
            })
        }),
        "routines" => table.build(routines::routines(input), |row, column| {
            routines::routine(input, row, column)
        }),
        "parameters" => table.build(routines::parameters(), |row, column| {
            routines::parameter(input, row, column)
        }),
        "collations" | "collation_character_set_applicability" => table
            .build(routines::collations(), |name, column| {
                routines::collation(input, name, column)
            }),
        _ => table.build(Vec::<()>::new(), |(), _| None),
    }
}

fn schemata<'a>(input: &'a Input, row: &Namespace<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "catalog_name" => Cell::text(input.session.database.as_str()),
        "schema_name" => Cell::text(row.name),
        "schema_owner" => Cell::text(OWNER_NAME),
        _ => Cell::Null,
    })
}

fn tables<'a>(input: &'a Input, row: &Relation<'a>, column: &str) -> Value<'a> {
    let insertable = match row {
        Relation::Lake(_, table) => table.kind == TableKind::Table && table.privileges.insert,
        Relation::System(..) => false,
    };
    Some(match column {
        "table_catalog" => Cell::text(input.session.database.as_str()),
        "table_schema" => Cell::text(row.namespace()),
        "table_name" => Cell::text(row.name()),
        "table_type" => Cell::text(match (row.is_view(), row.is_temporary()) {
            (true, _) => "VIEW",
            (false, true) => "LOCAL TEMPORARY",
            (false, false) => "BASE TABLE",
        }),
        "is_insertable_into" => yes_no(insertable),
        "is_typed" => yes_no(false),
        _ => Cell::Null,
    })
}

fn views<'a>(input: &'a Input, row: &Relation<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "table_catalog" => Cell::text(input.session.database.as_str()),
        "table_schema" => Cell::text(row.namespace()),
        "table_name" => Cell::text(row.name()),
        "view_definition" => match row {
            Relation::Lake(_, table) => Cell::optional_text(table.definition.as_deref()),
            Relation::System(..) => Cell::Null,
        },
        "check_option" => Cell::text("NONE"),
        _ => yes_no(false),
    })
}

/// A column with its table.
struct ColumnRow<'a> {
    relation: Relation<'a>,
    attribute: NumberedAttribute<'a>,
}

fn columns(input: &Input) -> Vec<ColumnRow<'_>> {
    attributes(input)
        .into_iter()
        .map(|(relation, attribute)| ColumnRow {
            relation,
            attribute,
        })
        .collect()
}

fn column_value<'a>(input: &'a Input, row: &ColumnRow<'a>, column: &str) -> Value<'a> {
    let wire = row.attribute.wire;
    let pg_type = types::by_oid(wire.oid);
    let number = |number: Option<i64>| number.map_or(Cell::Null, Cell::Int);
    let lake = row.attribute.lake_column();
    Some(match column {
        "table_catalog" | "udt_catalog" => Cell::text(input.session.database.as_str()),
        "table_schema" => Cell::text(row.relation.namespace()),
        "table_name" => Cell::text(row.relation.name()),
        "column_name" => Cell::text(row.attribute.name()),
        "ordinal_position" => Cell::Int(row.attribute.number),
        "is_nullable" => yes_no(!row.attribute.is_required()),
        "data_type" if input.session.settings.dialect() != Dialect::Postgres => {
            Cell::text(trino_type(row))
        }
        "data_type" => match pg_type {
            Some(t) if t.category == "A" => Cell::text("ARRAY"),
            _ => Cell::text(types::format_type(wire.oid, None)),
        },
        "character_maximum_length" => number(types::max_length(wire.oid, wire.typmod)),
        "character_octet_length" => number(types::max_bytes(wire.oid, wire.typmod)),
        "numeric_precision" => number(types::numeric_precision(wire.oid, wire.typmod)),
        "numeric_precision_radix" => number(types::numeric_radix(wire.oid)),
        "numeric_scale" => number(types::numeric_scale(wire.oid, wire.typmod)),
        "datetime_precision" => number(types::datetime_precision(wire.oid, wire.typmod)),
        "udt_schema" => Cell::text("pg_catalog"),
        "udt_name" => Cell::optional_text(pg_type.map(|t| t.name)),
        "dtd_identifier" => Cell::text(row.attribute.number.to_string()),
        "is_self_referencing" | "is_identity" | "identity_cycle" => yes_no(false),
        "is_generated" => Cell::text("NEVER"),
        "is_updatable" => {
            yes_no(matches!(row.relation, Relation::Lake(_, table) if table.privileges.update))
        }
        "comment" => Cell::optional_text(lake.and_then(|column| column.comment.as_deref())),
        "extra_info" => match lake {
            Some(column) if column.partition_key => Cell::text("partition key"),
            _ => Cell::Null,
        },
        _ => Cell::Null,
    })
}

/// Returns Trino's name of a column's type.
fn trino_type(row: &ColumnRow<'_>) -> String {
    if let Some(column) = row.attribute.lake_column() {
        let field = Field::new(&column.name, column.data_type.clone(), true);
        if let Ok(name) = lakegate_functions::type_name(&field) {
            return name;
        }
    }
    let name = types::format_type(row.attribute.wire.oid, None);
    match name.as_str() {
        "text" | "name" | "\"char\"" | "character varying" => "varchar".to_owned(),
        "oid" => "bigint".to_owned(),
        "double precision" => "double".to_owned(),
        "bytea" => "varbinary".to_owned(),
        _ => name,
    }
}

/// Returns the principal's privileges on a table.
fn held(table: &VisibleTable) -> impl Iterator<Item = &'static str> {
    let granted = table.privileges;
    [
        (granted.select, "SELECT"),
        (granted.insert, "INSERT"),
        (granted.update, "UPDATE"),
        (granted.delete, "DELETE"),
    ]
    .into_iter()
    .filter_map(|(held, name)| held.then_some(name))
}

fn table_privileges(input: &Input) -> Vec<(Relation<'_>, &'static str)> {
    relations(input)
        .into_iter()
        .filter_map(|relation| match relation {
            Relation::Lake(_, table) => {
                Some(held(table).map(move |privilege| (relation, privilege)))
            }
            Relation::System(..) => None,
        })
        .flatten()
        .collect()
}

fn table_privilege<'a>(
    input: &'a Input,
    (row, privilege): &(Relation<'a>, &'static str),
    column: &str,
) -> Value<'a> {
    Some(match column {
        "grantor" => Cell::text(OWNER_NAME),
        "grantee" => Cell::text(input.catalog.principal.as_str()),
        "table_catalog" => Cell::text(input.session.database.as_str()),
        "table_schema" => Cell::text(row.namespace()),
        "table_name" => Cell::text(row.name()),
        "privilege_type" => Cell::text(*privilege),
        "is_grantable" => yes_no(false),
        "with_hierarchy" => yes_no(*privilege == "SELECT"),
        _ => Cell::Null,
    })
}

fn column_privileges(input: &Input) -> Vec<(Relation<'_>, &VisibleColumn, &'static str)> {
    let mut rows = Vec::new();
    for relation in relations(input) {
        let Relation::Lake(_, table) = relation else {
            continue;
        };
        for column in &table.columns {
            rows.extend(
                held(table)
                    .filter(|privilege| {
                        *privilege != "DELETE" && (*privilege != "SELECT" || column.selectable)
                    })
                    .map(|privilege| (relation, column, privilege)),
            );
        }
    }
    rows
}

fn column_privilege<'a>(
    input: &'a Input,
    (row, of, privilege): &(Relation<'a>, &'a VisibleColumn, &'static str),
    column: &str,
) -> Value<'a> {
    match column {
        "column_name" => Some(Cell::text(of.name.as_str())),
        _ => table_privilege(input, &(*row, *privilege), column),
    }
}

/// Returns the roles that the principal holds, directly or through others.
fn held_roles(input: &Input) -> Vec<String> {
    roles::held_by(&input.catalog, &input.catalog.principal)
        .into_iter()
        .map(|role| role.name.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    #[test]
    fn columns_are_numbered_from_one() {
        assert_eq!(super::super::pg_catalog::relations::number(0), 1);
    }
}
