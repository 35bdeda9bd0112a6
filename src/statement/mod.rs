//! stub
use crate::error::Result;
use crate::lake::roots::Roots;
use crate::view::View;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use lakegate_catalog::store::Control;
use lakegate_sql::Statement;
use std::sync::Arc;
#[derive(Debug)]
pub struct StatementContext {
    pub view: View,
    pub control: Arc<dyn Control>,
    pub roots: Arc<Roots>,
    pub database: String,
}
#[derive(Debug)]
pub enum Output {
    Command,
    Rows { batch: RecordBatch },
}
pub fn columns(_: &Statement) -> Option<SchemaRef> {
    None
}
pub async fn execute(_: &StatementContext, _: &Statement) -> Result<Output> {
    Ok(Output::Command)
}
pub fn handles(_: &Statement) -> bool {
    false
}
