//! The column of `json_array_elements(x) AS e`, which PostgreSQL names `value`. Here it has the
//! name of the alias, so that `e` alone is the value too.
//!
//! ```text
//! SELECT e.value FROM json_array_elements(x) e    SELECT e.e AS value FROM …
//! SELECT value FROM json_array_elements(x) e      SELECT e.e AS value FROM …
//! ```

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, TableFactor,
};

use crate::postgres::rewrite::{build, folded, last_part};

const VALUE: &str = "value";

/// The functions whose column has this name.
const OF_VALUES: &[&str] = &[
    "json_array_elements",
    "json_array_elements_text",
    "jsonb_array_elements",
    "jsonb_array_elements_text",
];

/// The names in the FROM of a SELECT, or of a query of one SELECT for its ORDER BY.
struct Scope {
    of_select: bool,
    /// Whether each is the alias of such a function.
    names: Vec<(String, bool)>,
}

/// The scopes around an expression, the outermost first.
#[derive(Default)]
pub(super) struct SetColumns {
    scopes: Vec<Scope>,
}

impl SetColumns {
    pub(super) fn enter_query(&mut self, query: &Query) {
        let names = match query.body.as_ref() {
            SetExpr::Select(select) => names_of(select),
            _ => vec![],
        };
        self.scopes.push(Scope {
            of_select: false,
            names,
        });
    }

    /// Enters a SELECT, and names its columns that are values of such a function.
    pub(super) fn enter_select(&mut self, select: &mut Select) {
        self.scopes.push(Scope {
            of_select: true,
            names: names_of(select),
        });
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && let Some(column) = self.column(expr)
            {
                *item = build::aliased(column, Ident::new(VALUE));
            }
        }
    }

    pub(super) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// Returns the column that a name means, if it is the value of such a function.
    pub(super) fn column(&self, expr: &Expr) -> Option<Expr> {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                let [table, column] = parts.as_slice() else {
                    return None;
                };
                if folded(column) != VALUE {
                    return None;
                }
                let table = folded(table);
                let mut names = self.scopes.iter().rev().flat_map(|scope| &scope.names);
                let (_, is_set) = names.find(|(name, _)| *name == table)?;
                is_set.then(|| build::column(&table, &table))
            }
            Expr::Identifier(column) if folded(column) == VALUE => {
                let scope = self.scopes.last().filter(|scope| scope.of_select)?;
                let mut sets = scope.names.iter().filter(|(_, is_set)| *is_set);
                let (name, _) = sets.next()?;
                // The columns of two are ambiguous.
                sets.next().is_none().then(|| build::column(name, name))
            }
            _ => None,
        }
    }
}

fn names_of(select: &Select) -> Vec<(String, bool)> {
    let factors = select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    factors.filter_map(name_of).collect()
}

/// Returns the name of an item of FROM, and whether it is the alias of a function of values.
fn name_of(factor: &TableFactor) -> Option<(String, bool)> {
    let (name, alias, is_call) = match factor {
        TableFactor::Table {
            name, args, alias, ..
        } => (name, alias, args.is_some()),
        TableFactor::Function { name, alias, .. } => (name, alias, true),
        TableFactor::Derived {
            alias: Some(alias), ..
        } => return Some((folded(&alias.name), false)),
        _ => return None,
    };
    let own = last_part(name)?;
    Some(match alias {
        None => (own, false),
        Some(alias) => {
            let is_set = is_call && alias.columns.is_empty() && OF_VALUES.contains(&own.as_str());
            (folded(&alias.name), is_set)
        }
    })
}
