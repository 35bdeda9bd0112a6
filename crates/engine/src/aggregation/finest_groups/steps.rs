//! Which groups are made of which.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, PhysicalGroupBy, evaluate_group_by};

/// How the groups of all sets of an aggregation are made.
#[derive(Debug)]
pub(super) struct Steps {
    /// The first step has all keys. A step is made of one before it.
    pub(super) steps: Vec<Step>,
    /// The number of keys of the aggregation.
    pub(super) keys: usize,
    pub(super) functions: Vec<Arc<AggregateFunctionExpr>>,
    /// The number of columns of the states of each function.
    pub(super) states: Vec<usize>,
    /// The columns that the functions are of.
    pub(super) rows: SchemaRef,
    /// The columns of the result: keys, the number of the set, states.
    pub(super) schema: SchemaRef,
}

/// The groups by some of the keys.
#[derive(Debug)]
pub(super) struct Step {
    /// The places of its keys among all keys, in ascending order.
    pub(super) keys: Vec<usize>,
    /// The columns of its keys.
    pub(super) schema: SchemaRef,
    /// The numbers of its sets in the result. A set that is written more than once has several.
    pub(super) numbers: Vec<ScalarValue>,
    /// The steps that are made of the groups of this one.
    pub(super) children: Vec<usize>,
}

impl Steps {
    /// Returns the steps of an aggregation that has a set with all keys.
    ///
    /// `finest`: the columns of the groups by all keys: keys, states.
    ///
    /// # Errors
    ///
    /// Returns an error if sets cannot be numbered, or if a function has no states.
    pub(super) fn new(aggregate: &AggregateExec, finest: &Schema) -> Result<Self> {
        let keys = aggregate.group_expr();
        let mut steps: Vec<Step> = Vec::new();
        // There are at most 64 keys, or sets have no numbers.
        for set in tree(keys.groups(), numbers(keys)?) {
            let place = steps.len();
            if let Some(finer) = set.made_of.and_then(|finer| steps.get_mut(finer)) {
                finer.children.push(place);
            }
            let of_set: Vec<usize> = (0..keys.expr().len())
                .filter(|key| set.has(*key, keys.expr().len()))
                .collect();
            steps.push(Step {
                schema: Arc::new(finest.project(&of_set)?),
                keys: of_set,
                numbers: set.names,
                children: Vec::new(),
            });
        }
        let functions = aggregate.aggr_expr().to_vec();
        let states = functions.iter();
        let states = states.map(|function| Ok(function.state_fields()?.len()));
        Ok(Self {
            steps,
            keys: keys.expr().len(),
            states: states.collect::<Result<_>>()?,
            functions,
            rows: aggregate.input_schema(),
            schema: aggregate.schema(),
        })
    }
}

/// Returns the number of each set in the result, which says what it leaves out, and which one it is
/// of several equal sets.
fn numbers(keys: &PhysicalGroupBy) -> Result<Vec<ScalarValue>> {
    let nulls = keys.null_expr().to_vec();
    let sets = PhysicalGroupBy::new(nulls.clone(), nulls, keys.groups().to_vec(), true);
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    let row = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?;
    let of_sets = evaluate_group_by(&sets, &row)?.into_iter();
    let numbers = of_sets.map(|columns| match columns.last() {
        Some(number) => ScalarValue::try_from_array(number, 0),
        None => Err(DataFusionError::Internal("a set has no number".to_owned())),
    });
    numbers.collect()
}

/// A set of keys.
struct Set<T> {
    /// A bit for each key, the lowest for the last one.
    keys: u64,
    /// What the set is known by. A set that is written more than once has several names.
    names: Vec<T>,
    /// The place of the set whose groups it is made of. The first set is made of rows.
    made_of: Option<usize>,
}

impl<T> Set<T> {
    /// Returns whether it has a key, of this many.
    fn has(&self, key: usize, of: usize) -> bool {
        of.checked_sub(key + 1)
            .is_some_and(|bit| (self.keys >> bit) & 1 == 1)
    }
}

/// Returns each set once, in the order in which they are made: of the set with the fewest keys that
/// has all of its own. Of several such sets it is the one with the first keys, which are often the
/// coarsest.
///
/// `sets`: for each key, of at most 64, whether the set leaves it out. One of them has all keys.
/// `names`: one for each set.
fn tree<T>(sets: &[Vec<bool>], names: Vec<T>) -> Vec<Set<T>> {
    let mut distinct: BTreeMap<Reverse<(u32, u64)>, Vec<T>> = BTreeMap::new();
    for (left_out, name) in sets.iter().zip(names) {
        let bits = left_out.iter();
        let keys = bits.fold(0_u64, |keys, left_out| (keys << 1) | u64::from(!left_out));
        let names = distinct.entry(Reverse((keys.count_ones(), keys)));
        names.or_default().push(name);
    }
    let mut made: Vec<Set<T>> = Vec::new();
    for (Reverse((_, keys)), names) in distinct {
        let finer = made.iter().enumerate();
        let finer = finer.filter(|(_, set)| set.keys & keys == keys);
        let finer = finer.min_by_key(|(_, set)| set.keys.count_ones());
        let made_of = finer.map(|(place, _)| place);
        made.push(Set {
            keys,
            names,
            made_of,
        });
    }
    made
}

#[cfg(test)]
mod tests {
    use super::{Set, tree};

    /// Returns the sets in order: keys, names, and the keys of the set that it is made of.
    fn shown(keys: &str, sets: &[&str]) -> Vec<String> {
        let left_out = sets.iter().map(|set| {
            let left_out = keys.chars().map(|key| !set.contains(key));
            left_out.collect::<Vec<bool>>()
        });
        let left_out: Vec<Vec<bool>> = left_out.collect();
        let names: Vec<usize> = (0..sets.len()).collect();
        let made = tree(&left_out, names);
        let written = |set: &Set<usize>| -> String {
            let letters = keys.chars().enumerate();
            let letters = letters.filter(|(place, _)| set.has(*place, keys.len()));
            letters.map(|(_, letter)| letter).collect()
        };
        let lines = made.iter().map(|set| {
            let finer = set.made_of.and_then(|place| made.get(place));
            let finer = finer.map_or_else(|| "-".to_owned(), written);
            format!("{} {:?} {finer}", written(set), set.names)
        });
        lines.collect()
    }

    #[test]
    fn sets_of_rollup_are_a_chain() {
        assert_eq!(
            shown("abc", &["", "a", "ab", "abc"]),
            ["abc [3] -", "ab [2] abc", "a [1] ab", " [0] a"]
        );
    }

    #[test]
    fn sets_of_cube_are_made_of_sets_with_one_key_more() {
        let sets = ["", "a", "b", "ab", "c", "ac", "bc", "abc"];
        let tree = [
            "abc [7] -",
            "ab [3] abc",
            "ac [5] abc",
            "bc [6] abc",
            "a [1] ab",
            "b [2] ab",
            "c [4] ac",
            " [0] a",
        ];
        assert_eq!(shown("abc", &sets), tree);
    }

    #[test]
    fn equal_sets_are_made_once() {
        assert_eq!(
            shown("abc", &["b", "abc", "", "b", ""]),
            ["abc [1] -", "b [0, 3] abc", " [2, 4] b"]
        );
        assert_eq!(
            shown("abcd", &["bcd", "cd", "abcd", "ab", "a"]),
            [
                "abcd [2] -",
                "bcd [0] abcd",
                "ab [3] abcd",
                "cd [1] bcd",
                "a [4] ab"
            ]
        );
    }
}
