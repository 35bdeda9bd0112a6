//! ROLLUP, CUBE and GROUPING SETS, of which the engine supports only lists of plain expressions.
//!
//! ```text
//! SELECT a + 1 … GROUP BY ROLLUP (1)             GROUP BY ROLLUP (a + 1)
//! GROUP BY ROLLUP (a, t.a), b                    GROUP BY GROUPING SETS ((a, b), (a, b), (b))
//! GROUP BY ROLLUP ((a, b), c)                    GROUP BY GROUPING SETS ((a, b, c), (a, b), ())
//! GROUP BY GROUPING SETS (a, CUBE (b))           GROUP BY GROUPING SETS ((a), (b), ())
//! SELECT 1 AS a … GROUP BY ROLLUP (a)            SELECT coalesce(1) AS a … GROUP BY ROLLUP (a)
//! ```
//!
//! A constant of the list that is a key becomes a call: the planner takes every constant that is equal
//! to a key for the key, which is NULL in some rows, such as the 1 of `HAVING count(*) > 1`.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Select,
    SelectItem, Value,
};
use lakegate_error::{Code, Error};

use super::clauses::{numbered, ordinal};
use super::order_keys::{are_one_column, plain};
use super::{build, folded};

/// The maximum number of sets in one GROUP BY, as in PostgreSQL.
const MAX_SETS: usize = 4096;

type Set = Vec<Expr>;

/// Rewrites the GROUP BY of a SELECT.
///
/// # Errors
///
/// The GROUP BY has too many sets.
pub(super) fn rewrite(select: &mut Select) -> Result<(), Error> {
    let GroupByExpr::Expressions(keys, _) = &select.group_by else {
        return Ok(());
    };
    let is_set =
        |key: &Expr| matches!(key, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_));
    if !keys.iter().any(is_set) {
        return Ok(());
    }
    let mut keys = keys.clone();
    for place in constants(&keys, &select.projection) {
        if let Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) =
            select.projection.get_mut(place)
        {
            let constant = build::taken(expr);
            *expr = build::call("coalesce", vec![constant]);
        }
    }
    for key in &mut keys {
        match key {
            Expr::Rollup(elements) | Expr::Cube(elements) | Expr::GroupingSets(elements) => {
                for expr in elements.iter_mut().flatten() {
                    resolve(expr, select);
                }
            }
            key => resolve(key, select),
        }
    }
    if keys.iter().any(is_no_list) || has_twice(&keys, select) {
        let mut sets = vec![Set::new()];
        for key in keys {
            let more = sets_of(key)?;
            check(sets.len().saturating_mul(more.len()))?;
            let both = |set: &Set| {
                let set = set.clone();
                more.iter()
                    .map(move |more| set.iter().chain(more).cloned().collect::<Set>())
                    .collect::<Vec<_>>()
            };
            sets = sets.iter().flat_map(both).collect();
        }
        for set in &mut sets {
            once(set, select);
        }
        keys = vec![Expr::GroupingSets(sets)];
    }
    if let GroupByExpr::Expressions(known, _) = &mut select.group_by {
        *known = keys;
    }
    Ok(())
}

fn check(sets: usize) -> Result<(), Error> {
    if sets <= MAX_SETS {
        return Ok(());
    }
    Err(Error::new(
        Code::TooComplex,
        format!("GROUP BY has more than {MAX_SETS} grouping sets"),
    )
    .with_hint("leave out keys, or name the sets with GROUPING SETS"))
}

/// Returns the places of the items of a list that are constants and keys.
fn constants(keys: &[Expr], list: &[SelectItem]) -> Vec<usize> {
    let mut all = Set::new();
    for key in keys {
        match key {
            Expr::Rollup(elements) | Expr::Cube(elements) | Expr::GroupingSets(elements) => {
                for element in elements.iter().flatten() {
                    match nested(element) {
                        Some((_, elements)) => all.extend(elements.into_iter().flatten()),
                        None => all.extend(parts(element.clone())),
                    }
                }
            }
            key => all.extend(parts(key.clone())),
        }
    }
    let items = list.iter().enumerate().filter(|(place, item)| {
        let (expr, alias) = match item {
            SelectItem::UnnamedExpr(expr) => (expr, None),
            SelectItem::ExprWithAlias { expr, alias } => (expr, Some(folded(alias))),
            _ => return false,
        };
        let is_meant = |key: &Expr| match key {
            Expr::Identifier(name) => alias.as_deref() == Some(folded(name).as_str()),
            key => ordinal(key, list) == Some(*place),
        };
        is_constant(expr) && all.iter().any(is_meant)
    });
    items.map(|(place, _)| place).collect()
}

/// Returns whether an expression is a constant other than NULL, as it is written.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !matches!(value.value, Value::Null | Value::Placeholder(_)),
        Expr::TypedString(_) | Expr::Interval(_) => true,
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. } => is_constant(inner),
        _ => false,
    }
}

/// Replaces an ordinal by the item of the list.
fn resolve(expr: &mut Expr, select: &Select) {
    match expr {
        Expr::Tuple(parts) => parts.iter_mut().for_each(|part| resolve(part, select)),
        expr if nested(&*expr).is_some() => {
            if let Expr::Function(Function {
                args: FunctionArguments::List(list),
                ..
            }) = expr
            {
                for argument in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(part)) = argument {
                        resolve(part, select);
                    }
                }
            }
        }
        Expr::Nested(inner) if matches!(inner.as_ref(), Expr::Value(_)) => {}
        expr => {
            if let Some(item) = numbered(expr, &select.projection) {
                *expr = item;
            }
        }
    }
}

/// Returns the arguments of ROLLUP or CUBE within GROUPING SETS, which the parser reads as a call,
/// and whether it is CUBE.
fn nested(expr: &Expr) -> Option<(bool, Vec<Set>)> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let cube = match folded(name.as_ident()?).as_str() {
        "cube" => true,
        "rollup" => false,
        _ => return None,
    };
    let elements = build::arguments(&function.args)?.into_iter();
    Some((cube, elements.map(parts).collect()))
}

fn parts(expr: Expr) -> Set {
    match expr {
        Expr::Tuple(parts) => parts,
        expr => vec![expr],
    }
}

/// Returns whether a key contains what the engine does not accept there.
fn is_no_list(key: &Expr) -> bool {
    match key {
        Expr::Rollup(elements) | Expr::Cube(elements) => {
            elements.iter().any(|element| element.len() != 1)
        }
        Expr::GroupingSets(sets) => sets.iter().flatten().any(|expr| nested(expr).is_some()),
        _ => false,
    }
}

/// Returns whether some set may contain a key twice.
fn has_twice(keys: &[Expr], select: &Select) -> bool {
    let mut all = Set::new();
    for key in keys {
        match key {
            Expr::Rollup(elements) | Expr::Cube(elements) => {
                all.extend(elements.iter().flatten().cloned());
            }
            Expr::GroupingSets(sets) => {
                let mut own = Set::new();
                for set in sets {
                    let mut kept = set.clone();
                    once(&mut kept, select);
                    if kept.len() < set.len() {
                        return true;
                    }
                    own.extend(kept);
                }
                once(&mut own, select);
                all.extend(own);
            }
            Expr::Tuple(parts) => all.extend(parts.iter().cloned()),
            key => all.push(key.clone()),
        }
    }
    let count = all.len();
    once(&mut all, select);
    all.len() < count
}

/// Keeps each key once.
fn once(set: &mut Set, select: &Select) {
    let mut seen: Vec<Expr> = Vec::new();
    set.retain(|key| {
        let key = plain(key, select);
        let known = seen
            .iter()
            .any(|seen| *seen == key || are_one_column(seen, &key));
        if !known {
            seen.push(key);
        }
        !known
    });
}

fn sets_of(key: Expr) -> Result<Vec<Set>, Error> {
    Ok(match key {
        Expr::Rollup(elements) => rollup(&elements),
        Expr::Cube(elements) => cube(&elements)?,
        Expr::GroupingSets(sets) => {
            let mut all = Vec::new();
            for set in sets {
                match set.as_slice() {
                    [one] => match nested(one) {
                        Some((true, elements)) => all.extend(cube(&elements)?),
                        Some((false, elements)) => all.extend(rollup(&elements)),
                        None => all.push(set),
                    },
                    _ => all.push(set),
                }
                check(all.len())?;
            }
            all
        }
        key => vec![parts(key)],
    })
}

fn rollup(elements: &[Set]) -> Vec<Set> {
    let lengths = (0..=elements.len()).rev();
    lengths
        .map(|length| elements.iter().take(length).flatten().cloned().collect())
        .collect()
}

fn cube(elements: &[Set]) -> Result<Vec<Set>, Error> {
    let mut sets = vec![Set::new()];
    for element in elements {
        check(sets.len().saturating_mul(2))?;
        let with = sets
            .iter()
            .map(|set| set.iter().chain(element).cloned().collect());
        let with: Vec<Set> = with.collect();
        sets.extend(with);
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use datafusion::sql::sqlparser::ast::{SetExpr, Statement};
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn rewritten(list: &str, group_by: &str) -> Result<String, Error> {
        let sql = format!("SELECT {list} FROM t GROUP BY {group_by}");
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap();
        if let Statement::Query(query) = statements.first_mut().unwrap()
            && let SetExpr::Select(select) = query.body.as_mut()
        {
            rewrite(select)?;
            return Ok(select.group_by.to_string());
        }
        Ok(String::new())
    }

    #[test]
    fn grouping_sets_are_plain_lists() {
        for (group_by, expected) in [
            ("ROLLUP (1, a)", "ROLLUP (a + 1, a)"),
            (
                "GROUPING SETS (1, (2, a))",
                "GROUPING SETS ((a + 1), (b, a))",
            ),
            ("ROLLUP (a, t.a)", "GROUPING SETS ((a), (a), ())"),
            ("t.a, CUBE (A)", "GROUPING SETS ((t.a), (t.a))"),
            ("ROLLUP (o.a, t.a)", "ROLLUP (o.a, t.a)"),
            ("CUBE (a, (o.a))", "CUBE (a, o.a)"),
            (
                "ROLLUP ((a, b), c)",
                "GROUPING SETS ((a, b, c), (a, b), ())",
            ),
            (
                "GROUPING SETS (a, CUBE (b))",
                "GROUPING SETS ((a), (), (b))",
            ),
            (
                "GROUPING SETS (a, (a, b)), ROLLUP (c)",
                "GROUPING SETS ((a), (a, b)), ROLLUP (c)",
            ),
            (
                "GROUPING SETS (ROLLUP (1), (2))",
                "GROUPING SETS ((a + 1), (), (b))",
            ),
            ("a, 1", "a, 1"),
        ] {
            let expected = format!("GROUP BY {expected}");
            assert_eq!(rewritten("a + 1, b", group_by).unwrap(), expected);
        }
        for (list, group_by, expected) in [
            ("1, a", "ROLLUP (1, 2)", "ROLLUP (coalesce(1), a)"),
            ("1 AS b, a", "ROLLUP (b, a)", "ROLLUP (b, a)"),
            ("a, -(1)", "CUBE (2)", "CUBE (coalesce(-(1)))"),
            ("NULL, a", "CUBE (1)", "CUBE (NULL)"),
        ] {
            let expected = format!("GROUP BY {expected}");
            assert_eq!(rewritten(list, group_by).unwrap(), expected);
        }
        let keys: Vec<String> = (0..13).map(|key| format!("(c{key}, d)")).collect();
        let error = rewritten("1", &format!("CUBE ({})", keys.join(", "))).unwrap_err();
        assert_eq!(error.code(), Code::TooComplex);
    }
}
