//! What PostgreSQL calls the columns of a query, and names that tell columns apart which it calls alike.
//!
//! The engine wants the names of a relation's columns to differ. So the second `a` of `SELECT 1 AS a, 2 AS a` is called
//! [`apart`] while a query is planned, which no statement writes, and shown as what it [`shown`] is.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, DataType, Expr, Ident, Query, SelectItem, SetExpr,
};

use super::folded;

/// What an expression is called that has no name.
const UNNAMED: &str = "?column?";

/// Stands between a name and what tells it apart. It has no width.
const APART: char = '\u{2063}';

/// The name of the column in this place of a list, where another has the name already.
pub fn apart(name: &str, place: usize) -> String {
    format!("{}{APART}:{place}", shown(name))
}

/// The same of a relation in FROM: a list above it may tell its own columns apart.
pub fn apart_in_relation(name: &str, place: usize) -> String {
    format!("{}{APART}::{place}", shown(name))
}

/// The name as PostgreSQL has it.
pub fn shown(name: &str) -> &str {
    match name.rsplit_once(APART) {
        Some((shown, told)) if told.starts_with(':') => shown,
        _ => name,
    }
}

/// Whether a relation in FROM has several columns of the name.
pub fn is_apart_in_relation(name: &str) -> bool {
    name.rsplit_once(APART)
        .is_some_and(|(_, told)| told.starts_with("::"))
}

/// Whether the name was told apart from another.
pub fn is_apart(name: &str) -> bool {
    shown(name).len() < name.len()
}

/// The names of a query's columns, as far as it says them: those of `*` are its tables'.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputNames {
    /// Of the first columns: up to the first `*`.
    pub first: Vec<String>,
    /// Of the last ones: from the last `*` on, if there is one.
    pub last: Option<Vec<String>>,
}

impl OutputNames {
    /// Of a query as it is written: the rewrite for the planner comes after.
    pub fn of(query: &Query) -> Option<Self> {
        let items = items_of(&query.body)?;
        let names: Vec<Option<String>> = items.iter().map(item_name).collect();
        let first: Vec<String> = names.iter().map_while(Clone::clone).collect();
        let has_star = first.len() < names.len();
        let last = names.iter().rev().map_while(Clone::clone);
        let last = has_star.then(|| last.collect::<Vec<_>>().into_iter().rev().collect());
        Some(Self { first, last })
    }

    /// Whether a query of so many columns may have these names.
    pub fn fit(&self, count: usize) -> bool {
        match &self.last {
            None => self.first.len() == count,
            Some(last) => self.first.len() + last.len() <= count,
        }
    }

    /// How many columns have a name, of those that are known.
    pub fn count(&self, name: &str) -> usize {
        let names = self.first.iter().chain(self.last.iter().flatten());
        names.filter(|known| *known == name).count()
    }

    /// The name in a place of `count`; `None` of a column of `*`.
    pub fn get(&self, place: usize, count: usize) -> Option<&str> {
        let last = self.last.as_deref().unwrap_or_default();
        let name = match place.checked_sub(count.saturating_sub(last.len())) {
            Some(place) => last.get(place),
            None => self.first.get(place),
        };
        name.map(String::as_str)
    }
}

/// The list of the first SELECT, whose names are those of a UNION too.
fn items_of(body: &SetExpr) -> Option<&[SelectItem]> {
    let mut body = body;
    loop {
        body = match body {
            SetExpr::Select(select) => return Some(&select.projection),
            SetExpr::SetOperation { left, .. } => left,
            SetExpr::Query(query) => &query.body,
            _ => return None,
        };
    }
}

/// The name of a column; `None` of `*`.
pub fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) => Some(name_of(expr)),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// PostgreSQL's name of an expression (FigureColname of its parse_target.c).
fn name_of(expr: &Expr) -> String {
    figured(expr).map_or_else(|| UNNAMED.to_owned(), |(name, _)| name)
}

/// The name with whether it is a better one than that of a type around it.
fn figured(expr: &Expr) -> Option<(String, bool)> {
    let good = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(ident) => good(&folded(ident)),
        Expr::CompoundIdentifier(parts) => good(&parts.last().map(folded)?),
        Expr::Function(function) => good(&function.name.0.last()?.as_ident()?.value.to_lowercase()),
        Expr::CompoundFieldAccess { root, access_chain } => {
            let field = access_chain.iter().rev().find_map(|access| match access {
                AccessExpr::Dot(Expr::Identifier(field)) => Some(folded(field)),
                _ => None,
            });
            match field {
                Some(field) => good(&field),
                None => figured(root),
            }
        }
        Expr::Nested(inner) | Expr::Collate { expr: inner, .. } => figured(inner),
        Expr::Cast {
            expr, data_type, ..
        } => match figured(expr) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_name(data_type), false)),
        },
        Expr::TypedString(typed) => Some((type_name(&typed.data_type), false)),
        Expr::Case { else_result, .. } => match else_result.as_deref().and_then(figured) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".to_owned(), false)),
        },
        Expr::Exists { .. } => good("exists"),
        Expr::Subquery(query) => match items_of(&query.body)?.first()? {
            SelectItem::UnnamedExpr(expr) => figured(expr),
            SelectItem::ExprWithAlias { alias, .. } => good(&folded(alias)),
            _ => None,
        },
        Expr::Array(_) => good("array"),
        Expr::Tuple(parts) if parts.len() > 1 => good("row"),
        Expr::Interval(_) => Some(("interval".to_owned(), false)),
        Expr::AtTimeZone { .. } => good("timezone"),
        Expr::Extract { .. } => good("extract"),
        Expr::Substring { .. } => good("substring"),
        Expr::Overlay { .. } => good("overlay"),
        Expr::Position { .. } => good("position"),
        Expr::Trim { .. } => good("btrim"),
        Expr::Floor { .. } => good("floor"),
        Expr::Ceil { .. } => good("ceil"),
        _ => None,
    }
}

fn type_name(data_type: &DataType) -> String {
    use DataType as T;
    match data_type {
        T::Int(_) | T::Integer(_) | T::Int4(_) => "int4".to_owned(),
        T::BigInt(_) | T::Int8(_) => "int8".to_owned(),
        T::SmallInt(_) | T::Int2(_) => "int2".to_owned(),
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float(_) => "float8".to_owned(),
        T::Real | T::Float4 => "float4".to_owned(),
        T::Boolean | T::Bool => "bool".to_owned(),
        T::Decimal(_) | T::Numeric(_) => "numeric".to_owned(),
        T::Timestamp(..) => "timestamp".to_owned(),
        other => other
            .to_string()
            .split(['(', ' '])
            .next()
            .unwrap_or(UNNAMED)
            .to_lowercase(),
    }
}

/// Marks in a list of aliases, where [`encoded`] stands.
const FIRST: &str = "\u{2063}first:";
const STAR: &str = "\u{2063}*";
const LAST: &str = "\u{2063}last:";

/// The names as aliases of a relation's columns behind those that are written, for the planner of relations.
pub fn encoded(names: &OutputNames) -> Vec<Ident> {
    let quoted = |mark: &str, name: &str| Ident::with_quote('"', format!("{mark}{name}"));
    let first = names.first.iter().map(|name| quoted(FIRST, name));
    let star = names.last.iter().map(|_| quoted(STAR, ""));
    let last = names.last.iter().flatten();
    first
        .chain(star)
        .chain(last.map(|name| quoted(LAST, name)))
        .collect()
}

/// Takes what was `encoded` out of a relation's aliases. Gives those that are written, and the others.
pub fn decoded(aliases: Vec<Ident>) -> (Vec<Ident>, OutputNames) {
    let mut names = OutputNames::default();
    let mut written = Vec::new();
    for alias in aliases {
        if let Some(name) = alias.value.strip_prefix(FIRST) {
            names.first.push(name.to_owned());
        } else if let Some(name) = alias.value.strip_prefix(LAST) {
            names.last.get_or_insert_default().push(name.to_owned());
        } else if alias.value == STAR {
            names.last.get_or_insert_default();
        } else {
            written.push(alias);
        }
    }
    (written, names)
}
