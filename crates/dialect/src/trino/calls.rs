//! Calls of Trino's functions that are other functions of the engine.
//!
//! ```text
//! array_sort(a, (x, y) -> …)                  "$array_sort"(a, (x, y) -> …)        also regexp_replace
//! max(x, 3), min_by(x, y, 3)                  "$max_n"(x, 3), min_by(x, y, 3)
//! map(), map(keys, values)                    "$map"(), "$map"(keys, values)
//! s -> ARRAY[s, s.f]                          s -> make_array(s, get_field(s, 'f'))
//! reduce_agg(x, 0, f, g)                      reduce(array_agg(x) FILTER (WHERE x IS NOT NULL), 0, f, s -> s)
//! listagg(x, ',') WITHIN GROUP (ORDER BY x)   listagg(x, ',' ORDER BY x)
//! array_agg(x ORDER BY y) OVER (PARTITION BY z)
//!                                             array_agg(x) OVER (PARTITION BY z ORDER BY y ROWS …)
//! listagg(x, ',' ON OVERFLOW TRUNCATE '…' WITH COUNT) WITHIN GROUP (ORDER BY x)
//!                                             "$listagg"(array_agg(x ORDER BY x) FILTER (WHERE x IS NOT NULL), ',', '…', true)
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax,
    ListAggOnOverflow, ObjectName, OneOrManyWithParens, Statement, Value, VisitorMut, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowType,
};
use lakegate_sql::trino::call;
use lakegate_sql::walk::walk_mut;

use crate::postgres::folded;

/// Rewrites the calls of a statement in place.
pub(crate) fn rename(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Calls);
}

struct Calls;

impl VisitorMut for Calls {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                if let Some(joined) = shortened(function) {
                    *expr = joined;
                    return ControlFlow::Continue(());
                }
                rename_call(function);
                if let Some(reduced) = reduced(function) {
                    *expr = reduced;
                }
            }
            Expr::Lambda(lambda) => {
                let parameters = match &lambda.params {
                    OneOrManyWithParens::One(parameter) => vec![parameter.name.value.clone()],
                    OneOrManyWithParens::Many(parameters) => {
                        let names = parameters.iter();
                        names
                            .map(|parameter| parameter.name.value.clone())
                            .collect()
                    }
                };
                let _: ControlFlow<()> = walk_mut(lambda.body.as_mut(), &mut Body { parameters });
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The body of a lambda. The planner does not know the parameters within array literals, nor as the
/// roots of compound names.
struct Body {
    parameters: Vec<String>,
}

impl VisitorMut for Body {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let rewritten = match expr {
            Expr::Array(array) => Some(call("make_array", std::mem::take(&mut array.elem))),
            Expr::CompoundIdentifier(parts) => match parts.split_first() {
                Some((root, fields)) if self.parameters.contains(&root.value) => {
                    let root = Expr::Identifier(root.clone());
                    Some(fields.iter().fold(root, |of, field| {
                        let name = Value::SingleQuotedString(folded(field));
                        call("get_field", vec![of, Expr::Value(name.with_empty_span())])
                    }))
                }
                _ => None,
            },
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

fn rename_call(function: &mut Function) {
    let [part] = function.name.0.as_slice() else {
        return;
    };
    let Some(name) = part.as_ident().map(|name| name.value.to_lowercase()) else {
        return;
    };
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let takes_lambda = list.args.iter().any(|argument| {
        matches!(
            argument,
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Lambda(_)))
        )
    });
    let renamed = match (name.as_str(), list.args.len()) {
        ("array_sort", 2) if takes_lambda => "$array_sort",
        ("regexp_replace", 3) if takes_lambda => "$regexp_replace",
        ("map", 0 | 2) => "$map",
        ("max", 2) => "$max_n",
        ("min", 2) => "$min_n",
        ("listagg", 1 | 2) if !function.within_group.is_empty() => {
            if list.args.len() == 1 {
                list.args
                    .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(text(""))));
            }
            let order = std::mem::take(&mut function.within_group);
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
            order_in_window(function);
            return;
        }
        _ => {
            order_in_window(function);
            return;
        }
    };
    function.name = ObjectName::from(vec![Ident::with_quote('"', renamed)]);
}

/// Moves the order of an aggregate's values to its window, if that is a whole partition: the
/// engine's windows have no other order.
fn order_in_window(function: &mut Function) {
    let Some(WindowType::WindowSpec(window)) = &mut function.over else {
        return;
    };
    let is_whole =
        window.window_name.is_none() && window.order_by.is_empty() && window.window_frame.is_none();
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if !is_whole || list.duplicate_treatment.is_some() {
        return;
    }
    let is_order =
        |clause: &FunctionArgumentClause| matches!(clause, FunctionArgumentClause::OrderBy(_));
    let Some(place) = list.clauses.iter().position(is_order) else {
        return;
    };
    if let FunctionArgumentClause::OrderBy(order) = list.clauses.remove(place) {
        window.order_by = order;
        window.window_frame = Some(WindowFrame {
            units: WindowFrameUnits::Rows,
            start_bound: WindowFrameBound::Preceding(None),
            end_bound: Some(WindowFrameBound::Following(None)),
        });
    }
}

/// Returns `reduce_agg` as a reduction of the array of all values: the function that combines two
/// states returns what the other one returns for all of their values.
fn reduced(function: &mut Function) -> Option<Expr> {
    let [part] = function.name.0.as_slice() else {
        return None;
    };
    let name = part
        .as_ident()
        .filter(|name| folded(name) == "reduce_agg")?;
    let name = Ident::with_span(name.span, "reduce");
    let FunctionArguments::List(list) = &mut function.args else {
        return None;
    };
    let mut arguments = list.args.iter();
    let mut next = || match arguments.next() {
        Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))) => Some(argument.clone()),
        _ => None,
    };
    let (value, start, input, combine) = (next()?, next()?, next()?, next()?);
    let is_lambda = |argument: &Expr| matches!(argument, Expr::Lambda(_));
    if list.args.len() != 4 || !is_lambda(&input) || !is_lambda(&combine) {
        return None;
    }
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value.clone()))];
    gather(function, value);
    let state = Ident::new("s");
    let same = Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter {
            name: state.clone(),
            data_type: None,
        }),
        body: Box::new(Expr::Identifier(state)),
        syntax: LambdaSyntax::Arrow,
    });
    let all = Expr::Function(function.clone());
    let mut reduced = call("reduce", vec![all, start, input, same]);
    if let Expr::Function(function) = &mut reduced {
        function.name = ObjectName::from(vec![name]);
    }
    Some(reduced)
}

/// Makes an aggregate the array of the values that are not NULL.
fn gather(function: &mut Function, value: Expr) {
    let is_there = Expr::IsNotNull(Box::new(value));
    let filter = match function.filter.take() {
        None => is_there,
        Some(filter) => Expr::BinaryOp {
            left: Box::new(Expr::Nested(filter)),
            op: BinaryOperator::And,
            right: Box::new(is_there),
        },
    };
    function.filter = Some(Box::new(filter));
    function.name = ObjectName::from(vec![Ident::new("array_agg")]);
}

/// Returns `listagg` with TRUNCATE as the text of the array of all values.
fn shortened(function: &Function) -> Option<Expr> {
    let [part] = function.name.0.as_slice() else {
        return None;
    };
    part.as_ident().filter(|name| folded(name) == "listagg")?;
    let mut all = function.clone();
    let FunctionArguments::List(list) = &mut all.args else {
        return None;
    };
    let overflow = list.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OnOverflow(ListAggOnOverflow::Truncate { filler, with_count }) => {
            Some((filler.as_deref().cloned(), *with_count))
        }
        _ => None,
    });
    let (filler, with_count) = overflow?;
    let (value, separator) = match list.args.as_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(value))] => (value.clone(), text("")),
        [
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)),
            FunctionArg::Unnamed(FunctionArgExpr::Expr(separator)),
        ] => (value.clone(), separator.clone()),
        _ => return None,
    };
    list.args.truncate(1);
    let order = std::mem::take(&mut all.within_group);
    list.clauses = match order.is_empty() {
        true => Vec::new(),
        false => vec![FunctionArgumentClause::OrderBy(order)],
    };
    gather(&mut all, value);
    order_in_window(&mut all);
    let filler = filler.unwrap_or_else(|| text("..."));
    let with_count = Expr::Value(Value::Boolean(with_count).with_empty_span());
    let arguments = vec![Expr::Function(all), separator, filler, with_count];
    Some(call("$listagg", arguments))
}

fn text(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).with_empty_span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    #[test]
    fn calls_become_those_of_the_engine() {
        for (sql, expected) in [
            (
                "SELECT array_sort(a, (x, y) -> x), array_sort(a)",
                "SELECT \"$array_sort\"(a, (x, y) -> x), array_sort(a)",
            ),
            (
                "SELECT regexp_replace(a, 'x', g -> g[1]), regexp_replace(a, 'x', 'y')",
                "SELECT \"$regexp_replace\"(a, 'x', g -> g[1]), regexp_replace(a, 'x', 'y')",
            ),
            (
                "SELECT max(x), MAX(x, 2)",
                "SELECT max(x), \"$max_n\"(x, 2)",
            ),
            (
                "SELECT transform(a, s -> ARRAY[s.f, t.f, s]), map(a, b)",
                "SELECT transform(a, s -> make_array(get_field(s, 'f'), t.f, s)), \"$map\"(a, b)",
            ),
            (
                "SELECT reduce_agg(x, 0, (a, b) -> a + b, (a, b) -> a + b) FILTER (WHERE y OR z) OVER (ORDER BY w)",
                "SELECT reduce(array_agg(x) FILTER (WHERE (y OR z) AND x IS NOT NULL) OVER (ORDER BY w), 0, (a, b) -> a + b, s -> s)",
            ),
            (
                "SELECT reduce_agg(x, 0), reduce_agg(DISTINCT x, 0, (a, b) -> a, (a, b) -> b)",
                "SELECT reduce_agg(x, 0), reduce(array_agg(DISTINCT x) FILTER (WHERE x IS NOT NULL), 0, (a, b) -> a, s -> s)",
            ),
            (
                "SELECT listagg(x, ',') WITHIN GROUP (ORDER BY y DESC)",
                "SELECT listagg(x, ',' ORDER BY y DESC)",
            ),
            (
                "SELECT listagg(DISTINCT x ON OVERFLOW TRUNCATE WITHOUT COUNT) WITHIN GROUP (ORDER BY x) FILTER (WHERE y)",
                "SELECT \"$listagg\"(array_agg(DISTINCT x ORDER BY x) FILTER (WHERE (y) AND x IS NOT NULL), '', '...', false)",
            ),
            (
                "SELECT listagg(x, ',' ON OVERFLOW TRUNCATE '~' WITH COUNT) WITHIN GROUP (ORDER BY y)",
                "SELECT \"$listagg\"(array_agg(x ORDER BY y) FILTER (WHERE x IS NOT NULL), ',', '~', true)",
            ),
            (
                "SELECT LISTAGG(x) WITHIN GROUP (ORDER BY y)",
                "SELECT LISTAGG(x, '' ORDER BY y)",
            ),
            (
                "SELECT listagg(x, ',') WITHIN GROUP (ORDER BY y DESC) OVER (PARTITION BY z), array_agg(x ORDER BY y) OVER ()",
                "SELECT listagg(x, ',') OVER (PARTITION BY z ORDER BY y DESC ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING), array_agg(x) OVER (ORDER BY y ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)",
            ),
            (
                "SELECT listagg(x, ',') WITHIN GROUP (ORDER BY y) OVER (ORDER BY z)",
                "SELECT listagg(x, ',' ORDER BY y) OVER (ORDER BY z)",
            ),
        ] {
            let mut statement = Statement::Query(query(sql));
            rename(&mut statement);
            assert_eq!(statement.to_string(), expected);
        }
    }
}
