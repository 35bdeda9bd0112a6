//! Names the fields of rows in a SELECT list, which the engine names after the whole expression.
//!
//! ```text
//! SELECT r.x, t.r.x FROM t      SELECT r.x AS "x", t.r.x AS "x" FROM t
//! SELECT t.y FROM t             stays: t is a table
//! ```

use datafusion::sql::sqlparser::ast::{Expr, Ident, Select, SelectItem, TableFactor};

use crate::postgres::folded;

/// Names the fields in a SELECT list.
pub(super) fn name(select: &mut Select) {
    let Some(tables) = tables(select) else {
        return;
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) = item
            && let Some(field) = field(parts, &tables)
        {
            let expr = Expr::CompoundIdentifier(parts.clone());
            *item = SelectItem::ExprWithAlias { expr, alias: field };
        }
    }
}

/// Returns the quoted name of a field; `None` for what may be a column of a table.
fn field(parts: &[Ident], tables: &[String]) -> Option<Ident> {
    let (first, last) = (parts.first()?, parts.last()?);
    let of_table = tables.contains(&folded(first));
    let is_field = match of_table {
        true => parts.len() > 2,
        // `schema.table.column` names the table second.
        false => !parts.iter().any(|part| tables.contains(&folded(part))),
    };
    is_field.then(|| Ident::with_quote('"', folded(last)))
}

/// Returns the names of the tables of a SELECT; `None` if they are not all known.
fn tables(select: &Select) -> Option<Vec<String>> {
    let factors = select.from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    let names: Option<Vec<String>> = factors.map(name_of).collect();
    names.filter(|names| !names.is_empty())
}

fn name_of(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        }
        | TableFactor::UNNEST {
            alias: Some(alias), ..
        } => Some(folded(&alias.name)),
        TableFactor::Table {
            name, alias: None, ..
        } => name.0.last()?.as_ident().map(folded),
        // Their columns have no qualifier.
        TableFactor::Derived { alias: None, .. } | TableFactor::UNNEST { alias: None, .. } => {
            Some(String::new())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::Statement;

    use crate::trino::names::plain;
    use crate::trino::testing::query;

    #[test]
    fn fields_are_named_after_themselves() {
        for (sql, expected) in [
            (
                "SELECT r.x, t.r.Y, t.y, r.x AS z FROM t",
                "SELECT r.x AS \"x\", t.r.Y AS \"y\", t.y, r.x AS z FROM t",
            ),
            ("SELECT s.t.x FROM s.t", "SELECT s.t.x FROM s.t"),
            (
                "SELECT u.r.x, d.x FROM t CROSS JOIN UNNEST(a) AS u (r)",
                "SELECT u.r.x AS \"x\", d.x AS \"x\" FROM t CROSS JOIN UNNEST(a) AS u (r)",
            ),
            ("SELECT r.x", "SELECT r.x"),
        ] {
            let mut statement = Statement::Query(query(sql));
            plain(&mut statement);
            assert_eq!(statement.to_string(), expected);
        }
    }
}
