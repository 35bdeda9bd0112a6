//! The types that parameters take from the calls that they are arguments of.

use arrow::datatypes::{DataType, IntervalUnit};
use lakegate_engine::beside::{COMPARED, OF_ONE_TYPE};
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectName, Value, WindowType,
};

use super::Places;
use crate::query::declared_parameters::ANY_NUMERIC;

impl Places<'_> {
    pub(super) fn function(&mut self, function: &mut Function) {
        self.is_condition(function.filter.as_deref());
        if let Some(WindowType::WindowSpec(window)) = &function.over {
            self.frame(window.window_frame.as_ref());
        }
        if let FunctionArguments::List(list) = &mut function.args {
            self.call(&function.name, &mut list.args);
        }
    }

    pub(super) fn call(&mut self, function: &ObjectName, arguments: &mut [FunctionArg]) {
        let name = function.0.last().and_then(|part| part.as_ident());
        let name = name.map(|name| name.value.to_lowercase());
        let name = name.as_deref().unwrap_or_default();
        let arguments = arguments.iter_mut().filter_map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        });
        let arguments: Vec<&mut Expr> = arguments.collect();
        match name {
            "coalesce" | "greatest" | "least" | "array_cat" => {
                return self.beside(OF_ONE_TYPE, arguments);
            }
            "nullif" => return self.beside(COMPARED, arguments),
            _ => {}
        }
        if name == "date_bin"
            && let Some((stride, _)) = arguments.split_first()
        {
            self.takes(stride, DataType::Interval(IntervalUnit::MonthDayNano));
            return self.beside(OF_ONE_TYPE, arguments.into_iter().skip(1).collect());
        }
        if let Some(place) = item_place(name) {
            return self.items(arguments, place);
        }
        let count = arguments.len();
        let counts = name == "generate_series" && arguments.iter().any(|bound| is_count(bound));
        for (index, argument) in arguments.iter().enumerate() {
            let data_type = match counts {
                true => Some(DataType::Int64),
                false => argument_type(name, index, count),
            };
            if let Some(data_type) = data_type {
                self.takes(argument, data_type);
            }
        }
        if matches!(name, "lag" | "lead") {
            // The second one counts rows.
            let values = arguments.into_iter().enumerate();
            let values = values.filter(|(place, _)| *place != 1);
            self.beside(OF_ONE_TYPE, values.map(|(_, value)| value).collect());
        }
    }

    /// Gives the items among the arguments of a function of an array the type of the array's.
    /// `place`: of the array.
    fn items(&mut self, mut items: Vec<&mut Expr>, place: usize) {
        if place >= items.len() {
            return;
        }
        let array = items.remove(place);
        for item in items.into_iter().take(2) {
            self.item(OF_ONE_TYPE, array, item);
        }
    }
}

/// Returns the place of the array among the arguments of a function of an array and its items.
fn item_place(function: &str) -> Option<usize> {
    match function {
        "array_append" | "array_position" | "array_positions" | "array_remove"
        | "array_replace" => Some(0),
        "array_prepend" => Some(1),
        _ => None,
    }
}

/// Returns whether an expression is a whole number.
fn is_count(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(&value.value, Value::Number(number, _) if number.parse::<i64>().is_ok()))
}

/// Returns the type of a function's argument, by its index, if it has only one. `count`: of the
/// arguments.
fn argument_type(function: &str, index: usize, count: usize) -> Option<DataType> {
    Some(match (function, index) {
        // With a format, it takes a text.
        ("to_timestamp", 0) if count == 1 => DataType::Float64,
        // There is none of floating-point numbers.
        ("round" | "trunc", 0) if count == 2 => ANY_NUMERIC,
        ("left" | "right" | "repeat" | "lpad" | "rpad", 1)
        | ("substr" | "substring", 1 | 2)
        | ("split_part", 2)
        | ("round" | "trunc", 1)
        | ("lag" | "lead" | "nth_value", 1)
        | ("ntile" | "chr", 0)
        | ("make_date", 0..=2) => DataType::Int32,
        ("abs" | "sqrt" | "exp" | "ln" | "sign" | "round" | "trunc" | "power", 0)
        | ("power", 1)
        | ("percentile_cont" | "percentile_disc", 0) => DataType::Float64,
        _ => return None,
    })
}
