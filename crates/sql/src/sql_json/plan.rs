//! The plans of `JSON_TABLE`.
//!
//! ```text
//! parent OUTER child              parent INNER (a UNION (b CROSS c))
//! ```

use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{Parsed, canonical, eat};

/// How the rows of paths are joined.
pub(super) enum Plan {
    Path(String),
    /// The rows of a path with those of its nested paths, and with `outer` also without any.
    Joined {
        parent: String,
        outer: bool,
        nested: Box<Plan>,
    },
    Union(Vec<Plan>),
    Cross(Vec<Plan>),
}

/// A plan that names its paths, in parentheses.
pub(super) fn specific(parser: &mut Parser<'_>) -> Parsed<Plan> {
    let first = primary(parser)?;
    if let Plan::Path(parent) = &first
        && let Some(outer) = [("OUTER", true), ("INNER", false)]
            .into_iter()
            .find_map(|(word, outer)| eat(parser, &[word]).then_some(outer))
    {
        return Ok(Plan::Joined {
            parent: parent.clone(),
            outer,
            nested: Box::new(primary(parser)?),
        });
    }
    let mut words = ["UNION", "CROSS"].into_iter();
    let Some(word) = words.find(|word| eat(parser, &[word])) else {
        return Ok(first);
    };
    let mut plans = vec![first, primary(parser)?];
    while eat(parser, &[word]) {
        plans.push(primary(parser)?);
    }
    Ok(match word {
        "UNION" => Plan::Union(plans),
        _ => Plan::Cross(plans),
    })
}

fn primary(parser: &mut Parser<'_>) -> Parsed<Plan> {
    if !parser.consume_token(&Token::LParen) {
        return Ok(Plan::Path(canonical(&parser.parse_identifier()?)));
    }
    let plan = specific(parser)?;
    parser.expect_token(&Token::RParen)?;
    Ok(plan)
}

impl Plan {
    /// The number of paths.
    pub(super) fn paths(&self) -> usize {
        match self {
            Self::Path(_) => 1,
            Self::Joined { nested, .. } => 1 + nested.paths(),
            Self::Union(plans) | Self::Cross(plans) => plans.iter().map(Plan::paths).sum(),
        }
    }
}
