//! PostgreSQL's names for the columns of a query.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, DataType, ExactNumberInfo, Expr, Query,
    SelectItem, SetExpr, TimezoneInfo, TrimWhereField,
};
use lakegate_engine::OutputNames;
use lakegate_sql::IS_JSON;
use lakegate_sql::trino::fields_of;

use super::folded;

/// The name of an expression that has none.
pub(super) const UNNAMED: &str = "?column?";

/// Returns the names of a query's columns. Takes the query as written, before the rewrite for the
/// planner.
pub fn output_names(query: &Query) -> Option<OutputNames> {
    let items = items_of(&query.body)?;
    let names: Vec<Option<String>> = items.iter().map(item_name).collect();
    Some(OutputNames::of(&names))
}

/// Returns the list of the first SELECT, which also names the columns of a UNION.
pub fn items_of(body: &SetExpr) -> Option<&[SelectItem]> {
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

/// Returns the name of a column, or `None` for `*` and `row.*`.
pub(super) fn item_name(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::UnnamedExpr(expr) if fields_of(expr).is_some() => None,
        SelectItem::UnnamedExpr(expr) => Some(name_of(expr)),
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        _ => None,
    }
}

/// Returns PostgreSQL's name of an expression (FigureColname of its parse_target.c).
fn name_of(expr: &Expr) -> String {
    figured(expr).map_or_else(|| UNNAMED.to_owned(), |(name, _)| name)
}

/// Returns the name, and whether it takes precedence over that of an enclosing cast.
fn figured(expr: &Expr) -> Option<(String, bool)> {
    let good = |name: &str| Some((name.to_owned(), true));
    match expr {
        Expr::Identifier(ident) => good(&folded(ident)),
        Expr::CompoundIdentifier(parts) => good(&parts.last().map(folded)?),
        // The row of a relation, as in `(t.*)::text`.
        Expr::QualifiedWildcard(relation, _) => good(&folded(relation.0.last()?.as_ident()?)),
        // Trino's syntax becomes calls of functions such as `$try`.
        Expr::Function(function) => {
            let name = &function.name.0.last()?.as_ident()?.value;
            if name == IS_JSON {
                return None;
            }
            good(name.trim_start_matches('$').to_lowercase().as_str())
        }
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
        Expr::Exists { negated: false, .. } => good("exists"),
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
        Expr::Substring { shorthand, .. } => good(if *shorthand { "substr" } else { "substring" }),
        Expr::Overlay { .. } => good("overlay"),
        Expr::Position { .. } => good("position"),
        Expr::Trim { trim_where, .. } => good(match trim_where {
            Some(TrimWhereField::Leading) => "ltrim",
            Some(TrimWhereField::Trailing) => "rtrim",
            Some(TrimWhereField::Both) | None => "btrim",
        }),
        Expr::IsNormalized { negated: false, .. } => good("is_normalized"),
        Expr::BinaryOp {
            op: BinaryOperator::Overlaps,
            ..
        } => good("overlaps"),
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
        T::Char(_) | T::Character(_) => "bpchar".to_owned(),
        T::Varchar(_) | T::CharVarying(_) | T::CharacterVarying(_) => "varchar".to_owned(),
        T::Float(ExactNumberInfo::Precision(..25)) => "float4".to_owned(),
        T::Double(_) | T::DoublePrecision | T::Float8 | T::Float(_) => "float8".to_owned(),
        T::Real | T::Float4 => "float4".to_owned(),
        T::Boolean | T::Bool => "bool".to_owned(),
        T::Decimal(_) | T::Dec(_) | T::Numeric(_) => "numeric".to_owned(),
        T::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timestamptz".to_owned(),
        T::Timestamp(..) => "timestamp".to_owned(),
        T::Time(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) => "timetz".to_owned(),
        // An array is named after its items.
        T::Array(ArrayElemTypeDef::SquareBracket(item, _)) => type_name(item),
        // Without its schema.
        T::Custom(name, _) => match name.0.last().and_then(|part| part.as_ident()) {
            Some(name) => folded(name),
            None => UNNAMED.to_owned(),
        },
        other => other
            .to_string()
            .split(['(', ' '])
            .next()
            .unwrap_or(UNNAMED)
            .to_lowercase(),
    }
}
