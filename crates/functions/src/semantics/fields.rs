//! Fields of what is not a row: `map.key`, which the engine reads as `map['key']`.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, TypeSignature};
use lakegate_error::{Code, Error};

use super::rule::function;
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Kernel, Returns};

/// A function that no value fits: a planner's own error would make the engine ask the next planner.
const NO_ROW_NAME: &str = "$no_row";

static NO_ROW: Page = Page {
    name: NO_ROW_NAME,
    section: "Conversion",
    syntax: "$no_row(value)",
    sentence: "Fails, because the value has no fields.",
    example: "NULL",
    result: "NULL",
};

pub(super) fn entries() -> Vec<Entry> {
    let returns = Returns::Field(|fields| {
        let name = fields.first().map_or("", |field| field.name().as_str());
        Err(refusal(name).into())
    });
    let takes = vec![TypeSignature::Any(1)];
    let kernel = Kernel::new(&NO_ROW, takes, returns, |call| {
        Err(refusal(call.name).into())
    });
    vec![Entry::scalar(kernel).in_trino().unlisted()]
}

fn refusal(name: &str) -> Error {
    Error::new(
        Code::TypeMismatch,
        format!("Expression {name} is not of type ROW"),
    )
    .with_hint("map['key'] reads the value of a key")
}

/// Returns a call that reports that a column, or a field of it, is no row; `None` if all of the
/// names may be those of fields.
pub(super) fn of_column(
    field: &Field,
    qualifier: Option<&TableReference>,
    names: &[String],
) -> Option<Expr> {
    let mut of = field.data_type();
    for name in names {
        match of {
            DataType::Struct(fields) => of = fields.find(name)?.1.data_type(),
            DataType::Map(..) => {
                return of_value(Expr::Column(Column::from((qualifier, field))));
            }
            _ => return None,
        }
    }
    None
}

/// Returns a call that reports that a value is not a row.
pub(super) fn of_value(value: Expr) -> Option<Expr> {
    Some(function(NO_ROW_NAME)?.call(vec![value]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::trino::rows;

    #[tokio::test]
    async fn maps_have_no_fields() {
        let from =
            "FROM (VALUES (MAP(ARRAY['a'], ARRAY[1]), CAST(ROW(1) AS ROW(a BIGINT)))) t (m, r)";
        for expression in ["m.a", "t.m.a"] {
            let error = rows(&format!("SELECT {expression} {from}")).await;
            let error = error.unwrap_err().strip_backtrace();
            assert!(error.contains("is not of type ROW"), "{error}");
        }
        let query = format!("SELECT r.a + t.r.a {from}");
        assert_eq!(rows(&query).await.unwrap(), ["2"]);
    }
}
