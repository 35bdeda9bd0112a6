//! `UNNEST` without names for all of its columns: their number depends on the types of the arguments.
//!
//! The dialect makes such an UNNEST the relation `(SELECT "$unnest_rows"(ordinality, x, …))`. Here it
//! becomes one `unnest` for each column: two of a map, one for each field of an array of rows.

use std::collections::HashSet;

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::ExprSchemable;
use datafusion::logical_expr::planner::{
    RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, SelectItem,
    SetExpr, TableFactor, Value,
};
use lakegate_engine::apart_in_relation;

const MARK: &str = "$unnest_rows";

/// Plans the relations that the dialect marks.
#[derive(Debug)]
pub(crate) struct UnnestedRows;

impl RelationPlanner for UnnestedRows {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        if let TableFactor::Derived { subquery, .. } = &mut relation
            && let SetExpr::Select(select) = subquery.body.as_mut()
            && let [SelectItem::UnnamedExpr(Expr::Function(marked))] = select.projection.as_slice()
            && let Some((ordinality, arguments)) = arguments(marked)
        {
            let items = items(&Calls(marked), &arguments, ordinality, context)?;
            select.projection = items;
        }
        Ok(RelationPlanning::Original(Box::new(relation)))
    }
}

/// The arguments of a marked relation, and whether it numbers its rows.
fn arguments(marked: &Function) -> Option<(bool, Vec<Expr>)> {
    let [name] = marked.name.0.as_slice() else {
        return None;
    };
    if name.as_ident()?.value != MARK {
        return None;
    }
    let FunctionArguments::List(list) = &marked.args else {
        return None;
    };
    let arguments = list.args.iter().map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    let mut arguments = arguments.collect::<Option<Vec<Expr>>>()?;
    if arguments.is_empty() {
        return None;
    }
    let ordinality = match arguments.remove(0) {
        Expr::Value(value) => value.value == Value::Boolean(true),
        _ => return None,
    };
    Some((ordinality, arguments))
}

/// Makes calls like the marked one.
struct Calls<'a>(&'a Function);

impl Calls<'_> {
    fn of(&self, name: &str, arguments: Vec<Expr>) -> Expr {
        let mut function = self.0.clone();
        function.name = ObjectName::from(vec![Ident::with_quote('"', name)]);
        if let FunctionArguments::List(list) = &mut function.args {
            let arguments = arguments.into_iter();
            list.args = arguments
                .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
                .collect();
        }
        Expr::Function(function)
    }

    fn unnest(&self, list: Expr, name: &str) -> SelectItem {
        SelectItem::ExprWithAlias {
            expr: self.of("unnest", vec![list]),
            alias: Ident::with_quote('"', name),
        }
    }
}

fn number(number: usize) -> Expr {
    Expr::Value(Value::Number(number.to_string(), false).with_empty_span())
}

/// The columns of a relation.
fn items(
    calls: &Calls<'_>,
    arguments: &[Expr],
    ordinality: bool,
    context: &mut dyn RelationPlannerContext,
) -> Result<Vec<SelectItem>> {
    let none = DFSchema::empty();
    let mut items: Vec<SelectItem> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    // Rows of several arguments may have fields of the same name.
    let mut unique = |name: &str, place: usize| match seen.insert(name.to_owned()) {
        true => name.to_owned(),
        false => apart_in_relation(name, place),
    };
    for argument in arguments {
        let planned = context.sql_to_expr(argument.clone(), &none)?;
        match names(&planned.get_type(&none)?) {
            Some(names) => {
                for (index, name) in names.iter().enumerate() {
                    let parts = vec![argument.clone(), number(index), number(names.len())];
                    let name = unique(name.as_str(), items.len());
                    items.push(calls.unnest(calls.of("$unnested", parts), &name));
                }
            }
            None => {
                let name = unique("unnest", items.len());
                items.push(calls.unnest(argument.clone(), &name));
            }
        }
    }
    if ordinality {
        let length = |argument: &Expr| calls.of("cardinality", vec![argument.clone()]);
        let length = match arguments {
            [argument] => length(argument),
            _ => calls.of("greatest", arguments.iter().map(length).collect()),
        };
        let numbers = calls.of("generate_series", vec![number(1), length]);
        items.push(calls.unnest(numbers, "ordinality"));
    }
    Ok(items)
}

/// The names of the columns of a map, or of an array of rows.
fn names(data_type: &DataType) -> Option<Vec<String>> {
    match data_type {
        DataType::Map(..) => Some(vec!["key".to_owned(), "value".to_owned()]),
        DataType::List(item) | DataType::LargeList(item) => match item.data_type() {
            DataType::Struct(fields) if !fields.is_empty() => {
                Some(fields.iter().map(|field| field.name().clone()).collect())
            }
            _ => None,
        },
        _ => None,
    }
}
