//! Functions in FROM, and joins without a condition. `json.rs` has the functions of JSON values,
//! `expanded.rs` those of the numbers of items.

mod expanded;
mod json;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, JoinConstraint, ObjectName, SelectItem, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor, TableWithJoins, Value,
};
use lakegate_engine::apart_in_relation;
use lakegate_error::{Code, Error};
use lakegate_sql::join_constraint;
use lakegate_sql::walk::walk;

use self::json::Item;
pub(super) use self::json::{columns as json_columns, record};
use super::functions::strip_schema;
use super::hidden_columns::check_aliases;
use super::{acl, build, calls, copies, records};
use crate::postgres::pg_catalog::table_of_call;

/// Functions that are implemented as tables of `pg_catalog`, with the names of the tables.
const TABLE_FUNCTIONS: &[(&str, &str)] = &[
    ("pg_get_keywords", "pg_get_keywords"),
    ("pg_show_all_settings", "pg_settings"),
    ("pg_stat_get_archiver", "pg_stat_archiver"),
    ("pg_stat_get_wal", "pg_stat_wal"),
];

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

/// A function call in FROM.
struct Call {
    name: String,
    args: Vec<Expr>,
    ordinality: bool,
    alias: Option<TableAlias>,
}

/// Rewrites a table that is a function call. Returns the functions that it calls.
///
/// # Errors
///
/// An argument is not supported, or too large to be written once for each column.
pub(super) fn rewrite(factor: &mut TableFactor) -> Result<Vec<String>, Error> {
    if name_constants(factor) {
        return Ok(vec![]);
    }
    let Some(call) = call_of(factor) else {
        return Ok(vec![]);
    };
    let called = vec![call.name.clone()];
    let call = expanded::call(call);
    check_alias(&call)?;
    if name_series(factor, &call) {
        return Ok(called);
    }
    *factor = match system_table(&call)? {
        Some(table) => table,
        None => subquery(call)?,
    };
    Ok(called)
}

/// Names the columns of constant lists, which the engine unnests itself. Returns whether a table is
/// such lists.
fn name_constants(factor: &mut TableFactor) -> bool {
    let TableFactor::UNNEST {
        alias,
        array_exprs,
        with_ordinality: false,
        with_offset: false,
        ..
    } = factor
    else {
        return false;
    };
    if !array_exprs.iter().all(is_constant) {
        return false;
    }
    *alias = Some(alias_of_unnest(alias.take(), array_exprs.len()));
    true
}

/// Returns the call that a table is, and takes the schema off its name; `None` if it is another table,
/// or an argument has no value.
fn call_of(factor: &mut TableFactor) -> Option<Call> {
    match factor {
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality,
            alias,
            ..
        } => Some(Call {
            name: strip_schema(name)?,
            args: args
                .args
                .iter()
                .map(build::argument)
                .collect::<Option<_>>()?,
            ordinality: *with_ordinality,
            alias: alias.clone(),
        }),
        TableFactor::Function {
            name,
            args,
            with_ordinality,
            alias,
            ..
        } => Some(Call {
            name: strip_schema(name)?,
            args: args.iter().map(build::argument).collect::<Option<_>>()?,
            ordinality: *with_ordinality,
            alias: alias.clone(),
        }),
        TableFactor::UNNEST {
            alias,
            array_exprs,
            with_ordinality,
            with_offset: false,
            ..
        } => Some(Call {
            name: "unnest".to_owned(),
            args: array_exprs.clone(),
            ordinality: *with_ordinality,
            alias: alias.clone(),
        }),
        _ => None,
    }
}

/// Functions in FROM that have one column, and a number with WITH ORDINALITY.
const ONE_COLUMN: [&str; 5] = [
    "generate_series",
    "generate_subscripts",
    "regexp_matches",
    "regexp_split_to_table",
    "string_to_table",
];

/// Checks the names that an alias gives to the columns of such a function.
///
/// # Errors
///
/// It names more columns than there are, or gives them types.
fn check_alias(call: &Call) -> Result<(), Error> {
    if !ONE_COLUMN.contains(&call.name.as_str()) {
        return Ok(());
    }
    let mut columns = call.alias.iter().flat_map(|alias| &alias.columns);
    if columns.any(|column| column.data_type.is_some()) {
        let message = "a column definition list is only allowed for functions returning \"record\"";
        return Err(Error::new(Code::SyntaxError, message)
            .with_hint("name the columns without types: AS t(a)"));
    }
    check_aliases(call.alias.as_ref(), 1 + usize::from(call.ordinality))
}

/// Names the column of a series of constant integers: the engine's own table function generates its
/// rows without building a list. Returns whether a table is such a series.
fn name_series(factor: &mut TableFactor, call: &Call) -> bool {
    let is_series = matches!(call.name.as_str(), "generate_series" | "range")
        && matches!(call.args.len(), 1..=3)
        && !call.ordinality
        && call.args.iter().all(is_integer);
    let TableFactor::Table { name, alias, .. } = factor else {
        return false;
    };
    if !is_series {
        return false;
    }
    // The engine finds its table functions by their exact names, and tools such as Superset write
    // all functions in capitals.
    *name = ObjectName::from(vec![Ident::new(&call.name)]);
    let columns = column_names(alias.as_ref(), &call.name, 1);
    *alias = Some(TableAlias {
        explicit: true,
        name: alias
            .as_ref()
            .map_or_else(|| Ident::new(&call.name), |alias| alias.name.clone()),
        columns: columns
            .into_iter()
            .map(|name| TableAliasColumnDef {
                name,
                data_type: None,
            })
            .collect(),
        at: None,
    });
    true
}

/// Returns the table of `pg_catalog` that a function is; `None` if it is none.
fn system_table(call: &Call) -> Result<Option<TableFactor>, Error> {
    let mut known = TABLE_FUNCTIONS.iter();
    if let Some((_, table)) = known.find(|(known, _)| *known == call.name) {
        return build::table("pg_catalog", table, call.alias.clone()).map(Some);
    }
    let Some(table) = table_of_call(&call.name) else {
        return Ok(None);
    };
    let alias = call.alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(&call.name),
        columns: vec![],
        at: None,
    });
    let table = match call.ordinality {
        true => numbered(&table, alias)?,
        false => build::table("pg_catalog", &table, Some(alias))?,
    };
    Ok(Some(table))
}

/// Builds the subquery that a call stands for.
fn subquery(call: Call) -> Result<TableFactor, Error> {
    let Call {
        name,
        args,
        ordinality,
        alias,
    } = call;
    if name.starts_with("json") || name == "aclexplode" {
        let columns = alias.as_ref().map_or(0, |alias| alias.columns.len());
        copies::check(&args, columns.max(acl::COLUMNS.len()))?;
    }
    if let Some(items) = records::in_from(&name, &args, alias.as_ref(), ordinality)? {
        return derived(items, alias, &name);
    }
    if let Some(items) = record(&name, &args, alias.as_ref()) {
        return derived(items, alias, &name);
    }
    let (lists, own_names, marks) = match json_columns(&name, &args, alias.as_ref()) {
        Some(json) => (json.lists, json.names, json.items),
        None => match rows_of(&name, args)? {
            Rows::Lists(lists) => (lists, vec![], vec![]),
            Rows::One(value) => {
                let columns = 1 + usize::from(ordinality);
                let names = column_names(alias.as_ref(), &name, columns).into_iter();
                let values = [*value, build::bigint(1)].into_iter();
                let items = values.zip(names);
                let items = items.map(|(value, name)| build::aliased(value, name));
                return derived(items.collect(), alias, &name);
            }
        },
    };
    let counts = match ordinality {
        true => Some(numbers_of(&name, &lists)?),
        false => None,
    };
    let columns = lists.len() + usize::from(ordinality);
    let mut names = column_names(alias.as_ref(), &name, columns);
    let given = alias.as_ref().map_or(0, |alias| alias.columns.len());
    if name == "unnest" && lists.len() > 1 {
        let own = names.iter_mut().enumerate().take(lists.len()).skip(given);
        for (place, own) in own {
            *own = name_of_unnest(place, given);
        }
    }
    for (name, own) in names.iter_mut().zip(own_names).skip(given) {
        *name = own;
    }
    let marks = marks
        .into_iter()
        .chain(std::iter::repeat_with(|| Item::AsIs));
    let unnested = lists
        .into_iter()
        .chain(counts)
        .zip(marks)
        .map(|(list, item)| item.of(list));
    let items = unnested
        .zip(&names)
        .map(|(expr, name)| build::aliased(expr, name.clone()))
        .collect();
    derived(items, alias, &name)
}

/// The rows of a function in FROM.
enum Rows {
    /// The items of lists, side by side.
    Lists(Vec<Expr>),
    /// A row with a value.
    One(Box<Expr>),
}

/// Returns the rows of a function that is not about JSON.
fn rows_of(name: &str, args: Vec<Expr>) -> Result<Rows, Error> {
    let list = match (name, args.as_slice()) {
        ("unnest", _) => return Ok(Rows::Lists(args)),
        ("generate_series" | "range", [_] | [_, _] | [_, _, _]) => {
            match args.iter().all(is_integer) {
                true => build::call(name, args),
                false => build::call(name, calls::series(args)?),
            }
        }
        ("regexp_matches", [_, _] | [_, _, _]) | ("pg_snapshot_xip" | "txid_snapshot_xip", [_]) => {
            build::call(name, args)
        }
        ("regexp_split_to_table", _) => build::call("regexp_split_to_array", args),
        ("string_to_table", _) => build::call("string_to_array", args),
        ("generate_subscripts", [array, dimension, reverse @ ..]) if reverse.len() < 2 => {
            calls::subscripts(array, dimension, reverse.first())?
        }
        // Any other function of the session is a table of one row, as in Postgres.
        _ => {
            let call = calls::call(name, &args)?;
            let value = call.unwrap_or_else(|| build::call(name, args));
            return Ok(Rows::One(Box::new(value)));
        }
    };
    Ok(Rows::Lists(vec![list]))
}

/// Returns the list of the numbers of the rows that lists make.
///
/// # Errors
///
/// A list is too large to be written twice.
fn numbers_of(function: &str, lists: &[Expr]) -> Result<Expr, Error> {
    // A long list of values has nothing within it.
    for list in lists.iter().filter(|list| !has_values_only(list)) {
        copies::check(list, 2)?;
    }
    let lengths = lists
        .iter()
        .map(|list| build::call("cardinality", vec![list.clone()]));
    let length = match lists {
        // Its items are arrays, all of whose items `cardinality` counts.
        [list] if function == "regexp_matches" => {
            build::call("array_length", vec![list.clone(), build::integer(1)])
        }
        [list] => build::call("cardinality", vec![list.clone()]),
        _ => build::call("greatest", lengths.collect()),
    };
    Ok(build::call(
        "generate_series",
        vec![build::bigint(1), length],
    ))
}

/// Builds a subquery of a table of `pg_catalog` that has one row at most, and of the row's number.
fn numbered(table: &str, alias: TableAlias) -> Result<TableFactor, Error> {
    let mut query = build::everything()?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        let number = build::aliased(build::bigint(1), Ident::new("ordinality"));
        select.projection.push(number);
        select.from.push(TableWithJoins {
            relation: build::table("pg_catalog", table, None)?,
            joins: vec![],
        });
    }
    Ok(TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(alias),
        sample: None,
    })
}

/// Returns the alias with the names of all columns; a single column has the name of the table.
fn alias_of_unnest(alias: Option<TableAlias>, count: usize) -> TableAlias {
    let mut alias = alias.unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new("unnest"),
        columns: vec![],
        at: None,
    });
    let given = alias.columns.len();
    for place in given..count {
        let name = match (count, place) {
            (1, _) => alias.name.clone(),
            (_, place) => name_of_unnest(place, given),
        };
        alias.columns.push(TableAliasColumnDef {
            name,
            data_type: None,
        });
    }
    alias
}

/// Returns the name of a column of several lists, which all are `unnest`. `given`: the number of
/// those before that have names of their own.
fn name_of_unnest(place: usize, given: usize) -> Ident {
    match place == given {
        true => Ident::new("unnest"),
        false => Ident::with_quote('"', apart_in_relation("unnest", place)),
    }
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

pub(super) fn derived(
    items: Vec<SelectItem>,
    alias: Option<TableAlias>,
    function: &str,
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

/// Returns whether an expression is a literal of an integer, possibly negative.
fn is_integer(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => {
            matches!(&value.value, Value::Number(number, _) if !number.contains('.'))
        }
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => is_integer(expr),
        _ => false,
    }
}

/// Returns whether a list is written with its values.
fn has_values_only(list: &Expr) -> bool {
    match list {
        Expr::Array(array) => {
            let mut items = array.elem.iter();
            items.all(|item| matches!(item, Expr::Value(_)))
        }
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
