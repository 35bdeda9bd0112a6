//! Calls that stand for a parameter beside values, whose type the plan tells:
//!
//! ```text
//! x = $1                     x = "$beside"('=', $1, x)
//! coalesce($1, a, 5)         coalesce("$beside"('', $1, a), a, 5)
//! array_append(items, $1)    array_append(items, "$beside"('', $1, (items)[1]))
//! ```

use std::ops::ControlFlow;

use lakegate_engine::beside::{BESIDE, COMPARED};
use lakegate_sql::walk::walk_expressions;
use sqlparser::ast::{
    AccessExpr, Array, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Subscript, UnaryOperator, Value,
};

use crate::query::constants::has_query;
use crate::query::parameters::placeholder;

/// The maximum number of expressions in a value that tells a type, which is written again for each
/// parameter beside it.
const MAX_TELLING: usize = 16;

/// The maximum number of values that tell the type of one parameter.
const MAX_VALUES: usize = 4;

/// How much a value says about the type of those beside it. Literals take the type of other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tells {
    Typed,
    Fraction,
    Whole,
    Text,
}

impl Tells {
    /// Returns what a value tells; `None` if it is a NULL, a parameter, or too large.
    fn of(value: &Expr) -> Option<Self> {
        match value {
            Expr::Nested(inner) => Self::of(inner),
            Expr::UnaryOp {
                op: UnaryOperator::Minus | UnaryOperator::Plus,
                expr,
            } if matches!(expr.as_ref(), Expr::Value(_)) => Self::of(expr),
            Expr::Value(literal) => match &literal.value {
                Value::Null | Value::Placeholder(_) => None,
                Value::Number(number, _) if number.parse::<i64>().is_ok() => Some(Self::Whole),
                Value::Number(..) => Some(Self::Fraction),
                Value::Boolean(_) => Some(Self::Typed),
                _ => Some(Self::Text),
            },
            other => is_small(other).then_some(Self::Typed),
        }
    }
}

/// Returns the values that tell the type of the parameters among values.
pub(super) fn telling<'a>(values: impl Iterator<Item = &'a Expr>) -> Vec<Expr> {
    let values = values.filter_map(|value| Some((Tells::of(value)?, value)));
    let values: Vec<(Tells, &Expr)> = values.collect();
    let Some(most) = values.iter().map(|(tells, _)| *tells).min() else {
        return Vec::new();
    };
    let counts = |tells: Tells| match most {
        // Beside it, a fraction may be the wider type.
        Tells::Typed => tells <= Tells::Fraction,
        Tells::Fraction | Tells::Whole => tells <= Tells::Whole,
        Tells::Text => true,
    };
    let mut found: Vec<Expr> = Vec::new();
    for (tells, value) in values {
        if found.len() < MAX_VALUES && counts(tells) && !found.contains(value) {
            found.push(value.clone());
        }
    }
    found
}

/// Returns whether a value settles the type of parameters beside it, and is small enough to be
/// written again for each of them.
fn is_small(expr: &Expr) -> bool {
    let mut size = 0usize;
    let walked = walk_expressions(expr, |part| {
        size += 1;
        match size > MAX_TELLING || placeholder(part).is_some() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    walked.is_continue() && !has_query(expr)
}

/// Returns the call that stands for a parameter. `place`: what is done with it and the values.
pub(super) fn call_beside(place: &str, parameter: &Expr, telling: &[Expr]) -> Expr {
    let place_name = Expr::Value(Value::SingleQuotedString(place.to_owned()).into());
    // An operator compares a parameter with one value.
    let most = match place {
        COMPARED => 1,
        _ => telling.len(),
    };
    let args = [place_name, parameter.clone()].into_iter();
    let args = args.chain(telling.iter().take(most).cloned());
    let args = args.map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::with_quote('"', BESIDE)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Returns `(array)[1]`.
pub(super) fn item_of(array: &Expr) -> Expr {
    let index = Expr::Value(Value::Number("1".to_owned(), false).into());
    Expr::CompoundFieldAccess {
        root: Box::new(Expr::Nested(Box::new(array.clone()))),
        access_chain: vec![AccessExpr::Subscript(Subscript::Index { index })],
    }
}

/// Returns `ARRAY[item]`.
pub(super) fn array_of(item: &Expr) -> Expr {
    Expr::Array(Array {
        elem: vec![item.clone()],
        named: true,
    })
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::super::tests::placed;

    #[test]
    fn parameters_are_called_beside_the_values_that_tell_their_type() {
        for (sql, shown) in [
            (
                "SELECT coalesce($1, a, 5)",
                "SELECT coalesce(\"$beside\"('', $1, a), a, 5)",
            ),
            (
                "SELECT CASE a WHEN $1 THEN $2 ELSE 5 END",
                "SELECT CASE a WHEN \"$beside\"('', $1, a) THEN \"$beside\"('', $2, 5) ELSE 5 END",
            ),
            (
                "SELECT date_bin('1 day', a, $1)",
                "SELECT date_bin('1 day', a, \"$beside\"('', $1, a))",
            ),
            (
                "SELECT ARRAY[$1, 'x']",
                "SELECT ARRAY[\"$beside\"('', $1, 'x'), 'x']",
            ),
            (
                "SELECT a @> $1, $2 && ARRAY[3]",
                "SELECT a @> \"$beside\"('=', $1, a), \"$beside\"('=', $2, ARRAY[3]) && ARRAY[3]",
            ),
            (
                "SELECT a IN ($1, 2, -2.5, 'x')",
                "SELECT a IN (\"$beside\"('', $1, a, -2.5), 2, -2.5, 'x')",
            ),
            (
                "SELECT a BETWEEN $1 AND 2.5, $2 IS DISTINCT FROM a, a || $3",
                "SELECT a BETWEEN \"$beside\"('=', $1, a) AND 2.5, \"$beside\"('=', $2, a) IS DISTINCT FROM a, a || \"$beside\"('||', $3, a)",
            ),
            (
                "SELECT (a, 1) = ($1, $2), ($3, b) IN ((a, $4))",
                "SELECT (a, 1) = (\"$beside\"('=', $1, a), \"$beside\"('=', $2, 1)), (\"$beside\"('=', $3, a), b) IN ((a, \"$beside\"('=', $4, b)))",
            ),
            (
                "SELECT lag(a, 1, $1) OVER (ORDER BY b)",
                "SELECT lag(a, 1, \"$beside\"('', $1, a)) OVER (ORDER BY b)",
            ),
            (
                "SELECT array_append(a, $1), array_position($2, a)",
                "SELECT array_append(a, \"$beside\"('', $1, (a)[1])), array_position(\"$beside\"('', $2, ARRAY[a]), a)",
            ),
            (
                "VALUES ($1, 1), (a, $2)",
                "VALUES (\"$beside\"('', $1, a), 1), (a, \"$beside\"('', $2, 1))",
            ),
            (
                "SELECT a > $1 AND a < $1 + b, $1 = ANY (c)",
                "SELECT a > \"$beside\"('=', $1, a) AND a < \"$beside\"('=', $1, a) + b, \"$beside\"('=', $1, (c)[1]) = ANY(c)",
            ),
            (
                "SELECT a FROM t WHERE a > $1 UNION SELECT b FROM s WHERE b < $1 + c",
                "SELECT a FROM t WHERE a > \"$beside\"('=', $1, a) UNION SELECT b FROM s WHERE b < $1 + c",
            ),
            ("SELECT coalesce($1, $2)", "SELECT coalesce($1, $2)"),
            ("SELECT nullif(NULL, $1)", "SELECT nullif(NULL, $1)"),
            (
                "SELECT coalesce($1, (SELECT 1))",
                "SELECT coalesce($1, (SELECT 1))",
            ),
        ] {
            let (types, query) = placed(sql, &[]);
            assert_eq!(query, shown);
            assert!(types.is_empty(), "{sql}: {types:?}");
        }
        let declared = [Some(DataType::Utf8)];
        let (types, query) = placed("SELECT coalesce($1, a) WHERE $1", &declared);
        assert_eq!(types, declared);
        assert_eq!(query, "SELECT coalesce($1, a) WHERE $1");
    }

    #[test]
    fn queries_do_not_grow_beyond_a_multiple() {
        let mut nested = "a".to_owned();
        for number in 1..=30 {
            nested = format!("coalesce(${number}, {nested})");
        }
        let (_, query) = placed(&format!("SELECT {nested}"), &[]);
        assert!(query.len() < 10 * nested.len(), "{}", query.len());
        let large = format!("SELECT coalesce($1, {}a)", "a + ".repeat(100));
        assert_eq!(placed(&large, &[]).1, large);
        let (types, _) = placed("SELECT NOT $4000000000, NOT $0", &[]);
        assert!(types.is_empty());
    }
}
