//! `GROUP BY DISTINCT` with grouping sets: each set of columns once.
//!
//! ```text
//! GROUP BY DISTINCT ROLLUP (a, b), CUBE (a)
//! GROUP BY GROUPING SETS ((a, b), (a), ())
//!
//! GROUP BY DISTINCT GROUPING SETS (ROLLUP (a), ())
//! GROUP BY GROUPING SETS ((a), ())
//! ```

use std::collections::{BTreeSet, HashMap, HashSet};

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Select, SelectItem, Value,
};

use crate::ast::Unsupported;

/// The first element of a GROUP BY that is DISTINCT, which [`super::lists`] puts there. No name has
/// this character.
pub(super) const MARK: &str = "\u{1}distinct";

/// Grouping sets of one GROUP BY.
const MAX_SETS: usize = 4096;

/// Replaces the elements of a marked GROUP BY by their distinct sets.
///
/// # Errors
///
/// There are too many sets.
pub(super) fn distinct(select: &mut Select) -> Result<(), Unsupported> {
    let GroupByExpr::Expressions(elements, _) = &mut select.group_by else {
        return Ok(());
    };
    if !matches!(elements.first(), Some(Expr::Identifier(name)) if name.value == MARK) {
        return Ok(());
    }
    elements.remove(0);
    let is_set = |element: &Expr| {
        matches!(
            element,
            Expr::GroupingSets(_) | Expr::Rollup(_) | Expr::Cube(_)
        )
    };
    if !elements.iter().any(is_set) {
        return Ok(());
    }
    let mut sets: Vec<Vec<Expr>> = vec![Vec::new()];
    for element in elements.iter() {
        let of_element = sets_of(element)?;
        if sets.len().saturating_mul(of_element.len()) > MAX_SETS {
            return Err(too_many());
        }
        sets = sets
            .iter()
            .flat_map(|set| {
                of_element
                    .iter()
                    .map(move |more| [set.as_slice(), more].concat())
            })
            .collect();
    }
    let names = Names::of(&sets);
    let mut seen: HashSet<BTreeSet<String>> = HashSet::new();
    let mut kept = Vec::new();
    for set in sets {
        let mut columns = BTreeSet::new();
        let mut exprs = Vec::new();
        for expr in set {
            if columns.insert(names.name(item(&expr, &select.projection))) {
                exprs.push(expr);
            }
        }
        if seen.insert(columns) {
            kept.push(exprs);
        }
    }
    *elements = vec![Expr::GroupingSets(kept)];
    Ok(())
}

fn too_many() -> Unsupported {
    Unsupported {
        what: format!("GROUP BY DISTINCT with more than {MAX_SETS} grouping sets"),
        nearest: Some("fewer columns in CUBE and ROLLUP".to_owned()),
    }
}

/// The sets of an element.
fn sets_of(element: &Expr) -> Result<Vec<Vec<Expr>>, Unsupported> {
    Ok(match element {
        Expr::GroupingSets(sets) => {
            let mut all = Vec::new();
            for set in sets {
                match nested(set) {
                    Some(element) => all.extend(sets_of(&element)?),
                    None => all.push(set.clone()),
                }
                if all.len() > MAX_SETS {
                    return Err(too_many());
                }
            }
            all
        }
        Expr::Rollup(parts) => (0..=parts.len())
            .rev()
            .map(|count| parts.iter().take(count).flatten().cloned().collect())
            .collect(),
        Expr::Cube(parts) => {
            let count = 1usize
                .checked_shl(u32::try_from(parts.len()).unwrap_or(u32::MAX))
                .filter(|count| *count <= MAX_SETS)
                .ok_or_else(too_many)?;
            (0..count)
                .rev()
                .map(|set| {
                    let parts = parts.iter().rev().enumerate();
                    let mut taken: Vec<&Vec<Expr>> = parts
                        .filter(|(place, _)| (set >> place) & 1 == 1)
                        .map(|(_, part)| part)
                        .collect();
                    taken.reverse();
                    taken.into_iter().flatten().cloned().collect()
                })
                .collect()
        }
        Expr::Tuple(parts) => vec![parts.clone()],
        expr => vec![vec![expr.clone()]],
    })
}

/// Returns the ROLLUP or CUBE that an element of GROUPING SETS is, which sqlparser reads as a call.
fn nested(set: &[Expr]) -> Option<Expr> {
    let [Expr::Function(call)] = set else {
        return None;
    };
    let ([name], FunctionArguments::List(list)) = (call.name.0.as_slice(), &call.args) else {
        return None;
    };
    let name = name.as_ident()?.value.to_lowercase();
    let parts = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Tuple(parts))) => Some(parts.clone()),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) => Some(vec![part.clone()]),
        _ => None,
    });
    match name.as_str() {
        "rollup" => parts.collect::<Option<_>>().map(Expr::Rollup),
        "cube" => parts.collect::<Option<_>>().map(Expr::Cube),
        _ => None,
    }
}

/// Returns the item of the list that a number stands for, and other expressions as they are.
fn item<'e>(expr: &'e Expr, list: &'e [SelectItem]) -> &'e Expr {
    let Expr::Value(value) = expr else {
        return expr;
    };
    let Value::Number(digits, _) = &value.value else {
        return expr;
    };
    let place = digits.parse::<usize>().ok();
    let Some(place) = place.and_then(|number| number.checked_sub(1)) else {
        return expr;
    };
    // Of `*`, the columns are not known here.
    let mut items = list.iter().take(place + 1).map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    let known = items.by_ref().take(place).all(|item| item.is_some());
    match items.next() {
        Some(Some(item)) if known => item,
        _ => expr,
    }
}

/// Which column an expression is: `a` and `t.a` are the same if only one table's `a` is grouped.
struct Names {
    /// Qualified names by their last part; `None` if there are several.
    qualified: HashMap<String, Option<String>>,
}

impl Names {
    fn of(sets: &[Vec<Expr>]) -> Self {
        let mut qualified: HashMap<String, Option<String>> = HashMap::new();
        for expr in sets.iter().flatten() {
            if let Expr::CompoundIdentifier(parts) = expr
                && let Some(last) = parts.last()
            {
                let path = path(expr);
                qualified
                    .entry(last.value.to_lowercase())
                    .and_modify(|known| {
                        if known.as_ref() != Some(&path) {
                            *known = None;
                        }
                    })
                    .or_insert(Some(path));
            }
        }
        Self { qualified }
    }

    fn name(&self, expr: &Expr) -> String {
        match expr {
            Expr::Nested(expr) => self.name(expr),
            Expr::Identifier(name) => {
                let name = name.value.to_lowercase();
                self.qualified.get(&name).cloned().flatten().unwrap_or(name)
            }
            expr => path(expr),
        }
    }
}

fn path(expr: &Expr) -> String {
    match expr {
        Expr::CompoundIdentifier(parts) => {
            let parts: Vec<String> = parts.iter().map(|part| part.value.to_lowercase()).collect();
            parts.join(".")
        }
        expr => expr.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use crate::Statement;

    #[test]
    fn sets_are_there_once() {
        for (sql, expected) in [
            (
                "DISTINCT ROLLUP (a, b), CUBE (a)",
                "GROUPING SETS ((a, b), (a), ())",
            ),
            (
                "DISTINCT CUBE (a, b)",
                "GROUPING SETS ((a, b), (a), (b), ())",
            ),
            (
                "DISTINCT t.a, GROUPING SETS ((A), (b), ())",
                "GROUPING SETS ((t.a), (t.a, b))",
            ),
            (
                "DISTINCT GROUPING SETS ((t.a), (u.a))",
                "GROUPING SETS ((t.a), (u.a))",
            ),
            (
                "DISTINCT GROUPING SETS (ROLLUP (a, b), (a), cube (b))",
                "GROUPING SETS ((a, b), (a), (), (b))",
            ),
            ("DISTINCT a, b", "a, b"),
            ("ALL ROLLUP (a), ROLLUP (a)", "ROLLUP (a), ROLLUP (a)"),
        ] {
            let sql = format!("SELECT 1 FROM t, u GROUP BY {sql}");
            match crate::parse(&sql).unwrap().remove(0).statement {
                Statement::Query(query) => {
                    assert_eq!(
                        query.to_string(),
                        format!("SELECT 1 FROM t, u GROUP BY {expected}")
                    );
                }
                other => panic!("no query: {other:?}"),
            }
        }
    }

    #[test]
    fn sets_are_bounded() {
        let columns: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
        let columns = columns.join(", ");
        for sets in [
            format!("CUBE ({columns})"),
            format!("ROLLUP ({columns}), ROLLUP ({columns}), ROLLUP ({columns})"),
            format!("GROUPING SETS (CUBE ({columns}))"),
            format!("GROUPING SETS ({})", ["ROLLUP (a, b, c)"; 1100].join(", ")),
        ] {
            let sql = format!("SELECT 1 FROM t GROUP BY DISTINCT {sets}");
            // Either bound may be the first.
            let parsed = crate::parse(&sql).map(|mut parsed| parsed.remove(0).statement);
            let is_refused = matches!(parsed, Err(_) | Ok(Statement::Unsupported(_)));
            assert!(is_refused, "{sets}");
        }
    }
}
