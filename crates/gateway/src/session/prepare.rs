//! Preparation: finds a statement's parameters and columns by planning it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use bytes::Bytes;
use datafusion::logical_expr::LogicalPlan;
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_error::{Error, Result};
use lakegate_sql::Parsed;
use lakegate_sql::ast::{self as sql, Statement};
use sqlparser::ast;

use crate::Protocol;
use crate::moment::Moment;
use crate::query::kept_plan::{KeptPlan, PlanInputs, PlanSlot};
use crate::query::list_parameters::lists_as_items;
use crate::query::parameter_marks::{self, Declared, Marks, Sources};
use crate::query::parameter_places::place_types;
use crate::query::parameters::{
    declare_types, inferred_types, list_of, named_parameters, number, parameter_types,
    untyped_parameters,
};
use crate::query::planners::PlannedText;
use crate::query::planning::{Planned, Planning};
use crate::query::source::QuerySource;
use crate::session::Session;
use crate::session::describe_prepared;
use crate::session::prepared::Prepared;
use crate::session::results::{setting_schema, text_schema};
use crate::write::returning::check_clause;

static NO_MARKS: Marks = Marks::new();

impl Session {
    /// Plans a statement far enough to know its parameters and columns.
    ///
    /// `declared`: the types that the client declares for `$1`, `$2` …; the others are inferred.
    ///
    /// # Errors
    /// The session is over; planning a query fails.
    pub fn prepare<'a>(
        &'a self,
        parsed: Arc<Parsed>,
        declared: &'a [Option<DataType>],
    ) -> BoxFuture<'a, Result<Prepared>> {
        self.prepare_as(parsed, declared, &NO_MARKS)
    }

    /// Plans a statement far enough to know its parameters and columns.
    ///
    /// `declared`: as for [`Self::prepare`]. `marks`: PostgreSQL's types of declared parameters, by
    /// their names in `pg_type`; those that the engine has as they are do not matter.
    ///
    /// # Errors
    /// As of [`Self::prepare`].
    pub fn prepare_as<'a>(
        &'a self,
        parsed: Arc<Parsed>,
        declared: &'a [Option<DataType>],
        marks: &'a Marks,
    ) -> BoxFuture<'a, Result<Prepared>> {
        let declared = Declared {
            types: declared,
            marks,
        };
        async move {
            let moment = self.current_moment().await?;
            let mut prepared = Prepared::undescribed(parsed);
            let QuerySource::Sql(parsed) = &prepared.source else {
                return Ok(prepared);
            };
            match &parsed.statement {
                Statement::Query(query) => {
                    if let Some(known) = self.described_before(&moment, parsed, declared) {
                        let checked = self.state.lock().transaction.check();
                        checked.map_err(|error| self.told(error, parsed))?;
                        return Ok(known);
                    }
                    let inputs = self.plan_inputs(&moment);
                    let typed = self.with_typed_literals(query);
                    let described = self.describe(&moment, &typed, declared).await;
                    let described = described.map_err(|error| self.told(error, parsed))?;
                    prepared.columns = Some(described.columns);
                    prepared.origins = described.planning.origins();
                    prepared.announce(described.parameters);
                    let (plan, planning) = (described.plan, described.planning);
                    let plans = &self.gateway.plans;
                    let kept = KeptPlan::new(inputs, plan, planning, plans);
                    self.keep_plan(&moment, &mut prepared, declared, kept);
                }
                Statement::Copy(copy) => {
                    let described = self.describe(&moment, &copy.query, declared).await?;
                    prepared.announce(described.parameters);
                }
                // The statement itself has no rows.
                Statement::DeclareCursor(declare) => {
                    let described = self.describe(&moment, &declare.query, declared).await;
                    let described = described.map_err(|error| self.told(error, parsed))?;
                    prepared.announce(described.parameters);
                }
                statement if statement.written_query().is_some() => {
                    let described = self.describe_write(&moment, statement, declared);
                    let described = Box::pin(described).await;
                    let (described, returned) =
                        described.map_err(|error| self.told(error, parsed))?;
                    prepared.announce(described.parameters);
                    prepared.columns = returned;
                }
                Statement::Explain(explain) => {
                    let described = match explain.statement.as_ref() {
                        Statement::Query(query) => {
                            Some(self.describe(&moment, query, declared).await?)
                        }
                        written if written.written_query().is_some() => {
                            let described =
                                self.written_query_to_describe(&moment, written, declared.types);
                            let (query, types) = described.await?;
                            let types = Declared {
                                types: &types,
                                ..declared
                            };
                            Some(Box::pin(self.describe(&moment, &query, types)).await?)
                        }
                        _ => None,
                    };
                    prepared.columns = Some(self.explain_schema(explain)?);
                    if let Some(described) = described {
                        prepared.announce(described.parameters);
                    }
                }
                // Here, and not when it runs: its parameters are not known, and binding values to
                // them would fail with an error that hides the reason.
                Statement::Unsupported(refused) => {
                    self.check_transaction(Some(&parsed.statement))
                        .map_err(|error| self.told(error, parsed))?;
                    let error = Error::not_supported(refused.message());
                    return Err(self.told(error, parsed));
                }
                Statement::Execute(execute) => {
                    let state = self.state.lock();
                    let executed = state.named(&execute.name);
                    prepared.columns = executed.and_then(|executed| executed.columns.clone());
                }
                Statement::Fetch(fetch) => {
                    prepared.columns = Some(Arc::clone(&self.cursor(&fetch.name)?.schema));
                }
                Statement::DescribePrepared(describe) => {
                    prepared.columns = Some(describe_prepared::columns(describe.side));
                }
                Statement::Show(sql::Show::Setting(name)) => {
                    prepared.columns = Some(setting_schema(name));
                }
                Statement::Show(sql::Show::All) => {
                    prepared.columns = Some(text_schema(&["name", "setting", "description"]));
                }
                other => prepared.columns = lakegate_statement::columns(other),
            }
            Ok(prepared)
        }
        .boxed()
    }

    /// Prepares a `substrait.Plan`. Its dynamic parameters become those of the prepared statement:
    /// number 0 is `$1`.
    ///
    /// # Errors
    /// The server was built without Substrait; the bytes are not a plan, or the plan does more than
    /// read; names do not resolve.
    pub fn prepare_substrait<'a>(&'a self, plan: Bytes) -> BoxFuture<'a, Result<Prepared>> {
        async move {
            let moment = self.current_moment().await?;
            let inputs = self.plan_inputs(&moment);
            let planning = Box::pin(self.resolve_substrait(&moment, plan.clone())).await?;
            let shown = PlannedText::Substrait(planning.database.clone());
            let planned = self.plan(&moment, shown, planning.described().boxed());
            let planned = planned.await?;
            let mut prepared = Prepared::of(QuerySource::Substrait(plan));
            prepared.parameters = parameter_types(inferred_types(&planned.plan)?.types, &[])?;
            prepared.columns = Some(planned.columns);
            let plans = &self.gateway.plans;
            let kept = KeptPlan::new(inputs, planned.plan, planned.planning, plans);
            let declared = Declared {
                types: &[],
                marks: &NO_MARKS,
            };
            self.keep_plan(&moment, &mut prepared, declared, kept);
            Ok(prepared)
        }
        .boxed()
    }

    /// Returns a statement that was described before, if describing it now would give the same.
    fn described_before(
        &self,
        moment: &Moment,
        parsed: &Arc<Parsed>,
        declared: Declared<'_>,
    ) -> Option<Prepared> {
        let settings = self.settings();
        if !settings.keeps_plans() {
            return None;
        }
        let mut state = self.state.lock();
        state
            .kept_plans
            .described(parsed, declared, moment, &settings)
    }

    pub(crate) fn plan_inputs(&self, moment: &Moment) -> PlanInputs {
        PlanInputs {
            moment: moment.clone(),
            settings: self.settings(),
        }
    }

    /// Keeps the plan of a described statement for its executions.
    fn keep_plan(
        &self,
        moment: &Moment,
        prepared: &mut Prepared,
        declared: Declared<'_>,
        plan: KeptPlan,
    ) {
        let found_again = plan.lasts();
        let slot = Arc::new(PlanSlot::default());
        slot.put(plan);
        prepared.plan = Some(Arc::clone(&slot));
        let found = found_again.then(|| prepared.clone());
        let mut state = self.state.lock();
        state.kept_plans.add(&slot, found, Some(declared), moment);
    }

    async fn describe(
        &self,
        moment: &Moment,
        query: &ast::Query,
        declared: Declared<'_>,
    ) -> Result<Description> {
        self.state.lock().transaction.check()?;
        let named = named_parameters(query);
        let mut asked = query.clone();
        let lists = lists_as_items(&mut asked, declared.types);
        let (mut planned, known) = match named.is_empty() {
            true => {
                let planned = Box::pin(self.plan_query(moment, &asked, declared, true)).await?;
                (planned, declared.types.to_vec())
            }
            false => {
                let is_last = are_declared(&named, declared.types);
                Box::pin(self.plan_for_types(moment, &asked, declared, is_last)).await?
            }
        };
        let mut inferred = inferred_types(&planned.plan)?;
        // Drivers of Flight send numbers with the fractional digits that are announced.
        if self.protocol == Protocol::Postgres {
            inferred.open_digits();
        }
        for name in named {
            inferred.types.entry(name).or_default();
        }
        let mut parameters = parameter_types(inferred.types.clone(), &known)?;
        let untyped = untyped_parameters(&inferred.types, &known, parameters.len());
        for (index, data_type) in parameters.iter_mut().enumerate() {
            if lists.contains(&(index + 1)) {
                *data_type = list_of(data_type);
            }
        }
        let sources = Sources {
            declared,
            known: &known,
            lists: &lists,
            types: &parameters,
        };
        let marks = parameter_marks::settled(query, inferred.marks, sources);
        let are_marked = marks
            .iter()
            .all(|(index, mark)| declared.marks.get(index) == Some(mark));
        let settled: Vec<Option<DataType>> = parameters.iter().cloned().map(Some).collect();
        if settled != declared.types || !are_marked {
            // Planned again with the types that it will run with.
            let settled = Declared {
                types: &settled,
                marks: &marks,
            };
            planned = Box::pin(self.plan_query(moment, query, settled, true)).await?;
        }
        let parameters = Parameters {
            types: parameters,
            untyped,
            marks,
        };
        Ok(Description {
            parameters,
            plan: planned.plan,
            columns: planned.columns,
            planning: planned.planning,
        })
    }

    /// Describes the query of a statement that writes, with all parameters of the statement, and the
    /// columns of its RETURNING clause, if it has one.
    async fn describe_write(
        &self,
        moment: &Moment,
        statement: &Statement,
        declared: Declared<'_>,
    ) -> Result<(Description, Option<SchemaRef>)> {
        let (query, types) = self
            .written_query_to_describe(moment, statement, declared.types)
            .await?;
        let types = Declared {
            types: &types,
            ..declared
        };
        let mut described = Box::pin(self.describe(moment, &query, types)).await?;
        if !matches!(statement, Statement::Insert(insert) if insert.returning.is_some()) {
            return Ok((described, None));
        }
        let catalog = self.statement_context(moment).await?;
        let Some(returning) = self.returning(moment, &catalog, statement).await? else {
            return Ok((described, None));
        };
        let types = described.parameters.known();
        let seen = returning.seen(None)?;
        let known = Declared {
            types: &types,
            marks: &described.parameters.marks,
        };
        let returned = Box::pin(self.describe(&seen, &returning.query, known)).await?;
        check_clause(&returned.plan, "RETURNING")?;
        described.parameters = returned.parameters;
        Ok((described, Some(returned.columns)))
    }

    /// Plans a query to learn the types of its parameters. Returns also those that are declared, or
    /// that follow from the places of parameters.
    ///
    /// `is_last`: whether the plan may be the one that runs, so that its columns are needed.
    async fn plan_for_types(
        &self,
        moment: &Moment,
        query: &ast::Query,
        declared: Declared<'_>,
        is_last: bool,
    ) -> Result<(Planned, Vec<Option<DataType>>)> {
        let mut placed = query.clone();
        let types = place_types(&mut placed, declared.types);
        let of_places = Declared {
            types: &types,
            ..declared
        };
        let with_calls = (placed != *query).then_some(&placed);
        let without_calls = (types != declared.types).then_some(query);
        for attempt in with_calls.into_iter().chain(without_calls) {
            match Box::pin(self.plan_query(moment, attempt, of_places, is_last)).await {
                Ok(planned) => return Ok((planned, types)),
                Err(error) if error.code().is_about_the_run() => return Err(error),
                // Types of places are guesses: without them the query may be right.
                Err(_) => {}
            }
        }
        let planned = Box::pin(self.plan_query(moment, query, declared, is_last)).await?;
        Ok((planned, declared.types.to_vec()))
    }

    /// Plans a query whose parameters have the types known so far. `is_last`: as for
    /// [`Self::plan_for_types`].
    async fn plan_query(
        &self,
        moment: &Moment,
        query: &ast::Query,
        known: Declared<'_>,
        is_last: bool,
    ) -> Result<Planned> {
        let mut statement = ast::Statement::Query(Box::new(query.clone()));
        // The casts of parameters name no columns.
        let names = self.column_names(&statement);
        declare_types(&mut statement, known.types, known.marks);
        let planning = Box::pin(self.resolve(moment, statement)).await?;
        let planning = Planning {
            names,
            shows_digits: self.shows_digits(),
            ..planning
        };
        let text = PlannedText::Query(query, planning.database.clone());
        let work = match is_last {
            true => planning.described().boxed(),
            false => planning.planned().boxed(),
        };
        self.plan(moment, text, work).await
    }
}

/// Returns whether the types of all parameters are declared. Otherwise the query is planned again
/// once they are known.
fn are_declared(named: &BTreeSet<String>, declared: &[Option<DataType>]) -> bool {
    let is_declared = |name: &String| number(name).is_some_and(|number| number <= declared.len());
    declared.iter().all(Option::is_some) && named.iter().all(is_declared)
}

/// The parameters of a query, as they are announced to the client.
struct Parameters {
    /// The types of `$1`, `$2` …
    types: Vec<DataType>,
    /// Indices of those whose type is neither declared nor inferred.
    untyped: Vec<usize>,
    marks: Marks,
}

impl Parameters {
    /// Returns the types; `None` for those that are neither declared nor inferred.
    fn known(&self) -> Vec<Option<DataType>> {
        let types = self.types.iter().enumerate();
        types
            .map(|(index, data_type)| {
                let is_untyped = self.untyped.contains(&index);
                (!is_untyped).then(|| data_type.clone())
            })
            .collect()
    }
}

impl Prepared {
    fn announce(&mut self, parameters: Parameters) {
        self.parameters = parameters.types;
        self.untyped = parameters.untyped;
        self.marks = parameters.marks;
    }
}

/// A planned query with the types of all its parameters.
struct Description {
    parameters: Parameters,
    plan: LogicalPlan,
    columns: SchemaRef,
    planning: Planning,
}
