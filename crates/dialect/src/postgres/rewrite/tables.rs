//! Functions in FROM, and joins without a condition.

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, SelectItem, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, Value,
};
use lakegate_engine::apart_in_relation;
use lakegate_error::{Code, Error};
use lakegate_sql::walk::walk;

use super::build;
use super::expressions::strip_schema;

/// Functions that are implemented as tables of `pg_catalog` with the same name.
const TABLE_FUNCTIONS: &[&str] = &["pg_get_keywords"];

/// Returns the constraint of a join: ON, USING, NATURAL or none. `None` for joins that never have
/// one, such as CROSS JOIN.
pub(super) fn join_constraint(join: &Join) -> Option<&JoinConstraint> {
    match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// Returns the same constraint, mutable.
pub(super) fn join_constraint_mut(join: &mut Join) -> Option<&mut JoinConstraint> {
    match &mut join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// Rejects a join without a condition, which the engine would plan as a CROSS JOIN.
///
/// # Errors
///
/// A join has no condition.
pub(super) fn check_joins(tables: &TableWithJoins) -> Result<(), Error> {
    let mut constraints = tables.joins.iter().filter_map(join_constraint);
    if constraints.any(|constraint| matches!(constraint, JoinConstraint::None)) {
        return Err(
            Error::new(Code::SyntaxError, "a join needs a condition: ON or USING")
                .with_hint("write CROSS JOIN for all pairs of rows"),
        );
    }
    Ok(())
}

/// Rewrites a table that is a function call. Returns the functions that it calls.
pub(super) fn rewrite(factor: &mut TableFactor) -> Result<Vec<String>, Error> {
    let (name, args, ordinality, alias) = match factor {
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality,
            alias,
            ..
        } => {
            let Some(name) = strip_schema(name) else {
                return Ok(vec![]);
            };
            let args: Option<Vec<Expr>> = args.args.iter().map(build::argument).collect();
            (name, args, *with_ordinality, alias.clone())
        }
        TableFactor::Function {
            name,
            args,
            with_ordinality,
            alias,
            ..
        } => {
            let Some(name) = strip_schema(name) else {
                return Ok(vec![]);
            };
            let args: Option<Vec<Expr>> = args.iter().map(build::argument).collect();
            (name, args, *with_ordinality, alias.clone())
        }
        TableFactor::UNNEST {
            alias,
            array_exprs,
            with_ordinality,
            with_offset: false,
            ..
        } => {
            let constant = array_exprs.iter().all(is_constant);
            if constant && !*with_ordinality {
                *alias = Some(alias_of_unnest(alias.take(), array_exprs.len()));
                return Ok(vec![]);
            }
            (
                "unnest".to_owned(),
                Some(array_exprs.clone()),
                *with_ordinality,
                alias.clone(),
            )
        }
        _ => return Ok(vec![]),
    };
    let Some(args) = args else { return Ok(vec![]) };
    if TABLE_FUNCTIONS.contains(&name.as_str()) {
        *factor = build::table("pg_catalog", &name, alias)?;
        return Ok(vec![name]);
    }
    let lists: Vec<Expr> = match (name.as_str(), args.as_slice()) {
        ("unnest", _) => args,
        // The engine's own table function generates rows without building a list.
        ("generate_series" | "range", [_] | [_, _] | [_, _, _])
            if !ordinality && args.iter().all(is_number) =>
        {
            if let TableFactor::Table { alias, .. } = factor {
                let columns = column_names(alias.as_ref(), &name, 1);
                *alias = Some(TableAlias {
                    explicit: true,
                    name: alias
                        .as_ref()
                        .map_or_else(|| Ident::new(&name), |alias| alias.name.clone()),
                    columns: columns
                        .into_iter()
                        .map(|name| TableAliasColumnDef {
                            name,
                            data_type: None,
                        })
                        .collect(),
                    at: None,
                });
                return Ok(vec![name]);
            }
            vec![build::call(&name, args)]
        }
        ("generate_series" | "range", [_] | [_, _] | [_, _, _]) => {
            vec![build::call(&name, args)]
        }
        ("generate_subscripts", [array, dimension, ..]) => {
            let length = build::call("array_length", vec![array.clone(), dimension.clone()]);
            vec![build::call(
                "generate_series",
                vec![build::integer(1), length],
            )]
        }
        // Any other function of the session is a table of one row, as in Postgres.
        _ => {
            let call = build::call(&name, args);
            let names = column_names(alias.as_ref(), &name, 1);
            *factor = derived(
                vec![build::aliased(call, names[0].clone())],
                alias,
                &name,
                &names,
            )?;
            return Ok(vec![name]);
        }
    };
    let counts = ordinality.then(|| {
        let lengths = lists
            .iter()
            .map(|list| build::call("cardinality", vec![list.clone()]));
        let length = match lists.as_slice() {
            [list] => build::call("cardinality", vec![list.clone()]),
            _ => build::call("greatest", lengths.collect()),
        };
        build::call("generate_series", vec![build::integer(1), length])
    });
    let columns = lists.len() + usize::from(ordinality);
    let names = column_names(alias.as_ref(), &name, columns);
    let unnested = lists
        .into_iter()
        .chain(counts)
        .map(|list| build::call("unnest", vec![list]));
    let items = unnested
        .zip(&names)
        .map(|(expr, name)| build::aliased(expr, name.clone()))
        .collect();
    *factor = derived(items, alias, &name, &names)?;
    Ok(vec![name])
}

/// Returns the alias with the names of all columns; a single column has the name of the table.
fn alias_of_unnest(alias: Option<TableAlias>, count: usize) -> TableAlias {
    let unnamed = || Ident::new("unnest");
    let mut alias = alias.unwrap_or_else(|| TableAlias {
        explicit: true,
        name: unnamed(),
        columns: vec![],
        at: None,
    });
    let given = alias.columns.len();
    for place in given..count {
        let name = match (count, place) {
            (1, _) => alias.name.clone(),
            (_, place) if place == given => unnamed(),
            (_, place) => Ident::with_quote('"', apart_in_relation("unnest", place)),
        };
        alias.columns.push(TableAliasColumnDef {
            name,
            data_type: None,
        });
    }
    alias
}

/// Returns the names of the columns: those of the alias, or, for one column, the alias itself.
fn column_names(alias: Option<&TableAlias>, function: &str, count: usize) -> Vec<Ident> {
    let given: Vec<Ident> = alias
        .map(|alias| {
            alias
                .columns
                .iter()
                .map(|column| column.name.clone())
                .collect()
        })
        .unwrap_or_default();
    let first = alias.map_or_else(|| Ident::new(function), |alias| alias.name.clone());
    (0..count)
        .map(|index| match given.get(index) {
            Some(name) => name.clone(),
            None if index == 0 => first.clone(),
            None if index + 1 == count => Ident::new("ordinality"),
            None => Ident::new(format!("{function}{}", index + 1)),
        })
        .collect()
}

fn derived(
    items: Vec<SelectItem>,
    alias: Option<TableAlias>,
    function: &str,
    _: &[Ident],
) -> Result<TableFactor, Error> {
    let name = alias.map_or_else(|| Ident::new(function), |alias| alias.name);
    let lateral = items.iter().any(|item| match item {
        SelectItem::ExprWithAlias { expr, .. } => !is_constant(expr),
        _ => true,
    });
    Ok(TableFactor::Derived {
        // A function in FROM sees the preceding tables.
        lateral,
        subquery: Box::new(build::select(items)?),
        alias: Some(TableAlias {
            explicit: true,
            name,
            columns: vec![],
            at: None,
        }),
        sample: None,
    })
}

/// Returns whether an expression is a literal number, possibly negative.
fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => is_number(expr),
        _ => false,
    }
}

/// Returns whether an expression reads no column.
fn is_constant(expr: &Expr) -> bool {
    use std::ops::ControlFlow;

    use datafusion::sql::sqlparser::ast::Visitor;
    struct Found;
    impl Visitor for Found {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Identifier(_) | Expr::CompoundIdentifier(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    walk(expr, &mut Found).is_continue()
}
