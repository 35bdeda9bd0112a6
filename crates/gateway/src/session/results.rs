//! Results that need no query: those of commands, and of statements whose rows are made at once.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lakegate_dialect::postgres::Settings;

use crate::query::life::BatchStream;
use crate::{Execution, Rows};

pub(crate) fn command(tag: &str) -> Execution {
    Execution::Command {
        tag: tag.to_owned(),
        rows: None,
    }
}

pub(crate) fn rows(tag: &'static str, schema: SchemaRef, batches: Vec<RecordBatch>) -> Execution {
    let stream: BatchStream = Box::pin(futures::stream::iter(batches.into_iter().map(Ok)));
    Execution::Rows(Rows {
        schema,
        origins: Arc::default(),
        tag,
        stream,
        query_id: None,
        query: None,
    })
}

pub(crate) fn text_schema<S: AsRef<str>>(names: &[S]) -> SchemaRef {
    let fields: Vec<Field> = names
        .iter()
        .map(|name| Field::new(name.as_ref(), DataType::Utf8, true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// Returns the column of `SHOW name`, which has the parameter's own spelling.
pub(crate) fn setting_schema(name: &str) -> SchemaRef {
    text_schema(&[Settings::spelling(name).unwrap_or(name)])
}
