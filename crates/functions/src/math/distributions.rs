//! Cumulative distribution functions, and intervals of confidence.

use std::f64::consts::SQRT_2;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Builder};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::TypeSignature;
use lakegate_engine::stop;

use super::SECTION;
use super::numbers::{doubles, wrong};
use super::plain::of_doubles;
use super::special::{beta, erfc, inverse_beta, inverse_normal, student, student_density};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Body, Call, Kernel, Returns};

static NORMAL: Page = Page {
    name: "normal_cdf",
    section: SECTION,
    syntax: "normal_cdf(mean, sd, v)",
    sentence: "Returns the probability of a value below v, of a normal distribution.",
    example: "normal_cdf(0, 1, 0)",
    result: "0.5",
};

static INVERSE_NORMAL: Page = Page {
    name: "inverse_normal_cdf",
    section: SECTION,
    syntax: "inverse_normal_cdf(mean, sd, p)",
    sentence: "Returns the value below which values are with probability p, of a normal distribution.",
    example: "inverse_normal_cdf(3, 2, 0.5)",
    result: "3.0",
};

static BETA: Page = Page {
    name: "beta_cdf",
    section: SECTION,
    syntax: "beta_cdf(a, b, v)",
    sentence: "Returns the probability of a value below v, of a beta distribution.",
    example: "round(beta_cdf(2, 3, 0.5), 10)",
    result: "0.6875",
};

static INVERSE_BETA: Page = Page {
    name: "inverse_beta_cdf",
    section: SECTION,
    syntax: "inverse_beta_cdf(a, b, p)",
    sentence: "Returns the value below which values are with probability p, of a beta distribution.",
    example: "round(inverse_beta_cdf(2, 3, 0.6875), 10)",
    result: "0.5",
};

static T_CDF: Page = Page {
    name: "t_cdf",
    section: SECTION,
    syntax: "t_cdf(x, df)",
    sentence: "Returns the probability of a value below x, of Student's t distribution.",
    example: "round(t_cdf(1, 1), 10)",
    result: "0.75",
};

static T_PDF: Page = Page {
    name: "t_pdf",
    section: SECTION,
    syntax: "t_pdf(x, df)",
    sentence: "Returns the density at x of Student's t distribution.",
    example: "round(t_pdf(0, 1), 10)",
    result: "0.3183098862",
};

static LOWER: Page = Page {
    name: "wilson_interval_lower",
    section: SECTION,
    syntax: "wilson_interval_lower(successes, trials, z)",
    sentence: "Returns the lower bound of Wilson's score interval, of trials that succeed or fail.",
    example: "round(wilson_interval_lower(1250, 1310, 1.96), 10)",
    result: "0.9414883725",
};

static UPPER: Page = Page {
    name: "wilson_interval_upper",
    section: SECTION,
    syntax: "wilson_interval_upper(successes, trials, z)",
    sentence: "Returns the upper bound of Wilson's score interval, of trials that succeed or fail.",
    example: "round(wilson_interval_upper(1250, 1310, 1.96), 10)",
    result: "0.9642524717",
};

pub(super) fn entries() -> Vec<Entry> {
    let of_three = [
        (&NORMAL, (|call| doubles(call, normal)) as Body),
        (&INVERSE_NORMAL, |call| doubles(call, of_probability)),
        (&BETA, |call| doubles(call, beta_of)),
        (&INVERSE_BETA, |call| doubles(call, inverse_beta_of)),
    ]
    .map(|(page, body)| of_doubles(page, 3, body));
    let of_two = [
        (&T_CDF, (|call| doubles(call, t_cdf)) as Body),
        (&T_PDF, |call| doubles(call, t_pdf)),
    ]
    .map(|(page, body)| of_doubles(page, 2, body));
    let intervals = [
        (&LOWER, (|call| interval(call, -1.0)) as Body),
        (&UPPER, |call| interval(call, 1.0)),
    ]
    .map(|(page, body)| {
        let takes = vec![DataType::Int64, DataType::Int64, DataType::Float64];
        let returns = Returns::Type(DataType::Float64);
        Kernel::new(page, vec![TypeSignature::Exact(takes)], returns, body)
    });
    let kernels = of_three.into_iter().chain(of_two).chain(intervals);
    kernels.map(Entry::scalar).collect()
}

/// Refuses a parameter that is not above 0, also NaN.
fn positive(name: &str, value: f64) -> Result<()> {
    match value > 0.0 {
        true => Ok(()),
        false => Err(wrong(format!("{name} must be above 0, not {value}"))),
    }
}

fn normal([mean, deviation, value]: [f64; 3]) -> Result<f64> {
    positive("the standard deviation", deviation)?;
    Ok(0.5 * erfc((mean - value) / (deviation * SQRT_2)))
}

fn of_probability([mean, deviation, p]: [f64; 3]) -> Result<f64> {
    if !(p > 0.0 && p < 1.0) {
        return Err(wrong(format!(
            "the probability must be between 0 and 1, not {p}"
        )));
    }
    positive("the standard deviation", deviation)?;
    Ok(mean + deviation * inverse_normal(p))
}

fn within(name: &str, value: f64) -> Result<()> {
    match (0.0..=1.0).contains(&value) {
        true => Ok(()),
        false => Err(wrong(format!("{name} must be from 0 to 1, not {value}"))),
    }
}

fn beta_of([a, b, value]: [f64; 3]) -> Result<f64> {
    within("the value", value)?;
    positive("a", a)?;
    positive("b", b)?;
    stop::check()?;
    Ok(beta(a, b, value))
}

fn inverse_beta_of([a, b, p]: [f64; 3]) -> Result<f64> {
    within("the probability", p)?;
    positive("a", a)?;
    positive("b", b)?;
    stop::check()?;
    Ok(inverse_beta(a, b, p))
}

fn t_cdf([x, freedom]: [f64; 2]) -> Result<f64> {
    positive("the degrees of freedom", freedom)?;
    Ok(student(x, freedom))
}

fn t_pdf([x, freedom]: [f64; 2]) -> Result<f64> {
    positive("the degrees of freedom", freedom)?;
    Ok(student_density(x, freedom))
}

fn interval(call: &Call<'_>, sign: f64) -> Result<ArrayRef> {
    let successes = call.columns[0].primitives::<Int64Type>();
    let trials = call.columns[1].primitives::<Int64Type>();
    let scores = call.columns[2].primitives::<Float64Type>();
    let mut bounds = Float64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        match (successes.get(row), trials.get(row), scores.get(row)) {
            (Some(successes), Some(trials), Some(z)) => {
                bounds.append_value(wilson(successes, trials, z, sign)?);
            }
            _ => bounds.append_null(),
        }
    }
    Ok(Arc::new(bounds.finish()))
}

fn wilson(successes: i64, trials: i64, z: f64, sign: f64) -> Result<f64> {
    if trials <= 0 || successes < 0 || successes > trials {
        return Err(wrong(format!(
            "{successes} of {trials} trials cannot succeed; there must be at least one trial"
        )));
    }
    if z.is_nan() || z < 0.0 {
        return Err(wrong(format!(
            "the z-score must not be negative, but is {z}"
        )));
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let square = z * z / n;
    let half = z * (p * (1.0 - p) / n + square / (4.0 * n)).sqrt();
    Ok((p + square / 2.0 + sign * half) / (1.0 + square))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn probabilities_have_their_known_values() {
        for (call, expected) in [
            ("normal_cdf(0, 1, 1.96)", "0.9750021049"),
            ("normal_cdf(10, 9, 10)", "0.5"),
            ("normal_cdf(0, 1, -10)", "0.0"),
            ("normal_cdf(0, 1, infinity())", "1.0"),
            ("inverse_normal_cdf(0, 1, 0.3)", "-0.5244005127"),
            ("inverse_normal_cdf(10, 9, 0.9)", "21.5339640899"),
            ("beta_cdf(3, 3.6, 0.3)", "0.21764809997679951"),
            ("beta_cdf(3, 3.6, 0)", "0.0"),
            ("beta_cdf(3, 3.6, 1)", "1.0"),
            ("inverse_beta_cdf(3, 3.6, 0.3)", "0.3469675485"),
            ("inverse_beta_cdf(3, 3.6, 0)", "0.0"),
            ("inverse_beta_cdf(3, 3.6, 1)", "1.0"),
            ("t_cdf(0, 5)", "0.5"),
            ("t_cdf(-infinity(), 5)", "0.0"),
            ("t_cdf(2, 2)", "0.9082482905"),
            ("t_pdf(1, 1)", "0.1591549431"),
        ] {
            let expected = expected.parse::<f64>().unwrap();
            let expected = (expected * 1e10).round() / 1e10;
            let shown = value(&format!("round({call}, 10)")).await.unwrap();
            assert_eq!(shown.parse::<f64>().unwrap(), expected, "{call}");
        }
        let query = "SELECT normal_cdf(0, x, 0) FROM (VALUES (1), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["0.5", "NULL"]);
        for (call, why) in [
            ("normal_cdf(0, 0, 1)", "above 0"),
            ("normal_cdf(0, nan(), 1)", "above 0"),
            ("inverse_normal_cdf(0, 1, 1)", "between 0 and 1"),
            ("beta_cdf(0, 1, 0.5)", "above 0"),
            ("beta_cdf(1, 1, 1.5)", "from 0 to 1"),
            ("inverse_beta_cdf(1, 1, -0.5)", "from 0 to 1"),
            ("t_cdf(1, 0)", "above 0"),
            ("wilson_interval_lower(2, 1, 1)", "cannot succeed"),
            ("wilson_interval_lower(0, 0, 1)", "cannot succeed"),
            ("wilson_interval_upper(0, 1, -1)", "z-score"),
        ] {
            let shown = error(call).await;
            assert!(shown.contains(why), "{call}: {shown}");
        }
        assert_eq!(
            value("wilson_interval_lower(0, 1, 0)").await.unwrap(),
            "0.0"
        );
        assert_eq!(
            value("wilson_interval_upper(1, 1, NULL)").await.unwrap(),
            "NULL"
        );
    }
}
