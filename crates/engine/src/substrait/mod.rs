//! Substrait plans: converts bytes from a client to a logical plan over the catalogs of a session,
//! with DataFusion's consumer.
//!
//! Fewer plans are accepted than the consumer accepts: only relations that read, over tables by
//! name. Files and extensions are refused, and so are plans whose conversion would take much
//! memory. The filter of a read becomes a node of its own, because the consumer leaves it to the
//! scan, which may only prune with it.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::context::SQLOptions;
use datafusion::execution::{FunctionRegistry, SessionState};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion_substrait::extensions::Extensions;
use datafusion_substrait::logical_plan::consumer::{
    DefaultSubstraitLambdaConsumer, SubstraitConsumer, from_read_rel,
    from_substrait_plan_with_consumer, from_substrait_rel, from_substrait_rex,
};
use datafusion_substrait::substrait::proto::expression::MaskExpression;
use datafusion_substrait::substrait::proto::extensions::AdvancedExtension;
use datafusion_substrait::substrait::proto::read_rel::{NamedTable, ReadType, VirtualTable};
use datafusion_substrait::substrait::proto::rel::RelType;
use datafusion_substrait::substrait::proto::rel_common::EmitKind;
use datafusion_substrait::substrait::proto::{
    Expression, Plan, ReadRel, Rel, RelCommon, Type, plan_rel,
};
use datafusion_substrait::substrait::version::{
    SUBSTRAIT_MAJOR_VERSION, SUBSTRAIT_MINOR_VERSION, SUBSTRAIT_PATCH_VERSION,
};
use futures::FutureExt;
use lakegate_error::{Code, Error, Result, find, from_engine, table_not_found};
use parking_lot::Mutex;
use prost::Message;

/// Maximum bytes of a plan.
const MAX_BYTES: usize = 512 * 1024;
/// Maximum relations of a plan. Each input of a UNION nests the previous ones.
const MAX_RELATIONS: usize = 300;
/// Maximum of expressions, columns of all relations, values, and copies of expressions, all
/// together.
const MAX_NODES: usize = 500_000;

/// The oldest Substrait version, major and minor, whose plans are read.
const OLDEST: (u32, u32) = (0, 20);

/// Returns the oldest and the newest Substrait version whose plans are read.
pub fn versions() -> (String, String) {
    (
        format!("{}.{}.0", OLDEST.0, OLDEST.1),
        format!("{SUBSTRAIT_MAJOR_VERSION}.{SUBSTRAIT_MINOR_VERSION}.{SUBSTRAIT_PATCH_VERSION}"),
    )
}

/// Converts the bytes of a `substrait.Plan` to a logical plan.
///
/// # Errors
///
/// Returns an error if the bytes are not a plan, are too many or nest too deeply, if the version is
/// not supported, if a relation does more than read, or if a name does not resolve in the session's
/// catalogs.
pub async fn plan(state: &SessionState, bytes: &[u8]) -> Result<LogicalPlan> {
    let plan = decode(bytes)?;
    let extensions = Extensions::try_from(&plan.extensions).map_err(own)?;
    if !extensions.type_variations.is_empty() {
        return Err(refused("type variations of its own"));
    }
    let consumer = Consumer {
        extensions: &extensions,
        state,
        outer: Mutex::default(),
        lambdas: DefaultSubstraitLambdaConsumer::new(),
        relations: AtomicUsize::new(0),
        nodes: AtomicUsize::new(0),
    };
    // The consumer panics if something that the specification requires is missing.
    let consumed = from_substrait_plan_with_consumer(&consumer, &plan);
    let consumed = AssertUnwindSafe(consumed).catch_unwind().await;
    let plan = consumed
        .map_err(|_| malformed("a part is missing, or an index is out of range"))?
        .map_err(own)?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(from_engine)?;
    Ok(plan)
}

fn decode(bytes: &[u8]) -> Result<Plan> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(
            Code::InvalidQuery,
            format!(
                "the Substrait plan has {} bytes; {MAX_BYTES} are allowed",
                bytes.len()
            ),
        ));
    }
    // Decoding refuses messages nested more than 100 deep.
    let plan = Plan::decode(bytes).map_err(|e| malformed(&e.to_string()))?;
    if let Some(version) = &plan.version {
        let found = (version.major_number, version.minor_number);
        let known = OLDEST..=(SUBSTRAIT_MAJOR_VERSION, SUBSTRAIT_MINOR_VERSION);
        if found != (0, 0) && !known.contains(&found) {
            let (oldest, newest) = versions();
            return Err(Error::not_supported(format!(
                "the plan is of Substrait {}.{}.{}; {oldest} to {newest} are read",
                version.major_number, version.minor_number, version.patch_number
            )));
        }
    }
    if has_enhancement(plan.advanced_extensions.as_ref()) {
        return Err(refused("an enhancement"));
    }
    match plan.relations.as_slice() {
        [root] => match &root.rel_type {
            Some(plan_rel::RelType::Root(root)) if root.input.is_none() => {
                Err(malformed("its root has no input"))
            }
            _ => Ok(plan),
        },
        others => Err(malformed(&format!(
            "it has {} relation trees, where there must be one",
            others.len()
        ))),
    }
}

fn malformed(why: &str) -> Error {
    Error::new(
        Code::InvalidQuery,
        format!("the bytes are no valid Substrait plan: {why}"),
    )
}

fn refused(what: &str) -> Error {
    Error::not_supported(format!("a Substrait plan with {what} is not supported"))
        .with_hint("plans may read, filter, project, join, aggregate, sort, limit and combine tables that are named")
}

/// Attributes errors of the consumer to the plan.
fn own(error: DataFusionError) -> Error {
    if let Some(error) = find(&error) {
        return error;
    }
    match error.find_root() {
        DataFusionError::Substrait(what) | DataFusionError::Internal(what) => malformed(what),
        _ => from_engine(error),
    }
}

/// Returns whether it has an enhancement, which changes the meaning of a plan for consumers that
/// know it.
fn has_enhancement(extension: Option<&AdvancedExtension>) -> bool {
    extension.is_some_and(|extension| extension.enhancement.is_some())
}

struct Consumer<'a> {
    extensions: &'a Extensions,
    state: &'a SessionState,
    /// The schemas of the enclosing queries, innermost last.
    outer: Mutex<Vec<Arc<DFSchema>>>,
    lambdas: DefaultSubstraitLambdaConsumer,
    relations: AtomicUsize,
    nodes: AtomicUsize,
}

impl Consumer<'_> {
    fn spend(&self, nodes: usize) -> EngineResult<()> {
        let before = self.nodes.fetch_add(nodes, Ordering::Relaxed);
        if before.saturating_add(nodes) > MAX_NODES {
            return Err(Error::new(
                Code::InvalidQuery,
                format!(
                    "the Substrait plan has more than {MAX_NODES} expressions, columns and values"
                ),
            )
            .into());
        }
        Ok(())
    }

    /// References to expressions copy them. Each copy has at most as many nodes as the longest
    /// expression has bytes.
    fn spend_on_copies(&self, copies: usize, of: &[Expression]) -> EngineResult<()> {
        if copies == 0 {
            return Ok(());
        }
        let longest = of.iter().map(Message::encoded_len).max();
        self.spend(copies.saturating_mul(longest.unwrap_or(1)))
    }

    fn enter(&self, rel: &Rel) -> EngineResult<()> {
        if self.relations.fetch_add(1, Ordering::Relaxed) >= MAX_RELATIONS {
            return Err(Error::new(
                Code::InvalidQuery,
                format!("the Substrait plan has more than {MAX_RELATIONS} relations"),
            )
            .into());
        }
        let Some(rel) = &rel.rel_type else {
            return Err(malformed("a relation has no type").into());
        };
        let (common, extension) = match rel {
            RelType::Read(rel) => (&rel.common, &rel.advanced_extension),
            RelType::Filter(rel) => (&rel.common, &rel.advanced_extension),
            RelType::Fetch(rel) => (&rel.common, &rel.advanced_extension),
            RelType::Aggregate(rel) => {
                let references = rel.groupings.iter();
                let references = references.map(|grouping| grouping.expression_references.len());
                let copies = references.sum::<usize>();
                let of = &rel.grouping_expressions;
                self.spend_on_copies(copies.saturating_sub(of.len()), of)?;
                (&rel.common, &rel.advanced_extension)
            }
            RelType::Sort(rel) => (&rel.common, &rel.advanced_extension),
            RelType::Join(rel) => {
                check_there(rel.left.is_some() && rel.right.is_some())?;
                (&rel.common, &rel.advanced_extension)
            }
            RelType::Cross(rel) => {
                check_there(rel.left.is_some() && rel.right.is_some())?;
                (&rel.common, &rel.advanced_extension)
            }
            RelType::Project(rel) => {
                self.check_emit(rel.common.as_ref(), &rel.expressions)?;
                (&rel.common, &rel.advanced_extension)
            }
            RelType::Set(rel) => (&rel.common, &rel.advanced_extension),
            other => return Err(refused(kind(other)).into()),
        };
        if has_enhancement(extension.as_ref()) {
            return Err(refused("an enhancement").into());
        }
        self.check_emit(common.as_ref(), &[])
    }

    fn check_emit(&self, common: Option<&RelCommon>, of: &[Expression]) -> EngineResult<()> {
        let Some(common) = common else {
            return Ok(());
        };
        if has_enhancement(common.advanced_extension.as_ref()) {
            return Err(refused("an enhancement").into());
        }
        if let Some(EmitKind::Emit(emit)) = &common.emit_kind {
            let fields = &emit.output_mapping;
            let distinct: HashSet<i32> = fields.iter().copied().collect();
            self.spend(fields.len())?;
            self.spend_on_copies(fields.len() - distinct.len(), of)?;
        }
        Ok(())
    }

    /// Returns a table by name, with the read's filter and projection above it.
    async fn scan(&self, read: &ReadRel, named: &NamedTable) -> EngineResult<LogicalPlan> {
        if has_enhancement(named.advanced_extension.as_ref()) {
            return Err(refused("an enhancement").into());
        }
        if !(1..=3).contains(&named.names.len()) {
            return Err(malformed("a table's name has one, two or three parts").into());
        }
        let names = named.names.iter().map(|name| name.to_lowercase()).collect();
        let whole = ReadRel {
            base_schema: read.base_schema.clone(),
            read_type: Some(ReadType::NamedTable(NamedTable {
                names,
                advanced_extension: None,
            })),
            ..ReadRel::default()
        };
        let mut plan = from_read_rel(self, &whole).await?;
        if let Some(filter) = &read.filter {
            let filter = self.consume_expression(filter, plan.schema()).await?;
            plan = LogicalPlanBuilder::from(plan).filter(filter)?.build()?;
        }
        match read.projection.as_ref() {
            None => Ok(plan),
            Some(mask) => masked(plan, mask),
        }
    }

    #[expect(deprecated, reason = "older producers write rows of literals")]
    fn check_values(&self, table: &VirtualTable) -> EngineResult<()> {
        let rows = table.values.len() + table.expressions.len();
        let values = table.values.iter().map(|row| row.fields.len());
        let expressions = table.expressions.iter().map(|row| row.fields.len());
        self.spend(rows + values.chain(expressions).sum::<usize>())
    }
}

fn check_there(inputs: bool) -> EngineResult<()> {
    if inputs {
        return Ok(());
    }
    Err(malformed("a relation lacks an input").into())
}

/// Selects the columns that a mask names. They can only be whole columns.
fn masked(plan: LogicalPlan, mask: &MaskExpression) -> EngineResult<LogicalPlan> {
    let Some(select) = &mask.select else {
        return Ok(plan);
    };
    let columns = plan.schema().columns();
    let picked: EngineResult<Vec<Expr>> = select
        .struct_items
        .iter()
        .map(|item| {
            if item.child.is_some() {
                return Err(refused("a projection of parts of a column").into());
            }
            let column = usize::try_from(item.field)
                .ok()
                .and_then(|index| columns.get(index));
            let column = column.ok_or_else(|| malformed("a projection is out of range"))?;
            Ok(Expr::Column(column.clone()))
        })
        .collect();
    LogicalPlanBuilder::from(plan).project(picked?)?.build()
}

/// Returns the name of a refused relation in an error.
fn kind(rel: &RelType) -> &'static str {
    match rel {
        RelType::Write(_) | RelType::Update(_) => "a relation that writes",
        RelType::Ddl(_) => "DDL",
        RelType::ExtensionLeaf(_) | RelType::ExtensionSingle(_) | RelType::ExtensionMulti(_) => {
            "an extension relation"
        }
        RelType::Reference(_) => "references to subtrees",
        RelType::Exchange(_) => "an exchange",
        RelType::Window(_) => "a partitioned window relation",
        RelType::Expand(_) => "an expand relation",
        RelType::HashJoin(_) | RelType::MergeJoin(_) | RelType::NestedLoopJoin(_) => {
            "a physical join"
        }
        _ => "a relation of this kind",
    }
}

#[async_trait]
impl SubstraitConsumer for Consumer<'_> {
    async fn resolve_table_ref(
        &self,
        name: &TableReference,
    ) -> EngineResult<Option<Arc<dyn TableProvider>>> {
        let missing = || {
            let shown = match name.schema() {
                Some(schema) => format!("{schema}.{}", name.table()),
                None => name.table().to_owned(),
            };
            DataFusionError::from(table_not_found(&shown))
        };
        let schema = self.state.schema_for_ref(name.clone());
        let schema = schema.map_err(|_| missing())?;
        let table = schema.table(name.table()).await?;
        table.ok_or_else(missing).map(Some)
    }

    fn get_extensions(&self) -> &Extensions {
        self.extensions
    }

    fn get_function_registry(&self) -> &impl FunctionRegistry {
        self.state
    }

    async fn consume_rel(&self, rel: &Rel) -> EngineResult<LogicalPlan> {
        self.enter(rel)?;
        let plan = from_substrait_rel(self, rel).await?;
        self.spend(1 + plan.schema().fields().len())?;
        Ok(plan)
    }

    async fn consume_read(&self, read: &ReadRel) -> EngineResult<LogicalPlan> {
        match &read.read_type {
            Some(ReadType::NamedTable(named)) => self.scan(read, named).await,
            Some(ReadType::VirtualTable(table)) => {
                if read.filter.is_some() || read.projection.is_some() {
                    return Err(
                        refused("a filter or a projection inside of a virtual table").into(),
                    );
                }
                self.check_values(table)?;
                from_read_rel(self, read).await
            }
            Some(ReadType::LocalFiles(_)) => {
                Err(refused("a read of files, in the place of a table's name,").into())
            }
            Some(ReadType::IcebergTable(_)) => {
                Err(refused("a read of Iceberg metadata, in the place of a table's name,").into())
            }
            Some(ReadType::ExtensionTable(_)) => Err(refused("an extension table").into()),
            None => Err(malformed("a read does not say of what").into()),
        }
    }

    async fn consume_expression(
        &self,
        expression: &Expression,
        input: &DFSchema,
    ) -> EngineResult<Expr> {
        self.spend(1)?;
        from_substrait_rex(self, expression, input).await
    }

    fn push_outer_schema(&self, schema: Arc<DFSchema>) {
        self.outer.lock().push(schema);
    }

    fn pop_outer_schema(&self) {
        self.outer.lock().pop();
    }

    fn get_outer_schema(&self, steps_out: usize) -> Option<Arc<DFSchema>> {
        let outer = self.outer.lock();
        let index = outer.len().checked_sub(steps_out)?;
        outer.get(index).cloned()
    }

    fn push_lambda_parameters(
        &self,
        parameters: &[Type],
        input: &DFSchema,
    ) -> EngineResult<Vec<String>> {
        self.lambdas.push_lambda_parameters(self, parameters, input)
    }

    fn pop_lambda_parameters(&self) {
        self.lambdas.pop_lambda_parameters();
    }

    fn lambda_variable(&self, steps_out: usize, index: usize) -> EngineResult<Expr> {
        self.lambdas.lambda_variable(steps_out, index)
    }
}

#[cfg(test)]
mod tests;
