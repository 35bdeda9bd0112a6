//! Looks up catalog objects by name and by OID.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use datafusion::error::Result;
use lakegate_error::Error;
use lakegate_sql::ast::{TEMPORARY_ALIAS, TEMPORARY_SCHEMA};

use crate::postgres::pg_catalog::asked::{Asked, name_of};
use crate::postgres::pg_catalog::oids;
use crate::postgres::pg_catalog::privileges::OWNER_NAME;
use crate::postgres::pg_catalog::relations::Relation;
use crate::postgres::pg_catalog::shape::{INFORMATION_SCHEMA, PG_CATALOG, Shapes};
use crate::postgres::{Cell, SessionInfo, quote_ident, split_name};
use crate::visible::{
    CatalogSource, Needs, Pins, Texts, VisibleCatalog, VisibleDatabase, VisibleTable,
};

/// The data that functions look up.
///
/// Databases and roles are here from the start. Tables are read before a plan is optimised, for the
/// calls with constant arguments, and before it runs, for all others: those that the calls are
/// about. Before that, a function that is called for others fails, and the optimizer leaves the call
/// in the plan.
#[derive(Debug)]
pub(crate) struct Lookup {
    /// Its tables are not all that there are.
    pub catalog: Arc<VisibleCatalog>,
    pub session: Arc<SessionInfo>,
    /// `None` if all that is needed was read at once.
    source: Option<Arc<dyn CatalogSource>>,
    /// Whether the sizes of tables are read with their names.
    sizes: bool,
    /// Those that constants identify.
    constants: OnceLock<(Asked, Tables)>,
    /// Those that the optimised plan is about.
    of_plan: OnceLock<(Asked, Tables)>,
    all: OnceLock<Tables>,
}

/// Tables, by number and by name.
#[derive(Debug, Default)]
struct Tables {
    catalog: Arc<VisibleCatalog>,
    /// Indexes into the catalog's databases and their tables, by the table's OID.
    by_oid: HashMap<i64, (usize, usize)>,
    /// For each database, the indexes of its tables in the order of their names.
    by_name: Vec<Vec<usize>>,
}

/// Names of tables that are looked up one by one. For more, all tables are read.
const MOST_NAMES: usize = 100;

impl Tables {
    fn of(catalog: Arc<VisibleCatalog>) -> Self {
        let databases = catalog.databases.iter().enumerate();
        let by_oid = databases
            .flat_map(|(d, database)| {
                let tables = database.tables.iter().enumerate();
                tables.map(move |(t, table)| (oids::table(table.id), (d, t)))
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
            by_oid,
            catalog,
        }
    }

    fn table(&self, oid: i64) -> Option<(&VisibleDatabase, &VisibleTable)> {
        let (database, table) = self.by_oid.get(&oid)?;
        let database = self.catalog.databases.get(*database)?;
        Some((database, database.tables.get(*table)?))
    }

    fn named(&self, schema: &str, name: &str) -> Option<(&VisibleDatabase, &VisibleTable)> {
        let mut databases = self.catalog.databases.iter().zip(&self.by_name);
        let (database, order) = databases.find(|(database, _)| database.name == schema)?;
        let compared = |index: &usize| {
            let table = database.tables.get(*index);
            table.map_or("", |table| table.name.as_str()).cmp(name)
        };
        let place = order.binary_search_by(compared).ok()?;
        Some((database, database.tables.get(*order.get(place)?)?))
    }
}

impl Lookup {
    /// Returns a lookup that reads tables when it learns which. `sizes`: whether their sizes are needed.
    pub(crate) fn late(
        catalog: Arc<VisibleCatalog>,
        session: Arc<SessionInfo>,
        source: Arc<dyn CatalogSource>,
        sizes: bool,
    ) -> Self {
        Self {
            catalog,
            session,
            source: Some(source),
            sizes,
            constants: OnceLock::new(),
            of_plan: OnceLock::new(),
            all: OnceLock::new(),
        }
    }

    /// Returns a lookup of the tables of this catalog.
    pub(crate) fn complete(catalog: Arc<VisibleCatalog>, session: Arc<SessionInfo>) -> Self {
        Self {
            all: OnceLock::from(Tables::of(Arc::clone(&catalog))),
            catalog,
            session,
            source: None,
            sizes: false,
            constants: OnceLock::new(),
            of_plan: OnceLock::new(),
        }
    }

    /// Reads the tables that constants identify.
    ///
    /// # Errors
    ///
    /// The source fails.
    pub(crate) async fn read_constants(&self, asked: Asked) -> Result<()> {
        match asked.is_nothing() {
            true => Ok(()),
            false => self.read(&self.constants, asked).await,
        }
    }

    /// Reads the tables that an optimised plan is about. After that, functions find no others.
    ///
    /// # Errors
    ///
    /// The source fails.
    pub(crate) async fn read_of_plan(&self, asked: Asked) -> Result<()> {
        self.read(&self.of_plan, asked).await
    }

    async fn read(&self, place: &OnceLock<(Asked, Tables)>, asked: Asked) -> Result<()> {
        let Some(source) = &self.source else {
            return Ok(());
        };
        let known = place.get().map(|(known, _)| known);
        if self.all.get().is_some() || known == Some(&asked) {
            return Ok(());
        }
        let names = match asked.all || known.is_some() {
            true => None,
            false => names(source.as_ref(), &asked).await?,
        };
        let Some(names) = names else {
            let needs = Needs {
                row_counts: self.sizes,
                ..Needs::default()
            };
            let all = source.visible(&needs).await?;
            // Another planning of the query may have read the same.
            let _ = self.all.set(Tables::of(all));
            return Ok(());
        };
        let tables = match names.is_empty() {
            true => Tables::default(),
            false => {
                let needs = Needs {
                    tables: Pins {
                        tables: vec![Texts::These(names)],
                        ..Pins::default()
                    },
                    row_counts: self.sizes,
                    ..Needs::default()
                };
                Tables::of(source.visible(&needs).await?)
            }
        };
        let _ = place.set((asked, tables));
        Ok(())
    }

    /// Returns the tables that were read.
    fn read_tables(&self) -> impl Iterator<Item = &Tables> {
        let all = self.all.get();
        let parts = [&self.of_plan, &self.constants];
        let parts = parts.into_iter().filter_map(|part| Some(&part.get()?.1));
        all.into_iter().chain(parts.filter(move |_| all.is_none()))
    }

    /// Checks that a table that a function is called for would have been read.
    ///
    /// # Errors
    ///
    /// It is not known yet whether there is such a table.
    pub(crate) fn check(&self, argument: &Cell<'_>) -> Result<()> {
        if self.all.get().is_some() || self.of_plan.get().is_some() {
            return Ok(());
        }
        let constants = self.constants.get();
        let knows_oid = |oid: i64| {
            oids::table_id(oid).is_none_or(|id| {
                constants.is_some_and(|(asked, tables)| {
                    asked.ids.contains(&id) || tables.table(oid).is_some()
                })
            })
        };
        let knows_name =
            |name: String| constants.is_some_and(|(asked, _)| asked.names.contains(&name));
        let is_known = match argument {
            Cell::Int(oid) => knows_oid(*oid),
            Cell::Text(text) => match text.trim().parse() {
                Ok(oid) => knows_oid(oid),
                Err(_) => name_of(text).is_none_or(knows_name),
            },
            Cell::List(items) => return items.iter().try_for_each(|item| self.check(item)),
            _ => true,
        };
        match is_known {
            true => Ok(()),
            false => Err(Error::internal("a table is looked up before it is read").into()),
        }
    }

    pub(crate) fn table(&self, oid: i64) -> Option<(&VisibleDatabase, &VisibleTable)> {
        self.read_tables().find_map(|tables| tables.table(oid))
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
        let schema = match schema {
            TEMPORARY_ALIAS => TEMPORARY_SCHEMA,
            other => other,
        };
        let system = |shapes: &'static Shapes| {
            shapes
                .get(name)
                .map(|shape| Relation::System(shapes, shape))
        };
        match schema {
            "pg_catalog" => system(&PG_CATALOG),
            "information_schema" => system(&INFORMATION_SCHEMA),
            _ => {
                let mut tables = self.read_tables();
                let (database, table) = tables.find_map(|tables| tables.named(schema, name))?;
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
        std::iter::once(TEMPORARY_SCHEMA)
            .chain(self.search_path())
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

/// Returns the names of the tables that functions ask for; `None` if there are too many. Tables of
/// one name are read together, because one of them may hide another.
async fn names(source: &dyn CatalogSource, asked: &Asked) -> Result<Option<BTreeSet<String>>> {
    let mut names = asked.names.clone();
    let of_ids = Pins {
        table_ids: Some(asked.ids.clone()),
        ..Pins::default()
    };
    for pins in asked.pins.iter().chain([&of_ids]) {
        if let Some(known) = pins.table_names() {
            names.extend(known.iter().cloned());
        } else if pins.table_ids.as_ref().is_none_or(|ids| !ids.is_empty()) {
            let needs = Needs {
                tables: pins.clone(),
                ..Needs::default()
            };
            let found = source.visible(&needs).await?;
            let tables = found.databases.iter().flat_map(|database| &database.tables);
            names.extend(tables.map(|table| table.name.clone()));
        }
        if names.len() > MOST_NAMES {
            return Ok(None);
        }
    }
    Ok(Some(names))
}
