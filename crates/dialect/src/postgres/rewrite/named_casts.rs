//! Casts that are parts of column names; see [`named_cast`](lakegate_engine::named_cast).

use lakegate_sql::walk::walk_mut;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Statement, VisitorMut};
use lakegate_engine::OPEN_NUMERIC;
use lakegate_engine::named_cast::NAMED_CAST;

use super::build;

/// Replaces each cast of a statement by a call that names its type. Returns whether there are any.
pub fn name_casts(statement: &mut Statement) -> bool {
    let mut casts = Casts { found: false };
    let _ = walk_mut(statement, &mut casts);
    casts.found
}

struct Casts {
    found: bool,
}

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let data_type = match expr {
            Expr::Cast { data_type, .. } => data_type.to_string(),
            Expr::BinaryOp {
                op: BinaryOperator::Custom(mark),
                ..
            } if mark.as_str() == OPEN_NUMERIC => "NUMERIC".to_owned(),
            _ => return ControlFlow::Continue(()),
        };
        let name = build::text(data_type);
        let placeholder = build::integer(0);
        let cast = std::mem::replace(expr, placeholder);
        *expr = build::call(NAMED_CAST, vec![cast, name]);
        self.found = true;
        ControlFlow::Continue(())
    }
}
