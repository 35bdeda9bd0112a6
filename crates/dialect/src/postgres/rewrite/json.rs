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
//! json_build_array((x, y))          json_build_array($json_row('f1', x, 'f2', y))
//! (a -> b)::int                     $json_get(a, b)::numeric(38,19)::int, which rounds
//! row_to_json((SELECT e FROM (SELECT s.x AS a) AS e))   row_to_json($json_row('a', s.x)), as Hasura writes it
//! … FROM s LEFT JOIN t ON t.a = …   row_to_json($json_row('a', t.a, …, t.a IS NOT NULL))
//! ```
//!
//! `calls.rs` has what operators and functions become, `sets.rs` the functions that return rows,
//! `lambdas.rs` the operator `->` that the parser takes for a lambda. `marks.rs` marks expressions that
//! are JSON, `set_columns.rs` names the columns of `json_array_elements` in FROM, `named.rs` puts named
//! arguments into their places, and `one_row.rs` finds rows that subqueries make of their surroundings.
//!
//! This comes before all other rewriting, because of the operator `->`.

mod calls;
mod lambdas;
mod marks;
mod named;
mod one_row;
mod set_columns;
mod sets;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, LambdaFunction, Query, Select, SelectItem, SetExpr, Statement, TableAlias,
    TableFactor, Values, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Location;
use lakegate_sql::walk::walk_mut;

use self::calls::{called, function_of};
use self::lambdas::{WITH_LAMBDAS, parameter, restored};
use self::set_columns::SetColumns;
use self::sets::columns_of_rows;
pub(super) use self::sets::{SETS, each_of};
use super::expressions::native_operator;
use super::missing::{self, Missing};
use super::number_casts::is_integer;
use super::{build, comparisons, folded, last_part};
pub(super) use crate::postgres::functions::JSON_ROW as ROW;

/// Functions of a whole row.
pub(super) const OF_ROWS: &[&str] = &[
    "json_agg",
    "jsonb_agg",
    "row_to_json",
    "to_json",
    "to_jsonb",
];

/// Functions that make JSON of several values: the first argument that is a value, and the distance
/// to the next one.
const OF_VALUES: &[(&str, usize, usize)] = &[
    ("json_build_array", 0, 1),
    ("jsonb_build_array", 0, 1),
    ("json_build_object", 1, 2),
    ("jsonb_build_object", 1, 2),
    ("json_object_agg", 1, 2),
    ("jsonb_object_agg", 1, 2),
];

/// The digits of a number of JSON that is rounded to an integer: those of a `bigint`, and as many
/// behind the point.
const FRACTIONS: ExactNumberInfo = ExactNumberInfo::PrecisionAndScale(38, 19);

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
    /// Whether it has tables whose columns are not known here.
    has_others: bool,
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
    /// outer join may leave out its rows. `None` for a name that is, or may be, a column of a FROM
    /// within: a column comes before a row of the same name.
    fn relation(&self, name: &str) -> Option<(&[String], Option<&Missing>)> {
        for scope in self.scopes.iter().rev() {
            let mut rows = scope.rows.iter();
            if rows.any(|(_, columns)| columns.iter().any(|column| column == name)) {
                return None;
            }
            if let Some((_, columns)) = scope.rows.iter().find(|(known, _)| known == name) {
                return Some((columns.as_slice(), missing::find(&scope.missing, name)));
            }
            if scope.has_others {
                return None;
            }
        }
        None
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
        let Some((columns, missing)) = self.relation(&table) else {
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

/// Names the fields of the rows among the values that a function makes JSON of.
fn number_rows(function: &mut Function, name: &str) {
    let of_values = OF_VALUES.iter().find(|(known, ..)| *known == name);
    let (Some((_, first, step)), FunctionArguments::List(list)) = (of_values, &mut function.args)
    else {
        return;
    };
    for argument in list.args.iter_mut().skip(*first).step_by(*step) {
        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) = argument
            && let Some(parts) = comparisons::row(value)
        {
            *value = numbered(parts);
        }
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
        let rows: Vec<Option<Rows>> = factors.map(|factor| self.rows_of(factor)).collect();
        self.scopes.push(Scope {
            has_others: rows.iter().any(Option::is_none),
            rows: rows.into_iter().flatten().collect(),
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
            // The operators of JSON are among those that can be written so.
            Expr::BinaryOp { op, .. } => native_operator(op),
            Expr::Function(function) => {
                let name = last_part(&function.name).unwrap_or_default();
                named::place(function, &name);
                if OF_ROWS.contains(&name.as_str()) {
                    self.whole_row(function);
                }
                number_rows(function, &name);
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
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr: value,
                data_type,
                ..
            } if is_integer(data_type) && marks::is_jsonb(value) => {
                **value = build::cast(build::taken(value), DataType::Numeric(FRACTIONS));
            }
            _ => {}
        }
        marks::put(expr);
        ControlFlow::Continue(())
    }
}
