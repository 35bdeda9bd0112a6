//! The types of calculations. For each operator of a calculation, DataFusion calculates with two empty
//! arrays to learn the type of the result (`BinaryTypeCoercer::get_result` of `datafusion-expr-common`,
//! 55.2), and rules ask for the type of each operand of a chain of operators again.

use arrow::datatypes::DataType;
use datafusion::common::ExprSchema;
use datafusion::error::Result;
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};

use super::is_arithmetic;

/// Returns the type of an expression, as `get_type` does.
///
/// # Errors
///
/// Returns an error if the expression has no type, as `get_type` does.
pub fn type_of(expr: &Expr, schema: &dyn ExprSchema) -> Result<DataType> {
    let (mut chain, mut first) = (Vec::new(), expr);
    while let Expr::BinaryExpr(binary) = first
        && is_arithmetic(binary.op)
    {
        chain.push(binary);
        first = &binary.left;
    }
    let mut of = first.get_type(schema)?;
    while let Some(binary) = chain.pop() {
        let right = binary.right.get_type(schema)?;
        if !keeps_type(&of, &right) {
            of = result_type(&of, binary.op, &right)?;
        }
    }
    Ok(of)
}

/// Returns whether calculations with values of two types have the first type.
fn keeps_type(left: &DataType, right: &DataType) -> bool {
    left == right && (left.is_integer() || matches!(left, DataType::Float32 | DataType::Float64))
}

fn result_type(left: &DataType, op: Operator, right: &DataType) -> Result<DataType> {
    BinaryTypeCoercer::new(left, &op, right).get_result_type()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{Field, IntervalUnit, Schema, TimeUnit};
    use datafusion::common::DFSchema;
    use datafusion::logical_expr::{BinaryExpr, col, lit};

    use super::*;

    const ARITHMETIC: [Operator; 5] = [
        Operator::Plus,
        Operator::Minus,
        Operator::Multiply,
        Operator::Divide,
        Operator::Modulo,
    ];

    fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
        Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
    }

    /// Compares the type of an expression, or the error, with DataFusion's.
    fn check(expr: &Expr, schema: &DFSchema) {
        let found = type_of(expr, schema).map_err(|error| error.to_string());
        let expected = expr.get_type(schema).map_err(|error| error.to_string());
        assert_eq!(found, expected, "{expr}");
    }

    #[test]
    fn types_are_those_of_datafusion() {
        use DataType::*;
        let types = [
            Null,
            Boolean,
            Int8,
            Int16,
            Int32,
            Int64,
            UInt8,
            UInt16,
            UInt32,
            UInt64,
            Float16,
            Float32,
            Float64,
            Decimal128(10, 2),
            Decimal128(38, 9),
            Decimal256(76, 3),
            Utf8,
            Date32,
            Time64(TimeUnit::Microsecond),
            Timestamp(TimeUnit::Microsecond, None),
            Duration(TimeUnit::Microsecond),
            Interval(IntervalUnit::MonthDayNano),
        ];
        let fields = types.iter().enumerate();
        let fields = fields.map(|(at, of)| Field::new(format!("c{at}"), of.clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let schema = DFSchema::try_from(schema).unwrap();
        let column = |at: usize| col(format!("c{at}"));
        for left in 0..types.len() {
            for right in 0..types.len() {
                for op in ARITHMETIC {
                    let one = binary(column(left), op, column(right));
                    check(&one, &schema);
                    check(&binary(one.clone(), Operator::Minus, column(left)), &schema);
                    check(&binary(column(right), op, one), &schema);
                }
                check(&binary(column(left), Operator::Lt, column(right)), &schema);
            }
        }
        check(&col("missing"), &schema);
        check(&binary(column(4), Operator::Plus, col("missing")), &schema);
    }

    #[test]
    fn chains_have_the_type_of_their_parts() {
        let schema = Schema::new(vec![
            Field::new("i", DataType::Int32, true),
            Field::new("d", DataType::Decimal128(10, 2), true),
        ]);
        let schema = DFSchema::try_from(schema).unwrap();
        for part in [col("i"), col("d"), lit(1_i64), lit(1.5_f64)] {
            let chain = (0..100).fold(col("i"), |all, at| {
                let op = if at % 2 == 0 {
                    Operator::Plus
                } else {
                    Operator::Minus
                };
                binary(all, op, part.clone())
            });
            check(&chain, &schema);
            check(&chain.clone().alias("x"), &schema);
            check(&(-chain), &schema);
        }
    }
}
