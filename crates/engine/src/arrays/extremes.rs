//! `min` and `max` of arrays, over groups and over window frames; `greatest` and `least`.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::{cast, interleave};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Accumulator, ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDFImpl, Signature, Volatility,
};

use super::keys::{is_array, keys_of};
use crate::plans::expressions;
use crate::time::best_places;

/// The key of a value that is not NULL, and the value.
type Keyed = (Vec<u8>, ScalarValue);

fn size_of_keyed((key, value): &Keyed) -> usize {
    size_of::<Keyed>() + key.capacity() + value.size()
}

/// Copies one row's value, so that it does not keep the rest of its batch in memory.
fn value_of(values: &ArrayRef, row: usize) -> Result<ScalarValue> {
    let mut value = ScalarValue::try_from_array(values, row)?;
    value.compact();
    Ok(value)
}

/// The least or the greatest array so far.
#[derive(Debug)]
pub(crate) struct ArrayExtreme {
    /// How a value must compare with the current one to replace it.
    wanted: Ordering,
    data_type: DataType,
    best: Option<Keyed>,
}

impl ArrayExtreme {
    pub(crate) fn new(wanted: Ordering, data_type: &DataType) -> Self {
        Self {
            wanted,
            data_type: data_type.clone(),
            best: None,
        }
    }
}

fn only(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values
        .first()
        .ok_or_else(|| DataFusionError::Internal("an extreme of no column".to_owned()))
}

impl Accumulator for ArrayExtreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = only(values)?;
        let keys = keys_of(values)?;
        let rows = (0..values.len()).filter(|row| values.is_valid(*row));
        let best = rows.reduce(|best, row| {
            let is_better = keys.row(row).cmp(&keys.row(best)) == self.wanted;
            if is_better { row } else { best }
        });
        let Some(row) = best else {
            return Ok(());
        };
        let key = keys.row(row).as_ref().to_vec();
        let is_better = |(known, _): &Keyed| key.cmp(known) == self.wanted;
        if self.best.as_ref().is_none_or(is_better) {
            self.best = Some((key, value_of(values, row)?));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match &self.best {
            Some((_, value)) => Ok(value.clone()),
            None => ScalarValue::try_from(&self.data_type),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.best.as_ref().map_or(0, size_of_keyed)
    }
}

/// The least or the greatest array of a moving frame, whose rows enter and leave in the same order.
#[derive(Debug)]
pub(crate) struct MovingArrayExtreme {
    wanted: Ordering,
    data_type: DataType,
    /// Row numbers and values; each value is the extreme of its row and the rows after it.
    kept: VecDeque<(usize, Keyed)>,
    /// Counts of the rows that entered, and that left.
    came: usize,
    went: usize,
}

impl MovingArrayExtreme {
    pub(crate) fn new(wanted: Ordering, data_type: &DataType) -> Self {
        Self {
            wanted,
            data_type: data_type.clone(),
            kept: VecDeque::new(),
            came: 0,
            went: 0,
        }
    }
}

impl Accumulator for MovingArrayExtreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = only(values)?;
        let keys = keys_of(values)?;
        for row in 0..values.len() {
            let number = self.came;
            self.came += 1;
            if values.is_null(row) {
                continue;
            }
            let key = keys.row(row).as_ref().to_vec();
            while let Some((_, (last, _))) = self.kept.back() {
                if key.cmp(last) != self.wanted {
                    break;
                }
                self.kept.pop_back();
            }
            self.kept.push_back((number, (key, value_of(values, row)?)));
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.went += only(values)?.len();
        while let Some((number, _)) = self.kept.front() {
            if *number >= self.went {
                break;
            }
            self.kept.pop_front();
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.kept.front() {
            Some((_, (_, value))) => Ok(value.clone()),
            None => ScalarValue::try_from(&self.data_type),
        }
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn size(&self) -> usize {
        let kept = self.kept.iter().map(|(_, keyed)| size_of_keyed(keyed));
        size_of_val(self) + kept.sum::<usize>()
    }
}

/// Returns `greatest` or `least` of arrays; `None` for another function or other argument types.
pub(crate) fn greatest_or_least(call: &ScalarFunction, schema: &DFSchema) -> Option<Expr> {
    let wanted = match call.func.name() {
        "greatest" => Ordering::Greater,
        "least" => Ordering::Less,
        _ => return None,
    };
    let of = call.args.iter().map(|arg| arg.get_type(schema));
    let of = of.filter_map(Result::ok).find(is_array)?;
    let function = ExtremeArray {
        wanted,
        data_type: of,
        signature: Signature::variadic_any(Volatility::Immutable),
    };
    Some(expressions::call(function, call.args.clone()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExtremeArray {
    /// How a value must compare with the best one so far to replace it.
    wanted: Ordering,
    data_type: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for ExtremeArray {
    fn name(&self) -> &str {
        match self.wanted {
            Ordering::Less => "least_array",
            _ => "greatest_array",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = arrow::datatypes::Field::new(self.name(), self.data_type.clone(), true);
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = expressions::are_constants(&args.args);
        let columns: Vec<ArrayRef> = ColumnarValue::values_to_arrays(&args.args)?
            .iter()
            .map(|column| cast(column, &self.data_type))
            .collect::<std::result::Result<_, _>>()?;
        let keys = columns.iter().map(|column| Ok((column, keys_of(column)?)));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let rows = columns.first().map_or(0, |column| column.len());
        let places = best_places(rows, self.wanted, &keys, |(column, keys), row| {
            column.is_valid(row).then(|| keys.row(row))
        });
        let arrays: Vec<_> = columns.iter().map(Arc::as_ref).collect();
        let made = interleave(&arrays, &places)?;
        expressions::made(made, constant)
    }
}
