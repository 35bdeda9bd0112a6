//! Parameters whose PostgreSQL type the engine has as another type, told by their casts.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use lakegate_sql::walk::walk_expressions;
use sqlparser::ast::{self, Expr};

use crate::query::parameters::{number, placeholder};

/// The PostgreSQL type of a parameter, where the engine has it under another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastParameter {
    /// `oid[]`: a list of numbers. asyncpg must not be told so: it would ask what such a list is by
    /// the same statement.
    ObjectIds,
    /// `oid`: a number.
    ObjectId,
    /// `uuid`: a text.
    Uuid,
    /// `inet`: a text.
    Inet,
    /// `cidr`: a text.
    Cidr,
    /// `macaddr`: a text.
    MacAddress,
    /// `pg_lsn`: a text.
    LogPosition,
    /// `timetz`: a text.
    ZonedTime,
    /// `json`: a text.
    Json,
    /// `jsonb`: a text.
    Jsonb,
}

/// Returns the indices of the parameters whose first cast is to such a type, and the type.
pub(crate) fn cast_parameters(query: &ast::Query) -> BTreeMap<usize, CastParameter> {
    let mut casts = BTreeMap::new();
    let _: ControlFlow<()> = walk_expressions(query, |expr| {
        if let Expr::Cast {
            expr, data_type, ..
        } = expr
            && let Some(number) = placeholder(expr).and_then(number)
        {
            casts.entry(number).or_insert_with(|| {
                match data_type.to_string().to_ascii_lowercase().as_str() {
                    "oid[]" => Some(CastParameter::ObjectIds),
                    "oid" => Some(CastParameter::ObjectId),
                    "uuid" => Some(CastParameter::Uuid),
                    "inet" => Some(CastParameter::Inet),
                    "cidr" => Some(CastParameter::Cidr),
                    "macaddr" => Some(CastParameter::MacAddress),
                    "pg_lsn" => Some(CastParameter::LogPosition),
                    "timetz" | "time with time zone" => Some(CastParameter::ZonedTime),
                    "json" => Some(CastParameter::Json),
                    "jsonb" => Some(CastParameter::Jsonb),
                    _ => None,
                }
            });
        }
        ControlFlow::Continue(())
    });
    casts
        .into_iter()
        .filter_map(|(number, cast)| Some((number.checked_sub(1)?, cast?)))
        .collect()
}
