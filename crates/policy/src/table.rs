//! A lake table as the engine sees it: the granted columns, and the snapshot it was planned with.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lakegate_catalog::access::TableAccess;
use lakegate_error::{Error, Result};
use lakegate_lake::TextLength;
use lakegate_lake::roots::Roots;
use lakegate_lake::scan::{self, QueryLake, Wanted};
use lakegate_lake::sight::Sight;
use lakegate_lake::table::prune;
use lakegate_lake::table::{HiddenColumns, LakeTable, Pruned, TableSnapshot};

use super::{ColumnOrigin, no_column_is_granted};

/// A table as its principal may query it.
///
/// Without a snapshot it can be planned but not scanned: [`super::snapshots::PrunedPlan::list`]
/// adds one.
#[derive(Debug, Clone)]
pub struct PolicyTable {
    /// The whole table.
    lake_table: Arc<LakeTable>,
    /// The table with the granted columns only; it is pruned, planned and read.
    granted: Arc<LakeTable>,
    /// The numbers of the granted columns among those that the principal sees, from 1.
    numbers: Arc<[usize]>,
    policy: [u8; 32],
    sealed_by: Option<Arc<str>>,
    pinned: Option<(Arc<QueryLake>, Arc<TableSnapshot>)>,
}

impl PolicyTable {
    /// Restricts a table to what `access` permits.
    ///
    /// # Errors
    ///
    /// The principal may see the table but select no column of it.
    pub fn new(lake_table: Arc<LakeTable>, access: &TableAccess) -> Result<Self> {
        // A set: asking for each column of a wide table would compare all with all.
        let visible: HashSet<&str> = access.visible_columns().into_iter().collect();
        let fields = lake_table.schema.fields().iter().enumerate();
        let visible = fields.filter(|(_, field)| visible.contains(field.name().as_str()));
        let (columns, numbers): (Vec<usize>, Vec<usize>) = (1..)
            .zip(visible)
            .filter(|(_, (_, field))| access.select.contains(field.name()))
            .map(|(number, (index, _))| (index, number))
            .unzip();
        if columns.is_empty() {
            return Err(no_column_is_granted(&lake_table.name()));
        }
        let granted = if columns.len() == lake_table.schema.fields().len() {
            Arc::clone(&lake_table)
        } else {
            Arc::new(lake_table.granted(&columns)?)
        };
        Ok(Self {
            lake_table,
            granted,
            numbers: numbers.into(),
            policy: access.read_digest(),
            sealed_by: None,
            pinned: None,
        })
    }

    /// Returns the table as the query of a view reads it, for a principal that is not to learn about
    /// the table: its files and its name are not reported.
    #[must_use]
    pub fn sealed_by(self, view: Arc<str>) -> Self {
        let granted = self.granted.with_sight(Sight::part(Arc::clone(&view)));
        Self {
            granted: Arc::new(granted),
            sealed_by: Some(view),
            ..self
        }
    }

    /// Returns the view behind which the table is hidden from the principal.
    pub fn sealed_view(&self) -> Option<&str> {
        self.sealed_by.as_deref()
    }

    /// Adds the hidden columns, if the principal may select every column of the table.
    ///
    /// `zone`: the session's time zone.
    #[must_use]
    pub fn with_hidden_columns(self, zone: &str) -> Self {
        match self.granted.with_hidden_columns(zone) {
            Some(granted) => Self {
                granted: Arc::new(granted),
                ..self
            },
            None => self,
        }
    }

    /// Returns the names of the hidden columns, which are the last columns of the schema.
    pub fn hidden_columns(&self) -> impl Iterator<Item = &'static str> {
        self.granted.hidden.iter().flat_map(HiddenColumns::names)
    }

    /// Returns the column of the catalog's table that the column at an index of the schema is; `None`
    /// for hidden columns, and if nothing of the table may be reported.
    pub(crate) fn origin(&self, index: usize) -> Option<ColumnOrigin> {
        if self.sealed_by.is_some() {
            return None;
        }
        let number = *self.numbers.get(index)?;
        Some(ColumnOrigin {
            table_id: self.lake_table.table.id,
            number: i16::try_from(number).ok()?,
            length: self.length(index, number),
        })
    }

    /// Returns the length of the texts of a granted column. `number`: of [`ColumnOrigin`].
    fn length(&self, index: usize, number: usize) -> Option<TextLength> {
        let field = self.granted.schema.fields().get(index)?;
        if !field.data_type().is_string() {
            return None;
        }
        // Of all columns, a column has its number if the principal sees all before it.
        let table = &self.lake_table.table;
        let likely = number.checked_sub(1);
        let likely = likely.and_then(|place| table.columns().nth(place));
        let column = match likely.filter(|column| column.name == *field.name()) {
            Some(column) => column,
            None => table
                .columns()
                .find(|column| column.name == *field.name())?,
        };
        TextLength::of_type(&column.data_type)
    }

    /// The table with all its columns.
    pub fn lake_table(&self) -> &Arc<LakeTable> {
        &self.lake_table
    }

    pub fn name(&self) -> String {
        self.granted.name()
    }

    /// Prunes the partitions by filters of the principal's query, which refer to the granted
    /// columns only.
    ///
    /// # Errors
    ///
    /// The LOCATION is outside the lake roots, or the SerDe is unknown.
    pub fn pruned(&self, roots: &Roots, filters: &[Expr]) -> Result<Pruned> {
        self.granted.pruned(roots, filters)
    }

    /// Returns a digest of what may be read of the table. Principals with the same rights have the
    /// same digest.
    pub fn policy(&self) -> &[u8; 32] {
        &self.policy
    }

    /// Returns the same table over exactly the files of a snapshot.
    #[must_use]
    pub fn pinned(&self, lake: Arc<QueryLake>, snapshot: Arc<TableSnapshot>) -> Self {
        Self {
            pinned: Some((lake, snapshot)),
            ..self.clone()
        }
    }
}

#[async_trait]
impl TableProvider for PolicyTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.granted.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        Ok(filters
            .iter()
            .map(|filter| {
                if prune::decided_by_partitions(filter, self.granted.constants()) {
                    TableProviderFilterPushDown::Exact
                } else {
                    TableProviderFilterPushDown::Inexact
                }
            })
            .collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let Some((lake, snapshot)) = &self.pinned else {
            return Err(DataFusionError::from(Error::internal(format!(
                "table {} is scanned without a snapshot",
                self.lake_table.name()
            ))));
        };
        let wanted = Wanted {
            projection,
            filters,
            limit,
        };
        Ok(scan::plan(state, lake, &self.granted, snapshot, wanted).await?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_catalog::access::{Grant, Privilege, Resource, ScramVerifier};
    use lakegate_catalog::model::{Column, DatabaseInput, StorageDescriptor, TableInput};
    use lakegate_catalog::store::{Control, Metastore, SqliteStore};
    use lakegate_lake::table::LakeTables;

    use super::*;

    #[tokio::test]
    async fn policy_is_that_of_the_columns_that_may_be_read() {
        let store = SqliteStore::in_memory().unwrap();
        let database = DatabaseInput {
            name: "d".to_owned(),
            ..DatabaseInput::default()
        };
        store.create_database(database, false).await.unwrap();
        let names = ["a", "ab", "bc", "c", "d"];
        let table = TableInput {
            name: "t".to_owned(),
            storage_descriptor: StorageDescriptor {
                columns: names.map(|name| Column::new(name, "int")).to_vec(),
                ..StorageDescriptor::default()
            },
            ..TableInput::default()
        };
        store.create_table("d", table, false).await.unwrap();
        let table = store.table("d", "t").await.unwrap().unwrap();
        let table = LakeTables::default().load(&store, &table).await.unwrap();
        let mut made = Vec::new();
        for (user, columns) in [
            ("one", vec!["ab", "c"]),
            ("same", vec!["c", "ab"]),
            ("as_long", vec!["ab", "d"]),
            ("as_one_text", vec!["a", "bc"]),
            ("more", vec!["ab", "bc", "c"]),
            ("all", names.to_vec()),
        ] {
            let verifier = ScramVerifier::with_iterations("secret", 1).unwrap();
            store.create_user(user, verifier, false).await.unwrap();
            let columns = Resource::columns("d", "t", columns);
            let grant = Grant::new(user, Privilege::Select, columns);
            store.grant(&[grant]).await.unwrap();
            let access = store.snapshot().access(user).unwrap();
            let access = access.table("d", "t", &names).unwrap();
            made.push(PolicyTable::new(Arc::clone(&table), &access).unwrap());
        }
        let policies: Vec<_> = made.iter().map(PolicyTable::policy).collect();
        assert_eq!(policies[0], policies[1]);
        for (place, policy) in policies.iter().enumerate().skip(2) {
            assert!(!policies[..place].contains(policy), "{place}");
        }
        let fields: Vec<_> = made
            .iter()
            .map(|view| view.schema().fields().len())
            .collect();
        assert_eq!(fields, [2, 2, 2, 2, 3, 5]);
    }
}
