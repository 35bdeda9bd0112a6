//! Casts to lists of objects, and comparisons with several.
//!
//! ```text
//! '{raw,curated}'::regnamespace[]      ARRAY[regnamespace_in('raw'), regnamespace_in('curated')]
//! x::regnamespace[]                    "$regnamespace_list"(x::text[])
//! '23 25'::oidvector                   "$oidvector"(ARRAY[23, 25])
//! '1 2'::int2vector                    "$int2vector"(ARRAY[1, 2])
//! pg_typeof(x) IN ('integer', 'text')  pg_typeof(x) IN ('integer'::regtype, 'text'::regtype)
//! ```

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, Expr, Ident, ObjectName,
};
use lakegate_error::Error;

use super::calls::text_of;
use super::{build, casts, last_part};
use crate::postgres::{INT2VECTOR, OIDVECTOR};

/// The functions that read one name, and those that read a list of names.
const READERS: [(&str, &str); 3] = [
    ("regnamespace_in", "$regnamespace_list"),
    ("regrole_in", "$regrole_list"),
    ("regtype_in", "$regtype_list"),
];

/// Rewrites a cast of names or numbers that are written in the statement, and one of other lists.
/// Returns the function that is called in its place.
///
/// # Errors
///
/// A text is not a list.
pub(super) fn rewrite(expr: &mut Expr) -> Result<Option<&'static str>, Error> {
    let Expr::Cast {
        kind: CastKind::Cast | CastKind::DoubleColon,
        expr: inner,
        data_type,
        ..
    } = expr
    else {
        return Ok(None);
    };
    if let Some((function, numbers)) = vector(inner, data_type) {
        let numbers = build::array(numbers.into_iter().map(build::integer).collect());
        *expr = build::call(function, vec![numbers]);
        return Ok(None);
    }
    let Some(function) = casts::reader_of_items(data_type) else {
        return Ok(None);
    };
    if let Some(names) = names(inner)? {
        let calls = names
            .into_iter()
            .map(|name| build::call(function, vec![name]));
        *expr = build::array(calls.collect());
        return Ok(Some(function));
    }
    let mut readers = READERS.into_iter();
    let Some((_, of_list)) = readers.find(|(of_name, _)| *of_name == function) else {
        return Ok(None);
    };
    let texts = DataType::Array(ArrayElemTypeDef::SquareBracket(
        Box::new(DataType::Text),
        None,
    ));
    let list = build::cast(build::taken(inner), texts);
    *expr = build::call(of_list, vec![list]);
    Ok(Some(of_list))
}

/// Casts the literals that an object is compared with to its type. A single one would be a number in
/// PostgreSQL, too. The parts of the expression have not been rewritten.
pub(super) fn among(expr: &mut Expr) {
    let Expr::InList {
        expr: object, list, ..
    } = expr
    else {
        return;
    };
    let Some(data_type) = type_of(object).filter(|_| list.len() > 1) else {
        return;
    };
    for item in list.iter_mut().filter(|item| text_of(item).is_some()) {
        *item = build::cast(build::taken(item), data_type.clone());
    }
}

/// Returns the type of an expression that clearly is an object of the catalog.
fn type_of(expr: &Expr) -> Option<DataType> {
    match expr {
        Expr::Nested(inner) => type_of(inner),
        Expr::Cast { data_type, .. } if casts::is_object(data_type) => Some(data_type.clone()),
        Expr::Function(function) if last_part(&function.name)? == "pg_typeof" => {
            let name = ObjectName::from(vec![Ident::new("regtype")]);
            Some(DataType::Custom(name, Vec::new()))
        }
        _ => None,
    }
}

/// Returns the numbers of a literal `oidvector` or `int2vector`, which are separated by spaces, and the
/// function that makes a list of them one.
fn vector(literal: &Expr, data_type: &DataType) -> Option<(&'static str, Vec<i64>)> {
    let DataType::Custom(name, _) = data_type else {
        return None;
    };
    let name = name.to_string().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let (function, range) = match name {
        "oidvector" => (OIDVECTOR, 0..=i64::from(u32::MAX)),
        "int2vector" => (INT2VECTOR, i64::from(i16::MIN)..=i64::from(i16::MAX)),
        _ => return None,
    };
    let numbers = text_of(literal)?.split_whitespace().map(str::parse::<i64>);
    let numbers: Vec<i64> = numbers.collect::<Result<_, _>>().ok()?;
    let fit = !numbers.is_empty() && numbers.iter().all(|number| range.contains(number));
    fit.then_some((function, numbers))
}

/// Returns the items of a literal list of names, or of `ARRAY[…]` with nothing but literals; `None`
/// for any other expression and for an empty list.
///
/// # Errors
///
/// The text is not a list.
fn names(list: &Expr) -> Result<Option<Vec<Expr>>, Error> {
    let items = match list {
        Expr::Array(array) => Some(array.elem.clone()),
        _ => casts::literal_array(list)?,
    };
    let items = items.filter(|items| !items.is_empty());
    Ok(items.filter(|items| items.iter().all(|item| text_of(item).is_some())))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::SelectItem;

    use super::super::testing::with_select;
    use super::*;

    #[test]
    fn literals_beside_an_object_have_its_type() {
        for (sql, rewritten) in [
            (
                "SELECT pg_typeof(x) NOT IN ('integer', 'text')",
                "SELECT pg_typeof(x) NOT IN ('integer'::regtype, 'text'::regtype)",
            ),
            (
                "SELECT (o::REGCLASS) IN ('t', 1)",
                "SELECT (o::REGCLASS) IN ('t'::REGCLASS, 1)",
            ),
            (
                "SELECT pg_typeof(x) IN ('integer')",
                "SELECT pg_typeof(x) IN ('integer')",
            ),
            ("SELECT x IN ('1', '2')", "SELECT x IN ('1', '2')"),
        ] {
            let text = with_select(sql, |select| {
                if let Some(SelectItem::UnnamedExpr(expr)) = select.projection.first_mut() {
                    among(expr);
                }
            });
            assert_eq!(text, rewritten);
        }
    }
}
