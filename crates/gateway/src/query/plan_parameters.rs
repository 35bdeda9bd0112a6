//! The types of a plan's parameters, by what is beside them.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Field};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Union};
use lakegate_engine::beside::{BESIDE, COMPARED, OF_ONE_TYPE, place_of};
use lakegate_engine::is_comparison;
use lakegate_error::{Result, from_engine};

use super::declared_parameters::ANY_NUMERIC;
use crate::query::parameter_marks::{Marks, mark_beside};
use crate::query::parameters::{list_of, number};

/// Digits before the point of the values of [`ANY_NUMERIC`].
const WHOLE_DIGITS: i16 = 28;

/// What a plan tells about its parameters.
#[derive(Debug, Default)]
pub(crate) struct Inferred {
    /// The types, by the names of parameters; `None` where nothing tells one.
    pub types: HashMap<String, Option<DataType>>,
    /// PostgreSQL's types, where the engine has them as others.
    pub marks: Marks,
}

impl Inferred {
    /// Gives parameters beside decimals as many digits as a `numeric` may have.
    pub(crate) fn open_digits(&mut self) {
        for known in self.types.values_mut().flatten() {
            if let Some(open) = with_open_digits(known) {
                *known = open;
            }
        }
    }
}

/// Returns the types of a plan's parameters: those of the values beside them, or else those that they
/// are cast to (`$1::int`). Of several places with types, the first counts, as in PostgreSQL: the
/// others get the parameter by a cast.
///
/// # Errors
/// The plan cannot be walked.
pub(crate) fn inferred_types(plan: &LogicalPlan) -> Result<Inferred> {
    let mut found = Found::default();
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Union(union) = node {
            found.union(union);
        }
        let mut schema: Option<DFSchema> = None;
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                match expr {
                    Expr::ScalarFunction(call) if call.func.name() == BESIDE => {
                        let schema = schema.get_or_insert_with(|| merge_schema(&node.inputs()));
                        found.beside(call, expr, schema);
                    }
                    Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
                        found.operand(left, COMPARED);
                        found.operand(right, COMPARED);
                    }
                    Expr::InSubquery(within) => found.operand(&within.expr, OF_ONE_TYPE),
                    Expr::Placeholder(placeholder) => found.placeholder(placeholder),
                    Expr::Cast(cast) => {
                        if let Expr::Placeholder(placeholder) = cast.expr.as_ref() {
                            let data_type = cast.field.data_type();
                            found.cast(&placeholder.id, data_type);
                        }
                    }
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    walked.map_err(from_engine)?;
    Ok(found.inferred())
}

/// What was found so far, by the names of parameters.
#[derive(Default)]
struct Found {
    types: HashMap<String, Option<DataType>>,
    marks: HashMap<String, String>,
    casts: HashMap<String, DataType>,
}

impl Found {
    /// Notes the type of a place. The first place counts.
    fn settle(&mut self, name: &str, data_type: &DataType, mark: Option<String>) {
        let known = self.types.entry(name.to_owned()).or_default();
        if known.is_some() || data_type.is_null() {
            return;
        }
        *known = Some(data_type.clone());
        if let Some(mark) = mark {
            self.marks.insert(name.to_owned(), mark);
        }
    }

    /// Notes the type of a call of [`BESIDE`].
    fn beside(&mut self, call: &ScalarFunction, expr: &Expr, schema: &DFSchema) {
        let [place, Expr::Placeholder(parameter), ..] = call.args.as_slice() else {
            return;
        };
        let place = match place {
            Expr::Literal(place, _) => place_of(place),
            _ => OF_ONE_TYPE,
        };
        if let Ok((_, field)) = expr.to_field(schema) {
            let mark = mark_beside(&field, place);
            self.settle(&parameter.id, field.data_type(), mark);
        }
    }

    /// Notes the type that the engine has inferred for an operand.
    fn operand(&mut self, operand: &Expr, place: &str) {
        if let Expr::Placeholder(placeholder) = operand
            && let Some(field) = &placeholder.field
        {
            let mark = mark_beside(field, place);
            self.settle(&placeholder.id, field.data_type(), mark);
        }
    }

    fn placeholder(&mut self, placeholder: &Placeholder) {
        let inferred = placeholder.field.as_ref();
        let inferred = inferred.map_or(&DataType::Null, |field| field.data_type());
        self.settle(&placeholder.id, inferred, None);
    }

    fn cast(&mut self, name: &str, data_type: &DataType) {
        let known = self.casts.entry(name.to_owned());
        known.or_insert_with(|| data_type.clone());
    }

    /// Notes the types of parameters that are columns of a set operation, which are those of the other
    /// parts.
    fn union(&mut self, union: &Union) {
        for column in 0..union.schema.fields().len() {
            let mut telling: Option<&Field> = None;
            for input in &union.inputs {
                if column_parameter(input, column).is_none() {
                    let field = input.schema().fields().get(column);
                    let field = field.filter(|field| !field.data_type().is_null());
                    telling = telling.or(field.map(AsRef::as_ref));
                }
            }
            let Some(telling) = telling else {
                continue;
            };
            for input in &union.inputs {
                if let Some(parameter) = column_parameter(input, column) {
                    let mark = mark_beside(telling, OF_ONE_TYPE);
                    self.settle(&parameter.id, telling.data_type(), mark);
                }
            }
        }
    }

    fn inferred(mut self) -> Inferred {
        for (name, data_type) in self.casts {
            let known = self.types.entry(name).or_default();
            known.get_or_insert(data_type);
        }
        let marks = self.marks.into_iter();
        let marks = marks.filter_map(|(name, mark)| Some((number(&name)?.checked_sub(1)?, mark)));
        Inferred {
            types: self.types,
            marks: marks.collect(),
        }
    }
}

/// Returns the type of a parameter beside decimals, or lists of them: a `numeric` of any digits, since
/// 0.005 is not 0.01. `None` if values of more fractional digits have no room, and for other types.
fn with_open_digits(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Decimal128(precision, scale) => {
            let whole = i16::from(*precision) - i16::from(*scale);
            let has_room = whole <= WHOLE_DIGITS && *scale < 10;
            has_room.then_some(ANY_NUMERIC)
        }
        DataType::List(item) | DataType::LargeList(item) => {
            with_open_digits(item.data_type()).map(|item| list_of(&item))
        }
        _ => None,
    }
}

/// Returns the parameter without a type that a column of a plan is.
fn column_parameter(plan: &LogicalPlan, column: usize) -> Option<&Placeholder> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let mut expr = projection.expr.get(column)?;
            while let Expr::Alias(alias) = expr {
                expr = &alias.expr;
            }
            match expr {
                Expr::Placeholder(placeholder) if placeholder.field.is_none() => Some(placeholder),
                _ => None,
            }
        }
        LogicalPlan::SubqueryAlias(alias) => column_parameter(&alias.input, column),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use datafusion::logical_expr::{LogicalPlanBuilder, cast, lit, placeholder};

    use super::*;

    fn one_row(exprs: Vec<Expr>) -> LogicalPlanBuilder {
        LogicalPlanBuilder::empty(true).project(exprs).unwrap()
    }

    #[test]
    fn first_place_with_a_type_counts() {
        let typed = |data_type| {
            let field = Arc::new(Field::new("", data_type, true));
            Expr::Placeholder(Placeholder::new_with_field("$1".to_owned(), Some(field)))
        };
        let plan = one_row(vec![
            cast(placeholder("$1"), DataType::Utf8).alias("a"),
            typed(DataType::Date32).alias("b"),
            typed(DataType::Int32).alias("c"),
            cast(placeholder("$2"), DataType::Int64).alias("d"),
            placeholder("$3"),
        ]);
        let found = inferred_types(&plan.build().unwrap()).unwrap();
        assert_eq!(found.types["$1"], Some(DataType::Date32));
        assert_eq!(found.types["$2"], Some(DataType::Int64));
        assert_eq!(found.types["$3"], None);
        assert!(found.marks.is_empty());
    }

    #[test]
    fn numbers_beside_decimals_have_any_digits() {
        let list = |item: DataType| DataType::new_list(item, true);
        for (beside, expected) in [
            (DataType::Decimal128(10, 2), Some(ANY_NUMERIC)),
            (DataType::Decimal128(28, 0), Some(ANY_NUMERIC)),
            (DataType::Decimal128(29, 0), None),
            (DataType::Decimal128(38, 10), None),
            (list(DataType::Decimal128(5, 1)), Some(list(ANY_NUMERIC))),
            (DataType::Int64, None),
        ] {
            assert_eq!(with_open_digits(&beside), expected, "{beside}");
        }
    }

    #[test]
    fn columns_of_a_union_have_the_type_of_the_other_parts() {
        let number = one_row(vec![lit(5_i32).alias("a")]).build().unwrap();
        let parameter = one_row(vec![placeholder("$1")]).build().unwrap();
        let union = Union {
            schema: Arc::clone(number.schema()),
            inputs: vec![Arc::new(parameter), Arc::new(number)],
        };
        let found = inferred_types(&LogicalPlan::Union(union)).unwrap();
        assert_eq!(found.types["$1"], Some(DataType::Int32));
    }

    #[test]
    fn digits_are_those_of_the_decimal_until_they_are_opened() {
        let price = cast(lit(1_i64), DataType::Decimal128(10, 2)).alias("a");
        let price = one_row(vec![price]).build().unwrap();
        let parameter = one_row(vec![placeholder("$1")]).build().unwrap();
        let union = Union {
            schema: Arc::clone(price.schema()),
            inputs: vec![Arc::new(parameter), Arc::new(price)],
        };
        let mut found = inferred_types(&LogicalPlan::Union(union)).unwrap();
        assert_eq!(found.types["$1"], Some(DataType::Decimal128(10, 2)));
        found.open_digits();
        assert_eq!(found.types["$1"], Some(ANY_NUMERIC));
    }
}
