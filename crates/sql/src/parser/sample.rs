//! `TABLESAMPLE`: a sampled table is a subquery that keeps each row with the same probability.
//!
//! ```text
//! FROM t TABLESAMPLE BERNOULLI (10) AS s    FROM (SELECT * FROM t WHERE random() * 100 < 10) AS s
//! ```
//!
//! SYSTEM samples rows too: Trino leaves open what it samples.

use sqlparser::ast::{
    Expr, ObjectNamePart, Query, SetExpr, TableAlias, TableFactor, TableSample, TableSampleKind,
    TableSampleMethod, TableWithJoins, Value, ValueWithSpan,
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
    let percent = percent(*sample)?;
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
    let mut subquery = of_text("SELECT * FROM (SELECT 1) AS t WHERE random() * 100 < 1")
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

fn percent(sample: TableSample) -> Result<Expr, Unsupported> {
    let known = matches!(
        sample.name,
        None | Some(TableSampleMethod::Bernoulli | TableSampleMethod::System)
    );
    if !known || sample.bucket.is_some() || sample.offset.is_some() {
        return Err(refused("this form of TABLESAMPLE"));
    }
    if sample.seed.is_some() {
        return Err(refused("TABLESAMPLE with REPEATABLE"));
    }
    let Some(quantity) = sample.quantity.filter(|quantity| quantity.unit.is_none()) else {
        return Err(refused("this form of TABLESAMPLE"));
    };
    if let Expr::Value(ValueWithSpan {
        value: Value::Number(number, _),
        ..
    }) = &quantity.value
        && !number
            .parse::<f64>()
            .is_ok_and(|percent| (0.0..=100.0).contains(&percent))
    {
        return Err(refused(&format!("a sample of {number} percent")));
    }
    Ok(quantity.value)
}

fn refused(what: &str) -> Unsupported {
    Unsupported {
        what: what.to_owned(),
        nearest: Some("TABLESAMPLE BERNOULLI (n), with n from 0 to 100".to_owned()),
    }
}
