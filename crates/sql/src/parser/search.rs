//! SEARCH and CYCLE of a query in WITH RECURSIVE: columns that order its rows, and that find cycles.
//!
//! sqlparser does not know the clauses, so they are read from the tokens and become keys of an ORDER
//! BY, which a recursive query does not have:
//!
//! ```text
//! WITH RECURSIVE t AS (q) SEARCH DEPTH FIRST BY a SET o     … (q ORDER BY "$search"('depth', o, a))
//! … (q) CYCLE a SET c TO v DEFAULT w USING p                … (q ORDER BY "$cycle"(c, p, v, w, a))
//! ```
//!
//! Then the columns are added to both sides of the UNION, as PostgreSQL's documentation of the clauses
//! describes:
//!
//! ```text
//!                    l UNION ALL SELECT x AS a FROM g, t
//! SEARCH DEPTH …     SELECT l.*, ARRAY[ROW(a)] FROM l UNION ALL SELECT x AS a, t.o || ROW(x) FROM g, t
//! SEARCH BREADTH …   SELECT l.*, ROW(0, a) FROM l UNION ALL SELECT x AS a, ROW(t.o.c0 + 1, x) FROM g, t
//! CYCLE …            SELECT l.*, w, ARRAY[ROW(a)] FROM l UNION ALL
//!                    SELECT x AS a, CASE WHEN ROW(x) = ANY(t.p) THEN v ELSE w END, t.p || ROW(x)
//!                    FROM g, t WHERE t.c <> v
//! ```
//!
//! [`stars`] has recursive parts with a `*`.

mod stars;
mod tokens;

use std::collections::HashMap;
use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Cte, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectNamePart, OrderByKind, Query, Select, SelectItem, SetExpr, SetOperator,
    TableAliasColumnDef, TableFactor, Value, VisitorMut, With,
};

pub(super) use self::tokens::marked;
use super::query;
use crate::ast::Unsupported;
use crate::walk::walk_mut;

/// The calls that stand for the clauses.
const SEARCH: &str = "$search";
const CYCLE: &str = "$cycle";

/// The clauses of a query, with names as written.
#[derive(Default)]
struct Clauses {
    search: Option<Search>,
    cycle: Option<Cycle>,
}

struct Search {
    is_breadth: bool,
    column: Ident,
    by: Vec<Ident>,
}

struct Cycle {
    mark: Ident,
    path: Ident,
    /// Of the mark where a cycle was found, and elsewhere.
    value: Expr,
    default: Expr,
    of: Vec<Ident>,
}

/// Adds the columns of the clauses to the queries of a WITH.
///
/// # Errors
///
/// A query has such a clause and is not recursive, or of another form than the clauses need.
pub(super) fn expand(with: &mut With) -> Result<(), Unsupported> {
    let is_recursive = with.recursive;
    for cte in &mut with.cte_tables {
        let Some(clauses) = taken(&mut cte.query) else {
            continue;
        };
        if !is_recursive {
            return Err(refused("of a query that is not recursive"));
        }
        add(cte, &clauses)?;
    }
    Ok(())
}

fn refused(where_it_is: &str) -> Unsupported {
    Unsupported {
        what: format!("SEARCH or CYCLE {where_it_is}"),
        nearest: Some(
            "WITH RECURSIVE t (a, ..) AS (SELECT .. UNION ALL SELECT .. FROM t, ..) with all columns written out"
                .to_owned(),
        ),
    }
}

/// Takes the clauses out of the ORDER BY of a query.
fn taken(query: &mut Query) -> Option<Clauses> {
    let order = query.order_by.take_if(|order| match &order.kind {
        OrderByKind::Expressions(keys) => keys.iter().any(|key| called(&key.expr).is_some()),
        OrderByKind::All(_) => false,
    })?;
    let OrderByKind::Expressions(keys) = order.kind else {
        return None;
    };
    let mut clauses = Clauses::default();
    for key in keys {
        let Expr::Function(function) = key.expr else {
            continue;
        };
        match name_of(&function) {
            Some(SEARCH) => clauses.search = search_of(arguments(&function)),
            Some(CYCLE) => clauses.cycle = cycle_of(arguments(&function)),
            _ => {}
        }
    }
    Some(clauses)
}

fn name_of(function: &Function) -> Option<&str> {
    match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => Some(name.value.as_str()),
        _ => None,
    }
}

fn called(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Function(function) => {
            name_of(function).filter(|name| matches!(*name, SEARCH | CYCLE))
        }
        _ => None,
    }
}

fn arguments(function: &Function) -> Vec<Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    let arguments = list.args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    arguments.collect()
}

fn idents(expressions: &[Expr]) -> Vec<Ident> {
    let idents = expressions.iter().filter_map(|expr| match expr {
        Expr::Identifier(ident) => Some(ident.clone()),
        _ => None,
    });
    idents.collect()
}

fn search_of(arguments: Vec<Expr>) -> Option<Search> {
    let (order, names) = arguments.split_first()?;
    let is_breadth = matches!(order, Expr::Value(value)
        if matches!(&value.value, Value::SingleQuotedString(order) if order == "breadth"));
    let names = idents(names);
    let (column, by) = names.split_first()?;
    Some(Search {
        is_breadth,
        column: column.clone(),
        by: by.to_vec(),
    })
}

fn cycle_of(arguments: Vec<Expr>) -> Option<Cycle> {
    let [
        Expr::Identifier(mark),
        Expr::Identifier(path),
        value,
        default,
        of @ ..,
    ] = arguments.as_slice()
    else {
        return None;
    };
    Some(Cycle {
        mark: mark.clone(),
        path: path.clone(),
        value: value.clone(),
        default: default.clone(),
        of: idents(of),
    })
}

/// The name of the first side of the UNION, while columns are added to it.
const FIRST: &str = "searched";

fn add(cte: &mut Cte, clauses: &Clauses) -> Result<(), Unsupported> {
    let SetExpr::SetOperation {
        op: SetOperator::Union,
        left,
        right,
        ..
    } = cte.query.body.as_mut()
    else {
        return Err(refused("of a query that is no UNION"));
    };
    let SetExpr::Select(recursive) = right.as_mut() else {
        return Err(refused("where the recursive part is no SELECT"));
    };
    let named = &cte.alias.columns;
    let columns: Option<Vec<Ident>> = match named.is_empty() {
        true => output_names(left),
        false => Some(named.iter().map(|column| column.name.clone()).collect()),
    };
    let columns = columns.ok_or_else(|| refused("of columns without names"))?;
    let itself = reference(recursive, &cte.alias.name)
        .ok_or_else(|| refused("where the recursive part does not read the query in its FROM"))?;
    stars::write_out(recursive, &itself, &columns)?;
    let new = clauses.search.iter().map(|search| &search.column);
    let new = new.chain(
        clauses
            .cycle
            .iter()
            .flat_map(|cycle| [&cycle.mark, &cycle.path]),
    );
    let new: Vec<Ident> = new.cloned().collect();
    let items: Option<Vec<Expr>> = recursive.projection.iter().map(expr_of).collect();
    let (itself, items) = match items {
        Some(items) => (itself, items),
        None => {
            let items = stars::enclose(recursive, &itself, &columns, &new)?;
            (Ident::with_quote('"', stars::FOUND), items)
        }
    };
    if items.len() != columns.len() {
        return Err(refused("where the recursive part has other columns"));
    }

    let texts = Texts::of(clauses, &columns)?;
    let of_itself = |column: &Ident| Expr::CompoundIdentifier(vec![itself.clone(), column.clone()]);
    let mut values: HashMap<String, Expr> = HashMap::new();
    if let Some(search) = &clauses.search {
        values.insert("$ord".to_owned(), of_itself(&search.column));
    }
    if let Some(cycle) = &clauses.cycle {
        values.insert("$mark".to_owned(), of_itself(&cycle.mark));
        values.insert("$path".to_owned(), of_itself(&cycle.path));
        values.insert("$value".to_owned(), cycle.value.clone());
        values.insert("$default".to_owned(), cycle.default.clone());
    }
    let of_first = |column: &Ident| {
        let first = Ident::with_quote('"', FIRST);
        Expr::CompoundIdentifier(vec![first, column.clone()])
    };
    let mut of_left = values.clone();
    let mut of_right = values;
    for (place, (column, item)) in columns.iter().zip(items).enumerate() {
        of_left.insert(format!("${place}"), of_first(column));
        of_right.insert(format!("${place}"), Expr::Nested(Box::new(item)));
    }

    let first = extended(left, &columns, made(&texts.left, &of_left)?)?;
    **left = first;
    let added = made(&texts.right, &of_right)?;
    recursive
        .projection
        .extend(added.into_iter().map(SelectItem::UnnamedExpr));
    for condition in made(&texts.conditions, &of_right)? {
        let condition = Expr::Nested(Box::new(condition));
        recursive.selection = Some(match recursive.selection.take() {
            Some(before) => Expr::BinaryOp {
                left: Box::new(Expr::Nested(Box::new(before))),
                op: BinaryOperator::And,
                right: Box::new(condition),
            },
            None => condition,
        });
    }
    cte.alias.columns = columns.into_iter().chain(new).map(definition).collect();
    Ok(())
}

fn definition(name: Ident) -> TableAliasColumnDef {
    TableAliasColumnDef {
        name,
        data_type: None,
    }
}

fn expr_of(item: &SelectItem) -> Option<Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            Some(expr.clone())
        }
        _ => None,
    }
}

/// Returns the names of the columns of a SELECT; `None` if they are not all written.
fn output_names(body: &SetExpr) -> Option<Vec<Ident>> {
    let SetExpr::Select(select) = body else {
        return None;
    };
    let names = select.projection.iter().map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        _ => None,
    });
    names.collect()
}

/// Returns the name of the query itself in the FROM of its recursive part.
fn reference(recursive: &Select, name: &Ident) -> Option<Ident> {
    let tables = recursive.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    tables.into_iter().find_map(|table| match table {
        TableFactor::Table {
            name: named,
            alias,
            args: None,
            ..
        } => match named.0.as_slice() {
            [ObjectNamePart::Identifier(named)]
                if named.value.eq_ignore_ascii_case(&name.value) =>
            {
                Some(alias.as_ref().map_or(named, |alias| &alias.name).clone())
            }
            _ => None,
        },
        _ => None,
    })
}

/// The expressions that are added to both sides, and the conditions of the recursive one. Names that
/// begin with `$` stand for values.
#[derive(Default)]
struct Texts {
    left: Vec<String>,
    right: Vec<String>,
    conditions: Vec<String>,
}

impl Texts {
    fn of(clauses: &Clauses, columns: &[Ident]) -> Result<Self, Unsupported> {
        let list = |names: &[Ident]| -> Result<String, Unsupported> {
            let places = names.iter().map(|name| {
                let is_it = |column: &Ident| column.value.eq_ignore_ascii_case(&name.value);
                let place = columns.iter().position(is_it);
                let place = place.map(|place| format!("\"${place}\""));
                place.ok_or_else(|| refused(&format!("by \"{}\", which is no column", name.value)))
            });
            let places: Vec<String> = places.collect::<Result<_, _>>()?;
            Ok(places.join(", "))
        };
        let mut texts = Self::default();
        if let Some(search) = &clauses.search {
            let by = list(&search.by)?;
            let (left, right) = match search.is_breadth {
                true => (
                    format!("ROW(0, {by})"),
                    format!("ROW(get_field(\"$ord\", 'c0') + 1, {by})"),
                ),
                false => (
                    format!("ARRAY[ROW({by})]"),
                    format!("\"$ord\" || ROW({by})"),
                ),
            };
            texts.left.push(left);
            texts.right.push(right);
        }
        if let Some(cycle) = &clauses.cycle {
            let of = list(&cycle.of)?;
            // To the engine conditions may be NULL, which a column that never is would not take.
            texts.left.push("nullif(\"$default\", NULL)".to_owned());
            texts.left.push(format!("ARRAY[ROW({of})]"));
            texts.right.push(format!(
                "CASE WHEN ROW({of}) = ANY(\"$path\") THEN \"$value\" ELSE \"$default\" END"
            ));
            texts.right.push(format!("\"$path\" || ROW({of})"));
            texts.conditions.push("\"$mark\" <> \"$value\"".to_owned());
        }
        Ok(texts)
    }
}

/// Returns the expressions of texts, with values in place of the names that stand for them.
fn made(texts: &[String], values: &HashMap<String, Expr>) -> Result<Vec<Expr>, Unsupported> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    let mut select = select_of(&format!("SELECT {}", texts.join(", ")))?;
    // The visitor never breaks.
    let _: ControlFlow<()> = walk_mut(&mut select.projection, &mut Filled { values });
    Ok(select.projection.iter().filter_map(expr_of).collect())
}

fn select_of(sql: &str) -> Result<Box<Select>, Unsupported> {
    let parsed = query::of_text(sql).map_err(|error| Unsupported {
        what: format!("SEARCH or CYCLE: {error}"),
        nearest: None,
    })?;
    match *parsed.body {
        SetExpr::Select(select) => Ok(select),
        _ => Err(refused("here")),
    }
}

struct Filled<'a> {
    values: &'a HashMap<String, Expr>,
}

impl VisitorMut for Filled<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Identifier(name) = expr
            && let Some(value) = self.values.get(&name.value)
        {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}

/// Returns `SELECT searched.*, added FROM (first) AS searched (columns)`.
fn extended(
    first: &mut SetExpr,
    columns: &[Ident],
    added: Vec<Expr>,
) -> Result<SetExpr, Unsupported> {
    let mut select = select_of(&format!("SELECT {FIRST}.* FROM (SELECT 1) AS {FIRST}"))?;
    select
        .projection
        .extend(added.into_iter().map(SelectItem::UnnamedExpr));
    for table in &mut select.from {
        if let TableFactor::Derived {
            subquery,
            alias: Some(alias),
            ..
        } = &mut table.relation
        {
            std::mem::swap(subquery.body.as_mut(), first);
            alias.columns = columns.iter().cloned().map(definition).collect();
        }
    }
    Ok(SetExpr::Select(select))
}

#[cfg(test)]
mod tests;
