//! Single-statement entry points, for protocols without scripts: prepare from text, type the
//! parameters later, or replay a stored result.

use futures::future::BoxFuture;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use futures::FutureExt;
use lakegate_dialect::postgres::ResultReuse;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Statement;

use crate::Rows;
use crate::query::error_position::locate;
use crate::query::parameters::{check_parameters, no_parameter};
use crate::session::Session;
use crate::session::dispatch::copies_by_protocol;
use crate::session::prepared::Prepared;

impl Session {
    /// Prepares a text with a single statement. Parameters are `?`, or `$1`, `$2` ….
    ///
    /// # Errors
    /// The text has no statement or several; the statement belongs to another protocol, or needs a
    /// session that later calls can use; [`Session::prepare`] fails.
    pub fn prepare_one<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Prepared>> {
        async move {
            let mut statements = self.parse(text).await?;
            let Some(parsed) = statements.pop() else {
                return Err(Error::new(Code::SyntaxError, "the statement is empty"));
            };
            if !statements.is_empty() {
                return Err(Error::new(
                    Code::SyntaxError,
                    "there are several statements in the text",
                )
                .with_hint("send them one by one"));
            }
            match &parsed.statement {
                Statement::Copy(_) => {
                    return Err(copies_by_protocol("COPY TO STDOUT")
                        .with_hint("send the query by itself: its rows come as Arrow batches"));
                }
                Statement::CopyFrom(_) => {
                    return Err(copies_by_protocol("COPY FROM STDIN")
                        .with_hint("send the rows as Arrow batches, by bulk ingestion"));
                }
                _ => {}
            }
            self.check_stateful(&parsed.statement)?;
            self.prepare(parsed, &[]).await
        }
        .boxed()
    }

    /// Prepares a text with a single statement without parameters.
    ///
    /// # Errors
    /// As of [`Self::prepare_one`]; the statement has parameters.
    pub fn prepare_closed<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Prepared>> {
        async move {
            let prepared = self.prepare_one(text).await?;
            if prepared.parameters.is_empty() {
                return Ok(prepared);
            }
            let error = no_parameter("$1");
            let Some(parsed) = prepared.source.sql() else {
                return Err(error);
            };
            let named = match &parsed.statement {
                Statement::Query(query) => check_parameters(query.as_ref(), 0).err(),
                _ => None,
            };
            Err(locate(
                named.unwrap_or(error),
                &parsed.text,
                parsed.position,
            ))
        }
        .boxed()
    }

    /// Prepares a statement again for values of these types: an untyped parameter takes the type of
    /// its value. Returns a statement without untyped parameters unchanged.
    ///
    /// # Errors
    /// As of [`Session::prepare`].
    pub fn prepare_for<'a>(
        &'a self,
        prepared: &'a Arc<Prepared>,
        bound: &'a [DataType],
    ) -> BoxFuture<'a, Result<Arc<Prepared>>> {
        async move {
            let parsed = match prepared.source.sql() {
                Some(parsed) if !prepared.untyped.is_empty() => parsed,
                _ => return Ok(Arc::clone(prepared)),
            };
            let declared: Vec<Option<DataType>> = prepared
                .parameters
                .iter()
                .enumerate()
                .map(|(index, settled)| {
                    if prepared.untyped.contains(&index) {
                        bound.get(index).and_then(declarable)
                    } else {
                        Some(settled.clone())
                    }
                })
                .collect();
            let again = self.prepare_as(Arc::clone(parsed), &declared, &prepared.marks);
            let prepared = again.await?;
            Ok(Arc::new(prepared))
        }
        .boxed()
    }

    /// Returns the stored result of a query, under the current grants, over the current files or
    /// over files as old as the session's staleness allows. Runs nothing.
    ///
    /// # Errors
    /// [`Code::ResultNotStored`], also for a statement that is not a query; planning fails.
    pub fn stored<'a>(
        &'a self,
        prepared: &'a Prepared,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'a, Result<Rows>> {
        async move {
            let is_query = match prepared.statement() {
                Some(statement) => matches!(statement, Statement::Query(_)),
                None => true,
            };
            if !is_query {
                return Err(Error::new(
                    Code::ResultNotStored,
                    "only results of queries are stored",
                ));
            }
            let moment = self.current_moment().await?;
            self.run_query(&moment, prepared, parameters, Some(ResultReuse::Only))
                .boxed()
                .await
        }
        .boxed()
    }
}

/// Returns the type to declare for a parameter so that values of this type fit, or `None` if there
/// is none.
fn declarable(data_type: &DataType) -> Option<DataType> {
    use DataType as T;
    Some(match data_type {
        T::Boolean
        | T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::Float32
        | T::Float64
        | T::Utf8
        | T::Binary
        | T::Date32
        | T::Decimal128(..)
        | T::Interval(_) => data_type.clone(),
        T::UInt8 => T::Int16,
        T::UInt16 => T::Int32,
        T::UInt32 => T::Int64,
        T::UInt64 => T::Decimal128(20, 0),
        T::Float16 => T::Float32,
        T::LargeUtf8 | T::Utf8View => T::Utf8,
        T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => T::Binary,
        T::Date64 => T::Date32,
        T::Time32(_) | T::Time64(_) => T::Time64(arrow::datatypes::TimeUnit::Microsecond),
        T::Timestamp(_, zone) => {
            T::Timestamp(arrow::datatypes::TimeUnit::Microsecond, zone.clone())
        }
        T::Decimal32(precision, scale) | T::Decimal64(precision, scale) => {
            T::Decimal128(*precision, *scale)
        }
        T::Dictionary(_, values) => declarable(values)?,
        _ => return None,
    })
}
