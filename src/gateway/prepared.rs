//! Prepared statements: what a statement will ask for and answer with, known before it runs.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use arrow::datatypes::{DataType, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr as PlanExpr, LogicalPlan};
use lakegate_sql::Parsed;
use sqlparser::ast::{self, Expr, Value, VisitMut, VisitorMut};

use crate::error::{Error, Result, from_engine};

/// The highest parameter number, as Postgres has it.
const MAX_PARAMETERS: usize = 65_535;

/// A statement that can be executed any number of times.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub parsed: Parsed,
    /// The types of `$1`, `$2` …
    pub parameters: Vec<DataType>,
    /// Indices of the parameters whose type nobody told and nothing tells, which are taken for text.
    pub open: Vec<usize>,
    /// The columns of its rows; `None` for a command.
    pub columns: Option<SchemaRef>,
}

/// The number of a placeholder: `$1` is 1.
fn number(placeholder: &str) -> Option<usize> {
    placeholder.strip_prefix('$')?.parse().ok()
}

/// Gives placeholders the types that the client declared, as casts.
///
/// `declared`: for `$1`, `$2` …; `None` or missing is left to inference.
pub fn declare_types(statement: &mut ast::Statement, declared: &[Option<DataType>]) {
    struct Declare<'a>(&'a [Option<DataType>]);
    impl VisitorMut for Declare<'_> {
        type Break = ();
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::Value(value) = expr
                && let Value::Placeholder(name) = &value.value
                && let Some(declared) = number(name)
                    .and_then(|n| self.0.get(n - 1))
                    .and_then(Option::as_ref)
                && let Some(data_type) = sql_type(declared)
            {
                let placeholder = expr.clone();
                *expr = Expr::Cast {
                    kind: ast::CastKind::Cast,
                    expr: Box::new(placeholder),
                    data_type,
                    array: false,
                    format: None,
                };
            }
            ControlFlow::Continue(())
        }
    }
    if declared.iter().any(Option::is_some) {
        // Nothing breaks the walk.
        let _ = statement.visit(&mut Declare(declared));
    }
}

/// The SQL type by which a parameter of this type is cast; `None` leaves it to inference.
fn sql_type(data_type: &DataType) -> Option<ast::DataType> {
    use ast::DataType as T;
    Some(match data_type {
        DataType::Boolean => T::Boolean,
        DataType::Int8 => T::TinyInt(None),
        DataType::Int16 => T::SmallInt(None),
        DataType::Int32 => T::Int(None),
        DataType::Int64 => T::BigInt(None),
        DataType::Float32 => T::Real,
        DataType::Float64 => T::Double(ast::ExactNumberInfo::None),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => T::Varchar(None),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => T::Bytea,
        DataType::Date32 => T::Date,
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            T::Timestamp(Some(6), ast::TimezoneInfo::None)
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            T::Timestamp(Some(6), ast::TimezoneInfo::WithTimeZone)
        }
        DataType::Time64(TimeUnit::Microsecond) => T::Time(None, ast::TimezoneInfo::None),
        DataType::Interval(_) => T::Interval {
            fields: None,
            precision: None,
        },
        DataType::Decimal128(precision, scale) => T::Decimal(
            ast::ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)),
        ),
        _ => return None,
    })
}

/// What the plan says of its parameters: what DataFusion infers, and else the type that a parameter is cast to (`$1::int`).
pub fn inferred_types(plan: &LogicalPlan) -> Result<HashMap<String, Option<DataType>>> {
    let mut types = plan.get_parameter_types().map_err(from_engine)?;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let PlanExpr::Cast(cast) = expr
                    && let PlanExpr::Placeholder(placeholder) = cast.expr.as_ref()
                {
                    let known = types.entry(placeholder.id.clone()).or_default();
                    if known.is_none() {
                        *known = Some(cast.field.data_type().clone());
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(from_engine)?;
    Ok(types)
}

/// The types of all parameters: declared, else inferred, else text.
///
/// Errors: a number that is out of bounds, such as `$0`.
pub fn parameter_types(
    inferred: impl IntoIterator<Item = (String, Option<DataType>)>,
    declared: &[Option<DataType>],
) -> Result<Vec<DataType>> {
    let mut types: BTreeMap<usize, Option<DataType>> = BTreeMap::new();
    for (name, data_type) in inferred {
        let number = number(&name)
            .filter(|n| (1..=MAX_PARAMETERS).contains(n))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "there is no parameter {name}; parameters are $1 to ${MAX_PARAMETERS}"
                ))
            })?;
        types.insert(number, data_type);
    }
    let count = types
        .keys()
        .next_back()
        .copied()
        .unwrap_or(0)
        .max(declared.len());
    Ok((1..=count)
        .map(|number| {
            let declared = declared.get(number - 1).cloned().flatten();
            declared
                .or_else(|| types.get(&number).cloned().flatten())
                .unwrap_or(DataType::Utf8)
        })
        .collect())
}

/// Indices of the parameters, of `count`, that are neither inferred nor declared.
pub fn open_parameters(
    inferred: &HashMap<String, Option<DataType>>,
    declared: &[Option<DataType>],
    count: usize,
) -> Vec<usize> {
    let known = |index: usize| {
        declared.get(index).is_some_and(Option::is_some)
            || inferred
                .get(&format!("${}", index + 1))
                .is_some_and(Option::is_some)
    };
    (0..count).filter(|index| !known(*index)).collect()
}

/// The value of a parameter expression of EXECUTE: a literal, maybe negative, maybe typed or cast.
pub fn literal(expr: &Expr) -> Result<ScalarValue> {
    let invalid = || {
        Error::invalid(format!(
            "parameter {expr} is no literal; EXECUTE takes literals only"
        ))
    };
    Ok(match expr {
        Expr::Value(value) => match &value.value {
            Value::Null => ScalarValue::Null,
            Value::Boolean(value) => ScalarValue::Boolean(Some(*value)),
            Value::SingleQuotedString(text) => ScalarValue::Utf8(Some(text.clone())),
            Value::Number(text, _) => numeric(text).ok_or_else(invalid)?,
            _ => return Err(invalid()),
        },
        Expr::UnaryOp {
            op: ast::UnaryOperator::Minus,
            expr: inner,
        } => literal(inner)?.arithmetic_negate().map_err(|_| invalid())?,
        Expr::Nested(inner) => literal(inner)?,
        Expr::TypedString(typed) => {
            let Value::SingleQuotedString(text) = &typed.value.value else {
                return Err(invalid());
            };
            let data_type = match &typed.data_type {
                ast::DataType::Date => DataType::Date32,
                ast::DataType::Timestamp(..) => DataType::Timestamp(TimeUnit::Microsecond, None),
                _ => return Err(invalid()),
            };
            ScalarValue::try_from_string(text.clone(), &data_type).map_err(|_| invalid())?
        }
        _ => return Err(invalid()),
    })
}

fn numeric(text: &str) -> Option<ScalarValue> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(ScalarValue::Int64(Some(whole)));
    }
    text.parse::<f64>()
        .ok()
        .map(|number| ScalarValue::Float64(Some(number)))
}
