//! Trino's names for the columns of a query: `_col0`, `_col1` … by place, for what has no name.

use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Ident, Query, SelectItem, SetExpr};
use lakegate_engine::{NUMBERED, OutputNames};
use lakegate_sql::trino::fields_of;

use super::keywords;
use crate::postgres::{folded, items_of};

/// Returns the names of a query's columns. Takes the query as written, before the rewrite for the
/// planner.
pub(crate) fn output_names(query: &Query) -> Option<OutputNames> {
    if let SetExpr::Values(values) = query.body.as_ref() {
        let width = values.rows.first().map_or(0, |row| row.content.len());
        return Some(OutputNames::of(&vec![Some(NUMBERED.to_owned()); width]));
    }
    let items = items_of(&query.body)?;
    let names: Vec<Option<String>> = items.iter().map(item_name).collect();
    Some(OutputNames::of(&names))
}

/// Returns the name of a column, or `None` for `*` and `row.*`.
fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) if fields_of(expr).is_some() => None,
        SelectItem::UnnamedExpr(expr) => Some(name_of(expr).unwrap_or_else(|| NUMBERED.to_owned())),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        // A call without parentheses, which the parser takes for a name.
        Expr::Identifier(Ident {
            value,
            quote_style: None,
            ..
        }) if value.eq_ignore_ascii_case("current_schema") => None,
        Expr::Identifier(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        Expr::Nested(expr) => name_of(expr),
        expr => match keywords::column(expr) {
            Some(column) => Some(folded(&column)),
            None => field_of(expr),
        },
    }
}

/// Returns the name of a field of a column; fields of other values have none.
fn field_of(expr: &Expr) -> Option<String> {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else {
        return None;
    };
    name_of(root)?;
    let fields = access_chain.iter().map(|access| match access {
        AccessExpr::Dot(Expr::Identifier(field)) => Some(folded(field)),
        _ => None,
    });
    fields.collect::<Option<Vec<String>>>()?.pop()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trino::testing::query;

    fn names(sql: &str) -> OutputNames {
        output_names(&query(sql)).unwrap()
    }

    #[test]
    fn columns_without_a_name_are_numbered() {
        let names = names(
            "SELECT a, t.B, count(*), 1 AS \"X\", r.x.y, a[1].x, f(a).x, user, t.user FROM t",
        );
        let shown: Vec<String> = (0..9).filter_map(|place| names.get(place, 9)).collect();
        assert_eq!(
            shown,
            [
                "a", "b", "_col2", "X", "y", "_col5", "_col6", "user", "user"
            ]
        );
    }

    #[test]
    fn fields_of_columns_have_names() {
        let names = names("SELECT (r).x, (r.y).z, a[1].x, CAST(r AS ROW(x bigint)).x, (a), (1)");
        let shown: Vec<String> = (0..6).filter_map(|place| names.get(place, 6)).collect();
        assert_eq!(shown, ["x", "z", "_col2", "_col3", "a", "_col5"]);
    }

    #[test]
    fn columns_of_values_are_numbered() {
        let names = names("VALUES (1, 'a'), (2, 'b')");
        assert_eq!(names.get(0, 2).unwrap(), "_col0");
        assert_eq!(names.get(1, 2).unwrap(), "_col1");
    }

    #[test]
    fn columns_after_a_star_are_numbered_by_their_place_in_the_result() {
        let names = names("SELECT *, 1, a FROM t");
        assert_eq!(names.get(0, 5), None);
        assert_eq!(names.get(3, 5).unwrap(), "_col3");
        assert_eq!(names.get(4, 5).unwrap(), "a");
    }
}
