//! SHOW FUNCTIONS.

use std::sync::Arc;

use arrow::array::BooleanArray;
use lakegate_engine::FunctionInfo;
use lakegate_error::Result;
use lakegate_sql::Statement;
use lakegate_sql::ast::ShowFunctions;

use super::pattern::NamePattern;
use super::{Output, rows};

/// The engine's functions whose names match the pattern, in Trino's format.
pub fn show_functions(
    statement: &Statement,
    show: &ShowFunctions,
    functions: Vec<FunctionInfo>,
) -> Result<Output> {
    let pattern = show.like.as_deref().map(NamePattern::new);
    let shown: Vec<FunctionInfo> = functions
        .into_iter()
        .filter(|function| NamePattern::fits(pattern.as_ref(), &function.name))
        .collect();
    let deterministic = shown.iter().map(|function| Some(function.deterministic));
    let arrays = vec![
        rows::strings(shown.iter().map(|function| Some(&function.name)))?,
        rows::strings(shown.iter().map(|function| function.returns.as_ref()))?,
        rows::strings(shown.iter().map(|function| Some(&function.arguments)))?,
        rows::strings(shown.iter().map(|function| Some(function.kind)))?,
        Arc::new(BooleanArray::from_iter(deterministic)),
        rows::strings(shown.iter().map(|function| function.description.as_ref()))?,
    ];
    rows::answer(statement, arrays)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn function(name: &str) -> FunctionInfo {
        FunctionInfo {
            name: name.to_owned(),
            kind: "scalar",
            arguments: "varchar".to_owned(),
            returns: None,
            deterministic: true,
            description: Some("what it does".to_owned()),
        }
    }

    #[test]
    fn functions_whose_name_fits_are_shown() {
        let functions = vec![function("array_min"), function("lower"), function("upper")];
        for (sql, count) in [
            ("SHOW FUNCTIONS", 3),
            ("SHOW FUNCTIONS LIKE '%er'", 2),
            ("SHOW FUNCTIONS 'array*|LOWER'", 2),
            ("SHOW FUNCTIONS LIKE 'low'", 0),
        ] {
            let parsed = lakegate_sql::parse(sql).unwrap().remove(0);
            let Statement::ShowFunctions(show) = &parsed.statement else {
                panic!("{sql}")
            };
            let Output::Rows { batch } =
                show_functions(&parsed.statement, show, functions.clone()).unwrap()
            else {
                panic!("{sql}")
            };
            assert_eq!(batch.num_rows(), count, "{sql}");
            assert_eq!(batch.num_columns(), 6);
        }
    }
}
