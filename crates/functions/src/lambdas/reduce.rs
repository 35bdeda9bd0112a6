//! `reduce`: the first lambda is evaluated for all rows at once, place by place.

use arrow::array::{Array, ArrayRef, UInt32Array, new_null_array};
use arrow::compute::{concat, take};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::logical_expr::ValueOrLambda;
use lakegate_engine::bounded;

use super::SECTION;
use super::call::{Call, Definition, Known, Parameter, Parameters, entry};
use crate::arrays::lists::{Lists, size};
use crate::arrays::types::{common, conformed, item_type, items, list_type, mismatch};
use crate::docs::Page;
use crate::entry::Entry;

static REDUCE: Definition = Definition {
    page: &Page {
        name: "reduce",
        section: SECTION,
        syntax: "reduce(array, initial, (state, x) -> state, state -> result)",
        sentence: "Makes one value of an array: a lambda adds each item to a state, another makes the result of it.",
        example: "reduce(ARRAY[5, 20, 50], 0, (s, x) -> s + x, s -> s)",
        result: "75",
    },
    takes: "vvll",
    coerced: |name, types| match types {
        [array, initial] => Ok(vec![list_type(item_type(name, array)?), initial.clone()]),
        _ => Err(mismatch(name, "an array and a state", &DataType::Null)),
    },
    parameters,
    returns: |name, _, lambdas| match lambdas {
        [_, result] => Ok(result.clone()),
        _ => Err(mismatch(name, "two lambdas", &DataType::Null)),
    },
    body: reduce,
};

/// Steps after which the type of the state is the one that the lambda returns for that type.
const STEPS: usize = 3;
/// The step from which a decimal has all digits, because each sum has one digit more.
const WIDEST_FROM: usize = 2;

pub(super) fn entries() -> Vec<Entry> {
    vec![entry(&REDUCE)]
}

/// The type of the state: what the initial value and the results of the lambda have in common.
fn state(initial: &DataType, returned: Option<&DataType>) -> Result<DataType> {
    match returned {
        None => Ok(initial.clone()),
        Some(returned) => common("reduce", initial, returned),
    }
}

fn parameters(step: usize, known: &Known) -> Result<Parameters> {
    let [
        ValueOrLambda::Value(array),
        ValueOrLambda::Value(initial),
        ValueOrLambda::Lambda(returned),
        ValueOrLambda::Lambda(result),
    ] = known
    else {
        return Err(mismatch(
            "reduce",
            "two values and two lambdas",
            &DataType::Null,
        ));
    };
    let item = items(array).cloned().unwrap_or(DataType::Null);
    let state = widest(state(initial, returned.as_ref())?, step);
    // The lambda may return a wider type than the initial value's, and for that a wider one again.
    let settled = result.is_some() || returned.as_ref() == Some(initial) || step >= STEPS;
    let input = vec![state.clone(), item];
    Ok(match settled {
        true => Parameters::All(vec![input, vec![state]]),
        false => Parameters::Some(vec![Some(input), None]),
    })
}

fn widest(state: DataType, step: usize) -> DataType {
    match state {
        DataType::Decimal128(_, scale) if step >= WIDEST_FROM => DataType::Decimal128(38, scale),
        state => state,
    }
}

fn reduce(call: &Call<'_>) -> Result<ArrayRef> {
    let item = item_type(call.name, call.type_of(0))?;
    let lists = Lists::of(&call.values[0], &item)?;
    let state_type = state(call.type_of(1), call.returned.first())?;
    let add = call.lambda(0, &state_type)?;
    let finish = call.lambda(1, call.returns)?;

    // The rows with the most items first: at each place, those with more items are the first ones.
    let mut order: Vec<(u32, usize, usize)> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(48)?;
        if let Some(range) = lists.range(row) {
            order.push((row as u32, range.start, range.len()));
        }
    }
    if order.is_empty() {
        return Ok(new_null_array(call.returns, call.rows));
    }
    order.sort_by_key(|(_, _, length)| std::cmp::Reverse(*length));
    let rows: Vec<u32> = order.iter().map(|(row, _, _)| *row).collect();
    let initial = conformed(&call.values[1].array, &state_type)?;
    let initial_of = rows.iter().map(|row| call.values[1].at(*row as usize));
    let initial_of: Vec<u32> = initial_of.map(|index| index as u32).collect();
    for index in &initial_of {
        call.work.builds(size(&initial, *index as usize, 1))?;
    }
    let mut state = take(&initial, &UInt32Array::from(initial_of), None)?;

    // The states of rows whose items are all added, the last rows first. They are copies: a slice
    // would keep the states of all rows at its place.
    let mut done: Vec<ArrayRef> = Vec::new();
    let mut done_bytes = 0usize;
    let mut active = order.len();
    for place in 0.. {
        let left = order
            .iter()
            .take(active)
            .rposition(|(_, _, length)| *length > place)
            .map_or(0, |last| last + 1);
        if left < active {
            let ended = UInt32Array::from_iter_values((left..active).map(|row| row as u32));
            let ended = take(&state, &ended, None)?;
            done_bytes = done_bytes.saturating_add(size(&ended, 0, ended.len()));
            bounded::check_batch(call.name, done_bytes)?;
            done.push(ended);
            state = state.slice(0, left);
            active = left;
        }
        if active == 0 {
            break;
        }
        let items = order.iter().take(active);
        let items: Vec<u32> = items.map(|(_, start, _)| (start + place) as u32).collect();
        let rows = rows.get(..active).unwrap_or_default();
        let parameters = [
            Parameter::Each(&state),
            Parameter::At(&lists.values, &items),
        ];
        let next = add.evaluate(rows, &parameters)?;
        bounded::check_batch(call.name, size(&next, 0, next.len()))?;
        call.work.step()?;
        state = next;
    }
    done.reverse();
    let done: Vec<&dyn Array> = done.iter().map(AsRef::as_ref).collect();
    let states = concat(&done)?;
    let results = finish.evaluate(&rows, &[Parameter::Each(&states)])?;
    call.work.builds(size(&results, 0, results.len()))?;
    let mut places: Vec<Option<u32>> = vec![None; call.rows];
    for (place, row) in rows.iter().enumerate() {
        if let Some(of_row) = places.get_mut(*row as usize) {
            *of_row = Some(place as u32);
        }
    }
    Ok(take(&results, &UInt32Array::from(places), None)?)
}
