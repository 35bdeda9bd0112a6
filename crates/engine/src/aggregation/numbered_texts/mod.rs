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
//! Plans, their properties and `EXPLAIN` do not change. Delete this when DataFusion keeps texts of few kinds as
//! dictionaries.

mod kinds;
mod run;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode, PhysicalGroupBy};
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputOrderMode, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use crate::aggregation::finest_groups::is_merged;
use crate::plans::given_input::{Given, metrics_of};
use crate::plans::operators::{new_children_replace, stands_for};

/// An operator of a physical plan.
type Operator = Arc<dyn ExecutionPlan>;

/// Returns the same aggregation, which looks at its first rows; `None` for other operators and
/// aggregations.
pub(crate) fn with_numbered_texts(plan: &Operator) -> Option<Operator> {
    let aggregate = plan.downcast_ref::<AggregateExec>()?;
    let is_possible = aggregate.group_expr().is_single()
        && *aggregate.mode() == AggregateMode::Partial
        && *aggregate.input_order_mode() == InputOrderMode::Linear
        && aggregate.limit_options().is_none()
        && aggregate
            .aggr_expr()
            .iter()
            .all(|function| is_merged(function));
    if !is_possible {
        return None;
    }
    let texts = texts_of(aggregate);
    (!texts.is_empty()).then(|| {
        Arc::new(NumberedTexts {
            aggregate: Arc::new(aggregate.clone()),
            texts,
            made: Arc::default(),
        }) as Operator
    })
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

/// The first step of an aggregation. In all but its run and its metrics it is that of the plan.
struct NumberedTexts {
    aggregate: Arc<AggregateExec>,
    texts: Vec<TextKey>,
    /// What runs, for each partition.
    made: Arc<Mutex<Vec<Operator>>>,
}

impl fmt::Debug for NumberedTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NumberedTexts")
            .field("made", &*self.made.lock())
            .finish_non_exhaustive()
    }
}

impl DisplayAs for NumberedTexts {
    fn fmt_as(&self, form: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.aggregate.fmt_as(form, f)
    }
}

impl ExecutionPlan for NumberedTexts {
    stands_for!(aggregate);

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Operator>,
        options: ReplaceChildrenOptions,
    ) -> Result<Operator> {
        let aggregate = Arc::clone(&self.aggregate).replace_children(children, options)?;
        Ok(with_numbered_texts(&aggregate).unwrap_or(aggregate))
    }

    new_children_replace!();

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.aggregate.input();
        let rows = rows.execute(partition, Arc::clone(&context))?;
        let run = run::Partition {
            aggregate: Arc::clone(&self.aggregate),
            made: Arc::clone(&self.made),
            partition,
            context,
        };
        let groups = stream::once(run.groups(self.texts.clone(), rows)).try_flatten();
        let schema = self.schema();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, groups)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(metrics_of(&self.made.lock()))
    }
}
