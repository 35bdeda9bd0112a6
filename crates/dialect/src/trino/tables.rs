//! Trino's table functions, which are queries of the engine.
//!
//! ```text
//! TABLE(sequence(start => 1, stop => 5))       generate_series(1, 5, 1) AS sequence (sequential_number)
//! TABLE(exclude_columns(                       (SELECT * EXCLUDE (a, b) FROM t)
//!     input => TABLE(t), columns => DESCRIPTOR(a, b)))
//! TABLE(exclude_columns(TABLE(SELECT …), …))   (SELECT * EXCLUDE (…) FROM (SELECT …) AS input)
//! ```

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, Statement, TableAlias,
    TableAliasColumnDef, TableFactor, TableFunctionArgs, Value, VisitorMut,
};
use lakegate_sql::walk::walk_mut;

use crate::postgres::folded;

/// Rewrites the table functions of a statement that are known. Others are the planner's to refuse.
pub(crate) fn expand(statement: &mut Statement) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Tables);
}

struct Tables;

impl VisitorMut for Tables {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::TableFunction {
            expr: Expr::Function(function),
            alias,
        } = factor
        {
            let expanded = match built_in(&function.name).as_deref() {
                Some("sequence") => sequence(function, alias),
                Some("exclude_columns") => without_columns(function, alias),
                _ => None,
            };
            if let Some(expanded) = expanded {
                *factor = expanded;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The name of a function without a schema, in lower case.
fn name_of(name: &ObjectName) -> Option<String> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    part.as_ident().map(folded)
}

/// The name of a function without a schema, or in the schema of those that Trino has built in.
fn built_in(name: &ObjectName) -> Option<String> {
    match name.0.as_slice() {
        [system, builtin, function] => {
            let is = |part: &ObjectNamePart, known: &str| {
                part.as_ident().is_some_and(|part| folded(part) == known)
            };
            let known = is(system, "system") && is(builtin, "builtin");
            function.as_ident().filter(|_| known).map(folded)
        }
        _ => name_of(name),
    }
}

/// Returns the arguments in the order of their names, which a call has for all of them or for none.
fn arguments<const N: usize>(function: &Function, names: [&str; N]) -> Option<[Option<Expr>; N]> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let mut found = [const { None }; N];
    for (place, argument) in list.args.iter().enumerate() {
        let (place, value) = match argument {
            FunctionArg::Unnamed(value) => (place, value),
            FunctionArg::Named { name, arg, .. } => {
                let name = folded(name);
                (names.iter().position(|known| *known == name)?, arg)
            }
            FunctionArg::ExprNamed {
                name: Expr::Identifier(name),
                arg,
                ..
            } => {
                let name = folded(name);
                (names.iter().position(|known| *known == name)?, arg)
            }
            FunctionArg::ExprNamed { .. } => return None,
        };
        let FunctionArgExpr::Expr(value) = value else {
            return None;
        };
        let argument = found.get_mut(place).filter(|argument| argument.is_none())?;
        *argument = Some(value.clone());
    }
    Some(found)
}

fn sequence(function: &Function, alias: &Option<TableAlias>) -> Option<TableFactor> {
    let [start, stop, step] = arguments(function, ["start", "stop", "step"])?;
    let number = |number: &str| Expr::Value(Value::Number(number.to_owned(), false).into());
    let arguments = [
        start.unwrap_or_else(|| number("0")),
        stop?,
        step.unwrap_or_else(|| number("1")),
    ];
    let arguments = arguments
        .into_iter()
        .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    let mut alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new("sequence"),
        columns: Vec::new(),
        at: None,
    });
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef {
            name: Ident::new("sequential_number"),
            data_type: None,
        });
    }
    Some(TableFactor::Table {
        name: ObjectName::from(vec![Ident::new("generate_series")]),
        alias: Some(alias),
        args: Some(TableFunctionArgs {
            args: arguments.collect(),
            settings: None,
        }),
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    })
}

fn without_columns(function: &Function, alias: &Option<TableAlias>) -> Option<TableFactor> {
    let [input, columns] = arguments(function, ["input", "columns"])?;
    let (input, columns) = (relation(&input?)?, called(&columns?, "descriptor")?);
    let columns: Option<Vec<ObjectName>> = columns
        .iter()
        .map(|column| match column {
            Expr::Identifier(name) => Some(ObjectName::from(vec![name.clone()])),
            _ => None,
        })
        .collect();
    let columns = columns.filter(|columns| !columns.is_empty())?;
    let mut query = template()?;
    let SetExpr::Select(select) = query.body.as_mut() else {
        return None;
    };
    let (Some(SelectItem::Wildcard(options)), Some(from)) =
        (select.projection.first_mut(), select.from.first_mut())
    else {
        return None;
    };
    options.opt_exclude = Some(ExcludeSelectItem::Multiple(columns));
    match (&mut from.relation, input) {
        (TableFactor::Table { name, .. }, Input::Table(of)) => *name = of,
        (relation, Input::Query(subquery)) => {
            *relation = TableFactor::Derived {
                lateral: false,
                subquery,
                alias: Some(TableAlias {
                    explicit: true,
                    name: Ident::new("input"),
                    columns: Vec::new(),
                    at: None,
                }),
                sample: None,
            };
        }
        _ => return None,
    }
    Some(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: alias.clone(),
        sample: None,
    })
}

/// An argument that is a table.
enum Input {
    Table(ObjectName),
    Query(Box<Query>),
}

/// Returns the table of `TABLE(name)` or `TABLE(query)`.
fn relation(expr: &Expr) -> Option<Input> {
    if let Expr::Function(function) = expr
        && let FunctionArguments::Subquery(query) = &function.args
    {
        return (name_of(&function.name)? == "table").then(|| Input::Query(query.clone()));
    }
    match called(expr, "table")?.as_slice() {
        [Expr::Identifier(name)] => Some(Input::Table(ObjectName::from(vec![name.clone()]))),
        [Expr::CompoundIdentifier(names)] => Some(Input::Table(ObjectName::from(names.clone()))),
        _ => None,
    }
}

/// A query of all columns of a table.
fn template() -> Option<Box<Query>> {
    let statements = lakegate_sql::parse("SELECT * FROM t").ok()?;
    match statements.into_iter().next()?.statement {
        lakegate_sql::Statement::Query(query) => Some(query),
        _ => None,
    }
}

/// The arguments of a call of `name`.
fn called(expr: &Expr, name: &str) -> Option<Vec<Expr>> {
    let Expr::Function(function) = expr else {
        return None;
    };
    if name_of(&function.name).as_deref() != Some(name) {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument.clone()),
        _ => None,
    });
    arguments.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trino::testing::query;

    #[test]
    fn table_functions_become_queries() {
        for (sql, expected) in [
            (
                "SELECT * FROM TABLE(sequence(stop => 5))",
                "SELECT * FROM generate_series(0, 5, 1) AS sequence (sequential_number)",
            ),
            (
                "SELECT * FROM TABLE(SEQUENCE(9, 1, -2)) s",
                "SELECT * FROM generate_series(9, 1, -2) s (sequential_number)",
            ),
            (
                "SELECT * FROM TABLE(sequence(start => 1, stop => 3)) AS s (n)",
                "SELECT * FROM generate_series(1, 3, 1) AS s (n)",
            ),
            (
                "SELECT * FROM TABLE(exclude_columns(input => TABLE(s.orders), columns => DESCRIPTOR(a, \"B\"))) o",
                "SELECT * FROM (SELECT * EXCLUDE (a, \"b\") FROM s.orders) o",
            ),
            (
                "SELECT * FROM TABLE(exclude_columns(TABLE(SELECT 1 AS a, 2 AS b), DESCRIPTOR(a)))",
                "SELECT * FROM (SELECT * EXCLUDE (a) FROM (SELECT 1 AS a, 2 AS b) AS input)",
            ),
            (
                "SELECT * FROM TABLE(system.builtin.sequence(1, 3))",
                "SELECT * FROM generate_series(1, 3, 1) AS sequence (sequential_number)",
            ),
        ] {
            let mut statement = Statement::Query(query(sql));
            expand(&mut statement);
            assert_eq!(statement.to_string(), expected);
        }
    }

    #[test]
    fn other_calls_stay() {
        for sql in [
            "SELECT * FROM TABLE(sequence(from => 5))",
            "SELECT * FROM TABLE(sequence(1, start => 2))",
            "SELECT * FROM TABLE(other(1))",
            "SELECT * FROM TABLE(exclude_columns(input => 1, columns => DESCRIPTOR(a)))",
        ] {
            let mut statement = Statement::Query(query(sql));
            let before = statement.to_string();
            expand(&mut statement);
            assert_eq!(statement.to_string(), before);
        }
    }
}
