//! Comparisons of rows, and of a value with an array: the engine compares rows as structs, in which
//! NULL equals NULL.
//!
//! ```text
//! (a, b) = ROW(c, d)       a = c AND b = d
//! (a, b) < (c, d)          a < c OR a = c AND b < d
//! (a, b) IS DISTINCT FROM (c, d)      a IS DISTINCT FROM c OR b IS DISTINCT FROM d
//! (a, b) IS NULL           a IS NULL AND b IS NULL
//! (a, b) IS NOT NULL       a IS NOT NULL AND b IS NOT NULL
//! (a, b) IN ((c, d), …)    a = c AND b = d OR …
//! (a, b) = (SELECT x, y …) (SELECT a = c1 AND b = c2 FROM (SELECT x, y …) AS __row (c1, c2))
//! (a, b) IN (SELECT …)     CASE WHEN EXISTS (SELECT 1 FROM (SELECT …) AS __row (c1, c2) WHERE a = c1 AND b = c2) THEN true
//!                               WHEN EXISTS (… WHERE (a = c1 AND b = c2) IS NULL) THEN NULL ELSE false END
//! (a, b) < ALL (SELECT …)  true = ALL (SELECT a < c1 OR a = c1 AND b < c2 FROM (SELECT …) AS __row (c1, c2))
//! x = ANY (ARRAY[a, b])    x IN (a, b)
//! x ~ ANY (ARRAY[a, b])    x ~ a OR x ~ b
//! x < ALL (array)          compare_all('<', x, array)
//! ```

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, SelectItem, SetExpr, UnaryOperator,
};
use lakegate_engine::quantified::{ALL, ANY};
use lakegate_error::{Code, Error};

use super::build::{self, binary, nested};
use super::{copies, overlaps, values};

/// Rewrites one expression, whose operands are already rewritten.
pub(super) fn rewrite(expr: &mut Expr) -> Result<(), Error> {
    match expr {
        Expr::BinaryOp { left, op, right } => {
            if let (Some(left), Some(right)) = (row(left), row(right))
                && let Some(compared) = compared(&left, op, &right)?
            {
                *expr = compared;
            } else if let (Some(left), Expr::Subquery(query)) = (row(left), right.as_ref())
                && let Some(compared) = compared_subquery(&left, op, query)?
            {
                *expr = compared;
            }
        }
        Expr::IsDistinctFrom(left, right) => {
            if let (Some(left), Some(right)) = (row(left), row(right)) {
                *expr = distinct(&left, &right)?;
            }
        }
        Expr::IsNotDistinctFrom(left, right) => {
            if let (Some(left), Some(right)) = (row(left), row(right)) {
                *expr = not(distinct(&left, &right)?);
            }
        }
        Expr::IsNull(item) => {
            if let Some(parts) = row(item) {
                *expr = are_null(parts, true);
            }
        }
        Expr::IsNotNull(item) => {
            if let Some(parts) = row(item) {
                *expr = are_null(parts, false);
            }
        }
        Expr::Between {
            expr: item,
            negated,
            low,
            high,
        } => {
            if let (Some(item), Some(low), Some(high)) = (row(item), row(low), row(high))
                && let (Some(from), Some(to)) = (
                    compared(&item, &BinaryOperator::GtEq, &low)?,
                    compared(&item, &BinaryOperator::LtEq, &high)?,
                )
            {
                let between = nested(binary(from, BinaryOperator::And, to));
                *expr = if *negated { not(between) } else { between };
            }
        }
        Expr::InList {
            expr: item,
            list,
            negated,
        } => {
            if let Some(item) = row(item) {
                *expr = in_list(&item, list, *negated)?;
            }
        }
        Expr::InSubquery {
            expr: item,
            subquery,
            negated,
        } => match row(item) {
            Some(item) => *expr = in_subquery(&item, subquery, *negated)?,
            None => values::enclose(subquery)?,
        },
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } if let (Some(item), Expr::Subquery(query)) = (row(left), right.as_ref()) => {
            *expr = in_subquery(&item, query, false)?;
        }
        Expr::AllOp {
            left,
            compare_op: BinaryOperator::NotEq,
            right,
        } if let (Some(item), Expr::Subquery(query)) = (row(left), right.as_ref()) => {
            *expr = in_subquery(&item, query, true)?;
        }
        Expr::AnyOp {
            left,
            compare_op,
            right,
            ..
        } if !is_subquery(right) => {
            *expr = quantified(left, compare_op, right, true)?;
        }
        Expr::AllOp {
            left,
            compare_op,
            right,
        } if !is_subquery(right) => {
            *expr = quantified(left, compare_op, right, false)?;
        }
        Expr::AnyOp {
            left,
            compare_op,
            right,
            ..
        }
        | Expr::AllOp {
            left,
            compare_op,
            right,
        } => quantified_row(left, compare_op, right)?,
        _ => {}
    }
    Ok(())
}

/// Returns the fields of a row constructor.
pub(super) fn row(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Nested(inner) => row(inner),
        Expr::Tuple(parts) if parts.len() > 1 => Some(parts.clone()),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            build::arguments(&function.args).filter(|parts| !parts.is_empty())
        }
        _ => None,
    }
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_))
}

fn not(expr: Expr) -> Expr {
    nested(Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(expr),
    })
}

fn compare(left: &Expr, op: &BinaryOperator, right: &Expr) -> Expr {
    nested(binary(
        nested(left.clone()),
        op.clone(),
        nested(right.clone()),
    ))
}

/// Builds a test for whether any two fields differ; NULL counts as a value.
fn distinct(left: &[Expr], right: &[Expr]) -> Result<Expr, Error> {
    if left.len() != right.len() {
        return Err(uneven());
    }
    let parts = left.iter().zip(right).map(|(left, right)| {
        let (left, right) = (nested(left.clone()), nested(right.clone()));
        Ok(nested(Expr::IsDistinctFrom(
            Box::new(left),
            Box::new(right),
        )))
    });
    let parts = parts.collect::<Result<Vec<_>, Error>>()?;
    Ok(all(parts, &BinaryOperator::Or))
}

/// Builds a test for whether all fields are NULL, or none is. A field that is a row is not NULL,
/// whatever it contains.
fn are_null(parts: Vec<Expr>, null: bool) -> Expr {
    let parts = parts.into_iter().map(|part| match (row(&part), null) {
        (Some(_), null) => build::boolean(!null),
        (None, true) => nested(Expr::IsNull(Box::new(nested(part)))),
        (None, false) => nested(Expr::IsNotNull(Box::new(nested(part)))),
    });
    all(parts, &BinaryOperator::And)
}

/// Joins conditions in their order, as pairs of pairs: a chain would nest as deeply as it is long.
pub(super) fn all(parts: impl IntoIterator<Item = Expr>, op: &BinaryOperator) -> Expr {
    let mut parts: Vec<Expr> = parts.into_iter().collect();
    while parts.len() > 1 {
        let mut joined = Vec::with_capacity(parts.len().div_ceil(2));
        let mut each = parts.into_iter();
        while let Some(left) = each.next() {
            joined.push(match each.next() {
                Some(right) => binary(left, op.clone(), right),
                None => left,
            });
        }
        parts = joined;
    }
    nested(parts.pop().unwrap_or(build::null()))
}

fn uneven() -> Error {
    Error::new(
        Code::SyntaxError,
        "unequal number of entries in row expressions",
    )
}

fn equal(left: &[Expr], right: &[Expr]) -> Result<Expr, Error> {
    if left.len() != right.len() {
        return Err(uneven());
    }
    let parts = left
        .iter()
        .zip(right)
        .map(|(left, right)| compare(left, &BinaryOperator::Eq, right));
    Ok(all(parts, &BinaryOperator::And))
}

fn compared(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Option<Expr>, Error> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq, Or, Overlaps};
    if *op == Overlaps {
        return overlaps::rewrite(left, right);
    }
    if !matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq) {
        return Ok(None);
    }
    if left.len() != right.len() {
        return Err(uneven());
    }
    Ok(match op {
        Eq => Some(equal(left, right)?),
        NotEq => {
            let parts = left
                .iter()
                .zip(right)
                .map(|(left, right)| compare(left, &NotEq, right));
            Some(all(parts, &Or))
        }
        op => Some(ordered(left, op, right)?),
    })
}

/// Builds an ordering comparison from left to right: the first pair that differs decides.
fn ordered(left: &[Expr], op: &BinaryOperator, right: &[Expr]) -> Result<Expr, Error> {
    use BinaryOperator::{And, Eq, Gt, GtEq, Lt, LtEq, Or};
    let (Some((first, others)), Some((other, rest))) = (left.split_first(), right.split_first())
    else {
        return Err(uneven());
    };
    if others.is_empty() {
        return Ok(compare(first, op, other));
    }
    copies::check(first, 2)?;
    copies::check(other, 2)?;
    let strict = match op {
        Lt | LtEq => Lt,
        Gt | GtEq => Gt,
        other => other.clone(),
    };
    let later = binary(compare(first, &Eq, other), And, ordered(others, op, rest)?);
    Ok(nested(binary(
        compare(first, &strict, other),
        Or,
        nested(later),
    )))
}

fn in_list(item: &[Expr], list: &[Expr], negated: bool) -> Result<Expr, Error> {
    copies::check_conditions(list.len())?;
    for field in item.iter().filter(|field| !is_plain(field)) {
        copies::check(field, list.len())?;
    }
    let parts = list
        .iter()
        .map(|other| match row(other) {
            Some(other) => equal(item, &other),
            None => Err(uneven()),
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let found = all(parts, &BinaryOperator::Or);
    Ok(match negated {
        true => Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr: Box::new(found),
        },
        false => found,
    })
}

/// Returns whether copies of an expression are as small as the values of a list.
fn is_plain(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
    )
}

/// Returns names for the columns of a subquery that a row is compared with, and the columns.
fn row_columns(count: usize) -> (Vec<String>, Vec<Expr>) {
    let names: Vec<String> = (1..=count).map(|n| format!("__row_c{n}")).collect();
    let columns = names.iter().map(|name| build::column("__row", name));
    let columns = columns.collect();
    (names, columns)
}

/// Compares a row with that of a subquery, which is NULL if the subquery returns none.
fn compared_subquery(
    item: &[Expr],
    op: &BinaryOperator,
    query: &Query,
) -> Result<Option<Expr>, Error> {
    let (names, columns) = row_columns(item.len());
    let Some(compared) = compared(item, op, &columns)? else {
        return Ok(None);
    };
    let mut outer = build::select_from(query.clone(), "__row", &names)?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        select.projection = vec![SelectItem::UnnamedExpr(compared)];
    }
    Ok(Some(Expr::Subquery(Box::new(outer))))
}

/// Compares a row with those of a subquery by ANY or ALL: the comparisons are what is quantified.
fn quantified_row(left: &mut Expr, op: &mut BinaryOperator, right: &mut Expr) -> Result<(), Error> {
    let (Some(item), Expr::Subquery(query)) = (row(left), &*right) else {
        return Ok(());
    };
    if let Some(compared) = compared_subquery(&item, op, query)? {
        *left = build::boolean(true);
        *op = BinaryOperator::Eq;
        *right = compared;
    }
    Ok(())
}

fn in_subquery(item: &[Expr], query: &Query, negated: bool) -> Result<Expr, Error> {
    let (names, columns) = row_columns(item.len());
    for field in item {
        copies::check(field, 2)?;
    }
    copies::check(query, 2)?;
    let equal = equal(item, &columns)?;
    let unknown = Expr::IsNull(Box::new(equal.clone()));
    let found = exists(query, &names, equal)?;
    let open = exists(query, &names, unknown)?;
    build::case(
        vec![(found, build::boolean(!negated)), (open, build::null())],
        build::boolean(negated),
    )
}

/// Builds `EXISTS (SELECT 1 FROM (query) AS __row (names) WHERE condition)`.
fn exists(query: &Query, names: &[String], condition: Expr) -> Result<Expr, Error> {
    let mut outer = build::select_from(query.clone(), "__row", names)?;
    if let SetExpr::Select(select) = outer.body.as_mut() {
        select.selection = Some(condition);
    }
    Ok(Expr::Exists {
        subquery: Box::new(outer),
        negated: false,
    })
}

/// Returns whether an operator matches a pattern; the function of [`ANY`] does not know it.
fn is_pattern(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::PGLikeMatch
            | Op::PGILikeMatch
            | Op::PGNotLikeMatch
            | Op::PGNotILikeMatch
            | Op::PGRegexMatch
            | Op::PGRegexIMatch
            | Op::PGRegexNotMatch
            | Op::PGRegexNotIMatch
    )
}

/// Builds `left op ANY (right)`, or `ALL`, of an array.
///
/// # Errors
///
/// The array has too many patterns.
fn quantified(left: &Expr, op: &BinaryOperator, right: &Expr, any: bool) -> Result<Expr, Error> {
    let items = match right {
        Expr::Array(array) if !array.elem.is_empty() => Some(&array.elem),
        _ => None,
    };
    Ok(match (items, op, any) {
        (Some(items), BinaryOperator::Eq, true) | (Some(items), BinaryOperator::NotEq, false) => {
            Expr::InList {
                expr: Box::new(nested(left.clone())),
                list: items.clone(),
                negated: !any,
            }
        }
        (Some(items), op, any) if is_pattern(op) => {
            let joined = if any {
                BinaryOperator::Or
            } else {
                BinaryOperator::And
            };
            copies::check_conditions(items.len())?;
            copies::check(left, items.len())?;
            all(items.iter().map(|item| compare(left, op, item)), &joined)
        }
        _ => {
            let name = if any { ANY } else { ALL };
            let op = build::text(op.to_string());
            build::call(name, vec![op, left.clone(), right.clone()])
        }
    })
}
