//! `TABLESAMPLE`: a sampled table is a subquery that keeps each row with the same probability.
//!
//! ```text
//! FROM t TABLESAMPLE BERNOULLI (10) AS s    FROM (SELECT * FROM t WHERE random() * 100 < 10) AS s
//! … TABLESAMPLE SYSTEM (10) REPEATABLE (3)  … WHERE (a number from 0 to 100 of the row and the seed) < 10
//! ```
//!
//! SYSTEM samples rows too: Trino leaves open what it samples. With a seed, rows with equal values are
//! all in the sample or none: a table has no other order that two readings have in common.

use sqlparser::ast::{
    Expr, Ident, ObjectNamePart, Query, SetExpr, TableAlias, TableFactor, TableSample,
    TableSampleKind, TableSampleMethod, TableWithJoins, UnaryOperator, Value, ValueWithSpan,
};

use super::query::of_text;
use crate::ast::Unsupported;

/// Replaces a sampled table by the subquery.
///
/// # Errors
///
/// The sample is of a kind that is not supported.
pub(super) fn expand(factor: &mut TableFactor) -> Result<(), Unsupported> {
    let (TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. }) = factor else {
        return Ok(());
    };
    let Some(TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) =
        sample.take()
    else {
        return Ok(());
    };
    let (percent, seed) = percent(*sample)?;
    let number = match seed {
        None => "random() * 100".to_owned(),
        Some(seed) => {
            let name = name_within(factor);
            let name = name.ok_or_else(|| refused("REPEATABLE for a subquery without a name"))?;
            number_of_row(name, &seed)
        }
    };
    let alias = match factor {
        TableFactor::Table { name, alias, .. } => alias.take().or_else(|| {
            let ObjectNamePart::Identifier(name) = name.0.last()? else {
                return None;
            };
            Some(TableAlias {
                explicit: true,
                name: name.clone(),
                columns: Vec::new(),
                at: None,
            })
        }),
        TableFactor::Derived { alias, .. } => alias.take(),
        _ => None,
    };
    let mut subquery = of_text(&format!("SELECT * FROM (SELECT 1) AS t WHERE {number} < 1"))
        .map_err(|_| refused("TABLESAMPLE"))?;
    if let TableFactor::Derived {
        alias: inner @ None,
        ..
    } = factor
    {
        *inner = alias.clone();
    }
    fill(&mut subquery, factor.clone(), percent);
    *factor = TableFactor::Derived {
        lateral: false,
        subquery,
        alias,
        sample: None,
    };
    Ok(())
}

/// Puts the table and the percentage into the subquery.
fn fill(subquery: &mut Query, table: TableFactor, percent: Expr) {
    let SetExpr::Select(select) = subquery.body.as_mut() else {
        return;
    };
    select.from = vec![TableWithJoins {
        relation: table,
        joins: Vec::new(),
    }];
    if let Some(Expr::BinaryOp { right, .. }) = &mut select.selection {
        **right = Expr::Nested(Box::new(percent));
    }
}

/// Returns the name that the table has within the subquery.
fn name_within(factor: &TableFactor) -> Option<&Ident> {
    match factor {
        TableFactor::Table { name, .. } => name.0.last()?.as_ident(),
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| &alias.name),
        _ => None,
    }
}

/// Returns an expression that is as likely to be one number below 100 as another, and the same for
/// equal rows.
fn number_of_row(table: &Ident, seed: &str) -> String {
    let quoted = match table.quote_style {
        Some(_) => table.value.clone(),
        None => table.value.to_lowercase(),
    };
    let quoted = quoted.replace('"', "\"\"");
    format!(
        "('x' || substr(md5((\"{quoted}\".*)::text || '{seed}'), 1, 8))::bit(32)::bigint / 42949672.96"
    )
}

/// Returns the percentage of rows, and the seed.
fn percent(sample: TableSample) -> Result<(Expr, Option<String>), Unsupported> {
    let known = matches!(
        sample.name,
        None | Some(TableSampleMethod::Bernoulli | TableSampleMethod::System)
    );
    if !known || sample.bucket.is_some() || sample.offset.is_some() {
        return Err(refused("this form of TABLESAMPLE"));
    }
    let seed = match sample.seed.map(|seed| seed.value.value) {
        None => None,
        Some(Value::Number(number, _)) => Some(number),
        Some(_) => return Err(refused("a seed that is not a number")),
    };
    let Some(quantity) = sample.quantity.filter(|quantity| quantity.unit.is_none()) else {
        return Err(refused("this form of TABLESAMPLE"));
    };
    let is_percentage = match &quantity.value {
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            Value::Number(number, _) => number
                .parse::<f64>()
                .is_ok_and(|percent| (0.0..=100.0).contains(&percent)),
            value => *value != Value::Null,
        },
        Expr::UnaryOp { op, .. } => *op != UnaryOperator::Minus,
        _ => true,
    };
    if !is_percentage {
        return Err(refused(&format!("a sample of {} percent", quantity.value)));
    }
    Ok((quantity.value, seed))
}

fn refused(what: &str) -> Unsupported {
    Unsupported {
        what: what.to_owned(),
        nearest: Some("TABLESAMPLE BERNOULLI (n), with n from 0 to 100".to_owned()),
    }
}
