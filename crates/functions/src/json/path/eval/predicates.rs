//! Predicates of filters.

use std::cell::Cell;

use datafusion::error::DataFusionError;
use lakegate_error::Error;

use super::{Evaluated, Evaluation, Failure, Item, Predicate, Scope};
use crate::regexps::Patterns;

impl<'a> Evaluation<'a, '_, '_> {
    /// Evaluates a predicate; `None` is unknown.
    ///
    /// # Errors
    ///
    /// The query was stopped, or too many items were made: what a value does not fit is unknown.
    pub(super) fn predicate(
        &self,
        predicate: &Predicate,
        scope: &Scope<'a>,
    ) -> Evaluated<Option<bool>> {
        self.row.work.step()?;
        Ok(match predicate {
            Predicate::All(all) => {
                let mut result = Some(true);
                for part in all {
                    match self.predicate(part, scope)? {
                        Some(false) => return Ok(Some(false)),
                        None => result = None,
                        Some(true) => (),
                    }
                }
                result
            }
            Predicate::Any(any) => {
                let mut result = Some(false);
                for part in any {
                    match self.predicate(part, scope)? {
                        Some(true) => return Ok(Some(true)),
                        None => result = None,
                        Some(false) => (),
                    }
                }
                result
            }
            Predicate::Not(inner) => self.predicate(inner, scope)?.map(|is| !is),
            Predicate::Unknown(inner) => Some(self.predicate(inner, scope)?.is_none()),
            Predicate::Exists(path) => {
                known(self.node(path, scope))?.map(|items| !items.is_empty())
            }
            Predicate::StartsWith(whole, prefix) => {
                let (Some(items), Some(prefix)) = (
                    known(self.node(whole, scope))?,
                    known(self.node(prefix, scope))?,
                ) else {
                    return Ok(None);
                };
                let [prefix] = prefix.as_slice() else {
                    return Ok(None);
                };
                let Some(prefix) = prefix.text() else {
                    return Ok(None);
                };
                let items = self.unwrapped(items)?;
                let each = |item: &Item<'a>| Some(item.text()?.starts_with(prefix));
                self.first_of(items.iter().map(each))?
            }
            Predicate::LikeRegex(whole, pattern) => {
                let Some(items) = known(self.node(whole, scope))? else {
                    return Ok(None);
                };
                let mut patterns = Patterns::default();
                let pattern = patterns.get(pattern)?;
                let mut results = Vec::new();
                for item in &self.unwrapped(items)? {
                    results.push(match item.text() {
                        Some(text) => Some(pattern.is_match(text)?),
                        None => None,
                    });
                }
                self.first_of(results.into_iter())?
            }
            Predicate::Compared(left, comparison, right) => {
                let (Some(left), Some(right)) = (
                    known(self.node(left, scope))?,
                    known(self.node(right, scope))?,
                ) else {
                    return Ok(None);
                };
                let (left, right) = (self.unwrapped(left)?, self.unwrapped(right)?);
                if left.is_empty() || right.is_empty() {
                    return Ok(Some(false));
                }
                // Objects and arrays can be compared with null alone. In PostgreSQL, each
                // comparison is judged by itself.
                let has = |items: &[Item<'a>], scalar: bool| {
                    let mut items = items.iter().filter(|item| !matches!(item, Item::Null));
                    items.any(|item| item.is_scalar() == scalar)
                };
                let (left_holds, right_holds) = (has(&left, false), has(&right, false));
                let differ = left_holds && (right_holds || has(&right, true))
                    || right_holds && has(&left, true);
                if differ && !self.of_postgres {
                    return Ok(None);
                }
                let pairs = left
                    .iter()
                    .flat_map(|left| right.iter().map(move |right| (left, right)));
                // Comparisons with null cannot fail, and are first.
                let with_null = |pair: &(&Item<'a>, &Item<'a>)| {
                    matches!(pair, (Item::Null, _) | (_, Item::Null))
                };
                let refused = Cell::new(None);
                let compare = |pair: (&Item<'a>, &Item<'a>)| match pair {
                    (Item::Time(left), Item::Time(right)) => {
                        let order = left
                            .compare(*right, self.row.clock)
                            .unwrap_or_else(|types| {
                                refused.set(Some(types));
                                None
                            });
                        order.map(|order| comparison.holds(Some(order)))
                    }
                    (left, right) => left.compare(*comparison, right),
                };
                let nulls = pairs.clone().filter(with_null).map(compare);
                let others = pairs.filter(|pair| !with_null(pair)).map(compare);
                let is = self.first_of(nulls.chain(others))?;
                if let Some((from, to)) = refused.take() {
                    return Err(without_zone(from, to));
                }
                is
            }
        })
    }

    /// The result of several comparisons: in lax mode, the first that is true or unknown decides,
    /// and in PostgreSQL one that is true; in strict mode, one that is unknown.
    fn first_of(&self, results: impl Iterator<Item = Option<bool>>) -> Evaluated<Option<bool>> {
        let (mut found, mut unknown) = (false, false);
        for result in results {
            self.row.work.step()?;
            match result {
                None if self.lax && self.of_postgres => unknown = true,
                None => return Ok(None),
                Some(true) if self.lax => return Ok(Some(true)),
                Some(is) => found |= is,
            }
        }
        Ok((!unknown).then_some(found))
    }
}

/// That values of these types are compared, of which one has a zone.
fn without_zone(from: &str, to: &str) -> Failure {
    let message = format!("cannot convert value from {from} to {to} without time zone usage");
    let hint = match to {
        "timetz" => "write the zone of each time",
        _ => "Use *_tz() function for time zone support.",
    };
    DataFusionError::from(Error::not_supported(message).with_hint(hint)).into()
}

/// `None` for what a value does not fit.
fn known<T>(evaluated: Evaluated<T>) -> Evaluated<Option<T>> {
    match evaluated {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Value(..)) => Ok(None),
        Err(failure) => Err(failure),
    }
}
