//! Groups by texts of few kinds are made by the numbers of these.
//!
//! ```text
//! GROUP BY category, year     rows: Books 1999, Music 1999, Books 2000 …
//!                             1 = Books, 2 = Music     groups by 1 1999, 2 1999, 1 2000 …
//! ```
//!
//! DataFusion hashes the texts of each row and compares them with those of its group. In a plan that is ready
//! to run, [`NumberedTexts`] takes the place of the first step of an aggregation. It looks at the first rows,
//! and gives texts of which few are different a number each, by which the same step groups. The numbers of
//! several keys are one column, which is hashed and compared at once. The groups that it returns have the texts
//! again. Where more different texts come than expected, what was grouped so far is returned, and the other
//! rows are grouped as in the plan: the last step merges all of them.
//!
//! ```text
//!  kinds.rs    the numbers of the texts of a column
//!  run.rs      a partition
//! ```
//!
//! Delete this when DataFusion keeps texts of few kinds as dictionaries.

mod kinds;
mod run;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::error::Result;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};

use crate::aggregation::chosen_steps::{Choice, Operator, Partition};
use crate::plans::given_input::Given;

/// A first step by texts, or by numbers of those of which few are different.
#[derive(Clone)]
pub(crate) struct NumberedTexts {
    /// The keys that are columns of texts.
    texts: Vec<TextKey>,
}

impl Choice for NumberedTexts {
    const NAME: &'static str = "NumberedTexts";

    fn of(aggregate: &AggregateExec) -> Result<Option<Self>> {
        let texts = texts_of(aggregate);
        Ok((!texts.is_empty()).then_some(Self { texts }))
    }

    async fn groups(
        self,
        partition: Partition,
        rows: SendableRecordBatchStream,
    ) -> Result<SendableRecordBatchStream> {
        run::groups(self.texts, partition, rows).await
    }
}

/// A key that is a column of texts.
#[derive(Debug, Clone, Copy)]
struct TextKey {
    /// The place of the key, and so of a column of the groups.
    key: usize,
    /// The place of the column among those of the input.
    column: usize,
}

fn texts_of(aggregate: &AggregateExec) -> Vec<TextKey> {
    let schema = aggregate.input().schema();
    let keys = aggregate.group_expr().expr().iter().enumerate();
    let texts = keys.filter_map(|(key, (expr, _))| {
        let column = expr.downcast_ref::<Column>()?.index();
        let field = schema.fields().get(column)?;
        (*field.data_type() == DataType::Utf8View).then_some(TextKey { key, column })
    });
    texts.collect()
}

/// Keys whose numbers are in one column.
const TOGETHER: usize = 4;

/// Returns the aggregation by numbers instead of these keys. The columns of numbers follow those of its input;
/// in the groups they come first, and then the other keys. `None`: the other columns would be others.
///
/// # Errors
///
/// Returns an error if DataFusion refuses the aggregation.
fn numbered(aggregate: &AggregateExec, texts: &[TextKey]) -> Result<Option<Operator>> {
    let input = aggregate.input();
    let schema = input.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().map(Arc::clone).collect();
    let mut keys: Vec<(Arc<dyn PhysicalExpr>, String)> = Vec::new();
    for (place, _) in texts.chunks(TOGETHER).enumerate() {
        let name = format!("(numbers of keys {place})");
        keys.push((Arc::new(Column::new(&name, fields.len())), name.clone()));
        fields.push(Arc::new(Field::new(name, DataType::UInt64, false)));
    }
    let codes = keys.len();
    let is_other = |place: usize| texts.iter().all(|text| text.key != place);
    let others = aggregate.group_expr().expr().iter().enumerate();
    let others = others.filter(|(place, _)| is_other(*place));
    keys.extend(others.map(|(_, key)| key.clone()));
    let schema = Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()));
    let claimed = EquivalenceProperties::new(Arc::clone(&schema));
    let numbered = AggregateExec::try_new(
        AggregateMode::Partial,
        PhysicalGroupBy::new_single(keys),
        aggregate.aggr_expr().to_vec(),
        aggregate.filter_expr().to_vec(),
        Arc::new(Given::new(input, Some(claimed), None)),
        schema,
    )?;
    let (groups, expected) = (numbered.schema(), aggregate.schema());
    let others = groups.fields().iter().skip(codes);
    let expected = expected.fields().iter().enumerate();
    let expected = expected.filter(|(place, _)| is_other(*place));
    let fits = others
        .map(|field| field.data_type())
        .eq(expected.map(|(_, field)| field.data_type()));
    Ok(fits.then(|| Arc::new(numbered) as Operator))
}
