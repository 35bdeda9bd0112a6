//! The types that PREPARE declares for parameters, which are those of casts to them:
//!
//! ```text
//! PREPARE p (int[], unknown, int[]) AS …
//! SELECT CAST(NULL AS int[])                  $1 and $3 are lists of int, $2 is inferred
//! ```

use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use futures::FutureExt;
use lakegate_dialect::postgres::everything;
use lakegate_error::{Code, Error, Result};
use sqlparser::ast::{self, ArrayElemTypeDef, Expr, Ident, SelectItem, SetExpr, Value};

use crate::query::parameter_marks::{Marks, mark_of};
use crate::query::parameters::{MAX_PARAMETERS, list_of, sql_type};
use crate::query::planners::PlannedText;
use crate::session::Session;

/// Types whose parameters are inferred: `unknown` by its meaning, the others because their values are
/// numbers beside numbers, and texts elsewhere.
const INFERRED: [&str; 12] = [
    "regclass",
    "regcollation",
    "regconfig",
    "regdictionary",
    "regnamespace",
    "regoper",
    "regoperator",
    "regproc",
    "regprocedure",
    "regrole",
    "regtype",
    "unknown",
];

impl Session {
    /// Returns the types of `$1`, `$2` … that PREPARE declares, and their marks; `None` for those that
    /// are inferred.
    ///
    /// # Errors
    /// A type does not exist or is not supported; there are more types than parameters may be.
    pub(crate) async fn declared_types(
        &self,
        types: &[ast::DataType],
    ) -> Result<(Vec<Option<DataType>>, Marks)> {
        if types.len() > MAX_PARAMETERS {
            let message =
                format!("number of parameters exceeds the maximum allowed ({MAX_PARAMETERS})");
            return Err(Error::new(Code::TooComplex, message));
        }
        let distinct: BTreeSet<&ast::DataType> =
            types.iter().filter(|of| !is_inferred(of)).collect();
        if distinct.is_empty() {
            return Ok((vec![None; types.len()], Marks::new()));
        }
        let mut query = everything()?;
        if let SetExpr::Select(select) = query.body.as_mut() {
            let columns = distinct.iter().enumerate();
            select.projection = columns.map(|(place, of)| column(place, of)).collect();
        }
        let moment = self.current_moment().await?;
        let statement = ast::Statement::Query(Box::new(query.clone()));
        let planning = Box::pin(self.resolve(&moment, statement)).await?;
        let text = PlannedText::Query(&query, planning.database.clone());
        let planned = self
            .plan(&moment, text, planning.described().boxed())
            .await?;
        let found = planned.columns.fields().iter();
        let found = found.map(|field| (of_parameter(field.data_type()), mark_of(field)));
        let known: BTreeMap<&ast::DataType, (Option<DataType>, Option<String>)> =
            distinct.into_iter().zip(found).collect();
        let marks = types.iter().enumerate();
        let marks = marks.filter_map(|(index, of)| Some((index, known.get(of)?.1.clone()?)));
        let marks = marks.collect();
        let declared = types.iter();
        let declared = declared.map(|of| known.get(of).and_then(|(known, _)| known.clone()));
        Ok((declared.collect(), marks))
    }
}

fn is_inferred(data_type: &ast::DataType) -> bool {
    match data_type {
        ast::DataType::Regclass => true,
        ast::DataType::Custom(name, _) => {
            let last = name.0.last().and_then(|part| part.as_ident());
            last.is_some_and(|ident| {
                let mut names = INFERRED.iter();
                names.any(|name| ident.value.eq_ignore_ascii_case(name))
            })
        }
        ast::DataType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => is_inferred(item),
        _ => false,
    }
}

/// Returns `CAST(NULL AS type)` with a name of its own.
fn column(place: usize, data_type: &ast::DataType) -> SelectItem {
    SelectItem::ExprWithAlias {
        expr: Expr::Cast {
            kind: ast::CastKind::Cast,
            expr: Box::new(Expr::Value(Value::Null.into())),
            data_type: data_type.clone(),
            array: false,
            format: None,
        },
        alias: Ident::with_quote('"', format!("type {place}")),
    }
}

/// Returns the type of a parameter, as drivers declare it, from that of a cast; `None` if a parameter
/// cannot be cast to it. What a type says about lengths and digits does not count, as in PostgreSQL.
fn of_parameter(data_type: &DataType) -> Option<DataType> {
    let plain = match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Decimal128(..) => DataType::Decimal128(38, 10),
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Microsecond),
        // The zone is only how a moment is shown, which the session may change.
        DataType::Timestamp(_, zone) => {
            let utc = zone.as_ref().map(|_| "UTC".into());
            DataType::Timestamp(TimeUnit::Microsecond, utc)
        }
        DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::List(item) | DataType::LargeList(item) => {
            list_of(&of_parameter(item.data_type())?)
        }
        other => other.clone(),
    };
    sql_type(&plain).is_some().then_some(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use lakegate_sql::Statement;

    use super::*;

    fn types(sql: &str) -> Vec<ast::DataType> {
        match lakegate_sql::parse(sql).unwrap().remove(0).statement {
            Statement::Prepare(prepare) => prepare.types,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn some_types_are_inferred() {
        let types = types(
            "PREPARE p (int, unknown, regclass, pg_catalog.regtype, regproc[], text[], regular) AS SELECT 1",
        );
        let inferred: Vec<bool> = types.iter().map(is_inferred).collect();
        assert_eq!(inferred, [false, true, true, true, true, false, false]);
    }

    #[test]
    fn parameters_have_the_types_that_drivers_declare() {
        let microseconds =
            |zone: Option<&str>| DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into));
        for (of_cast, expected) in [
            (DataType::Int32, Some(DataType::Int32)),
            (DataType::Utf8View, Some(DataType::Utf8)),
            (
                DataType::Decimal128(5, 2),
                Some(DataType::Decimal128(38, 10)),
            ),
            (
                DataType::Timestamp(TimeUnit::Nanosecond, None),
                Some(microseconds(None)),
            ),
            (
                microseconds(Some("Europe/Berlin")),
                Some(microseconds(Some("UTC"))),
            ),
            (
                DataType::new_list(DataType::Utf8View, false),
                Some(DataType::new_list(DataType::Utf8, true)),
            ),
            (DataType::Null, None),
            (DataType::new_list(DataType::Null, true), None),
        ] {
            assert_eq!(of_parameter(&of_cast), expected, "{of_cast}");
        }
    }
}
