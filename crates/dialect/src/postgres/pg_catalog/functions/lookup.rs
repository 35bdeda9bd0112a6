//! Looks up catalog objects by name and by OID.

use std::collections::HashMap;
use std::sync::Arc;

use crate::postgres::pg_catalog::oids;
use crate::postgres::pg_catalog::privileges::OWNER_NAME;
use crate::postgres::pg_catalog::relations::Relation;
use crate::postgres::pg_catalog::shape::{INFORMATION_SCHEMA, PG_CATALOG, Shapes};
use crate::postgres::{SessionInfo, quote_ident, split_name};
use crate::visible::{VisibleCatalog, VisibleDatabase, VisibleTable};

/// The data that functions look up.
#[derive(Debug)]
pub(crate) struct Lookup {
    pub catalog: Arc<VisibleCatalog>,
    pub session: Arc<SessionInfo>,
    /// Indexes into the catalog's databases and their tables, by the table's OID.
    tables: HashMap<i64, (usize, usize)>,
    /// For each database, the indexes of its tables in the order of their names.
    by_name: Vec<Vec<usize>>,
}

impl Lookup {
    pub(crate) fn new(catalog: Arc<VisibleCatalog>, session: Arc<SessionInfo>) -> Self {
        let databases = catalog.databases.iter().enumerate();
        let tables = databases
            .flat_map(|(d, database)| {
                database
                    .tables
                    .iter()
                    .enumerate()
                    .map(move |(t, table)| (oids::table(table.id), (d, t)))
            })
            .collect();
        let by_name = catalog.databases.iter().map(|database| {
            let name = |index: &usize| database.tables.get(*index).map(|table| table.name.as_str());
            let mut order: Vec<usize> = (0..database.tables.len()).collect();
            order.sort_by(|one, other| name(one).cmp(&name(other)));
            order
        });
        Self {
            by_name: by_name.collect(),
            catalog,
            session,
            tables,
        }
    }

    pub(crate) fn table(&self, oid: i64) -> Option<(&VisibleDatabase, &VisibleTable)> {
        let (database, table) = self.tables.get(&oid)?;
        let database = self.catalog.databases.get(*database)?;
        Some((database, database.tables.get(*table)?))
    }

    pub(crate) fn relation(&self, oid: i64) -> Option<Relation<'_>> {
        if let Some((database, table)) = self.table(oid) {
            return Some(Relation::Lake(database, table));
        }
        let of = |shapes: &'static Shapes| {
            shapes
                .relations
                .iter()
                .find(|shape| shape.oid == oid)
                .map(|shape| Relation::System(shapes, shape))
        };
        of(&PG_CATALOG).or_else(|| of(&INFORMATION_SCHEMA))
    }

    fn in_schema(&self, schema: &str, name: &str) -> Option<Relation<'_>> {
        let system = |shapes: &'static Shapes| {
            shapes
                .get(name)
                .map(|shape| Relation::System(shapes, shape))
        };
        match schema {
            "pg_catalog" => system(&PG_CATALOG),
            "information_schema" => system(&INFORMATION_SCHEMA),
            _ => {
                let mut databases = self.catalog.databases.iter().zip(&self.by_name);
                let (database, order) = databases.find(|(database, _)| database.name == schema)?;
                let named = |index: &usize| {
                    let table = database.tables.get(*index);
                    table.map_or("", |table| table.name.as_str()).cmp(name)
                };
                let place = order.binary_search_by(named).ok()?;
                let table = database.tables.get(*order.get(place)?)?;
                Some(Relation::Lake(database, table))
            }
        }
    }

    /// Returns the schemas to search. `pg_catalog` is first, unless the path names it.
    pub(crate) fn search_path(&self) -> impl Iterator<Item = &str> {
        let path = &self.session.search_path;
        let implicit = (!path.iter().any(|schema| schema == "pg_catalog")).then_some("pg_catalog");
        implicit.into_iter().chain(path.iter().map(String::as_str))
    }

    /// Returns the relation that an unqualified name refers to.
    fn visible(&self, name: &str) -> Option<Relation<'_>> {
        self.search_path()
            .find_map(|schema| self.in_schema(schema, name))
    }

    /// Returns the relation of a name in SQL syntax, or of a number.
    pub(crate) fn relation_named(&self, name: &str) -> Option<Relation<'_>> {
        if let Ok(oid) = name.trim().parse() {
            return self.relation(oid);
        }
        match split_name(name)?.as_slice() {
            [name] => self.visible(name),
            [schema, name] => self.in_schema(schema, name),
            [catalog, schema, name] if *catalog == self.session.database => {
                self.in_schema(schema, name)
            }
            _ => None,
        }
    }

    /// Returns whether the unqualified name of this relation refers to it; `None` if the relation
    /// does not exist.
    pub(crate) fn is_visible(&self, oid: i64) -> Option<bool> {
        let relation = self.relation(oid)?;
        Some(
            self.visible(relation.name())
                .is_some_and(|found| found.oid() == oid),
        )
    }

    /// Returns a relation's name, qualified and quoted where necessary.
    pub(crate) fn relation_name(&self, oid: i64) -> Option<String> {
        let relation = self.relation(oid)?;
        let name = quote_ident(relation.name());
        Some(match self.is_visible(oid) {
            Some(true) => name,
            _ => format!("{}.{name}", quote_ident(relation.namespace())),
        })
    }

    pub(crate) fn namespace_oid(&self, name: &str) -> Option<i64> {
        match name {
            "pg_catalog" => Some(oids::PG_CATALOG),
            "information_schema" => Some(oids::INFORMATION_SCHEMA),
            _ => self
                .database(name)
                .map(|database| oids::namespace(database.id)),
        }
    }

    pub(crate) fn namespace_name(&self, oid: i64) -> Option<&str> {
        match oid {
            oids::PG_CATALOG => Some("pg_catalog"),
            oids::INFORMATION_SCHEMA => Some("information_schema"),
            _ => self.database_of(oid).map(|database| database.name.as_str()),
        }
    }

    pub(crate) fn database(&self, name: &str) -> Option<&VisibleDatabase> {
        self.catalog
            .databases
            .iter()
            .find(|database| database.name == name)
    }

    pub(crate) fn database_of(&self, namespace: i64) -> Option<&VisibleDatabase> {
        self.catalog
            .databases
            .iter()
            .find(|database| oids::namespace(database.id) == namespace)
    }

    pub(crate) fn role_name(&self, oid: i64) -> Option<&str> {
        let role = self.catalog.roles.iter().find(|role| role.oid == oid);
        role.map(|role| role.name.as_str())
            .or_else(|| (oid == oids::OWNER).then_some(OWNER_NAME))
    }

    pub(crate) fn role_oid(&self, name: &str) -> Option<i64> {
        let role = self.catalog.roles.iter().find(|role| role.name == name);
        role.map(|role| role.oid)
            .or_else(|| (name == OWNER_NAME).then_some(oids::OWNER))
    }
}
