//! One statement at a time, for doors whose protocol has no scripts: prepared from a text, with the types of its parameters told later,
//! and answered from what is stored.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use futures::FutureExt;
use lakegate_error::{Code, Error, Result};
use lakegate_sql::Statement;
use sqlparser::ast;

use crate::Rows;
use crate::query::error_position::locate;
use crate::query::planning::Asked;
use crate::session::Session;
use crate::session::prepared::{Prepared, check_parameters, no_parameter};
use crate::session::settings::ResultReuse;

impl Session {
    /// Prepares the one statement of a text. Parameters are `?`, or `$1`, `$2` ….
    ///
    /// Errors: no statement or several, one that only other doors know, one that needs a session that lasts, and what
    /// [`Session::prepare`] refuses.
    pub async fn prepare_one(&self, text: &str) -> Result<Prepared> {
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
        if matches!(parsed.statement, Statement::Copy(_)) {
            return Err(
                Error::not_supported("COPY TO STDOUT is of the PostgreSQL protocol only")
                    .with_hint("send the query by itself: its rows come as Arrow batches"),
            );
        }
        self.check_lasting(&parsed.statement)?;
        self.prepare(parsed, &[]).boxed().await
    }

    /// Prepares the one statement of a text that runs without values.
    ///
    /// Errors: also that it has parameters.
    pub async fn prepare_closed(&self, text: &str) -> Result<Prepared> {
        let prepared = self.prepare_one(text).await?;
        if prepared.parameters.is_empty() {
            return Ok(prepared);
        }
        let parsed = &prepared.parsed;
        let mut error = no_parameter("$1");
        if let Statement::Query(query) = &parsed.statement {
            let statement = ast::Statement::Query(query.clone());
            error = check_parameters(&statement, 0).err().unwrap_or(error);
        }
        Err(locate(error, &parsed.text, parsed.position))
    }

    /// The same statement for values of these types: a parameter whose type nothing told takes that of its value. Without such a
    /// parameter it is the statement as it was.
    pub async fn prepare_for(&self, prepared: &Prepared, bound: &[DataType]) -> Result<Prepared> {
        if prepared.open.is_empty() {
            return Ok(prepared.clone());
        }
        let declared: Vec<Option<DataType>> = prepared
            .parameters
            .iter()
            .enumerate()
            .map(|(index, settled)| {
                if prepared.open.contains(&index) {
                    bound.get(index).and_then(declarable)
                } else {
                    Some(settled.clone())
                }
            })
            .collect();
        self.prepare(prepared.parsed.clone(), &declared)
            .boxed()
            .await
    }

    /// The stored result of a query, under today's grants and over today's files, or files as old as the session's staleness allows. Nothing
    /// runs.
    ///
    /// Errors: [`Code::ResultNotStored`], also for what is no query; what planning refuses.
    pub async fn stored(&self, prepared: &Prepared, parameters: Vec<ScalarValue>) -> Result<Rows> {
        let asked = match (&prepared.substrait, &prepared.parsed.statement) {
            (Some(plan), _) => Asked::Substrait(plan),
            (None, Statement::Query(query)) => Asked::Sql(query),
            _ => {
                return Err(Error::new(
                    Code::ResultNotStored,
                    "only results of queries are stored",
                ));
            }
        };
        self.rows_of(asked, prepared, parameters, Some(ResultReuse::Only))
            .boxed()
            .await
    }
}

/// The type that a parameter is declared with so that values of this one fit; `None`: none can be declared.
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
