//! Values of which one becomes a result, as those of `CASE` and `coalesce`: literals among them take
//! the type of the others, and the result is marked, since the engine forgets the mark.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ScalarUDF};

use super::comparisons::is_of_json;
use super::operators::{are_of, is_of_jsonb};
use crate::postgres::functions::keyed::{is_parameter, written};

/// Marks a text that is `json`, or `jsonb`.
pub(super) const KEPT: [&str; 2] = ["$json_kept", "$jsonb_kept"];
/// Reads a text as `json`, or `jsonb`.
const READ: [&str; 2] = ["$json_in", "$jsonb_in"];

/// The functions of both types.
#[derive(Debug)]
pub(super) struct Results {
    json: Makers,
    jsonb: Makers,
}

/// The functions that make values of one of the types.
#[derive(Debug)]
pub(super) struct Makers {
    /// Marks a text that is a value.
    kept: Arc<ScalarUDF>,
    /// Reads a text.
    read: Arc<ScalarUDF>,
}

impl Makers {
    /// Returns a text that is a value of the type with the type's mark.
    pub(super) fn marked(&self, value: Expr) -> Expr {
        self.kept.call(vec![value])
    }
}

impl Results {
    /// `named`: returns the function of a name.
    pub(super) fn of(named: impl Fn(&str) -> Option<Arc<ScalarUDF>>) -> Option<Self> {
        let [json, jsonb] = [0, 1].map(|place| {
            Some(Makers {
                kept: named(KEPT.get(place)?)?,
                read: named(READ.get(place)?)?,
            })
        });
        Some(Self {
            json: json?,
            jsonb: jsonb?,
        })
    }

    /// Returns a text that is `jsonb` with its mark.
    pub(super) fn jsonb(&self, value: Expr) -> Expr {
        self.jsonb.marked(value)
    }

    /// Returns the values of which one becomes the result, with the literals among them read as values
    /// of the type of the others; `None` if they are neither of `json` nor of `jsonb`.
    pub(super) fn typed<'e>(
        &self,
        values: impl IntoIterator<Item = &'e Expr>,
        schema: &DFSchema,
    ) -> Option<(Vec<Expr>, &Makers)> {
        let values: Vec<&Expr> = values.into_iter().collect();
        let makers = if are_of(values.iter().copied(), schema, is_of_jsonb) {
            &self.jsonb
        } else if are_of(values.iter().copied(), schema, is_of_json) {
            &self.json
        } else {
            return None;
        };
        let typed = values.into_iter().map(written).map(|value| match value {
            Expr::Literal(text, _) if !text.is_null() => makers.read.call(vec![value.clone()]),
            _ if is_parameter(value) => makers.read.call(vec![value.clone()]),
            other => other.clone(),
        });
        Some((typed.collect(), makers))
    }
}
