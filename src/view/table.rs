//! A lake table as the engine meets it: the granted columns, then the snapshot it was planned against.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lakegate_catalog::access::TableAccess;
use sha2::{Digest, Sha256};

use crate::error::{Code, Error, Result};
use crate::lake::prune;
use crate::lake::scan::{self, QueryLake, Wanted};
use crate::lake::snapshot::{LakeTable, TableSnapshot};

/// A table as its principal may query it.
///
/// Without a snapshot it can be planned, not scanned: [`super::snapshots::Unlisted::list`] gives it one.
#[derive(Debug, Clone)]
pub struct ViewTable {
    lake_table: Arc<LakeTable>,
    /// The granted columns, in the table's order.
    schema: SchemaRef,
    /// For each of them its index in the whole table.
    columns: Vec<usize>,
    policy: [u8; 32],
    pinned: Option<(Arc<QueryLake>, Arc<TableSnapshot>)>,
}

impl ViewTable {
    /// Errors: the principal may see the table but select nothing of it.
    pub fn new(lake_table: Arc<LakeTable>, access: &TableAccess) -> Result<Self> {
        let (columns, fields): (Vec<usize>, Vec<_>) = lake_table
            .schema
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| access.can_select(field.name()))
            .map(|(index, field)| (index, Arc::clone(field)))
            .unzip();
        if columns.is_empty() {
            return Err(Error::new(
                Code::PermissionDenied,
                format!("permission denied for table {}", lake_table.name()),
            )
            .with_hint("SELECT has to be granted on the table or on columns of it"));
        }
        let schema = Arc::new(Schema::new(fields));
        let mut digest = Sha256::new();
        for field in schema.fields() {
            digest.update((field.name().len() as u64).to_be_bytes());
            digest.update(field.name());
        }
        let policy = digest.finalize().into();
        Ok(Self {
            lake_table,
            schema,
            columns,
            policy,
            pinned: None,
        })
    }

    pub fn lake_table(&self) -> &Arc<LakeTable> {
        &self.lake_table
    }

    /// Digest of what the principal may read of the table: equal for two who may read the same.
    pub fn policy(&self) -> &[u8; 32] {
        &self.policy
    }

    #[must_use]
    pub fn pinned(&self, lake: Arc<QueryLake>, snapshot: Arc<TableSnapshot>) -> Self {
        Self {
            pinned: Some((lake, snapshot)),
            ..self.clone()
        }
    }
}

#[async_trait]
impl TableProvider for ViewTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
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
                if prune::decided_by_partitions(filter, &self.lake_table.keys) {
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
        let whole: Vec<usize> = match projection {
            None => self.columns.clone(),
            Some(projection) => projection
                .iter()
                .map(|index| self.columns.get(*index).copied())
                .collect::<Option<_>>()
                .ok_or_else(|| {
                    DataFusionError::from(Error::internal(
                        "a projection names a column that is not there",
                    ))
                })?,
        };
        let wanted = Wanted {
            projection: Some(&whole),
            filters,
            limit,
        };
        Ok(scan::plan(state, lake, &self.lake_table, snapshot, wanted).await?)
    }
}
