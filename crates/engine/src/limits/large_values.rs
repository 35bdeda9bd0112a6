//! Large bytes, and arrays of bytes, that a statement gets as parameters.
//!
//! A plan names its columns by their expressions, and a constant is a part of such a name: bytes as
//! decimal numbers, of up to four characters for a byte. Each step of planning writes the names anew.
//! So large bytes are not constants of a plan. While it is planned, a variable of the same name and
//! type is in their place; the optimised plan has a call, whose copies share the bytes:
//!
//! ```text
//!  $1 ──▶ Expr::ScalarVariable($1) ── analysed, optimised ──▶ LargeValue($1)
//! ```
//!
//! Their memory is taken from the pool once, for as long as a plan has them.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::create_physical_expr;

use crate::plans::expressions;

/// Bytes from which on a value is large.
const LARGE: usize = 16 * 1024;

/// The large values of a statement, by the names of their parameters.
#[derive(Debug, Default)]
pub struct LargeValues(HashMap<String, LargeValue>);

impl LargeValues {
    /// Takes the large values of parameters, of which the first is `$1`. `pool` has room for them.
    ///
    /// # Errors
    ///
    /// The pool has no room for them.
    pub fn of(parameters: &[ScalarValue], pool: &Arc<dyn MemoryPool>) -> Result<Self> {
        let large = |value: &&ScalarValue| is_large(value);
        let bytes = parameters.iter().filter(large).map(ScalarValue::size);
        let bytes = bytes.fold(0usize, usize::saturating_add);
        if bytes == 0 {
            return Ok(Self::default());
        }
        let memory = MemoryConsumer::new("parameters").register(pool);
        memory.try_grow(bytes)?;
        let memory = Arc::new(memory);
        let numbered = parameters.iter().enumerate();
        let values = numbered.filter(|(_, value)| large(value));
        let values = values.map(|(index, value)| {
            let name = format!("${}", index + 1);
            let value = LargeValue {
                name: name.clone(),
                value: Arc::new(value.clone()),
                memory: Memory {
                    _held: Some(Arc::clone(&memory)),
                },
                signature: Signature::nullary(Volatility::Immutable),
            };
            (name, value)
        });
        Ok(Self(values.collect()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the values of the parameters that are not large. A large one is NULL there.
    pub fn others(&self, parameters: &[ScalarValue]) -> Vec<ScalarValue> {
        let mut others = Vec::with_capacity(parameters.len());
        for (index, value) in parameters.iter().enumerate() {
            let is_large = self.0.contains_key(&format!("${}", index + 1));
            others.push(match is_large {
                true => ScalarValue::Null,
                false => value.clone(),
            });
        }
        others
    }

    /// Returns a plan with variables in the place of the parameters that have large values. The types
    /// of its columns are not known before it has all values.
    ///
    /// # Errors
    ///
    /// The plan cannot be rebuilt.
    pub fn named(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let variable = |expr: Expr| {
            let value = match &expr {
                Expr::Placeholder(parameter) => self.0.get(&parameter.id),
                _ => None,
            };
            Ok(match value {
                Some(value) => Transformed::yes(value.variable()),
                None => Transformed::no(expr),
            })
        };
        let changed = plan.transform_up_with_subqueries(|node| {
            node.map_expressions(|expr| expr.transform_up(variable))
        });
        changed.data()
    }

    /// Returns an optimised plan with the values in the place of the variables. Calls and casts of
    /// constants that they are among are evaluated, as the optimiser has done it with others.
    ///
    /// # Errors
    ///
    /// The plan cannot be rebuilt.
    pub fn put(&self, plan: LogicalPlan, props: &ExecutionProps) -> Result<LogicalPlan> {
        let put = |expr: Expr| {
            let value = match &expr {
                Expr::ScalarVariable(_, names) => self.of_variable(names),
                expr => folded(expr, props),
            };
            Ok(match value {
                Some(value) => Transformed::yes(value),
                None => Transformed::no(expr),
            })
        };
        let changed = plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| expressions::named(expr, &names, &put))
        });
        changed.data()
    }

    fn of_variable(&self, names: &[String]) -> Option<Expr> {
        match names {
            [name] => self.0.get(name).map(LargeValue::call),
            _ => None,
        }
    }
}

/// Returns the constant that a call or a cast of constants is, a large value among them. `None` for
/// other expressions, and where evaluating it fails.
fn folded(expr: &Expr, props: &ExecutionProps) -> Option<Expr> {
    let operands = match expr {
        Expr::ScalarFunction(call) => match call.func.signature().volatility {
            Volatility::Immutable => call.args.as_slice(),
            Volatility::Stable | Volatility::Volatile => return None,
        },
        Expr::Cast(cast) if cast.field.metadata().is_empty() => {
            let value = large_value(&cast.expr)?;
            if value.value.data_type() == *cast.field.data_type() {
                return Some(value.call());
            }
            std::slice::from_ref(cast.expr.as_ref())
        }
        _ => return None,
    };
    let large = operands.iter().find_map(large_value)?;
    let is_constant =
        |operand: &Expr| matches!(operand, Expr::Literal(..)) || large_value(operand).is_some();
    if !operands.iter().all(is_constant) {
        return None;
    }
    let value = evaluated(expr, props)?;
    if value.size() < LARGE {
        return Some(Expr::Literal(value, None));
    }
    let made = LargeValue {
        name: expr.schema_name().to_string(),
        value: Arc::new(value),
        ..large.clone()
    };
    Some(made.call())
}

/// Returns the value of an expression without columns; `None` if it fails, or if its type has a mark.
fn evaluated(expr: &Expr, props: &ExecutionProps) -> Option<ScalarValue> {
    let (no_columns, context) = (DFSchema::empty(), PhysicalPlanningContext::default());
    let expr = create_physical_expr(expr, &no_columns, props, &context).ok()?;
    let field = expr.return_field(no_columns.as_arrow()).ok()?;
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let schema = Arc::clone(no_columns.inner());
    let row = RecordBatch::try_new_with_options(schema, Vec::new(), &options).ok()?;
    let value = match expr.evaluate(&row).ok()? {
        ColumnarValue::Scalar(value) => value,
        ColumnarValue::Array(values) if values.len() == 1 => {
            ScalarValue::try_from_array(&values, 0).ok()?
        }
        ColumnarValue::Array(_) => return None,
    };
    let is_plain = field.metadata().is_empty() && value.data_type() == *field.data_type();
    is_plain.then_some(value)
}

fn is_large(value: &ScalarValue) -> bool {
    match value {
        ScalarValue::Binary(Some(bytes))
        | ScalarValue::LargeBinary(Some(bytes))
        | ScalarValue::BinaryView(Some(bytes)) => bytes.len() >= LARGE,
        ScalarValue::List(list) => {
            list.null_count() == 0 && has_bytes(&list.value_type()) && value.size() >= LARGE
        }
        _ => false,
    }
}

/// Returns whether the items of an array are bytes, or arrays of bytes.
fn has_bytes(item: &DataType) -> bool {
    match item {
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
        DataType::List(field) => has_bytes(field.data_type()),
        _ => false,
    }
}

/// Returns the large value that an expression is.
fn large_value(expr: &Expr) -> Option<&LargeValue> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, .. }) => func.inner().downcast_ref(),
        _ => None,
    }
}

/// Returns the large value that an expression of an optimised plan is, if it is one.
pub fn large_constant(expr: &Expr) -> Option<&ScalarValue> {
    large_value(expr).map(|large| large.value.as_ref())
}

/// Returns the value of a function that returns a large value.
pub(crate) fn constant_of(function: &ScalarUDF) -> Option<&ScalarValue> {
    let large = function.inner().downcast_ref::<LargeValue>();
    large.map(|large| large.value.as_ref())
}

/// Returns an equal plan whose large values hold no memory of the pool. What keeps the plan counts them.
///
/// # Errors
///
/// The plan cannot be rebuilt.
pub fn without_reservations(plan: LogicalPlan) -> Result<LogicalPlan> {
    let is_large = |expr: &Expr| large_value(expr).is_some();
    expressions::of_readers(plan, is_large, |node| {
        node.map_expressions(|expr| {
            expr.transform_up(|part| {
                let free = large_value(&part).map(|large| LargeValue {
                    memory: Memory::default(),
                    ..large.clone()
                });
                Ok(match free {
                    Some(free) => Transformed::yes(free.call()),
                    None => Transformed::no(part),
                })
            })
        })
    })
}

/// Memory of the pool, which takes no part in comparisons.
#[derive(Clone, Default)]
struct Memory {
    _held: Option<Arc<MemoryReservation>>,
}

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memory {}

impl Hash for Memory {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A function without arguments that returns the value.
#[derive(Clone, PartialEq, Eq, Hash)]
struct LargeValue {
    /// The name of the parameter, such as `$1`, or of the call that made the value.
    name: String,
    value: Arc<ScalarValue>,
    memory: Memory,
    signature: Signature,
}

impl LargeValue {
    fn variable(&self) -> Expr {
        let field = Field::new(&self.name, self.value.data_type(), false);
        Expr::ScalarVariable(Arc::new(field), vec![self.name.clone()])
    }

    fn call(&self) -> Expr {
        expressions::call(self.clone(), Vec::new())
    }
}

impl fmt::Debug for LargeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LargeValue")
            .field("name", &self.name)
            .field("bytes", &self.value.size())
            .finish_non_exhaustive()
    }
}

impl ScalarUDFImpl for LargeValue {
    fn name(&self) -> &str {
        &self.name
    }

    /// That of the variable, so that columns keep their names.
    fn schema_name(&self, _: &[Expr]) -> Result<String> {
        Ok(self.name.clone())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(
            &self.name,
            self.value.data_type(),
            false,
        )))
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::clone(&self.value)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::AsArray;
    use arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::limits::literals;

    fn pool(bytes: usize) -> Arc<dyn MemoryPool> {
        Arc::new(GreedyMemoryPool::new(bytes))
    }

    fn bytes(of: u8, length: usize) -> ScalarValue {
        ScalarValue::Binary(Some(vec![of; length]))
    }

    #[test]
    fn large_bytes_are_taken_and_counted_while_they_are_held() {
        let parameters = [
            bytes(1, LARGE),
            bytes(2, LARGE - 1),
            ScalarValue::from("x".repeat(2 * LARGE)),
            ScalarValue::Binary(None),
        ];
        let pool = pool(2 * LARGE);
        let large = LargeValues::of(&parameters, &pool).unwrap();
        assert_eq!(large.0.keys().collect::<Vec<_>>(), ["$1"]);
        assert!(pool.reserved() >= LARGE);
        let others = large.others(&parameters);
        assert_eq!(others[0], ScalarValue::Null);
        assert_eq!(others[1..], parameters[1..]);
        let kept = large.0["$1"].clone();
        drop(large);
        assert!(pool.reserved() >= LARGE);
        drop(kept);
        assert_eq!(pool.reserved(), 0);
        let too_large = [bytes(1, 3 * LARGE)];
        assert!(LargeValues::of(&too_large, &pool).is_err());
    }

    #[test]
    fn large_arrays_of_bytes_are_taken() {
        let array = |items: &[ScalarValue], of: &DataType| {
            ScalarValue::List(ScalarValue::new_list_nullable(items, of))
        };
        let texts = [ScalarValue::from("x".repeat(2 * LARGE))];
        let parameters = [
            array(&[bytes(1, LARGE), bytes(2, 1)], &DataType::Binary),
            array(&[bytes(1, 1)], &DataType::Binary),
            array(&[], &DataType::Binary),
            array(&texts, &DataType::Utf8),
        ];
        let large = LargeValues::of(&parameters, &pool(usize::MAX)).unwrap();
        assert_eq!(large.0.keys().collect::<Vec<_>>(), ["$1"]);
    }

    #[test]
    fn values_are_told_apart() {
        let of = |value| {
            let pool = pool(usize::MAX);
            let large = LargeValues::of(&[value], &pool).unwrap();
            large.0["$1"].clone()
        };
        assert_eq!(of(bytes(1, LARGE)), of(bytes(1, LARGE)));
        assert_ne!(of(bytes(1, LARGE)), of(bytes(2, LARGE)));
        assert!(format!("{:?}", of(bytes(1, LARGE))).len() < 100);
    }

    #[tokio::test]
    async fn plan_with_large_bytes_names_them_shortly_and_has_the_same_rows() {
        let context = SessionContext::new();
        let parameters = [bytes(7, 100_000), ScalarValue::from(5_i64)];
        let sql = "SELECT count(*) AS n FROM generate_series(1, 9) t(v) \
                   WHERE v <= $2 AND CAST($1 AS bytea) > X'0706'";
        let plan = context.state().create_logical_plan(sql).await.unwrap();
        let pool = pool(usize::MAX);
        let large = LargeValues::of(&parameters, &pool).unwrap();
        let plan = large.named(plan).unwrap();
        let plan = plan.with_param_values(large.others(&parameters)).unwrap();
        let plan = context.state().optimize(&plan).unwrap();
        let plan = large.put(plan, context.state().execution_props()).unwrap();
        assert!(plan.display_indent().to_string().len() < 2_000);
        assert_eq!(literals::rows_of_plan(&plan, 8192).unwrap(), 8192);
        let frame = context.execute_logical_plan(plan).await.unwrap();
        let batches = frame.collect().await.unwrap();
        let counts = batches[0].column(0).as_primitive::<Int64Type>();
        assert_eq!(counts.value(0), 5);
    }

    #[tokio::test]
    async fn plan_that_is_kept_holds_no_memory_of_the_pool() {
        let context = SessionContext::new();
        let sql = "SELECT CAST($1 AS bytea) AS x FROM generate_series(1, 3) t(v) \
                   WHERE CAST($1 AS bytea) > X'0706'";
        let plan = context.state().create_logical_plan(sql).await.unwrap();
        let parameters = [bytes(7, LARGE)];
        let pool = pool(usize::MAX);
        let large = LargeValues::of(&parameters, &pool).unwrap();
        let plan = large.named(plan).unwrap();
        let props = ExecutionProps::new();
        let plan = large.put(plan, &props).unwrap();
        let kept = without_reservations(plan.clone()).unwrap();
        assert_eq!(kept, plan);
        assert!(expressions::has(&kept, |expr| large_constant(expr).is_some()).unwrap());
        drop((large, plan));
        assert_eq!(pool.reserved(), 0);
    }

    #[tokio::test]
    async fn large_bytes_are_a_column_as_others() {
        let context = SessionContext::new();
        let sql = "SELECT CAST($1 AS bytea), $2 AS other FROM generate_series(1, 3) t(v)";
        let plan = context.state().create_logical_plan(sql).await.unwrap();
        let parameters = [bytes(7, 256 << 10), ScalarValue::from("x")];
        let pool = pool(usize::MAX);
        let large = LargeValues::of(&parameters, &pool).unwrap();
        let plan = large.named(plan).unwrap();
        let plan = plan.with_param_values(large.others(&parameters)).unwrap();
        let plan = context.state().optimize(&plan).unwrap();
        let plan = large.put(plan, context.state().execution_props()).unwrap();
        // Each row may have a copy.
        assert!(literals::rows_of_plan(&plan, 8192).unwrap() < 300);
        let frame = context.execute_logical_plan(plan).await.unwrap();
        let batches = frame.collect().await.unwrap();
        let column = batches[0].column(0).as_binary::<i32>();
        assert_eq!(column.value(0), vec![7; 256 << 10]);
        let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
        assert_eq!(rows, 3);
    }
}
