//! A common column of a USING join that a subquery names without a table.
//!
//! To the engine such a name is ambiguous outside of the subquery, and so it says that there is no such column:
//!
//! ```text
//! SELECT k FROM a JOIN b USING (k) WHERE EXISTS (SELECT 1 FROM c WHERE c.x = k)      … WHERE c.x = a.k)
//! ```
//!
//! Whether a table of the subquery has the column is not known here. But when the engine has said that it is nowhere, and one
//! SELECT alone names it, that one means the common column.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Select, Statement, VisitMut, VisitorMut};

use super::super::folded;
use super::Scope;

/// Names the table of a column that the engine did not find, where a USING join outside of a subquery has it in common. Returns
/// whether there is such a place, and no doubt about it.
pub fn name_outer_columns(statement: &mut Statement, column: &str) -> bool {
    let mut places = Places::new(column, false);
    let _ = VisitMut::visit(statement, &mut places);
    if places.found.len() != 1 {
        return false;
    }
    let _ = VisitMut::visit(statement, &mut Places::new(column, true));
    true
}

struct Places<'a> {
    column: &'a str,
    /// Whether to change what is found.
    named: bool,
    /// The SELECTs that surround an expression, each with its number.
    scopes: Vec<(usize, Scope)>,
    selects: usize,
    /// SELECTs inside of others, which name the column.
    found: BTreeSet<usize>,
}

impl<'a> Places<'a> {
    fn new(column: &'a str, named: bool) -> Self {
        Self {
            column,
            named,
            scopes: Vec::new(),
            selects: 0,
            found: BTreeSet::new(),
        }
    }
}

impl VisitorMut for Places<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.selects += 1;
        self.scopes.push((self.selects, Scope::of(select, &[])));
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<()> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::Identifier(ident) = expr else {
            return ControlFlow::Continue(());
        };
        if folded(ident) != self.column {
            return ControlFlow::Continue(());
        }
        let Some(((select, _), outer)) = self.scopes.split_last() else {
            return ControlFlow::Continue(());
        };
        let common = outer.iter().rev();
        let mut common = common.filter_map(|(_, scope)| scope.common.get(self.column));
        if let Some(relation) = common.next() {
            self.found.insert(*select);
            if self.named {
                let mut idents = relation.clone();
                idents.push(ident.clone());
                *expr = Expr::CompoundIdentifier(idents);
            }
        }
        ControlFlow::Continue(())
    }
}
