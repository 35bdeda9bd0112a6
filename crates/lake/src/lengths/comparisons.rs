//! Conditions on columns as conditions on the texts in files.
//!
//! Texts are compared character by character, and what a column leaves out of a text comes after its
//! first `n` characters. It decides nothing where a text is compared with fewer characters. Texts
//! that begin with `n` characters are those from these on to the next ones of that length:
//!
//! ```text
//! varchar(2)    v = 'a'      in files: v = 'a'
//!               v = 'ab'               v >= 'ab' AND v < 'ac'
//!               v > 'ab'               v >= 'ac'
//! ```
//!
//! No other condition is restated: it excludes no files.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr as PhysicalBinary, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_plan::PhysicalExpr;

use super::BoundedColumns;
use super::fitted::{Fit, fit_of};

/// The longest IN list of which each item is restated.
const MOST_ITEMS: usize = 32;

/// Comparisons of the text in a file with constants, all joined by AND or by OR.
#[derive(Debug)]
pub(super) struct Restated {
    pub(super) joined: Operator,
    pub(super) parts: Vec<(Operator, ScalarValue)>,
}

impl Restated {
    fn one(op: Operator, constant: ScalarValue) -> Self {
        Self {
            joined: Operator::And,
            parts: vec![(op, constant)],
        }
    }

    fn built<E>(
        self,
        compare: impl Fn(Operator, ScalarValue) -> E,
        join: impl Fn(E, Operator, E) -> E,
    ) -> Option<E> {
        let joined = self.joined;
        let parts = self.parts.into_iter();
        let parts = parts.map(|(op, constant)| compare(op, constant));
        parts.reduce(|left, right| join(left, joined, right))
    }

    fn logical(self, column: &Expr) -> Option<Expr> {
        let binary = |left: Expr, op: Operator, right: Expr| {
            Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
        };
        self.built(
            |op, constant| binary(column.clone(), op, Expr::Literal(constant, None)),
            binary,
        )
    }

    fn physical(self, text: &Arc<dyn PhysicalExpr>) -> Option<Arc<dyn PhysicalExpr>> {
        self.built(
            |op, constant| binary(Arc::clone(text), op, Arc::new(Literal::new(constant))),
            binary,
        )
    }
}

fn binary(
    left: Arc<dyn PhysicalExpr>,
    op: Operator,
    right: Arc<dyn PhysicalExpr>,
) -> Arc<dyn PhysicalExpr> {
    Arc::new(PhysicalBinary::new(left, op, right))
}

impl Fit {
    /// A comparison of a column with a constant, for the text in a file: it is true, false and NULL
    /// where the other is. `None`: it is not restated.
    pub(super) fn of_file(&self, op: Operator, constant: &ScalarValue) -> Option<Restated> {
        use Operator as O;
        let (one, both) = (Restated::one, |joined, from: O, to: O| {
            let parts = vec![(from, constant.clone()), (to, after(constant)?)];
            Some(Restated { joined, parts })
        });
        match (self.length_of(constant)?, op) {
            (
                Ordering::Less,
                O::Eq
                | O::NotEq
                | O::IsDistinctFrom
                | O::IsNotDistinctFrom
                | O::Lt
                | O::LtEq
                | O::Gt
                | O::GtEq,
            )
            | (Ordering::Equal, O::Lt | O::GtEq) => Some(one(op, constant.clone())),
            (Ordering::Equal, O::LtEq) => Some(one(O::Lt, after(constant)?)),
            (Ordering::Equal, O::Gt) => Some(one(O::GtEq, after(constant)?)),
            (Ordering::Equal, O::Eq) => both(O::And, O::GtEq, O::Lt),
            (Ordering::Equal, O::NotEq) => both(O::Or, O::Lt, O::GtEq),
            _ => None,
        }
    }

    /// The characters of a constant compared with those that the column has at most. `None`: the
    /// constant is not a text, or no column of the type can be compared.
    fn length_of(&self, constant: &ScalarValue) -> Option<Ordering> {
        let Self::Varchar(most) = self else {
            return None;
        };
        let text = constant.try_as_str().flatten()?;
        Some(text.chars().count().cmp(&(*most as usize)))
    }

    fn is_longer_than(&self, constant: Option<&ScalarValue>) -> bool {
        let length = constant.and_then(|constant| self.length_of(constant));
        length == Some(Ordering::Less)
    }
}

/// The least text that is greater than all that begin with the constant; `None`: there is none.
fn after(constant: &ScalarValue) -> Option<ScalarValue> {
    let text = constant.try_as_str().flatten()?;
    let last = text.chars().next_back()?;
    let next = match last {
        // No character lies between these.
        '\u{d7ff}' => '\u{e000}',
        last => char::from_u32(u32::from(last) + 1)?,
    };
    let start = text.get(..text.len() - last.len_utf8())?;
    let after = Some(format!("{start}{next}"));
    match constant {
        ScalarValue::Utf8(_) => Some(ScalarValue::Utf8(after)),
        ScalarValue::LargeUtf8(_) => Some(ScalarValue::LargeUtf8(after)),
        ScalarValue::Utf8View(_) => Some(ScalarValue::Utf8View(after)),
        _ => None,
    }
}

impl BoundedColumns<'_> {
    /// The conditions as they are of the texts in files; those that are not restated are left out.
    pub(crate) fn of_files<'f>(&self, filters: &'f [Expr]) -> Cow<'f, [Expr]> {
        if self.0.is_empty() {
            return Cow::Borrowed(filters);
        }
        let restated = filters.iter().filter_map(|filter| self.of_file(filter));
        restated.collect()
    }

    fn of_file(&self, filter: &Expr) -> Option<Expr> {
        let mut is_restated = true;
        let restated = filter.clone().transform_down(|part| {
            if let Some(restated) = self.compared(&part) {
                let jump = TreeNodeRecursion::Jump;
                return Ok(Transformed::new(restated, true, jump));
            }
            if self.fit_at(&part).is_some() {
                is_restated = false;
                return Ok(Transformed::new(part, false, TreeNodeRecursion::Stop));
            }
            Ok(Transformed::no(part))
        });
        let restated = restated.data().ok()?;
        is_restated.then_some(restated)
    }

    fn fit_at(&self, expr: &Expr) -> Option<&Fit> {
        match expr {
            Expr::Column(column) => self.fit(&column.name),
            _ => None,
        }
    }

    /// A comparison of one of these columns, restated. `None`: the expression is no such comparison.
    fn compared(&self, expr: &Expr) -> Option<Expr> {
        match expr {
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => {
                self.fit_at(inner)?;
                Some(expr.clone())
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                match (left.as_ref(), right.as_ref()) {
                    (column, Expr::Literal(value, _)) => {
                        let fit = self.fit_at(column)?;
                        fit.of_file(*op, value)?.logical(column)
                    }
                    (Expr::Literal(value, _), column) => {
                        let fit = self.fit_at(column)?;
                        fit.of_file(op.swap()?, value)?.logical(column)
                    }
                    _ => None,
                }
            }
            Expr::InList(InList {
                expr: column,
                list,
                negated,
            }) => {
                let fit = self.fit_at(column)?;
                let constants = list.iter().map(|item| match item {
                    Expr::Literal(value, _) => Some(value),
                    _ => None,
                });
                if constants.clone().all(|item| fit.is_longer_than(item)) {
                    return Some(expr.clone());
                }
                if list.len() > MOST_ITEMS {
                    return None;
                }
                let items = constants.map(|item| {
                    let restated = fit.of_file(Operator::Eq, item?)?;
                    restated.logical(column)
                });
                let items: Vec<Expr> = items.collect::<Option<_>>()?;
                let any = items.into_iter().reduce(Expr::or)?;
                Some(match negated {
                    true => Expr::Not(Box::new(any)),
                    false => any,
                })
            }
            _ => None,
        }
    }
}

/// The condition of a scan with comparisons of columns restated for the texts in files.
///
/// # Errors
/// Those of the engine's expressions that are built anew.
pub(crate) fn of_files(condition: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    condition
        .transform_up(|expr| {
            Ok(match of_file(&expr)? {
                Some(restated) => Transformed::yes(restated),
                None => Transformed::no(expr),
            })
        })
        .data()
}

fn of_file(expr: &Arc<dyn PhysicalExpr>) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    if let Some(compared) = expr.downcast_ref::<PhysicalBinary>() {
        return Ok(compared_by(compared));
    }
    if let Some(list) = expr.downcast_ref::<InListExpr>() {
        return listed_in(expr, list);
    }
    let tested = match (
        expr.downcast_ref::<IsNullExpr>(),
        expr.downcast_ref::<IsNotNullExpr>(),
    ) {
        (Some(null), _) => null.arg(),
        (_, Some(not_null)) => not_null.arg(),
        _ => return Ok(None),
    };
    match fit_of(tested) {
        Some((_, text)) => {
            let tested = vec![Arc::clone(text)];
            Arc::clone(expr).with_new_children(tested).map(Some)
        }
        None => Ok(None),
    }
}

fn compared_by(compared: &PhysicalBinary) -> Option<Arc<dyn PhysicalExpr>> {
    let (left, op, right) = (compared.left(), *compared.op(), compared.right());
    match (fit_of(left), fit_of(right)) {
        (Some((fit, text)), None) => fit.of_file(op, constant(right)?)?.physical(text),
        (None, Some((fit, text))) => fit.of_file(op.swap()?, constant(left)?)?.physical(text),
        _ => None,
    }
}

fn constant(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    Some(expr.downcast_ref::<Literal>()?.value())
}

/// `expr`: the list itself.
fn listed_in(
    expr: &Arc<dyn PhysicalExpr>,
    list: &InListExpr,
) -> Result<Option<Arc<dyn PhysicalExpr>>> {
    let Some((fit, text)) = fit_of(list.expr()) else {
        return Ok(None);
    };
    let mut items = list.list().iter();
    if items.all(|item| fit.is_longer_than(constant(item))) {
        let mut children = vec![Arc::clone(text)];
        children.extend(list.list().iter().map(Arc::clone));
        return Arc::clone(expr).with_new_children(children).map(Some);
    }
    if list.list().len() > MOST_ITEMS {
        return Ok(None);
    }
    let items = list.list().iter().map(|item| {
        let restated = fit.of_file(Operator::Eq, constant(item)?)?;
        restated.physical(text)
    });
    let Some(items) = items.collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let any = items
        .into_iter()
        .reduce(|one, other| binary(one, Operator::Or, other));
    Ok(any.map(|any| match list.negated() {
        true => Arc::new(NotExpr::new(any)) as Arc<dyn PhysicalExpr>,
        false => any,
    }))
}
