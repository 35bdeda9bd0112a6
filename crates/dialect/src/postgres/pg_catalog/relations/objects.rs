//! Namespaces, relations, their columns and comments.

use lakegate_lake::TextLength;

use super::Input;
use super::server::counter;
use crate::postgres::Cell;
use crate::postgres::pg_catalog::oids;
use crate::postgres::pg_catalog::privileges::{self, OWNER_NAME};
use crate::postgres::pg_catalog::shape::{
    INFORMATION_SCHEMA, PG_CATALOG, Shape, ShapeColumn, Shapes,
};
use crate::postgres::pg_catalog::types::{self, WireType};
use crate::postgres::session::PERMANENT_TRANSACTION;
use crate::visible::{TableKind, VisibleColumn, VisibleDatabase, VisibleTable};

type Value<'a> = Option<Cell<'a>>;

const SYSTEM: [&std::sync::LazyLock<Shapes>; 2] = [&PG_CATALOG, &INFORMATION_SCHEMA];

/// A namespace: a system schema, or a database.
pub(crate) struct Namespace<'a> {
    pub oid: i64,
    pub name: &'a str,
    acl: Option<Cell<'a>>,
}

pub(crate) fn namespaces(input: &Input) -> Vec<Namespace<'_>> {
    let system = SYSTEM.iter().map(|shapes| Namespace {
        oid: shapes.namespace_oid,
        name: shapes.namespace,
        acl: Some(Cell::texts([format!("=U/{OWNER_NAME}")])),
    });
    let databases = input.catalog.databases.iter().map(|database| Namespace {
        oid: oids::namespace(database.id),
        name: &database.name,
        acl: Some(privileges::namespace_acl(&input.catalog, database)),
    });
    system.chain(databases).collect()
}

pub(super) fn pg_namespace<'a>(row: &Namespace<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "oid" => Cell::Int(row.oid),
        "nspname" => Cell::text(row.name),
        "nspowner" => Cell::Int(oids::OWNER),
        "nspacl" => return row.acl.clone(),
        _ => return None,
    })
}

/// A relation of the system or of the lake.
#[derive(Clone, Copy)]
pub(crate) enum Relation<'a> {
    System(&'a Shapes, &'a Shape),
    Lake(&'a VisibleDatabase, &'a VisibleTable),
}

impl<'a> Relation<'a> {
    pub(crate) fn oid(&self) -> i64 {
        match self {
            Relation::System(_, shape) => shape.oid,
            Relation::Lake(_, table) => oids::table(table.id),
        }
    }

    /// Returns the OID of the type of its rows.
    pub(crate) fn row_type(&self) -> i64 {
        match self {
            Relation::System(_, shape) => oids::system_row_type(shape.oid),
            Relation::Lake(_, table) => oids::row_type(table.id),
        }
    }

    /// Returns the OID of the type of arrays of its rows.
    pub(super) fn array_type(&self) -> i64 {
        match self {
            Relation::System(_, shape) => oids::system_array_type(shape.oid),
            Relation::Lake(_, table) => oids::array_type(table.id),
        }
    }

    pub(crate) fn name(&self) -> &'a str {
        match self {
            Relation::System(_, shape) => shape.name,
            Relation::Lake(_, table) => &table.name,
        }
    }

    pub(crate) fn namespace(&self) -> &'a str {
        match self {
            Relation::System(shapes, _) => shapes.namespace,
            Relation::Lake(database, _) => &database.name,
        }
    }

    pub(crate) fn is_view(&self) -> bool {
        match self {
            Relation::System(_, shape) => shape.kind == "v",
            Relation::Lake(_, table) => table.kind == TableKind::View,
        }
    }

    pub(super) fn namespace_oid(&self) -> i64 {
        match self {
            Relation::System(shapes, _) => shapes.namespace_oid,
            Relation::Lake(database, _) => oids::namespace(database.id),
        }
    }

    /// Whether it belongs to the session.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Relation::System(..) => false,
            Relation::Lake(database, _) => database.temporary,
        }
    }

    fn column_count(&self) -> usize {
        match self {
            Relation::System(_, shape) => shape.columns.len(),
            Relation::Lake(_, table) => table.columns.len(),
        }
    }
}

/// Returns all relations that can pass the query's filters.
pub(crate) fn relations(input: &Input) -> Vec<Relation<'_>> {
    let system = SYSTEM.iter().flat_map(|shapes| {
        shapes
            .relations
            .iter()
            .map(|shape| Relation::System(shapes, shape))
    });
    let lake = input.catalog.databases.iter().flat_map(|database| {
        database
            .tables
            .iter()
            .map(move |table| Relation::Lake(database, table))
    });
    system
        .chain(lake)
        .filter(|relation| {
            let namespace = (relation.namespace_oid(), relation.namespace());
            input.pins.admit(namespace, relation.name(), relation.oid())
        })
        .collect()
}

/// PostgreSQL's count of the rows of a relation that was not analysed.
const NEVER_COUNTED: f64 = -1.0;
/// The bytes of a page.
const PAGE: u64 = 8192;

pub(super) fn pg_class<'a>(input: &'a Input, row: &Relation<'a>, column: &str) -> Value<'a> {
    let view = row.is_view();
    Some(match column {
        "oid" => Cell::Int(row.oid()),
        "relname" => Cell::text(row.name()),
        "relnamespace" => Cell::Int(row.namespace_oid()),
        "reltype" => Cell::Int(row.row_type()),
        "relowner" => Cell::Int(oids::OWNER),
        "relam" if !view => Cell::Int(oids::HEAP),
        "relfilenode" if !view => Cell::Int(row.oid()),
        "relpages" => match row {
            Relation::Lake(_, table) => {
                let pages = table.file_bytes.unwrap_or(0).div_ceil(PAGE);
                Cell::Int(i64::from(i32::try_from(pages).unwrap_or(i32::MAX)))
            }
            Relation::System(..) => return None,
        },
        "reltuples" => Cell::Float(match row {
            Relation::Lake(_, table) => table.row_count.map_or(NEVER_COUNTED, |rows| rows as f64),
            Relation::System(..) => NEVER_COUNTED,
        }),
        "relpersistence" => Cell::text(if row.is_temporary() { "t" } else { "p" }),
        "relkind" => Cell::text(if view { "v" } else { "r" }),
        "relnatts" => Cell::Int(
            i64::try_from(row.column_count())
                .unwrap_or(i64::from(i16::MAX))
                .min(i64::from(i16::MAX)),
        ),
        "relispopulated" => Cell::Bool(true),
        // No transaction ids are used up: the oldest in a table is the current one.
        "relfrozenxid" if !view => Cell::Int(input.session.transaction),
        "relminmxid" if !view => Cell::Int(PERMANENT_TRANSACTION),
        "relreplident" => match row {
            Relation::Lake(..) if !view => Cell::text("d"),
            _ => Cell::text("n"),
        },
        "relacl" => match row {
            Relation::System(..) => Cell::texts([format!("=r/{OWNER_NAME}")]),
            Relation::Lake(_, table) => privileges::table_acl(&input.catalog, table),
        },
        _ => return None,
    })
}

/// The collation of texts, unless their column has another one.
const DEFAULT_COLLATION: i64 = 100;
/// The collation of texts in PostgreSQL's own tables, and in the views of the standard.
const C_COLLATION: i64 = 950;

enum Attribute<'a> {
    System(&'a ShapeColumn),
    Lake(&'a VisibleColumn),
}

/// A column, numbered from 1 among the columns visible to the principal.
pub(crate) struct NumberedAttribute<'a> {
    pub number: i64,
    pub wire: WireType,
    attribute: Attribute<'a>,
}

impl<'a> NumberedAttribute<'a> {
    pub(crate) fn name(&self) -> &'a str {
        match self.attribute {
            Attribute::System(column) => column.name,
            Attribute::Lake(column) => &column.name,
        }
    }

    /// Returns whether it is NOT NULL.
    pub(crate) fn is_required(&self) -> bool {
        match self.attribute {
            Attribute::System(column) => column.required,
            Attribute::Lake(column) => column.required,
        }
    }

    /// Returns the lake's column, or `None` for a column of a system relation.
    pub(crate) fn lake_column(&self) -> Option<&'a VisibleColumn> {
        match self.attribute {
            Attribute::System(_) => None,
            Attribute::Lake(column) => Some(column),
        }
    }
}

/// Returns the columns of the relations that can pass the query's filters.
pub(crate) fn attributes(input: &Input) -> Vec<(Relation<'_>, NumberedAttribute<'_>)> {
    let mut rows = Vec::new();
    for relation in relations(input) {
        match relation {
            Relation::System(_, shape) => {
                rows.extend(shape.columns.iter().enumerate().map(|(index, column)| {
                    let wire = WireType {
                        oid: types::of_shape(column.pg_type),
                        typmod: -1,
                    };
                    (
                        relation,
                        NumberedAttribute {
                            number: number(index),
                            attribute: Attribute::System(column),
                            wire,
                        },
                    )
                }))
            }
            Relation::Lake(_, table) => {
                rows.extend(table.columns.iter().enumerate().map(|(index, column)| {
                    let wire = type_of(column);
                    (
                        relation,
                        NumberedAttribute {
                            number: number(index),
                            attribute: Attribute::Lake(column),
                            wire,
                        },
                    )
                }))
            }
        }
    }
    rows
}

/// Returns the type of a table's column. Texts with a length are `varchar(n)` and `char(n)`.
fn type_of(column: &VisibleColumn) -> WireType {
    let natural = types::of_arrow(&column.data_type);
    let (oid, length) = match TextLength::of_type(&column.hive_type) {
        Some(TextLength::Varchar(length)) => (types::VARCHAR, length),
        Some(TextLength::Char(length)) => (types::BPCHAR, length),
        None => return natural,
    };
    match natural.oid {
        types::TEXT => WireType {
            oid,
            typmod: i64::from(length) + 4,
        },
        _ => natural,
    }
}

/// Returns `attnum` of the column at an index.
pub(crate) fn number(index: usize) -> i64 {
    i64::try_from(index + 1)
        .unwrap_or(i64::from(i16::MAX))
        .min(i64::from(i16::MAX))
}

pub(super) fn pg_attribute<'a>(
    (relation, row): &(Relation<'a>, NumberedAttribute<'a>),
    column: &str,
) -> Value<'a> {
    let pg_type = types::by_oid(row.wire.oid);
    Some(match column {
        "attrelid" => Cell::Int(relation.oid()),
        "attname" => Cell::text(row.name()),
        "atttypid" => Cell::Int(row.wire.oid),
        "attlen" => Cell::Int(pg_type.map_or(-1, |t| t.len)),
        "attnum" => Cell::Int(row.number),
        "attcacheoff" | "attstattarget" => Cell::Int(-1),
        "atttypmod" => Cell::Int(row.wire.typmod),
        "attndims" => Cell::Int(i64::from(pg_type.is_some_and(|t| t.category == "A"))),
        "attbyval" => Cell::Bool(pg_type.is_some_and(|t| t.by_value)),
        "attalign" => Cell::text(pg_type.map_or("i", |t| t.align)),
        "attstorage" => Cell::text(pg_type.map_or("x", |t| t.storage)),
        "attislocal" => Cell::Bool(true),
        "attnotnull" => Cell::Bool(row.is_required()),
        "attcollation" => {
            let collation = pg_type.map_or(0, |t| t.collation);
            let compares_bytes = match relation {
                Relation::System(shapes, shape) => {
                    shape.kind == "r" || shapes.namespace == INFORMATION_SCHEMA.namespace
                }
                Relation::Lake(..) => false,
            };
            Cell::Int(match collation {
                DEFAULT_COLLATION if compares_bytes => C_COLLATION,
                other => other,
            })
        }
        _ => return None,
    })
}

/// A comment.
pub(super) struct Description<'a> {
    object: i64,
    class: i64,
    /// The column's number; 0 for the object itself.
    column: i64,
    text: Cell<'a>,
}

pub(super) fn descriptions(input: &Input) -> Vec<Description<'_>> {
    let mut rows = Vec::new();
    for database in &input.catalog.databases {
        let object = oids::namespace(database.id);
        if let Some(comment) = &database.comment {
            rows.push(Description {
                object,
                class: oids::CLASS_PG_NAMESPACE,
                column: 0,
                text: Cell::text(comment.as_str()),
            });
        }
    }
    for relation in relations(input) {
        let Relation::Lake(_, table) = relation else {
            continue;
        };
        let (object, class) = (relation.oid(), oids::CLASS_PG_CLASS);
        if let Some(comment) = &table.comment {
            rows.push(Description {
                object,
                class,
                column: 0,
                text: Cell::text(comment.as_str()),
            });
        }
        for (index, column) in table.columns.iter().enumerate() {
            if let Some(text) = column_comment(column) {
                rows.push(Description {
                    object,
                    class,
                    column: number(index),
                    text: Cell::text(text),
                });
            }
        }
    }
    rows
}

/// Returns a column's comment, which also marks partition keys, for psql's `\d+`.
pub(crate) fn column_comment(column: &VisibleColumn) -> Option<String> {
    let comment = column
        .comment
        .as_deref()
        .filter(|comment| !comment.is_empty());
    match (comment, column.partition_key) {
        (Some(comment), true) => Some(format!("{comment} (partition key)")),
        (None, true) => Some("partition key".to_owned()),
        (comment, false) => comment.map(str::to_owned),
    }
}

pub(super) fn pg_description<'a>(row: &Description<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "objoid" => Cell::Int(row.object),
        "classoid" => Cell::Int(row.class),
        "objsubid" => Cell::Int(row.column),
        "description" => row.text.clone(),
        _ => return None,
    })
}

pub(super) fn tables(input: &Input) -> Vec<Relation<'_>> {
    relations(input)
        .into_iter()
        .filter(|relation| !relation.is_view())
        .collect()
}

pub(super) fn views(input: &Input) -> Vec<Relation<'_>> {
    relations(input)
        .into_iter()
        .filter(Relation::is_view)
        .collect()
}

pub(super) fn pg_tables<'a>(_: &'a Input, row: &Relation<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "schemaname" => Cell::text(row.namespace()),
        "tablename" => Cell::text(row.name()),
        "tableowner" => Cell::text(OWNER_NAME),
        _ => return None,
    })
}

pub(super) fn pg_views<'a>(_: &'a Input, row: &Relation<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "schemaname" => Cell::text(row.namespace()),
        "viewname" => Cell::text(row.name()),
        "viewowner" => Cell::text(OWNER_NAME),
        "definition" => match row {
            Relation::Lake(_, table) => Cell::optional_text(table.definition.as_deref()),
            Relation::System(..) => Cell::Null,
        },
        _ => return None,
    })
}

/// Returns the tables of a statistics view, by its name.
pub(super) fn statistics<'a>(input: &'a Input, view: &str) -> Vec<Relation<'a>> {
    let mut rows = tables(input);
    rows.retain(|relation| match relation {
        Relation::System(..) => !view.contains("_user_"),
        Relation::Lake(..) => !view.contains("_sys_"),
    });
    rows
}

pub(super) fn pg_stat_tables<'a>(row: &Relation<'a>, column: &str) -> Value<'a> {
    Some(match column {
        "relid" => Cell::Int(row.oid()),
        "schemaname" => Cell::text(row.namespace()),
        "relname" => Cell::text(row.name()),
        // As many as the last ANALYZE found.
        "n_live_tup" => match row {
            Relation::Lake(_, table) => {
                let rows = table.row_count.map(i64::try_from);
                Cell::Int(rows.map_or(0, |rows| rows.unwrap_or(i64::MAX)))
            }
            Relation::System(..) => return counter(column),
        },
        // A table without indexes has no numbers of them. Nothing else is counted.
        "idx_scan" | "idx_tup_fetch" | "idx_blks_read" | "idx_blks_hit" => return None,
        _ if column.starts_with("toast_") || column.starts_with("tidx_") => return None,
        _ => return counter(column),
    })
}
