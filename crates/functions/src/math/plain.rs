//! Constants, and functions of doubles.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;

use super::SECTION;
use super::numbers::{binary, condition, unary};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Body, Call, Kernel, Returns};

static E: Page = Page {
    name: "e",
    section: SECTION,
    syntax: "e()",
    sentence: "Returns Euler's number.",
    example: "e()",
    result: "2.718281828459045",
};

static NAN: Page = Page {
    name: "nan",
    section: SECTION,
    syntax: "nan()",
    sentence: "Returns the double that is not a number.",
    example: "nan()",
    result: "NaN",
};

static INFINITY: Page = Page {
    name: "infinity",
    section: SECTION,
    syntax: "infinity()",
    sentence: "Returns the double that is larger than all others.",
    example: "-infinity()",
    result: "-inf",
};

static SQRT: Page = Page {
    name: "sqrt",
    section: SECTION,
    syntax: "sqrt(x)",
    sentence: "Returns the square root, and NaN for a negative number.",
    example: "sqrt(2)",
    result: "1.4142135623730951",
};

static POWER: Page = Page {
    name: "power",
    section: SECTION,
    syntax: "power(x, p)",
    sentence: "Returns x to the power of p, a double.",
    example: "power(2, -1)",
    result: "0.5",
};

static LOG: Page = Page {
    name: "log",
    section: SECTION,
    syntax: "log(base, x)",
    sentence: "Returns the logarithm of x to a base.",
    example: "log(2, 64)",
    result: "6.0",
};

static IS_NAN: Page = Page {
    name: "is_nan",
    section: SECTION,
    syntax: "is_nan(x)",
    sentence: "Returns whether a double is not a number.",
    example: "is_nan(sqrt(-1))",
    result: "true",
};

static IS_FINITE: Page = Page {
    name: "is_finite",
    section: SECTION,
    syntax: "is_finite(x)",
    sentence: "Returns whether a double is neither infinite nor NaN.",
    example: "is_finite(1.5)",
    result: "true",
};

static IS_INFINITE: Page = Page {
    name: "is_infinite",
    section: SECTION,
    syntax: "is_infinite(x)",
    sentence: "Returns whether a double is infinite.",
    example: "is_infinite(infinity())",
    result: "true",
};

/// A function of doubles.
pub(super) fn of_doubles(page: &'static Page, count: usize, body: Body) -> Kernel {
    let takes = match count {
        0 => TypeSignature::Nullary,
        count => TypeSignature::Exact(vec![DataType::Float64; count]),
    };
    Kernel::new(page, vec![takes], Returns::Type(DataType::Float64), body)
}

fn constant(call: &Call<'_>, value: f64) -> Result<ArrayRef> {
    call.work.builds(call.rows.saturating_mul(8))?;
    Ok(Arc::new(Float64Array::from_value(value, call.rows)))
}

pub(super) fn entries() -> Vec<Entry> {
    let tests = [
        (&IS_NAN, (|call| condition(call, f64::is_nan)) as Body),
        (&IS_FINITE, |call| condition(call, f64::is_finite)),
        (&IS_INFINITE, |call| condition(call, f64::is_infinite)),
    ]
    .map(|(page, body)| {
        let takes = TypeSignature::Exact(vec![DataType::Float64]);
        let returns = Returns::Type(DataType::Boolean);
        Entry::scalar(Kernel::new(page, vec![takes], returns, body))
    });
    let constants = [
        (&E, (|call| constant(call, std::f64::consts::E)) as Body),
        (&NAN, |call| constant(call, f64::NAN)),
        (&INFINITY, |call| constant(call, f64::INFINITY)),
    ]
    .map(|(page, body)| Entry::scalar(of_doubles(page, 0, body)));
    let of_trino = [
        of_doubles(&SQRT, 1, |call| {
            unary::<Float64Type, Float64Type>(call, &call.columns[0], |x| Ok(x.sqrt()))
        }),
        of_doubles(&POWER, 2, |call| {
            let [x, p] = [&call.columns[0], &call.columns[1]];
            binary::<Float64Type, Float64Type, Float64Type>(call, x, p, |x, p| Ok(power(x, p)))
        })
        .also(&["pow"]),
        of_doubles(&LOG, 2, |call| {
            let [base, x] = [&call.columns[0], &call.columns[1]];
            binary::<Float64Type, Float64Type, Float64Type>(call, base, x, |base, x| {
                Ok(x.ln() / base.ln())
            })
        }),
    ];
    let of_trino = of_trino.into_iter().map(Entry::scalar).map(Entry::in_trino);
    tests.into_iter().chain(constants).chain(of_trino).collect()
}

/// As Java's: NaN to any power but 0 is NaN, and so is 1 to the power of NaN or of infinity.
fn power(x: f64, p: f64) -> f64 {
    if p.is_nan() || (x.abs() == 1.0 && p.is_infinite()) {
        return f64::NAN;
    }
    x.powf(p)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn doubles_are_calculated_without_errors() {
        for (call, expected) in [
            ("sqrt(-1)", "NaN"),
            ("sqrt(4)", "2.0"),
            ("sqrt(CAST(2.25 AS DECIMAL(5,2)))", "1.5"),
            ("power(0, -1)", "inf"),
            ("pow(2, 10)", "1024.0"),
            ("power(1, nan())", "NaN"),
            ("power(1, infinity())", "NaN"),
            ("power(nan(), 0)", "1.0"),
            ("power(-8, 1e0/3)", "NaN"),
            ("log(10, 1000)", "2.9999999999999996"),
            ("log(2, 0)", "-inf"),
            ("log(2, -1)", "NaN"),
            (
                "log(CAST(2 AS DECIMAL(5,2)), CAST(10 AS DECIMAL(5,2)))",
                "3.3219280948873626",
            ),
            ("log(NULL, 2)", "NULL"),
            ("is_finite(infinity())", "false"),
            ("is_finite(nan())", "false"),
            ("is_infinite(-infinity())", "true"),
            ("is_nan(1)", "false"),
            ("is_nan(NULL)", "NULL"),
        ] {
            assert_eq!(value(call).await.unwrap(), expected, "{call}");
        }
        let query = "SELECT power(x, 2) FROM (VALUES (3.0), (NULL), (-2.0)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["9.0", "NULL", "4.0"]);
        let query = "SELECT is_nan(x / 0) FROM (VALUES (0e0), (1e0), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["true", "false", "NULL"]);
        assert!(!error("sqrt('a')").await.contains("no error"));
    }
}
