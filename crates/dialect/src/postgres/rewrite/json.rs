//! PostgreSQL's JSON syntax, rewritten to calls of `functions/json`.
//!
//! ```text
//! a -> b    a ->> b                 $json_get(a, b)    $json_get_text(a, b)
//! a #> b    a #>> b    a #- b       $json_get_path(a, b) …    jsonb_delete_path(a, b)
//! json_agg(x ORDER BY y)            $json_agg(array_agg($json_item(x) ORDER BY y))
//! json_object_agg(k, v)             $json_object_agg(array_agg(k), array_agg($json_item(v)))
//! json_array_elements(x)            $json_kept(unnest(json_array_elements(x)))
//! json_each(x)                      unnest($json_entries(x))
//! (json_each(x)).*                  (json_each(x)).key, (json_each(x)).value
//! row_to_json(t)                    row_to_json($json_row('a', t.a, 'b', t.b))
//! row_to_json(row(x, y))            row_to_json($json_row('f1', x, 'f2', y))
//! row_to_json((SELECT e FROM (SELECT s.x AS a) AS e))   row_to_json($json_row('a', s.x)), as Hasura writes it
//! … FROM s LEFT JOIN t ON t.a = …   row_to_json($json_row('a', t.a, …, t.a IS NOT NULL))
//! ```
//!
//! `marks.rs` marks expressions that are JSON, `set_columns.rs` names the columns of
//! `json_array_elements` in FROM, `named.rs` puts named arguments into their places, and `one_row.rs`
//! finds rows that subqueries make of their surroundings.
//!
//! This comes before all other rewriting: the parser reads `name -> 'key'` as a lambda, whose body
//! goes on as far as it can.

mod marks;
mod named;
mod one_row;
mod set_columns;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, LambdaFunction, LambdaSyntax, ObjectName, OneOrManyWithParens, Query,
    Select, SelectItem, SetExpr, Statement, TableAlias, TableFactor, Values, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use lakegate_sql::trino::fields_of;
use lakegate_sql::walk::walk_mut;

use self::set_columns::SetColumns;
use super::missing::{self, Missing};
use super::{build, comparisons, folded, functions::strip_schema, last_part};
pub(super) use crate::postgres::functions::JSON_ROW as ROW;

/// Functions whose arguments may be lambdas. So may those of functions whose names begin with `$`.
const WITH_LAMBDAS: &[&str] = &[
    "all_match",
    "any_match",
    "array_any_match",
    "array_filter",
    "array_sort",
    "array_transform",
    "filter",
    "list_any_match",
    "list_filter",
    "list_transform",
    "map_filter",
    "map_zip_with",
    "none_match",
    "reduce",
    "regexp_replace",
    "transform",
    "transform_keys",
    "transform_values",
    "zip_with",
];

/// Functions of a whole row.
pub(super) const OF_ROWS: &[&str] = &[
    "json_agg",
    "jsonb_agg",
    "row_to_json",
    "to_json",
    "to_jsonb",
];

/// Functions that return a row for each part of a value, with the mark of their rows.
pub(super) const SETS: &[(&str, Option<&str>)] = &[
    ("json_array_elements", Some("$json_kept")),
    ("json_array_elements_text", None),
    ("json_object_keys", None),
    ("jsonb_array_elements", Some("$jsonb_kept")),
    ("jsonb_array_elements_text", None),
    ("jsonb_object_keys", None),
];

/// Functions that return a row of a key and a value for each member of an object, and the functions of
/// the lists of these.
const ENTRIES: &[(&str, &str)] = &[
    ("json_each", "$json_entries"),
    ("json_each_text", "$json_entries_text"),
    ("jsonb_each", "$jsonb_entries"),
    ("jsonb_each_text", "$jsonb_entries_text"),
];

/// Returns the function of the rows that `json_each` and its like return.
fn entries_of(name: &str) -> Option<&'static str> {
    let mut known = ENTRIES.iter();
    known.find_map(|(each, entries)| (*each == name).then_some(*entries))
}

/// Returns the function whose rows are those of such a list.
pub(super) fn each_of(name: &str) -> Option<&'static str> {
    let mut known = ENTRIES.iter();
    known.find_map(|(each, entries)| (*entries == name).then_some(*each))
}

/// Returns the columns of `(json_each(x)).*`.
fn columns_of_rows(item: &SelectItem) -> Option<[SelectItem; 2]> {
    let SelectItem::UnnamedExpr(expr) = item else {
        return None;
    };
    let [row] = fields_of(expr)? else {
        return None;
    };
    let row = build::argument(row)?;
    let mut called = &row;
    while let Expr::Nested(inner) = called {
        called = inner;
    }
    match called {
        Expr::Function(function) => entries_of(&last_part(&function.name)?)?,
        _ => return None,
    };
    Some(["key", "value"].map(|name| {
        let field = Expr::CompoundFieldAccess {
            root: Box::new(build::nested(called.clone())),
            access_chain: vec![AccessExpr::Dot(Expr::Identifier(Ident::new(name)))],
        };
        build::aliased(field, Ident::new(name))
    }))
}

/// Rewrites the JSON operators and functions of a statement.
pub fn rewrite_json(statement: &mut Statement) {
    let mut syntax = JsonSyntax::default();
    let _ = walk_mut(statement, &mut syntax);
}

/// A name in FROM, and its columns.
type Rows = (String, Vec<String>);

/// The FROM of a SELECT.
struct Scope {
    rows: Vec<Rows>,
    missing: Vec<Missing>,
}

#[derive(Default)]
struct JsonSyntax {
    /// Where the parameters of lambdas are that stay lambdas.
    lambdas: HashSet<Location>,
    common_tables: Vec<Rows>,
    scopes: Vec<Scope>,
    set_columns: SetColumns,
}

impl JsonSyntax {
    fn is_lambda(&self, lambda: &LambdaFunction) -> bool {
        parameter(lambda).is_none_or(|name| self.lambdas.contains(&name.span.start))
    }

    /// Returns the columns of a name in the FROM of a SELECT or of those around it, and whether an
    /// outer join may leave out its rows.
    fn relation(&self, name: &str) -> Option<(&[String], Option<&Missing>)> {
        self.scopes.iter().rev().find_map(|scope| {
            let (_, columns) = scope.rows.iter().find(|(known, _)| known == name)?;
            Some((columns.as_slice(), missing::find(&scope.missing, name)))
        })
    }

    fn rows_of(&self, factor: &TableFactor) -> Option<Rows> {
        match factor {
            TableFactor::Derived {
                subquery,
                alias: Some(alias),
                ..
            } => Some((folded(&alias.name), named(subquery, Some(alias))?)),
            TableFactor::Table {
                name,
                args: None,
                alias,
                ..
            } => {
                let [name] = name.0.as_slice() else {
                    return None;
                };
                let name = folded(name.as_ident()?);
                let mut known = self.common_tables.iter().rev();
                let (_, columns) = known.find(|(table, _)| *table == name)?;
                match alias {
                    Some(alias) => Some((folded(&alias.name), renamed(columns, alias)?)),
                    None => Some((name, columns.clone())),
                }
            }
            _ => None,
        }
    }

    /// Replaces the argument of a function that is the name of a table by a row of its columns, and
    /// names the fields of one that is a row.
    fn whole_row(&self, function: &mut Function) {
        let FunctionArguments::List(list) = &mut function.args else {
            return;
        };
        let [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))] = list.args.as_mut_slice()
        else {
            return;
        };
        if let Some(parts) = comparisons::row(argument) {
            *argument = numbered(parts);
            return;
        }
        if let Some(fields) = one_row::fields(argument) {
            *argument = build::call(ROW, fields);
            return;
        }
        let Expr::Identifier(name) = argument else {
            return;
        };
        let table = folded(name);
        // A column comes before a row of the same name.
        let Some((columns, missing)) = self
            .relation(&table)
            .filter(|(columns, _)| !columns.contains(&table))
        else {
            return;
        };
        let column = |name: &str| build::column(&table, name);
        let is_there = missing.and_then(|missing| missing.is_there(columns, column));
        let fields = columns
            .iter()
            .flat_map(|name| [build::text(name.clone()), column(name)]);
        *argument = build::call(ROW, fields.chain(is_there).collect());
    }
}

/// Returns a row whose fields have PostgreSQL's names, as rows in it have.
fn numbered(parts: Vec<Expr>) -> Expr {
    let fields = parts.into_iter().enumerate().flat_map(|(place, part)| {
        let part = comparisons::row(&part).map_or(part, numbered);
        [build::text(format!("f{}", place + 1)), part]
    });
    build::call(ROW, fields.collect())
}

/// Returns the names of a query's columns; `None` if one has no name of its own.
fn named(query: &Query, alias: Option<&TableAlias>) -> Option<Vec<String>> {
    let mut body = query.body.as_ref();
    let select = loop {
        body = match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(query) => query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => left,
            _ => return None,
        };
    };
    let names: Vec<String> = select
        .projection
        .iter()
        .map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(folded(name)),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(names)) => names.last().map(folded),
            _ => None,
        })
        .collect::<Option<_>>()?;
    match alias {
        Some(alias) => renamed(&names, alias),
        None => Some(names),
    }
}

/// Returns the names of columns, the first of which an alias may change.
fn renamed(columns: &[String], alias: &TableAlias) -> Option<Vec<String>> {
    let given = alias.columns.iter().map(|column| folded(&column.name));
    let rest = columns.get(alias.columns.len()..)?;
    Some(given.chain(rest.iter().cloned()).collect())
}

/// Casts the literals of a column of VALUES to JSON if another row has a cast to it there.
fn cast_alike(values: &mut Values) {
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for place in 0..width {
        let cells = values.rows.iter().filter_map(|row| row.content.get(place));
        let mut casts = cells.filter(|cell| is_json_cast(cell));
        let Some(cast) = casts.next().cloned() else {
            continue;
        };
        for row in &mut values.rows {
            if let Some(cell) = row.content.get_mut(place)
                && matches!(cell, Expr::Value(_))
            {
                let mut alike = cast.clone();
                if let Expr::Cast { expr, .. } = &mut alike {
                    **expr = build::taken(cell);
                    *cell = alike;
                }
            }
        }
    }
}

fn is_json_cast(cell: &Expr) -> bool {
    matches!(
        cell,
        Expr::Cast {
            data_type: DataType::JSON | DataType::JSONB,
            ..
        }
    )
}

/// Returns the only parameter of a lambda with an arrow and no parentheses.
fn parameter(lambda: &LambdaFunction) -> Option<&Ident> {
    match (&lambda.params, &lambda.syntax) {
        (OneOrManyWithParens::One(parameter), LambdaSyntax::Arrow)
            if parameter.data_type.is_none() =>
        {
            Some(&parameter.name)
        }
        _ => None,
    }
}

/// Returns whether an operator binds no more tightly than `->`.
fn is_loose(op: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    !matches!(
        op,
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::PGExp
    )
}

/// Returns the left operand of an expression that binds no more tightly than `->`.
fn left_of(expr: &mut Expr) -> Option<&mut Expr> {
    match expr {
        Expr::BinaryOp { left, op, .. } if is_loose(op) => Some(left),
        Expr::IsNull(left)
        | Expr::IsNotNull(left)
        | Expr::IsTrue(left)
        | Expr::IsNotTrue(left)
        | Expr::IsFalse(left)
        | Expr::IsNotFalse(left)
        | Expr::IsDistinctFrom(left, _)
        | Expr::IsNotDistinctFrom(left, _)
        | Expr::AnyOp { left, .. }
        | Expr::AllOp { left, .. } => Some(left),
        Expr::Between { expr, .. }
        | Expr::Like { expr, .. }
        | Expr::ILike { expr, .. }
        | Expr::SimilarTo { expr, .. }
        | Expr::InList { expr, .. }
        | Expr::InSubquery { expr, .. } => Some(expr),
        _ => None,
    }
}

/// Rewrites `name -> body`, read as a lambda, to the operator on the first operand of the body.
fn restored(lambda: &mut LambdaFunction) -> Option<Expr> {
    let name = parameter(lambda)?.clone();
    let mut body = build::taken(lambda.body.as_mut());
    let (mut depth, mut next) = (0usize, &mut body);
    while let Some(left) = left_of(next) {
        depth += 1;
        next = left;
    }
    let mut operand = &mut body;
    for _ in 0..depth {
        operand = left_of(operand)?;
    }
    let right = build::taken(operand);
    *operand = Expr::BinaryOp {
        left: Box::new(Expr::Identifier(name)),
        op: BinaryOperator::Arrow,
        right: Box::new(right),
    };
    Some(body)
}

/// Returns the function that an operator calls.
fn function_of(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Arrow => "$json_get",
        BinaryOperator::LongArrow => "$json_get_text",
        BinaryOperator::HashArrow => "$json_get_path",
        BinaryOperator::HashLongArrow => "$json_get_path_text",
        BinaryOperator::HashMinus => "jsonb_delete_path",
        BinaryOperator::Question => "jsonb_exists",
        BinaryOperator::QuestionPipe => "jsonb_exists_any",
        BinaryOperator::QuestionAnd => "jsonb_exists_all",
        BinaryOperator::AtQuestion => "jsonb_path_exists_opr",
        BinaryOperator::AtAt => "jsonb_path_match_opr",
        _ => return None,
    })
}

/// Returns `array_agg` of one argument of an aggregate, which a function may make an item of.
fn gathered(function: &Function, place: usize, item: Option<&str>) -> Option<Expr> {
    let mut call = function.clone();
    call.name = ObjectName::from(vec![Ident::new("array_agg")]);
    let FunctionArguments::List(list) = &mut call.args else {
        return None;
    };
    let argument = build::argument(list.args.get(place)?)?;
    let argument = match item {
        Some(item) => build::call(item, vec![argument]),
        None => argument,
    };
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))];
    Some(Expr::Function(call))
}

fn arguments_of(function: &Function) -> usize {
    match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        _ => 0,
    }
}

/// Returns the replacement of a call, or `None` if it stays unchanged.
fn called(function: &mut Function) -> Option<Expr> {
    let name = strip_schema(&mut function.name)?;
    let lists = |helper: &str, lists: Vec<Option<Expr>>| {
        let lists: Option<Vec<Expr>> = lists.into_iter().collect();
        Some(build::call(helper, lists?))
    };
    match (name.as_str(), arguments_of(function)) {
        ("json_agg", 1) => lists("$json_agg", vec![gathered(function, 0, Some("$json_item"))]),
        ("jsonb_agg", 1) => lists(
            "$jsonb_agg",
            vec![gathered(function, 0, Some("$jsonb_item"))],
        ),
        ("json_object_agg", 2) => lists(
            "$json_object_agg",
            vec![
                gathered(function, 0, None),
                gathered(function, 1, Some("$json_item")),
            ],
        ),
        ("jsonb_object_agg", 2) => lists(
            "$jsonb_object_agg",
            vec![
                gathered(function, 0, None),
                gathered(function, 1, Some("$jsonb_item")),
            ],
        ),
        (each, 1) if let Some(entries) = entries_of(each) => {
            function.name = ObjectName::from(vec![Ident::with_quote('"', entries)]);
            Some(build::call(
                "unnest",
                vec![Expr::Function(function.clone())],
            ))
        }
        ("jsonb_path_query" | "jsonb_path_query_tz", 2..=4) => {
            let rows = build::call("unnest", vec![Expr::Function(function.clone())]);
            Some(build::call("$jsonb_kept", vec![rows]))
        }
        (set, 1) => {
            let (_, mark) = SETS.iter().find(|(known, _)| *known == set)?;
            let rows = build::call("unnest", vec![Expr::Function(function.clone())]);
            Some(match mark {
                Some(mark) => build::call(mark, vec![rows]),
                None => rows,
            })
        }
        _ => None,
    }
}

impl VisitorMut for JsonSyntax {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Values(values) = query.body.as_mut() {
            cast_alike(values);
        }
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            if let Some(columns) = named(&table.query, Some(&table.alias)) {
                self.common_tables
                    .push((folded(&table.alias.name), columns));
            }
        }
        self.set_columns.enter_query(query);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.set_columns.leave();
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let factors = select.from.iter().flat_map(|table| {
            std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
        });
        let rows = factors.filter_map(|factor| self.rows_of(factor)).collect();
        self.scopes.push(Scope {
            rows,
            missing: missing::tables(&select.from),
        });
        let items = std::mem::take(&mut select.projection).into_iter();
        let items = items.flat_map(|item| match columns_of_rows(&item) {
            Some(columns) => Vec::from(columns),
            None => vec![item],
        });
        select.projection = items.collect();
        self.set_columns.enter_select(select);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, _: &mut Select) -> ControlFlow<()> {
        self.scopes.pop();
        self.set_columns.leave();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Function(function) => {
                let name = last_part(&function.name).unwrap_or_default();
                named::place(function, &name);
                if OF_ROWS.contains(&name.as_str()) {
                    self.whole_row(function);
                }
                if (name.starts_with('$') || WITH_LAMBDAS.contains(&name.as_str()))
                    && let FunctionArguments::List(list) = &function.args
                {
                    let lambdas = list.args.iter().filter_map(|argument| match argument {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Lambda(lambda))) => {
                            parameter(lambda)
                        }
                        _ => None,
                    });
                    self.lambdas.extend(lambdas.map(|name| name.span.start));
                }
            }
            Expr::Lambda(lambda) if !self.is_lambda(lambda) => {
                if let Some(operator) = restored(lambda) {
                    *expr = operator;
                }
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                if let Some(column) = self.set_columns.column(expr) {
                    *expr = column;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::BinaryOp { left, op, right } => {
                if let Some(function) = function_of(op) {
                    let args = [left, right].map(|side| build::taken(side));
                    *expr = build::call(function, args.into());
                }
            }
            Expr::Function(function) => {
                if let Some(replacement) = called(function) {
                    *expr = replacement;
                }
            }
            _ => {}
        }
        marks::put(expr);
        ControlFlow::Continue(())
    }
}
