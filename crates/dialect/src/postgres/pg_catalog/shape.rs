//! The relations of PostgreSQL 16's system schemas: names, OIDs, columns and types, exactly.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit};

use super::oids::{self, OfRows};
use crate::postgres::cell::marked;
use crate::postgres::hinted_field;

/// A relation of a system schema.
#[derive(Debug)]
pub(crate) struct Shape {
    pub name: &'static str,
    /// `r` or `v`.
    pub kind: &'static str,
    pub oid: i64,
    pub columns: Vec<ShapeColumn>,
    pub schema: SchemaRef,
    /// The columns and then the system columns, if the relation has those.
    pub with_system_columns: SchemaRef,
}

#[derive(Debug)]
pub(crate) struct ShapeColumn {
    pub name: &'static str,
    /// As in `pg_type.typname`, with `[]` for an array.
    pub pg_type: &'static str,
    /// Whether PostgreSQL declares it NOT NULL.
    pub required: bool,
}

/// What follows the type of a column that is NOT NULL.
const REQUIRED: char = '!';

/// The columns that each table of the catalog has in statements that name one, with their types.
/// `tableoid` is a constant, which the rewrite puts in its place.
pub(crate) const SYSTEM_COLUMNS: [(&str, &str); 5] = [
    ("ctid", "tid"),
    ("xmin", "xid"),
    ("cmin", "cid"),
    ("xmax", "xid"),
    ("cmax", "cid"),
];

/// A system schema.
#[derive(Debug)]
pub(crate) struct Shapes {
    pub namespace: &'static str,
    pub namespace_oid: i64,
    /// By name.
    pub relations: Vec<Shape>,
    index: HashMap<&'static str, usize>,
}

impl Shapes {
    pub(crate) fn get(&self, name: &str) -> Option<&Shape> {
        self.index
            .get(name)
            .and_then(|index| self.relations.get(*index))
    }

    /// Parses lines of `name kind oid column:type …`, with `!` behind the type of a column that is NOT
    /// NULL.
    fn parse(namespace: &'static str, namespace_oid: i64, text: &'static str) -> Self {
        let relations: Vec<Shape> = text.lines().filter_map(Shape::parse).collect();
        let index = relations
            .iter()
            .enumerate()
            .map(|(index, shape)| (shape.name, index))
            .collect();
        Self {
            namespace,
            namespace_oid,
            relations,
            index,
        }
    }
}

impl Shape {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let (name, kind, oid) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
        let columns: Vec<ShapeColumn> = words
            .filter_map(|word| word.split_once(':'))
            .map(|(name, pg_type)| {
                let plain = pg_type.strip_suffix(REQUIRED);
                ShapeColumn {
                    name,
                    pg_type: base_type(plain.unwrap_or(pg_type)),
                    required: plain.is_some(),
                }
            })
            .collect();
        let mut fields: Vec<Field> = columns
            .iter()
            .map(|column| field(column.name, column.pg_type))
            .collect();
        let schema = Arc::new(Schema::new(fields.clone()));
        if kind == "r" {
            fields.extend(SYSTEM_COLUMNS.map(|(name, pg_type)| field(name, pg_type)));
        }
        Some(Self {
            name,
            kind,
            oid,
            columns,
            schema,
            with_system_columns: Arc::new(Schema::new(fields)),
        })
    }

    /// Returns the names of the system columns, none for a view.
    pub(crate) fn system_columns(&self) -> impl Iterator<Item = &'static str> {
        let count = self.with_system_columns.fields().len() - self.columns.len();
        SYSTEM_COLUMNS.into_iter().map(|(name, _)| name).take(count)
    }

    /// Returns the column at an index; system columns come after the others.
    pub(crate) fn column(&self, index: usize) -> Option<(&'static str, &'static str)> {
        match self.columns.get(index) {
            Some(column) => Some((column.name, column.pg_type)),
            None => SYSTEM_COLUMNS.get(index - self.columns.len()).copied(),
        }
    }
}

/// Returns the type behind a domain of `information_schema`.
fn base_type(pg_type: &'static str) -> &'static str {
    match pg_type {
        "sql_identifier" => "name",
        "cardinal_number" => "int4",
        "character_data" | "yes_or_no" => "varchar",
        "time_stamp" => "timestamptz",
        "pg_statistic[]" => "text[]",
        other => other,
    }
}

/// Returns whether the type of a column tells that its values are of a type of PostgreSQL.
pub(super) fn is_plain(pg_type: &str) -> bool {
    matches!(
        pg_type,
        "bool" | "int2" | "int4" | "int8" | "float4" | "float8" | "text" | "timestamptz" | "text[]"
    )
}

fn field(name: &str, pg_type: &str) -> Field {
    let data_type = arrow_type(pg_type);
    match is_plain(pg_type) {
        true => Field::new(name, data_type, true),
        false => hinted_field(name, data_type, pg_type),
    }
}

fn list_of(element: &str) -> DataType {
    let item = match element {
        "text" | "int2" | "float4" | "float8" | "bool" => {
            Field::new_list_field(arrow_type(element), true)
        }
        _ => marked(Field::new_list_field(arrow_type(element), true), element),
    };
    DataType::List(Arc::new(item))
}

/// Returns the Arrow type for values of a Postgres type. OIDs are `Int64`, so that they compare
/// with SQL's integers without a cast.
pub(super) fn arrow_type(pg_type: &str) -> DataType {
    if let Some(element) = pg_type.strip_suffix("[]") {
        return list_of(element);
    }
    match pg_type {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" => DataType::Int32,
        "int8" | "oid" | "xid" | "cid" | "regproc" | "regtype" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        // As wide as any: none of these values has a fraction.
        "numeric" => DataType::Decimal128(38, 0),
        "bytea" => DataType::Binary,
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "int2vector" => list_of("int2"),
        "oidvector" => list_of("oid"),
        _ => DataType::Utf8,
    }
}

/// `pg_catalog`.
pub(super) static PG_CATALOG: LazyLock<Shapes> = LazyLock::new(|| {
    Shapes::parse(
        "pg_catalog",
        oids::PG_CATALOG,
        include_str!("data/pg_catalog.txt"),
    )
});

/// `information_schema`, with the two columns that Athena adds to `columns`.
pub(super) static INFORMATION_SCHEMA: LazyLock<Shapes> = LazyLock::new(|| {
    Shapes::parse(
        "information_schema",
        oids::INFORMATION_SCHEMA,
        include_str!("data/information_schema.txt"),
    )
});

/// The types that are made of the rows of relations of the system, by OID.
static SYSTEM_TYPES: LazyLock<HashMap<i64, OfRows>> = LazyLock::new(|| {
    let relations = [&PG_CATALOG, &INFORMATION_SCHEMA].into_iter();
    let relations = relations.flat_map(|shapes| &shapes.relations);
    let types = relations.flat_map(|shape| {
        let relation = shape.oid;
        let of_rows = |is_array| OfRows { relation, is_array };
        [
            (oids::system_row_type(relation), of_rows(false)),
            (oids::system_array_type(relation), of_rows(true)),
        ]
    });
    types.collect()
});

/// Returns what a type is made of, if that is the rows of a relation.
pub(super) fn type_of_rows(oid: i64) -> Option<OfRows> {
    oids::of_table(oid).or_else(|| SYSTEM_TYPES.get(&oid).copied())
}

/// Functions that return rows, as relations. They are about what a lake does not have, and empty; those
/// of PostgreSQL's control file have one row.
static TABLE_FUNCTIONS: LazyLock<Shapes> = LazyLock::new(|| {
    Shapes::parse(
        "pg_catalog",
        oids::PG_CATALOG,
        include_str!("data/table_functions.txt"),
    )
});

/// What follows the name of a function where a table is named: no table has such a name.
const CALLED: &str = "()";

/// Returns the table that a call of a function in FROM reads, if its rows do not depend on the arguments.
pub(in crate::postgres) fn table_of_call(function: &str) -> Option<String> {
    TABLE_FUNCTIONS
        .get(function)
        .map(|shape| format!("{}{CALLED}", shape.name))
}

/// Returns the columns of the table of a call, by its name from [`table_of_call`].
pub(super) fn called(table: &str) -> Option<&'static Shape> {
    TABLE_FUNCTIONS.get(table.strip_suffix(CALLED)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::postgres::PG_TYPE;

    #[test]
    fn types_of_rows_have_numbers_of_their_own() {
        let relations = PG_CATALOG.relations.len() + INFORMATION_SCHEMA.relations.len();
        assert_eq!(SYSTEM_TYPES.len(), 2 * relations);
        let known = crate::postgres::pg_catalog::types::by_oid;
        let mut taken = SYSTEM_TYPES.keys().filter(|oid| known(**oid).is_some());
        assert_eq!(taken.next(), None);
        let of = |oid| type_of_rows(oid).map(|found| (found.relation, found.is_array));
        assert_eq!(of(83), Some((1259, false)));
        assert_eq!(of(273), Some((1259, true)));
        assert_eq!(of(oids::row_type(1)), Some((oids::table(1), false)));
        assert_eq!(of(25), None);
        assert!(SYSTEM_TYPES.keys().all(|oid| *oid < oids::FIRST_OF_LAKE));
    }

    #[test]
    fn every_line_is_a_relation_with_columns() {
        for (shapes, text) in [
            (&PG_CATALOG, include_str!("data/pg_catalog.txt")),
            (
                &INFORMATION_SCHEMA,
                include_str!("data/information_schema.txt"),
            ),
        ] {
            assert_eq!(shapes.relations.len(), text.lines().count());
            assert!(
                shapes
                    .relations
                    .iter()
                    .all(|shape| !shape.columns.is_empty())
            );
        }
        let types = |shapes: &'static Shapes, relation: &str, column: &str| {
            let field = shapes.get(relation).unwrap().schema.field_with_name(column);
            let field = field.unwrap().clone();
            let hint = field.metadata().get(PG_TYPE).cloned().unwrap_or_default();
            (field.data_type().to_string(), hint)
        };
        for (relation, column, data_type, hint) in [
            ("pg_class", "relname", "Utf8", "name"),
            ("pg_class", "relpages", "Int32", ""),
            ("pg_class", "oid", "Int64", "oid"),
            ("pg_proc", "procost", "Float32", ""),
            ("pg_stat_database", "blk_read_time", "Float64", ""),
            (
                "pg_stat_activity",
                "query_start",
                "Timestamp(µs, \"UTC\")",
                "",
            ),
            ("pg_stat_activity", "client_addr", "Utf8", "inet"),
            ("pg_stat_replication", "sent_lsn", "Utf8", "pg_lsn"),
            ("pg_attribute", "attmissingval", "Utf8", "anyarray"),
        ] {
            let found = types(&PG_CATALOG, relation, column);
            assert_eq!(found, (data_type.to_owned(), hint.to_owned()), "{column}");
        }
        for (column, data_type, hint) in [
            ("table_name", "Utf8", "name"),
            ("data_type", "Utf8", "varchar"),
            ("is_nullable", "Utf8", "varchar"),
            ("ordinal_position", "Int32", ""),
        ] {
            let found = types(&INFORMATION_SCHEMA, "columns", column);
            assert_eq!(found, (data_type.to_owned(), hint.to_owned()), "{column}");
        }
        let items = |pg_type| match arrow_type(pg_type) {
            DataType::List(item) => item.metadata().get(PG_TYPE).cloned(),
            other => panic!("{other}"),
        };
        assert_eq!(items("text[]"), None);
        assert_eq!(items("int2vector"), None);
        assert_eq!(items("oidvector").as_deref(), Some("oid"));
        let required = |relation: &str, name: &str| {
            let mut columns = PG_CATALOG.get(relation).unwrap().columns.iter();
            columns.find(|column| column.name == name).unwrap().required
        };
        assert!(required("pg_class", "relname") && required("pg_proc", "proargtypes"));
        assert!(!required("pg_class", "relacl") && !required("pg_tables", "tablename"));
        let class = PG_CATALOG.get("pg_class").unwrap();
        assert_eq!(
            (class.oid, class.kind, class.columns.len()),
            (1259, "r", 33)
        );
        assert!(
            INFORMATION_SCHEMA
                .get("columns")
                .unwrap()
                .columns
                .iter()
                .any(|column| column.name == "extra_info")
        );
    }
}
