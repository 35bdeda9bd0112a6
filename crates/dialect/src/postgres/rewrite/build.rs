//! Builders of syntax trees.

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Query, SelectItem,
    SetExpr, Statement, TableAlias, TableFactor, Value, WildcardAdditionalOptions,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use lakegate_error::Error;

pub(super) fn text(value: impl Into<String>) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.into()).into())
}

pub(super) fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

pub(super) fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

/// Takes an expression out of its place, which is NULL then.
pub(super) fn taken(expr: &mut Expr) -> Expr {
    std::mem::replace(expr, null())
}

pub(super) fn integer(value: i64) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

/// Builds a number that stays a `bigint`.
pub(super) fn bigint(value: i64) -> Expr {
    cast(integer(value), DataType::BigInt(None))
}

pub(super) fn array(elem: Vec<Expr>) -> Expr {
    Expr::Array(Array { elem, named: true })
}

pub(super) fn call(name: &str, args: Vec<Expr>) -> Expr {
    let args = args
        .into_iter()
        .map(|arg| FunctionArg::Unnamed(FunctionArgExpr::Expr(arg)))
        .collect();
    // Without quotes, a `$` begins a parameter.
    let name = match name.starts_with('$') {
        true => Ident::with_quote('"', name),
        false => Ident::new(name),
    };
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: vec![],
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: vec![],
    })
}

/// Returns the arguments of a call, if all are plain expressions.
pub(super) fn arguments(args: &FunctionArguments) -> Option<Vec<Expr>> {
    match args {
        FunctionArguments::None => Some(vec![]),
        FunctionArguments::List(list)
            if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
        {
            list.args.iter().map(argument).collect()
        }
        _ => None,
    }
}

pub(super) fn argument(arg: &FunctionArg) -> Option<Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    }
}

/// Builds a query from its text.
///
/// # Errors
///
/// The text is not a query.
pub(super) fn query(text: &str) -> Result<Query, Error> {
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, text)
        .map_err(|e| Error::internal(e.to_string()))?;
    match parsed.into_iter().next() {
        Some(Statement::Query(query)) => Ok(*query),
        _ => Err(Error::internal("a SELECT is no query")),
    }
}

/// Builds a `SELECT` of these items and nothing else.
pub(super) fn select(projection: Vec<SelectItem>) -> Result<Query, Error> {
    let mut query = query("SELECT 1")?;
    if let SetExpr::Select(select) = query.body.as_mut() {
        select.projection = projection;
    }
    Ok(query)
}

/// Builds `SELECT *` without a FROM.
///
/// # Errors
///
/// The text that it is made of does not parse, which is a defect.
pub fn everything() -> Result<Query, Error> {
    select(vec![SelectItem::Wildcard(
        WildcardAdditionalOptions::default(),
    )])
}

pub(super) fn aliased(expr: Expr, alias: Ident) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias }
}

/// Builds `table.name`.
pub(super) fn column(table: &str, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![
        Ident::with_quote('"', table),
        Ident::with_quote('"', name),
    ])
}

/// Builds `(expr)`.
pub(super) fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// Builds `left op right`.
pub(super) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

/// Builds `expr::data_type`.
pub(super) fn cast(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// Builds `CASE WHEN … THEN … ELSE … END`.
pub(super) fn case(branches: Vec<(Expr, Expr)>, other: Expr) -> Result<Expr, Error> {
    let mut case = expression("CASE WHEN true THEN true ELSE true END")?;
    if let Expr::Case {
        conditions,
        else_result,
        ..
    } = &mut case
    {
        *conditions = branches
            .into_iter()
            .map(|(condition, result)| CaseWhen { condition, result })
            .collect();
        *else_result = Some(Box::new(other));
    }
    Ok(case)
}

/// Builds `INTERVAL 'text'`.
pub(super) fn interval(text: &str) -> Result<Expr, Error> {
    expression(&format!("INTERVAL '{text}'"))
}

fn expression(text: &str) -> Result<Expr, Error> {
    Parser::new(&PostgreSqlDialect {})
        .try_with_sql(text)
        .and_then(|mut parser| parser.parse_expr())
        .map_err(|e| Error::internal(e.to_string()))
}

/// Builds `SELECT 1 FROM (query) AS alias (names)`; without names, the columns keep their own.
pub(super) fn select_from(query: Query, alias: &str, names: &[String]) -> Result<Query, Error> {
    let names = match names {
        [] => String::new(),
        names => format!(" (\"{}\")", names.join("\", \"")),
    };
    let text = format!("SELECT 1 FROM (SELECT 1) AS \"{alias}\"{names}");
    let mut outer = self::query(&text)?;
    if let SetExpr::Select(select) = outer.body.as_mut()
        && let Some(table) = select.from.first_mut()
        && let TableFactor::Derived { subquery, .. } = &mut table.relation
    {
        **subquery = query;
    }
    Ok(outer)
}

/// Builds a table in FROM.
pub(super) fn table(
    schema: &str,
    name: &str,
    alias: Option<TableAlias>,
) -> Result<TableFactor, Error> {
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, "SELECT 1 FROM t")
        .map_err(|e| Error::internal(e.to_string()))?;
    let factor = parsed
        .into_iter()
        .next()
        .and_then(|statement| match statement {
            Statement::Query(query) => match *query.body {
                SetExpr::Select(select) => {
                    select.from.into_iter().next().map(|table| table.relation)
                }
                _ => None,
            },
            _ => None,
        });
    match factor {
        Some(TableFactor::Table {
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
            ..
        }) => Ok(TableFactor::Table {
            name: ObjectName::from(vec![Ident::new(schema), Ident::with_quote('"', name)]),
            alias,
            args: None,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        }),
        _ => Err(Error::internal("a table is no table")),
    }
}
