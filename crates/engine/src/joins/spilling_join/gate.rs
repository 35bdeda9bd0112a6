//! DataFusion's join as planned, over rows that it is given.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::joins::{HashJoinExec, PartitionMode};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, EmptyRecordBatchStream, ExecutionPlan, Partitioning,
    PlanProperties, ReplaceChildrenOptions,
};
use parking_lot::Mutex;

use super::build::Rows;
use super::keys::Keys;
use crate::plans::operators::new_children_replace;

/// A join as planned, with the filters that it makes for its probe side. Its inputs are streams that
/// were started before.
pub(super) struct Gated {
    join: HashJoinExec,
    left: Arc<GivenExec>,
    right: Arc<GivenExec>,
    /// The keys that the filters of its probe side look up.
    keys: Option<Arc<Keys>>,
    /// Held while streams are given and taken.
    starting: Mutex<()>,
}

impl Gated {
    /// Creates the join from the planned one, with which it shares its metrics.
    ///
    /// # Errors
    ///
    /// Returns an error if the join cannot be rebuilt.
    pub(super) fn of(join: &HashJoinExec) -> Result<Self> {
        let left = Arc::new(GivenExec::in_place_of(join.left()));
        let right = Arc::new(GivenExec::in_place_of(join.right()));
        let inputs: Vec<Arc<dyn ExecutionPlan>> = vec![
            Arc::<GivenExec>::clone(&left),
            Arc::<GivenExec>::clone(&right),
        ];
        Ok(Self {
            join: join.builder().with_new_children(inputs)?.build()?,
            left,
            right,
            keys: Keys::of(join)?,
            starting: Mutex::new(()),
        })
    }

    pub(super) fn keys(&self) -> Option<Arc<Keys>> {
        self.keys.clone()
    }

    /// Starts a partition. `rows`: of the build side, which the first partition that needs them
    /// takes.
    fn start(
        &self,
        partition: usize,
        rows: &Mutex<Option<Rows>>,
        right: SendableRecordBatchStream,
        context: &Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let of_build = match self.join.partition_mode() {
            PartitionMode::CollectLeft => 0,
            _ => partition,
        };
        let right = match &self.keys {
            Some(keys) => keys.handed_over_before(right),
            None => right,
        };
        let _alone = self.starting.lock();
        let rows = rows.lock().take();
        let (right, context) = match rows {
            Some(rows) => {
                let (rows, handed) = rows.into_stream(self.left.schema());
                self.left.give(of_build, make_cooperative(rows));
                (handed.trimmed_before(right), handed.context(context))
            }
            None => (right, Arc::clone(context)),
        };
        self.right.give(partition, right);
        self.join.execute(partition, context)
    }

    /// Tells the other partitions that this one says nothing of its keys. They would wait for it
    /// before they filter the probe side.
    fn give_up(&self, partition: usize, context: &Arc<TaskContext>) {
        if *self.join.partition_mode() != PartitionMode::Partitioned
            || self.join.dynamic_expressions_produced().is_empty()
        {
            return;
        }
        let _alone = self.starting.lock();
        for gate in [&self.left, &self.right] {
            gate.give(partition, empty(gate.schema()));
        }
        // The stream tells them when it is dropped.
        drop(self.join.execute(partition, Arc::clone(context)));
    }
}

/// The right of a partition to start the join as planned. Without that, the partition gives up.
pub(super) struct Ticket {
    gated: Arc<Gated>,
    partition: usize,
    context: Arc<TaskContext>,
    is_used: bool,
}

impl Ticket {
    pub(super) fn new(gated: &Arc<Gated>, partition: usize, context: &Arc<TaskContext>) -> Self {
        Self {
            gated: Arc::clone(gated),
            partition,
            context: Arc::clone(context),
            is_used: false,
        }
    }

    /// Starts the partition.
    ///
    /// # Errors
    ///
    /// Returns the errors of the join.
    pub(super) fn start(
        mut self,
        rows: &Mutex<Option<Rows>>,
        right: SendableRecordBatchStream,
    ) -> Result<SendableRecordBatchStream> {
        self.is_used = true;
        self.gated.start(self.partition, rows, right, &self.context)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_used {
            self.gated.give_up(self.partition, &self.context);
        }
    }
}

/// An input of a join whose streams are given to it, each once.
pub(super) struct GivenExec {
    properties: Arc<PlanProperties>,
    /// The operator that it stands for, in which the join looks for its filters.
    input: Option<Arc<dyn ExecutionPlan>>,
    given: Mutex<HashMap<usize, SendableRecordBatchStream>>,
}

impl GivenExec {
    fn in_place_of(input: &Arc<dyn ExecutionPlan>) -> Self {
        Self {
            properties: Arc::clone(input.properties()),
            input: Some(Arc::clone(input)),
            given: Mutex::default(),
        }
    }

    /// Creates an input of one partition.
    pub(super) fn once(rows: SendableRecordBatchStream) -> Arc<dyn ExecutionPlan> {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(rows.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Arc::new(Self {
            properties: Arc::new(properties),
            input: None,
            given: Mutex::new(HashMap::from([(0, rows)])),
        })
    }

    fn give(&self, partition: usize, rows: SendableRecordBatchStream) {
        self.given.lock().insert(partition, rows);
    }
}

impl fmt::Debug for GivenExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenExec").finish_non_exhaustive()
    }
}

impl DisplayAs for GivenExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GivenExec")
    }
}

impl ExecutionPlan for GivenExec {
    fn name(&self) -> &str {
        "GivenExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.input.iter().collect()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match children.is_empty() {
            true => Ok(self),
            false => Err(DataFusionError::Internal(
                "rows that a join was given are read from other inputs".to_owned(),
            )),
        }
    }

    new_children_replace!();

    fn execute(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let given = self.given.lock().remove(&partition);
        given.ok_or_else(|| {
            DataFusionError::Internal("rows that a join was given are read twice".to_owned())
        })
    }
}

/// Returns a stream without rows.
pub(super) fn empty(schema: SchemaRef) -> SendableRecordBatchStream {
    Box::pin(EmptyRecordBatchStream::new(schema))
}
