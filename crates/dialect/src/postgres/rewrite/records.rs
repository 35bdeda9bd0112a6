//! Functions that return a row of several columns, each of which is a function of its own.
//!
//! ```text
//! FROM pg_identify_object(a, b, c) AS o
//!     FROM LATERAL (SELECT "$object_type"(a, b, c) AS type, "$object_schema"(a, b, c) AS schema, …) AS o
//! pg_identify_object(a, b, c)
//!     named_struct('type', "$object_type"(a, b, c), 'schema', "$object_schema"(a, b, c), …)
//! ```

use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, SelectItem, TableAlias};
use lakegate_error::Error;

use super::{build, copies};
use crate::postgres::pg_catalog::object_columns;

/// Names of columns, with the functions that return them.
type Columns = &'static [(&'static str, &'static str)];

/// The functions, with the number of their arguments, and their columns.
const RECORDS: [(&str, usize, Columns); 2] = [
    (
        "pg_identify_object",
        3,
        &[
            ("type", object_columns::TYPE),
            ("schema", object_columns::SCHEMA),
            ("name", object_columns::NAME),
            ("identity", object_columns::IDENTITY),
        ],
    ),
    (
        "pg_identify_object_as_address",
        3,
        &[
            ("type", object_columns::TYPE),
            ("object_names", object_columns::NAMES),
            ("object_args", object_columns::ARGUMENTS),
        ],
    ),
];

/// Returns the columns of a call, with their names; `None` if it is another function.
///
/// # Errors
///
/// An argument is too large to be written once for each column.
fn columns(name: &str, args: &[Expr]) -> Result<Option<Vec<(&'static str, Expr)>>, Error> {
    let mut records = RECORDS.iter();
    let found = records.find(|(known, count, _)| *known == name && *count == args.len());
    let Some((_, _, columns)) = found else {
        return Ok(None);
    };
    let args = args.to_vec();
    copies::check(&args, columns.len())?;
    let columns = columns.iter();
    let columns = columns.map(|(column, function)| (*column, build::call(function, args.clone())));
    Ok(Some(columns.collect()))
}

/// Returns the columns of a call in FROM, with the names of the alias, and the row's number if it is
/// wanted; `None` if it is another function.
///
/// # Errors
///
/// An argument is too large to be written once for each column.
pub(super) fn in_from(
    name: &str,
    args: &[Expr],
    alias: Option<&TableAlias>,
    ordinality: bool,
) -> Result<Option<Vec<SelectItem>>, Error> {
    let Some(mut columns) = columns(name, args)? else {
        return Ok(None);
    };
    if ordinality {
        let number = build::cast(build::integer(1), DataType::BigInt(None));
        columns.push(("ordinality", number));
    }
    let given = alias.map_or(&[][..], |alias| alias.columns.as_slice());
    let items = columns.into_iter().enumerate();
    let items = items.map(|(place, (own, column))| {
        let name = given.get(place).map(|column| column.name.clone());
        build::aliased(column, name.unwrap_or_else(|| Ident::new(own)))
    });
    Ok(Some(items.collect()))
}

/// Returns the row of a call as one value; `None` if it is another function.
///
/// # Errors
///
/// An argument is too large to be written once for each column.
pub(super) fn value(name: &str, args: &[Expr]) -> Result<Option<Expr>, Error> {
    Ok(columns(name, args)?.map(|columns| {
        let members = columns.into_iter();
        let members = members.flat_map(|(name, column)| [build::text(name), column]);
        build::call("named_struct", members.collect())
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arguments(count: i64) -> Vec<Expr> {
        (0..count).map(build::integer).collect()
    }

    #[test]
    fn rows_have_columns_of_functions() {
        let row = value("pg_identify_object_as_address", &arguments(3)).unwrap();
        assert_eq!(
            row.unwrap().to_string(),
            r#"named_struct('type', "$object_type"(0, 1, 2), 'object_names', "$object_names"(0, 1, 2), 'object_args', "$object_arguments"(0, 1, 2))"#
        );
        let items = in_from("pg_identify_object", &arguments(3), None, true).unwrap();
        let items: Vec<String> = items.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(items[0], r#""$object_type"(0, 1, 2) AS type"#);
        assert_eq!(items[4], "1::BIGINT AS ordinality");
        assert_eq!(items.len(), 5);
    }

    #[test]
    fn other_calls_stay() {
        assert!(
            value("pg_identify_object", &arguments(2))
                .unwrap()
                .is_none()
        );
        assert!(value("lower", &arguments(3)).unwrap().is_none());
    }
}
