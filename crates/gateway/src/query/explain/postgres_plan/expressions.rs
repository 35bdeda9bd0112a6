//! Expressions of a plan in PostgreSQL's words: `(total > '100'::numeric)`.
//!
//! Columns are named, and never numbered: the position of a column in a file tells how many hidden
//! columns stand before it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, CastExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr,
    Literal, NegativeExpr, NotExpr, TryCastExpr,
};
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr, ScalarFunctionExpr};
use datafusion::physical_expr_common::physical_expr::fmt_sql;
use lakegate_dialect::postgres::{quote_ident, shown};

use crate::query::explain::plan_text::with_stars;

/// Returns an expression in PostgreSQL's words.
pub(super) fn sql(expression: &Arc<dyn PhysicalExpr>) -> String {
    let node = expression.as_ref();
    if let Some(column) = node.downcast_ref::<Column>() {
        return name(column.name());
    }
    if let Some(literal) = node.downcast_ref::<Literal>() {
        return constant(literal.value());
    }
    if let Some(binary) = node.downcast_ref::<BinaryExpr>() {
        return operation(binary);
    }
    if let Some(cast) = node.downcast_ref::<CastExpr>() {
        return typed(cast.expr(), cast.cast_type());
    }
    if let Some(cast) = node.downcast_ref::<TryCastExpr>() {
        return typed(cast.expr(), cast.cast_type());
    }
    if let Some(test) = node.downcast_ref::<IsNullExpr>() {
        return format!("({} IS NULL)", sql(test.arg()));
    }
    if let Some(test) = node.downcast_ref::<IsNotNullExpr>() {
        return format!("({} IS NOT NULL)", sql(test.arg()));
    }
    if let Some(not) = node.downcast_ref::<NotExpr>() {
        return format!("(NOT {})", sql(not.arg()));
    }
    if let Some(negative) = node.downcast_ref::<NegativeExpr>() {
        return format!("(- {})", sql(negative.arg()));
    }
    if let Some(list) = node.downcast_ref::<InListExpr>() {
        let operator = match list.negated() {
            true => "<> ALL",
            false => "= ANY",
        };
        let items = list.list().iter().map(sql).collect::<Vec<_>>().join(", ");
        return format!("({} {operator} (ARRAY[{items}]))", sql(list.expr()));
    }
    if let Some(like) = node.downcast_ref::<LikeExpr>() {
        let operator = match (like.negated(), like.case_insensitive()) {
            (false, false) => "~~",
            (false, true) => "~~*",
            (true, false) => "!~~",
            (true, true) => "!~~*",
        };
        let (text, pattern) = (sql(like.expr()), sql(like.pattern()));
        return format!("({text} {operator} {pattern})");
    }
    if let Some(case) = node.downcast_ref::<CaseExpr>() {
        return cases(case);
    }
    if let Some(call) = node.downcast_ref::<ScalarFunctionExpr>() {
        return called(call);
    }
    if let Some(subquery) = node.downcast_ref::<ScalarSubqueryExpr>() {
        #[expect(deprecated, reason = "nothing else tells subqueries apart")]
        let index = subquery.index();
        return format!("${}", index.as_usize());
    }
    let text = fmt_sql(node).to_string();
    match node.children().as_slice() {
        // Wrappers of the engine's are shown as what they are around.
        [inner] if fmt_sql(inner.as_ref()).to_string() == text => sql(inner),
        _ => text,
    }
}

/// Returns the name of a column. Expressions that are columns of an input keep their text.
pub(super) fn name(name: &str) -> String {
    let name = with_stars(shown(name));
    match name.contains(['(', ' ']) {
        true => name,
        false => quote_ident(&name),
    }
}

/// Returns a sort key: `total DESC`. The order of NULLs is named where it is not PostgreSQL's.
pub(super) fn sort_key(key: &PhysicalSortExpr) -> String {
    let expression = sql(&key.expr);
    let order = match (key.options.descending, key.options.nulls_first) {
        (false, false) => "",
        (false, true) => " NULLS FIRST",
        (true, true) => " DESC",
        (true, false) => " DESC NULLS LAST",
    };
    format!("{expression}{order}")
}

/// Joins conditions by AND.
pub(super) fn all(conditions: &[String]) -> String {
    match conditions {
        [one] => one.clone(),
        several => format!("({})", several.join(" AND ")),
    }
}

fn operation(binary: &BinaryExpr) -> String {
    if matches!(binary.op(), Operator::And | Operator::Or) {
        let mut operands = Vec::new();
        operands_of(binary, binary.op(), &mut operands);
        return format!("({})", operands.join(&format!(" {} ", binary.op())));
    }
    let operator = match binary.op() {
        Operator::NotEq => "<>".to_owned(),
        Operator::BitwiseXor => "#".to_owned(),
        Operator::IntegerDivide => "/".to_owned(),
        other => other.to_string(),
    };
    format!(
        "({} {operator} {})",
        sql(binary.left()),
        sql(binary.right())
    )
}

/// Adds the operands of a chain of one operator.
fn operands_of(binary: &BinaryExpr, operator: &Operator, operands: &mut Vec<String>) {
    for side in [binary.left(), binary.right()] {
        match side.downcast_ref::<BinaryExpr>() {
            Some(inner) if inner.op() == operator => operands_of(inner, operator, operands),
            _ => operands.push(sql(side)),
        }
    }
}

fn cases(case: &CaseExpr) -> String {
    let mut text = "CASE".to_owned();
    if let Some(value) = case.expr() {
        text.push_str(&format!(" {}", sql(value)));
    }
    for (when, then) in case.when_then_expr() {
        text.push_str(&format!(" WHEN {} THEN {}", sql(when), sql(then)));
    }
    if let Some(otherwise) = case.else_expr() {
        text.push_str(&format!(" ELSE {}", sql(otherwise)));
    }
    text.push_str(" END");
    text
}

/// Returns a call. The engine's checked operators are calls whose names are operators, from left to
/// right, and some of its functions only keep rules away from their argument. A large value of a
/// parameter is printed as the parameter.
fn called(call: &ScalarFunctionExpr) -> String {
    let arguments: Vec<String> = call.args().iter().map(sql).collect();
    let name = call.name();
    let number = name.strip_prefix('$').filter(|_| arguments.is_empty());
    if number.is_some_and(|number| number.starts_with(|sign: char| sign.is_ascii_digit())) {
        return name.to_owned();
    }
    if let ("opaque", [argument]) = (name, arguments.as_slice()) {
        return argument.clone();
    }
    let operators = !name.is_empty() && name.chars().all(|sign| "+-*/%".contains(sign));
    if operators && arguments.len() == name.len() + 1 {
        let mut operands = arguments.into_iter();
        let first = operands.next().unwrap_or_default();
        let steps = name.chars().zip(operands);
        return steps.fold(first, |left, (sign, right)| {
            format!("({left} {sign} {right})")
        });
    }
    format!("{}({})", name.trim_start_matches('$'), arguments.join(", "))
}

fn typed(expression: &Arc<dyn PhysicalExpr>, data_type: &DataType) -> String {
    let inner = sql(expression);
    let name = type_name(data_type);
    match inner.starts_with('(') && inner.ends_with(')') {
        true => format!("{inner}::{name}"),
        false => format!("({inner})::{name}"),
    }
}

/// Returns a constant as PostgreSQL prints it: `5`, `'x'::text`, `'2024-01-01'::date`.
fn constant(value: &ScalarValue) -> String {
    if value.is_null() {
        return match value.data_type() {
            DataType::Null => "NULL".to_owned(),
            data_type => format!("NULL::{}", type_name(&data_type)),
        };
    }
    let text = || {
        let array = value.to_array().ok()?;
        array_value_to_string(&array, 0).ok()
    };
    let text = text().unwrap_or_else(|| value.to_string());
    match value.data_type() {
        DataType::Boolean => text,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64
            if !text.starts_with('-') =>
        {
            text
        }
        data_type => {
            let text = match data_type {
                DataType::Timestamp(..) => text.replace('T', " "),
                _ => text,
            };
            format!("'{}'::{}", text.replace('\'', "''"), type_name(&data_type))
        }
    }
}

/// Returns PostgreSQL's name of a type.
fn type_name(data_type: &DataType) -> String {
    use DataType as T;
    let name = match data_type {
        T::Boolean => "boolean",
        T::Int8 | T::Int16 | T::UInt8 => "smallint",
        T::Int32 | T::UInt16 => "integer",
        T::Int64 | T::UInt32 => "bigint",
        T::UInt64 => "numeric",
        T::Float16 | T::Float32 => "real",
        T::Float64 => "double precision",
        T::Decimal32(..) | T::Decimal64(..) | T::Decimal128(..) | T::Decimal256(..) => "numeric",
        T::Utf8 | T::LargeUtf8 | T::Utf8View | T::Null => "text",
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_) => "bytea",
        T::Date32 | T::Date64 => "date",
        T::Time32(_) | T::Time64(_) => "time without time zone",
        T::Timestamp(_, None) => "timestamp without time zone",
        T::Timestamp(_, Some(_)) => "timestamp with time zone",
        T::Duration(_) | T::Interval(_) => "interval",
        T::List(item) | T::LargeList(item) | T::FixedSizeList(item, _) => {
            return format!("{}[]", type_name(item.data_type()));
        }
        T::Dictionary(_, value) => return type_name(value),
        _ => "json",
    };
    name.to_owned()
}
