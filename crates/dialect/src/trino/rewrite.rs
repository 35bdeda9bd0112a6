//! Rewrites operators of Trino whose meaning differs from PostgreSQL's.
//!
//! ```text
//! a[i]                    "$subscript"(a, i)       an error outside of the array
//! a LIKE 'x\%'            a LIKE 'x\\%'            no escape character unless ESCAPE names one
//! EXTRACT(DOW FROM x)     day_of_week(x)           1 for Monday to 7 for Sunday, and a bigint like all parts
//! POSITION(a IN b)        strpos(b, a)             a bigint
//! CAST(x AS UUID)         "$uuid"(x)               a text in the form of a UUID
//! CAST(x AS IPADDRESS)    "$ipaddress"(x)          a text in the form of an address
//! contains(n, IPADDRESS x)  is_subnet_of(n, "$ipaddress"(x))
//! CAST(x AS HyperLogLog)  "$hyperloglog"(x)        a sketch is its bytes
//! SUBSTRING(x FROM a)     substr(x, a)             a negative start counts from the end
//! CAST(x AS JSON)         "$json_of"(x)            a JSON value of x, not a text in JSON
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, Statement, Subscript, Value, ValueWithSpan, VisitorMut,
};
use lakegate_error::{Error, Result};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;

use super::{keywords, literals};
use crate::postgres::folded;

/// Fails where an array has no such item, or a map no such key.
pub(super) const SUBSCRIPT: &str = "$subscript";

/// Rewrites a statement in place.
///
/// # Errors
///
/// A number is out of the range of its type.
pub(crate) fn rewrite(statement: &mut Statement) -> Result<()> {
    match walk_mut(statement, &mut Operators) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Operators;

impl VisitorMut for Operators {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        literals::negative(expr);
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        match expr {
            Expr::Value(_) => {
                if let Err(error) = literals::number(expr) {
                    return ControlFlow::Break(error);
                }
            }
            Expr::CompoundFieldAccess { .. } => subscripts(expr),
            Expr::Like {
                pattern,
                escape_char: None,
                any: false,
                ..
            } => unescaped(pattern),
            Expr::TypedString(typed) if typed.data_type == DataType::JSON => {
                let text = Expr::Value(typed.value.clone());
                *expr = call("json_parse", vec![text]);
            }
            Expr::Substring { .. } => {
                if let Expr::Substring {
                    expr: of,
                    substring_from,
                    substring_for,
                    ..
                } = taken(expr)
                {
                    let from = substring_from.map_or_else(one, |from| *from);
                    let arguments = [Some(*of), Some(from), substring_for.map(|length| *length)];
                    *expr = call("substr", arguments.into_iter().flatten().collect());
                }
            }
            Expr::TypedString(typed) if typed.data_type == DataType::Uuid => {
                let text = Expr::Value(typed.value.clone());
                *expr = call(literals::UUID, vec![text]);
            }
            Expr::Cast { .. } => literals::cast(expr),
            Expr::Function(function) => network(function),
            Expr::Position { .. } => {
                if let Expr::Position { expr: part, r#in } = taken(expr) {
                    *expr = call("strpos", vec![*r#in, *part]);
                }
            }
            Expr::Extract { field, .. } => {
                if let Some(function) = part(field)
                    && let Expr::Extract { expr: of, .. } = taken(expr)
                {
                    *expr = call(function, vec![*of]);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Renames a call of `contains` with an address, which is a text by now.
fn network(function: &mut Function) {
    let FunctionArguments::List(list) = &function.args else {
        return;
    };
    let [
        _,
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Function(address))),
    ] = list.args.as_slice()
    else {
        return;
    };
    if is_named(function, "contains") && is_named(address, literals::ADDRESS) {
        function.name = ObjectName::from(vec![Ident::new("is_subnet_of")]);
    }
}

pub(super) fn is_named(function: &Function, expected: &str) -> bool {
    match function.name.0.as_slice() {
        [part] => part.as_ident().is_some_and(|name| folded(name) == expected),
        _ => false,
    }
}

fn one() -> Expr {
    Expr::Value(Value::Number("1".to_owned(), false).with_empty_span())
}

pub(super) fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, Expr::Value(Value::Null.with_empty_span()))
}

/// `root[i].f[j]`: each subscript by an expression becomes a call.
fn subscripts(expr: &mut Expr) {
    let indexes =
        |access: &AccessExpr| matches!(access, AccessExpr::Subscript(Subscript::Index { .. }));
    let Expr::CompoundFieldAccess { access_chain, .. } = expr else {
        return;
    };
    if !access_chain.iter().any(indexes) {
        return;
    }
    let Expr::CompoundFieldAccess { root, access_chain } = taken(expr) else {
        return;
    };
    let mut value = *root;
    let mut rest = Vec::new();
    let with_rest = |value: Expr, rest: Vec<AccessExpr>| match keywords::names_of(&value, &rest) {
        _ if rest.is_empty() => value,
        // The planner looks up `t.a` as a name only.
        Some(names) => Expr::CompoundIdentifier(names),
        None => Expr::CompoundFieldAccess {
            root: Box::new(value),
            access_chain: rest,
        },
    };
    for access in access_chain {
        match access {
            AccessExpr::Subscript(Subscript::Index { index }) => {
                let of = with_rest(value, std::mem::take(&mut rest));
                value = call(SUBSCRIPT, vec![of, index]);
            }
            other => rest.push(other),
        }
    }
    *expr = with_rest(value, rest);
}

/// Escapes the backslashes of a pattern, which are plain characters in Trino.
fn unescaped(pattern: &mut Expr) {
    match pattern {
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(text),
            ..
        }) => *text = text.replace('\\', "\\\\"),
        Expr::Value(_) => {}
        _ => {
            let text = |text: &str| {
                let text = Value::SingleQuotedString(text.to_owned());
                Expr::Value(text.with_empty_span())
            };
            let of = taken(pattern);
            *pattern = call("replace", vec![of, text("\\"), text("\\\\")]);
        }
    }
}

/// Returns the function for a field of EXTRACT; `None` for those that Trino does not have.
fn part(field: &DateTimeField) -> Option<&'static str> {
    let custom = |ident: &Ident| {
        Some(match ident.value.to_ascii_lowercase().as_str() {
            "day_of_week" => "day_of_week",
            "day_of_month" => "day_of_month",
            "day_of_year" => "day_of_year",
            "year_of_week" | "yow" => "year_of_week",
            "week_of_year" => "week",
            _ => return None,
        })
    };
    match field {
        DateTimeField::Year => Some("year"),
        DateTimeField::Quarter => Some("quarter"),
        DateTimeField::Month => Some("month"),
        DateTimeField::Week(None) => Some("week"),
        DateTimeField::Day => Some("day"),
        DateTimeField::Hour => Some("hour"),
        DateTimeField::Minute => Some("minute"),
        DateTimeField::Second => Some("second"),
        DateTimeField::TimezoneHour => Some("timezone_hour"),
        DateTimeField::TimezoneMinute => Some("timezone_minute"),
        DateTimeField::Dow | DateTimeField::DayOfWeek => Some("day_of_week"),
        DateTimeField::Doy | DateTimeField::DayOfYear => Some("day_of_year"),
        DateTimeField::Custom(ident) => custom(ident),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    fn rewritten(sql: &str) -> String {
        let mut statement = Statement::Query(query(sql));
        match rewrite(&mut statement) {
            Ok(()) => statement.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn columns_of_tables_are_names_before_subscripts() {
        let mut statement = Statement::Query(query("SELECT t.a[1], s.t.a[1][2].b, f(x).a[1]"));
        assert!(rewrite(&mut statement).is_ok());
        let mut names = Vec::new();
        let _: ControlFlow<()> = lakegate_sql::walk::walk_expressions(&statement, |expr| {
            if let Expr::CompoundIdentifier(parts) = expr {
                names.push(parts.len());
            }
            ControlFlow::Continue(())
        });
        assert_eq!(names, [2, 3]);
    }

    #[test]
    fn operators_become_those_of_trino() {
        for (sql, expected) in [
            ("SELECT substring(a FROM 2 FOR 3)", "SELECT substr(a, 2, 3)"),
            ("SELECT JSON '[1]'", "SELECT json_parse('[1]')"),
            ("SELECT a[1]", "SELECT \"$subscript\"(a, 1)"),
            (
                "SELECT t.a[1][b[2]].x[3].y",
                "SELECT \"$subscript\"(\"$subscript\"(\"$subscript\"(t.a, 1), \"$subscript\"(b, 2)).x, 3).y",
            ),
            ("SELECT a LIKE 'x\\%'", "SELECT a LIKE 'x\\\\%'"),
            (
                "SELECT a LIKE 'x!%' ESCAPE '!'",
                "SELECT a LIKE 'x!%' ESCAPE '!'",
            ),
            ("SELECT CAST(a AS JSON)", "SELECT \"$json_of\"(a)"),
            ("SELECT a LIKE b", "SELECT a LIKE replace(b, '\\', '\\\\')"),
            ("SELECT extract(dow FROM x)", "SELECT day_of_week(x)"),
            (
                "SELECT extract(year_of_week FROM x), extract(month FROM x)",
                "SELECT year_of_week(x), month(x)",
            ),
            ("SELECT position('a' IN b)", "SELECT strpos(b, 'a')"),
            (
                "SELECT CAST(a AS UUID), UUID 'x'",
                "SELECT \"$uuid\"(a), \"$uuid\"('x')",
            ),
            (
                "SELECT IPADDRESS '::1', TRY_CAST(a AS ipprefix), ipaddress",
                "SELECT \"$ipaddress\"('::1'), \"$try\"(\"$\" -> \"$ipprefix\"(a)), ipaddress",
            ),
            (
                "SELECT contains(n, IPADDRESS '::1'), contains(n, CAST(a AS ipaddress)), contains(a, b)",
                "SELECT is_subnet_of(n, \"$ipaddress\"('::1')), is_subnet_of(n, \"$ipaddress\"(a)), contains(a, b)",
            ),
            (
                "SELECT CAST(a AS qdigest(BIGINT)), CAST(a AS HyperLogLog), CAST(a AS qdigest(b))",
                "SELECT \"$qdigest_bigint\"(a), \"$hyperloglog\"(a), CAST(a AS qdigest(b))",
            ),
            ("SELECT 1.5, 1e3", "SELECT 1.5, CAST('1e3' AS DOUBLE)"),
            (
                "SELECT 1234567890.0123456789",
                "SELECT CAST('1234567890.0123456789' AS DECIMAL(20,10))",
            ),
            (
                "SELECT CAST(a AS DECIMAL)",
                "SELECT CAST(a AS DECIMAL(38,0))",
            ),
            (
                "SELECT CAST(a AS VARCHAR(3))",
                "SELECT \"$truncated\"(CAST(a AS VARCHAR), 3)",
            ),
            (
                "SELECT CAST(a AS TIMESTAMP), CAST(a AS TIMESTAMP(6))",
                "SELECT CAST(a AS TIMESTAMP(3)), CAST(a AS TIMESTAMP(6))",
            ),
            (
                "SELECT -9223372036854775808",
                "SELECT CAST('-9223372036854775808' AS BIGINT)",
            ),
        ] {
            assert_eq!(rewritten(sql), expected, "{sql}");
        }
        for sql in [
            "SELECT 9223372036854775808".to_owned(),
            format!("SELECT {}.5", "9".repeat(38)),
        ] {
            let error = rewritten(&sql);
            assert!(error.contains("invalid numeric literal"), "{sql}: {error}");
        }
    }
}
