//! Scans of tables, and their names.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use lakegate_lake::format::sight_of;
use lakegate_lake::scanned::files_of;
use lakegate_lake::sight::Sight;

use super::Node;
use super::build::Builder;
use super::expressions::name;
use super::numbers::{Cost, UNKNOWN_ROWS, width};

/// A built-in table of a plan. Its operator does not know its name.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    /// `schema.table`.
    name: String,
    columns: Vec<String>,
}

impl Relation {
    /// Returns the tables of a plan that are scanned without a barrier above them.
    pub(crate) fn all(plan: &LogicalPlan) -> Vec<Self> {
        let mut found = Vec::new();
        // The closure returns no errors.
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                let table = scan.table_name.table();
                let columns = scan.projected_schema.fields().iter();
                found.push(Self {
                    name: match scan.table_name.schema() {
                        Some(schema) => format!("{schema}.{table}"),
                        None => table.to_owned(),
                    },
                    columns: columns.map(|column| column.name().clone()).collect(),
                });
            }
            Ok(TreeNodeRecursion::Continue)
        });
        found
    }
}

impl Builder<'_> {
    pub(super) fn scanned(&self, plan: &Arc<dyn ExecutionPlan>, scan: &DataSourceExec) -> Node {
        let schema = plan.schema();
        let width = width(&schema);
        let files = files_of(scan);
        let sight = files.and_then(|files| sight_of(files.file_source().as_ref()));
        // Sizes of files include the columns that are hidden.
        let size = files.filter(|_| sight.is_some_and(Sight::is_whole));
        let guessed = size.map_or(UNKNOWN_ROWS, |files| {
            (bytes_of(files) / width.max(1) as f64).max(1.0)
        });
        let rows = self.rows(plan).unwrap_or(guessed);
        let known = match sight {
            Some(sight) => Some(sight.name().to_owned()),
            None => self.relation(&schema),
        };
        let kind = match (&known, files) {
            (None, None) => "Values Scan",
            _ => "Seq Scan",
        };
        let node = relation_scan(kind, known.as_deref(), Cost::scan(rows, width));
        self.finished(plan, node)
    }

    /// Returns the built-in table that has these columns, if there is one.
    pub(super) fn relation(&self, schema: &SchemaRef) -> Option<String> {
        let columns = || schema.fields().iter().map(|field| field.name());
        let mut fitting = self
            .relations
            .iter()
            .filter(|relation| relation.columns.iter().eq(columns()))
            .map(|relation| &relation.name);
        let first = fitting.next()?;
        fitting.all(|other| other == first).then(|| first.clone())
    }
}

/// Returns the node of a scan of a relation: `Seq Scan on schema.table`.
pub(super) fn relation_scan(kind: &'static str, relation: Option<&str>, cost: Cost) -> Node {
    let node = Node::new(kind, cost);
    let Some(relation) = relation else {
        return node;
    };
    let (schema, table) = match relation.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, relation),
    };
    let named = match schema {
        Some(schema) => format!("{}.{}", name(schema), name(table)),
        None => name(table),
    };
    let mut node = node
        .labelled(format!("{kind} on {named}"))
        .with_attribute("Relation Name", table);
    if let Some(schema) = schema {
        node = node.with_attribute("Schema", schema);
    }
    node.with_attribute("Alias", table)
}

fn bytes_of(files: &FileScanConfig) -> f64 {
    let groups = files.file_groups.iter();
    let sizes = groups.flat_map(|group| group.iter().map(PartitionedFile::effective_size));
    sizes.sum::<u64>() as f64
}
