//! Conditions that a column is one of several constants. DataFusion estimates neither `IN` nor `OR`
//! (55.2), but comparisons by order.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, InListExpr, Literal};

use super::operator::{number, span};

/// How deep a condition is read.
const MOST_LEVELS: usize = 32;

/// A column of whole numbers, and the constants of which it is one.
pub(super) struct Among<'a> {
    column: &'a Arc<dyn PhysicalExpr>,
    least: &'a ScalarValue,
    greatest: &'a ScalarValue,
    /// Constants, of which some may be equal.
    count: usize,
    /// Whole numbers from the least to the greatest.
    span: f64,
}

impl<'a> Among<'a> {
    /// Reads `column IN (…)`, and equalities of one column between OR and AND.
    pub(super) fn of(condition: &'a Arc<dyn PhysicalExpr>) -> Option<Self> {
        let mut values = Vec::new();
        let column = collected(condition, &mut values, 0)?;
        let numbers = |value: &&ScalarValue| number(value);
        let least = values.iter().copied().min_by_key(numbers)?;
        let greatest = values.iter().copied().max_by_key(numbers)?;
        // NULL is equal to nothing; a single constant is estimated as it is.
        let are_numbers = values.iter().all(|value| number(value).is_some());
        (are_numbers && values.len() > 1).then_some(Self {
            column,
            least,
            greatest,
            count: values.len(),
            span: span((number(least)?, number(greatest)?)),
        })
    }

    /// Returns comparisons that hold for all constants.
    pub(super) fn bounds(&self) -> [Arc<dyn PhysicalExpr>; 2] {
        [
            (Operator::GtEq, self.least),
            (Operator::LtEq, self.greatest),
        ]
        .map(|(op, bound)| -> Arc<dyn PhysicalExpr> {
            let bound = Arc::new(Literal::new(bound.clone()));
            Arc::new(BinaryExpr::new(Arc::clone(self.column), op, bound))
        })
    }

    /// Returns the share of the rows within the bounds that are one of the constants, in percent from
    /// 1 to 100.
    pub(super) fn percent(&self) -> u8 {
        let share = self.count as f64 / self.span;
        (share * 100.0).round().clamp(1.0, 100.0) as u8
    }
}

/// Collects the constants that a column may be equal to, and returns the column.
fn collected<'a>(
    condition: &'a Arc<dyn PhysicalExpr>,
    values: &mut Vec<&'a ScalarValue>,
    level: usize,
) -> Option<&'a Arc<dyn PhysicalExpr>> {
    if level > MOST_LEVELS {
        return None;
    }
    if let Some(list) = condition.downcast_ref::<InListExpr>() {
        for item in list.list() {
            values.push(constant(item)?);
        }
        return Some(list.expr()).filter(|of| !list.negated() && of.is::<Column>());
    }
    let binary = condition.downcast_ref::<BinaryExpr>()?;
    match binary.op() {
        Operator::Or => {
            let left = collected(binary.left(), values, level + 1)?;
            let right = collected(binary.right(), values, level + 1)?;
            (left == right).then_some(left)
        }
        // Both hold, so that the one with fewer constants has all of them.
        Operator::And => {
            let start = values.len();
            let left = collected(binary.left(), values, level + 1)?;
            let middle = values.len();
            let right = collected(binary.right(), values, level + 1)?;
            match values.len() - middle < middle - start {
                true => drop(values.drain(start..middle)),
                false => values.truncate(middle),
            }
            (left == right).then_some(left)
        }
        Operator::Eq => {
            let (column, value) = match constant(binary.right()) {
                Some(value) => (binary.left(), value),
                None => (binary.right(), constant(binary.left())?),
            };
            values.push(value);
            Some(column).filter(|of| of.is::<Column>())
        }
        _ => None,
    }
}

fn constant(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::physical_expr::expressions::{binary, col, in_list, lit};

    use super::*;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("a", DataType::Int32, true),
            Field::new("b", DataType::Int32, true),
        ])
    }

    fn equal(column: &str, value: i32) -> Arc<dyn PhysicalExpr> {
        let schema = schema();
        let column = col(column, &schema).unwrap();
        binary(column, Operator::Eq, lit(value), &schema).unwrap()
    }

    fn either(left: Arc<dyn PhysicalExpr>, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        binary(left, Operator::Or, right, &schema()).unwrap()
    }

    fn both(left: Arc<dyn PhysicalExpr>, right: Arc<dyn PhysicalExpr>) -> Arc<dyn PhysicalExpr> {
        binary(left, Operator::And, right, &schema()).unwrap()
    }

    fn bounds(condition: &Arc<dyn PhysicalExpr>) -> Option<(String, u8)> {
        let among = Among::of(condition)?;
        let [least, greatest] = among.bounds();
        Some((format!("{least}, {greatest}"), among.percent()))
    }

    #[test]
    fn constants_of_one_column_have_bounds() {
        let years = either(equal("a", 2002), equal("a", 2001));
        let expected = |text: &str, percent| Some((text.to_owned(), percent));
        assert_eq!(bounds(&years), expected("a@0 >= 2001, a@0 <= 2002", 100));
        let more = either(years, equal("a", 2010));
        assert_eq!(bounds(&more), expected("a@0 >= 2001, a@0 <= 2010", 30));
        let schema = schema();
        let list = |negated: &bool| {
            let items = vec![lit(7), lit(i32::MAX), lit(-7)];
            in_list(col("b", &schema).unwrap(), items, negated, &schema).unwrap()
        };
        // Of conditions that hold together, the one with fewer constants counts.
        let years = || either(equal("a", 2001), equal("a", 2002));
        for later in [
            both(years(), equal("a", 2003)),
            both(equal("a", 2003), years()),
        ] {
            let condition = either(equal("a", 2001), later);
            assert_eq!(bounds(&condition), expected("a@0 >= 2001, a@0 <= 2003", 67));
        }
        let wide = expected("b@1 >= -7, b@1 <= 2147483647", 1);
        assert_eq!(bounds(&list(&false)), wide);
        assert_eq!(bounds(&list(&true)), None);
    }

    #[test]
    fn other_conditions_have_none() {
        let schema = schema();
        assert_eq!(bounds(&equal("a", 1)), None);
        assert_eq!(bounds(&either(equal("a", 1), equal("b", 2))), None);
        let of_two = both(equal("a", 1), equal("b", 2));
        assert_eq!(bounds(&either(equal("a", 1), of_two)), None);
        let [a, b] = ["a", "b"].map(|name| col(name, &schema).unwrap());
        let same = binary(Arc::clone(&a), Operator::Eq, b, &schema).unwrap();
        assert_eq!(bounds(&either(equal("a", 1), same)), None);
        let null = lit(ScalarValue::Int32(None));
        let never = binary(a, Operator::Eq, null, &schema).unwrap();
        assert_eq!(bounds(&either(equal("a", 1), never)), None);
    }
}
