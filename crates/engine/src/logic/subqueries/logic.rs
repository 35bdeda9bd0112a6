//! Rewrites of predicates over subqueries.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::functions_aggregate::bool_and_or::bool_or_udaf;
use datafusion::logical_expr::expr::{
    Case, Cast, Exists, InSubquery, SetComparison, SetQuantifier,
};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Projection,
    Subquery, lit, not,
};

use super::is_predicate;
use crate::joins::dependent::is_correlated;
use crate::limits::complexity::{check_made, check_nodes};

pub(super) struct Logic<'a> {
    /// The schema of the rows for which an expression is evaluated.
    pub(super) schema: &'a DFSchema,
    /// The number of the last name generated for the plan.
    pub(super) names: &'a Cell<usize>,
}

impl Logic<'_> {
    /// Rewrites a conjunct of a filter. There, DataFusion handles IN, and a column NOT IN an
    /// uncorrelated subquery, correctly and reads the subquery once.
    ///
    /// # Errors
    ///
    /// Returns an error if the rewritten subquery is invalid.
    pub(super) fn top(&self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::InSubquery(within)
                if !within.negated
                    || (is_column(&within.expr) && !is_correlated(&within.subquery)?) =>
            {
                Ok(Expr::InSubquery(within))
            }
            Expr::Not(inner) => match *inner {
                Expr::InSubquery(within) => self.top(Expr::InSubquery(negated(within))),
                inner => self.truth(not(inner)),
            },
            expr => self.truth(expr),
        }
    }

    /// Returns an expression that is true where `expr` is true. Where `expr` is NULL, it may be
    /// false.
    ///
    /// # Errors
    ///
    /// Returns an error if the rewritten subquery is invalid.
    pub(super) fn truth(&self, expr: Expr) -> Result<Expr> {
        match expr {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: op @ (Operator::And | Operator::Or),
                right,
            }) => Ok(Expr::BinaryExpr(BinaryExpr {
                left: Box::new(self.truth(*left)?),
                op,
                right: Box::new(self.truth(*right)?),
            })),
            Expr::Not(inner) => match *inner {
                Expr::Not(inner) => self.truth(*inner),
                Expr::InSubquery(within) => self.truth(Expr::InSubquery(negated(within))),
                Expr::Exists(Exists { subquery, negated }) => Ok(Expr::Exists(Exists {
                    subquery,
                    negated: !negated,
                })),
                inner => self.value(not(inner)),
            },
            Expr::IsTrue(inner) => self.truth(*inner),
            Expr::InSubquery(within) if within.negated => self.not_in(within),
            Expr::InSubquery(within) => self.in_subquery(within),
            expr @ Expr::Exists(_) => Ok(expr),
            Expr::SetComparison(SetComparison {
                expr,
                subquery,
                op,
                quantifier,
            }) => match (quantifier, op) {
                (SetQuantifier::Any, Operator::Eq) => {
                    self.truth(in_subquery(expr, subquery, false))
                }
                (SetQuantifier::All, Operator::NotEq) => {
                    self.truth(in_subquery(expr, subquery, true))
                }
                (SetQuantifier::Any, op) => {
                    self.exists(&subquery, |y| compared(&expr, op, y), false)
                }
                (SetQuantifier::All, op) => {
                    let fails = |y| Expr::IsNotTrue(Box::new(compared(&expr, op, y)));
                    self.exists(&subquery, fails, true)
                }
            },
            Expr::Case(case) => match three_valued(&case) {
                Some((found, _, true)) => self.truth(found.clone()),
                Some((found, unknown, false)) => {
                    let (found, unknown) =
                        (self.truth(found.clone())?, self.truth(unknown.clone())?);
                    Ok(not_exists(found).and(not_exists(unknown)))
                }
                None => self.value(Expr::Case(case)),
            },
            expr => self.value(expr),
        }
    }

    /// Returns an expression with the same value, NULL included.
    ///
    /// # Errors
    ///
    /// Returns an error if the rewritten subquery is invalid.
    pub(super) fn value(&self, expr: Expr) -> Result<Expr> {
        expr.transform_up(|expr| {
            if !is_predicate(&expr) {
                return Ok(Transformed::no(expr));
            }
            let made = match expr {
                Expr::InSubquery(within) => self.within(within)?,
                Expr::SetComparison(SetComparison {
                    expr,
                    subquery,
                    op,
                    quantifier,
                }) => match (quantifier, op) {
                    (SetQuantifier::Any, Operator::Eq) => {
                        self.within(InSubquery::new(expr, subquery, false))?
                    }
                    (SetQuantifier::All, Operator::NotEq) => {
                        self.within(InSubquery::new(expr, subquery, true))?
                    }
                    (quantifier, op) => self.compared_with(&expr, op, &quantifier, &subquery)?,
                },
                exists => exists,
            };
            // It has the operand several times, with the subqueries in it.
            check_made(&made)?;
            Ok(Transformed::yes(made))
        })
        .data()
    }

    fn compared_with(
        &self,
        x: &Expr,
        op: Operator,
        quantifier: &SetQuantifier,
        subquery: &Subquery,
    ) -> Result<Expr> {
        let decisive = |y| match quantifier {
            SetQuantifier::Any => compared(x, op, y),
            SetQuantifier::All => Expr::IsFalse(Box::new(compared(x, op, y))),
        };
        let found = self.exists(subquery, decisive, false)?;
        let unknown = self.exists(subquery, |y| compared(x, op, y).is_null(), false)?;
        Ok(case(found, unknown, *quantifier == SetQuantifier::Any))
    }

    /// Rewrites `x [NOT] IN S`, with NULL and false kept apart.
    fn within(&self, within: InSubquery) -> Result<Expr> {
        let InSubquery {
            expr: x,
            subquery,
            negated,
        } = within;
        let y = column(&subquery);
        let known = !x.nullable(self.schema)? && !y.nullable(subquery.subquery.schema())?;
        if !self.is_constant(&x) && !is_correlated(&subquery)? {
            let unknown = match known {
                true => lit(false),
                false => by_holes(
                    &subquery,
                    lit(true),
                    x.as_ref().clone().is_null(),
                    lit(false),
                )?,
            };
            let found = self.in_subquery(InSubquery::new(x, subquery, false))?;
            return Ok(case(found, unknown, !negated));
        }
        let found = self.exists(&subquery, |y| compared(&x, Operator::Eq, y), false)?;
        let unknown = match known {
            true => lit(false),
            false => {
                let null = |y| compared(&x, Operator::Eq, y).is_null();
                self.exists(&subquery, null, false)?
            }
        };
        Ok(case(found, unknown, !negated))
    }

    /// Rewrites `x NOT IN S`, where NULL may become false.
    fn not_in(&self, within: InSubquery) -> Result<Expr> {
        let InSubquery {
            expr: x, subquery, ..
        } = within;
        if self.is_constant(&x) || is_correlated(&subquery)? {
            let fails = |y| Expr::IsNotFalse(Box::new(compared(&x, Operator::Eq, y)));
            return self.exists(&subquery, fails, true);
        }
        let y = column(&subquery);
        let known = !x.nullable(self.schema)? && !y.nullable(subquery.subquery.schema())?;
        let found = InSubquery::new(x.clone(), subquery.clone(), true);
        let found = self.in_subquery(found)?;
        if known {
            return Ok(found);
        }
        Ok(found.and(by_holes(&subquery, lit(false), x.is_not_null(), lit(true))?))
    }

    /// Returns `x [NOT] IN S` for DataFusion, which joins S twice by the same column, and fails, if the
    /// column has no qualifier and S is not a projection: `x IN (SELECT DISTINCT y AS z FROM t) OR c`
    /// (`build_join` of `decorrelate_predicate_subquery.rs`, 55.2).
    fn in_subquery(&self, within: InSubquery) -> Result<Expr> {
        let plan = within.subquery.subquery.as_ref();
        let (qualifier, _) = plan.schema().qualified_field(0);
        if qualifier.is_some()
            || matches!(plan, LogicalPlan::Projection(_))
            || is_correlated(&within.subquery)?
        {
            return Ok(Expr::InSubquery(within));
        }
        let value = column(&within.subquery).alias(self.next());
        let plan = LogicalPlanBuilder::from(plan.clone())
            .project([value])?
            .build()?;
        let subquery = subquery_of(plan, &within.subquery);
        Ok(in_subquery(within.expr, subquery, within.negated))
    }

    /// Returns `EXISTS (S WHERE condition(y))`.
    fn exists(
        &self,
        subquery: &Subquery,
        condition: impl FnOnce(Expr) -> Expr,
        negated: bool,
    ) -> Result<Expr> {
        // A unique name, because the outer rows may be of the same table.
        let name = self.next();
        let plan = match subquery.subquery.as_ref() {
            // Under its old name, a cast value would hide the column that it was cast from.
            LogicalPlan::Projection(Projection { expr, input, .. }) if expr.len() == 1 => {
                let value = expr.iter().cloned().map(Expr::unalias);
                LogicalPlanBuilder::from(input.as_ref().clone())
                    .project(value.map(|value| value.alias(name.as_str())))?
            }
            plan => LogicalPlanBuilder::from(plan.clone())
                .project([column(subquery).alias(name.as_str())])?,
        }
        .build()?;
        let own = Expr::Column(Column::from_name(name));
        let condition = self.inside(condition(own))?;
        let plan = LogicalPlanBuilder::from(plan).filter(condition)?.build()?;
        check_nodes(&plan)?;
        Ok(Expr::Exists(Exists {
            subquery: subquery_of(plan, subquery),
            negated,
        }))
    }

    fn next(&self) -> String {
        self.names.set(self.names.get() + 1);
        format!("__set_{}", self.names.get())
    }

    /// Turns columns of the outer rows into outer references, for use inside a subquery.
    fn inside(&self, expr: Expr) -> Result<Expr> {
        expr.transform_up(|expr| {
            Ok(match &expr {
                Expr::Column(column) if self.schema.has_column(column) => {
                    let field = Arc::clone(self.schema.field_from_column(column)?);
                    Transformed::yes(Expr::OuterReferenceColumn(field, column.clone()))
                }
                _ => Transformed::no(expr),
            })
        })
        .data()
    }

    /// Returns whether an expression reads no column of the current rows.
    fn is_constant(&self, expr: &Expr) -> bool {
        expr.column_refs().is_empty()
    }
}

fn compared(x: &Expr, op: Operator, y: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(x.clone()), op, Box::new(y)))
}

/// Returns the column that a subquery returns.
fn column(subquery: &Subquery) -> Expr {
    Expr::Column(Column::from(subquery.subquery.schema().qualified_field(0)))
}

fn in_subquery(x: Box<Expr>, subquery: Subquery, negated: bool) -> Expr {
    Expr::InSubquery(InSubquery::new(x, subquery, negated))
}

fn negated(within: InSubquery) -> InSubquery {
    InSubquery {
        negated: !within.negated,
        ..within
    }
}

fn is_column(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(Cast { expr, .. }) => is_column(expr),
        _ => false,
    }
}

fn subquery_of(plan: LogicalPlan, like: &Subquery) -> Subquery {
    let outer_ref_columns = plan.all_out_ref_exprs();
    Subquery {
        subquery: Arc::new(plan),
        outer_ref_columns,
        spans: like.spans.clone(),
    }
}

/// Returns one of three expressions: `some` if S has a NULL, `none` if it has none, `empty` if it
/// has no rows. S is read once.
fn by_holes(subquery: &Subquery, some: Expr, none: Expr, empty: Expr) -> Result<Expr> {
    Ok(Expr::Case(Case {
        expr: Some(Box::new(holes(subquery)?)),
        when_then_expr: vec![
            (Box::new(lit(true)), Box::new(some)),
            (Box::new(lit(false)), Box::new(none)),
        ],
        else_expr: Some(Box::new(empty)),
    }))
}

/// Returns `(SELECT bool_or(y IS NULL) FROM S)`, which is NULL if S has no rows.
fn holes(subquery: &Subquery) -> Result<Expr> {
    let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
        .aggregate(
            Vec::<Expr>::new(),
            vec![bool_or_udaf().call(vec![column(subquery).is_null()])],
        )?
        .build()?;
    Ok(Expr::ScalarSubquery(subquery_of(plan, subquery)))
}

fn case(found: Expr, unknown: Expr, value: bool) -> Expr {
    Expr::Case(Case {
        expr: None,
        when_then_expr: vec![
            (Box::new(found), Box::new(lit(value))),
            (Box::new(unknown), Box::new(lit(ScalarValue::Boolean(None)))),
        ],
        else_expr: Some(Box::new(lit(!value))),
    })
}

/// Returns the parts of a CASE built by [`case`]: the condition for found, the condition for
/// unknown, and the value if found.
fn three_valued(case: &Case) -> Option<(&Expr, &Expr, bool)> {
    let boolean = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Boolean(value), _) => Some(*value),
        Expr::Literal(ScalarValue::Null, _) => Some(None),
        Expr::Cast(Cast { expr, .. }) => match expr.as_ref() {
            Expr::Literal(ScalarValue::Null, _) => Some(None),
            _ => None,
        },
        _ => None,
    };
    let [(found, value), (unknown, null)] = case.when_then_expr.as_slice() else {
        return None;
    };
    let value = boolean(value)??;
    let other = boolean(case.else_expr.as_ref()?)??;
    let exists =
        matches!(found.as_ref(), Expr::Exists(_)) && matches!(unknown.as_ref(), Expr::Exists(_));
    (case.expr.is_none() && boolean(null)?.is_none() && other != value && exists).then_some((
        found.as_ref(),
        unknown.as_ref(),
        value,
    ))
}

fn not_exists(expr: Expr) -> Expr {
    match expr {
        Expr::Exists(Exists { subquery, negated }) => Expr::Exists(Exists {
            subquery,
            negated: !negated,
        }),
        expr => not(expr),
    }
}
