//! stub
use super::roots::Root;
use crate::error::{Error, Result};
use datafusion::datasource::physical_plan::FileSource;
use datafusion::datasource::table_schema::TableSchema;
use lakegate_catalog::model::StorageDescriptor;
use std::collections::BTreeMap;
use std::sync::Arc;
#[derive(Debug, Clone, PartialEq)]
pub enum TableFormat {
    Parquet,
    Text(TextFormat),
}
#[derive(Debug, Clone, PartialEq)]
pub struct TextFormat;
impl TableFormat {
    pub fn detect(_: &StorageDescriptor, _: &BTreeMap<String, String>) -> Result<Self> {
        Ok(Self::Parquet)
    }
}
impl TextFormat {
    pub fn source(&self, _: TableSchema, _: &str, _: &Arc<Root>) -> Arc<dyn FileSource> {
        unreachable!("{}", Error::internal("x"))
    }
}
