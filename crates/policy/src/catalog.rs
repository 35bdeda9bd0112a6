//! A principal's view as the engine's catalog: names resolve asynchronously, and only through the
//! view.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::error::Result as EngineResult;
use lakegate_catalog::access::Privilege;
use lakegate_catalog::model::Column;
use lakegate_catalog::model::names::TEMPORARY_SCHEMA;
use lakegate_engine::CATALOG;
use lakegate_error::UNQUALIFIED;
use lakegate_lake::table::{LakeTable, table_schema};

use super::partitions_table::PartitionsTable;
use super::temporary_table::{TemporaryRows, TemporaryTable};
use super::{PolicyTable, PolicyView, SearchPath, View, ViewQueries, Visible};

/// A schema of built-in tables, such as `system`, made for one session.
pub type SystemTables = HashMap<String, Arc<dyn SchemaProvider>>;

/// The one catalog with the principal's databases and the built-in schemas.
#[derive(Debug)]
pub struct PolicyCatalogs {
    catalog: Arc<ViewCatalog>,
}

impl PolicyCatalogs {
    /// Builds the catalog of a view. `path`: the databases in which unqualified names are looked
    /// up.
    /// `queries`: plans the queries of views. `hidden`: for a statement that names hidden columns, the
    /// time zone of their values.
    pub fn new(
        view: View,
        queries: Arc<dyn ViewQueries>,
        built_in: SystemTables,
        path: SearchPath,
        hidden: Option<String>,
    ) -> Self {
        Self {
            catalog: Arc::new(ViewCatalog {
                view,
                queries,
                built_in,
                path,
                hidden,
            }),
        }
    }
}

impl CatalogProviderList for PolicyCatalogs {
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![CATALOG.to_owned()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        name.eq_ignore_ascii_case(CATALOG)
            .then(|| Arc::clone(&self.catalog) as _)
    }
}

#[derive(Debug)]
struct ViewCatalog {
    view: View,
    queries: Arc<dyn ViewQueries>,
    built_in: SystemTables,
    path: SearchPath,
    hidden: Option<String>,
}

impl CatalogProvider for ViewCatalog {
    /// Returns the built-in schemas only: listing the databases needs an await, which this method
    /// cannot do.
    fn schema_names(&self) -> Vec<String> {
        self.built_in.keys().cloned().collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let name = name.to_lowercase();
        if name == UNQUALIFIED {
            let has_temporary = !self.view.temporary.is_empty();
            let temporary = has_temporary.then(|| self.one_schema(TEMPORARY_SCHEMA));
            let schemas = self.path.visible.iter().map(|name| self.one_schema(name));
            return Some(Arc::new(PathSchema {
                schemas: temporary.into_iter().chain(schemas).collect(),
            }));
        }
        Some(self.one_schema(&name))
    }
}

impl ViewCatalog {
    /// Returns the schema of a database. `name`: lower case.
    fn one_schema(&self, name: &str) -> Arc<dyn SchemaProvider> {
        if let Some(built_in) = self.built_in.get(name) {
            return Arc::clone(built_in);
        }
        Arc::new(ViewSchema {
            view: self.view.clone(),
            queries: Arc::clone(&self.queries),
            database: name.to_owned(),
            hidden: self.hidden.clone(),
        })
    }
}

/// The session's temporary tables and the schemas of the search path as one schema: a name resolves
/// to the first schema that has a table of that name.
#[derive(Debug)]
struct PathSchema {
    schemas: Vec<Arc<dyn SchemaProvider>>,
}

#[async_trait]
impl SchemaProvider for PathSchema {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        for schema in &self.schemas {
            if let Some(table) = schema.table(name).await? {
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    fn table_exist(&self, _: &str) -> bool {
        true
    }
}

#[derive(Debug)]
struct ViewSchema {
    view: View,
    queries: Arc<dyn ViewQueries>,
    database: String,
    hidden: Option<String>,
}

impl ViewSchema {
    /// Returns the table of the partitions of a table, if `name` is `table$partitions` and the
    /// principal may select every partition key.
    async fn partitions(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let Some(of) = name.strip_suffix(PartitionsTable::SUFFIX) else {
            return Ok(None);
        };
        let Some(visible) = self.view.table(&self.database, of).await? else {
            return Ok(None);
        };
        if visible.lacks(Privilege::Select) {
            return Err(super::limited(&visible.table, Privilege::Select).into());
        }
        let keys = &visible.table.partition_keys;
        let may_select = |key: &Column| visible.access.can_select(&key.name);
        if keys.is_empty() || !keys.iter().all(may_select) {
            return Ok(None);
        }
        let table = PartitionsTable::of(&self.load(&visible).await?);
        Ok(table.map(|table| Arc::new(table) as _))
    }

    /// Returns the rows of a temporary table.
    fn rows(&self, visible: &Visible) -> Option<TemporaryRows> {
        if !visible.is_temporary() {
            return None;
        }
        let relation = self.view.temporary.relation(&visible.table.name);
        relation.and_then(|relation| relation.rows.clone())
    }

    async fn load(&self, visible: &Visible) -> EngineResult<Arc<LakeTable>> {
        let (metastore, table) = (self.view.metastore.as_ref(), &visible.table);
        let loaded = self.view.tables.load(metastore, table).await;
        Ok(loaded.map_err(|error| visible.sight().of_table(error))?)
    }
}

#[async_trait]
impl SchemaProvider for ViewSchema {
    fn table_names(&self) -> Vec<String> {
        Vec::new()
    }

    async fn table(&self, name: &str) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        // Not an error: the engine also looks up the names of table functions here.
        let name = name.to_lowercase();
        let Some(visible) = self.view.table(&self.database, &name).await? else {
            return self.partitions(&name).await;
        };
        if visible.lacks(Privilege::Select) {
            return Err(super::limited(&visible.table, Privilege::Select).into());
        }
        if visible.table.is_view() {
            let plan = self.queries.plan(&visible).await?;
            return Ok(Some(Arc::new(PolicyView::new(&visible, plan)?)));
        }
        if let Some(rows) = self.rows(&visible) {
            let schema = table_schema(&visible.table)?;
            return Ok(Some(Arc::new(TemporaryTable::new(schema, rows))));
        }
        let mut table = PolicyTable::new(self.load(&visible).await?, &visible.access)?;
        if let Some(zone) = &self.hidden {
            // Before it is sealed: the definer of a view sees them, and may select them for others.
            table = table.with_hidden_columns(zone);
        }
        Ok(Some(Arc::new(match &self.view.sealed_by {
            Some(view) => table.sealed_by(Arc::clone(view)),
            None => table,
        })))
    }

    fn table_exist(&self, _: &str) -> bool {
        true
    }
}
