//! The queries of views: planned with the rights of the view's definer, in the dialect and the
//! database that the view was made in.
//!
//! ```text
//! reader ── SELECT … FROM sales.v ─▶ the view is the reader's to see: grants on sales.v
//! definer ─ the query of sales.v ──▶ tables are the definer's to see, and to pass on
//! ```
//!
//! For a reader that is neither the definer nor an administrator, the plan of the view is behind a
//! [`barrier`], and its tables are sealed: nothing of them is reported.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};

use arrow::datatypes::{DataType, Schema};
use async_trait::async_trait;
use datafusion::common::{Column as ColumnRef, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use futures::FutureExt;
use futures::future::BoxFuture;
use lakegate_catalog::access::Access;
use lakegate_catalog::hive_type::HiveType;
use lakegate_catalog::model::{Column, Table, ViewColumn, ViewDefinition, ViewSyntax};
use lakegate_dialect::Dialect;
use lakegate_dialect::postgres::accepted_casts;
use lakegate_engine::CATALOG;
use lakegate_engine::barrier::barrier;
use lakegate_engine::time::{DateOrder, parses_times};
use lakegate_error::{Code, Error, Result, from_engine};
use lakegate_policy::{ViewQueries, Visible};
use lakegate_sql::Statement;
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{self, VisitorMut};

use crate::moment::Moment;
use crate::query::column_names::ColumnNames;
use crate::query::parameters::check_parameters;
use crate::query::planning::analyzed;
use crate::query::relations::Relations;
use crate::query::resolve::NameScope;
use crate::query::rewrites::hive_strings::standard_strings;
use crate::query::rewrites::joined_columns::Lookups;
use crate::session::Session;

/// How deeply views may be nested.
const MAX_NESTED: usize = 16;

/// Plans the views that a statement names.
#[derive(Debug)]
pub(crate) struct SessionViews {
    pub session: Weak<Session>,
    /// The rights with which the statement is planned: the session's, or those of the definer of
    /// the view that it is the query of.
    pub moment: Moment,
    /// The views that the statement is the query of, outermost first.
    pub views: Vec<Arc<Table>>,
}

#[async_trait]
impl ViewQueries for SessionViews {
    async fn plan(&self, view: &Visible) -> Result<LogicalPlan> {
        let session = self.session.upgrade();
        let session = session.ok_or_else(|| Error::internal("the session is over"))?;
        let planning = session.plan_view(&self.moment, &view.table, &self.views);
        planning.await
    }
}

/// With whose rights the query of a view is planned.
struct Rights {
    access: Arc<Access>,
    /// Whether the reader is not to learn what the view reads.
    sealed: bool,
}

impl Session {
    fn plan_view<'a>(
        &'a self,
        moment: &'a Moment,
        view: &'a Arc<Table>,
        within: &'a [Arc<Table>],
    ) -> BoxFuture<'a, Result<LogicalPlan>> {
        async move {
            check_nesting(view, within)?;
            let name = view.full_name();
            let rights = self.rights(moment, view)?;
            let hidden_by = moment.view.sealed_by.clone();
            let sealed_by = match (&hidden_by, rights.sealed) {
                (None, true) => Some(Arc::from(name.as_str())),
                _ => hidden_by,
            };
            let definer = moment.within_view(view, rights.access, sealed_by);
            let path = moment.view.temporary.path_of(view);
            let planned = Box::pin(self.plan_query_of(&definer, view, path, within)).await;
            let plan = planned.map_err(|error| stale(error, view, rights.sealed))?;
            Ok(match rights.sealed {
                true => barrier(&name, plan),
                false => plan,
            })
        }
        .boxed()
    }

    /// Returns the rights with which a view runs for the reader of this moment.
    ///
    /// A view shows others no more than its definer could grant to them: the definer's own rights
    /// count for the definer alone.
    ///
    /// # Errors
    /// The definer does not exist any more.
    fn rights(&self, moment: &Moment, view: &Table) -> Result<Rights> {
        let reader = moment.access();
        let own = Rights {
            access: Arc::clone(reader),
            sealed: false,
        };
        let Some(definer) = view.definer else {
            return Ok(own);
        };
        if definer == reader.user_id() {
            return Ok(own);
        }
        let control = moment.control();
        let access = control.access_of_definer(definer).ok_or_else(|| {
            Error::new(
                Code::InvalidView,
                format!(
                    "view {} runs with the rights of a user that does not exist any more",
                    view.full_name()
                ),
            )
            .with_hint("CREATE OR REPLACE VIEW makes it run with those of another user")
        })?;
        let principal = control.access(self.user());
        let is_administrator = principal.is_some_and(|access| access.is_administrator());
        Ok(Rights {
            access: Arc::new(access.delegable()),
            sealed: !is_administrator,
        })
    }

    /// Plans the query of a view, whose columns it returns by name. `path`: the databases in which a
    /// temporary view looks up names.
    async fn plan_query_of(
        &self,
        moment: &Moment,
        view: &Arc<Table>,
        path: Option<&[String]>,
        within: &[Arc<Table>],
    ) -> Result<LogicalPlan> {
        let definition = ViewDefinition::of(view)?;
        let statement = query_of(&definition)?;
        let dialect = match &definition.syntax {
            ViewSyntax::Trino | ViewSyntax::Hive => Dialect::Athena,
            ViewSyntax::Session(name) => Dialect::of_name(name),
        };
        let mut views = within.to_vec();
        views.push(Arc::clone(view));
        let scope = NameScope {
            dialect,
            path: match path {
                Some(path) => path.to_vec(),
                None => definition.schema.iter().cloned().collect(),
            },
            views,
        };
        let names = ColumnNames::of(dialect, &statement);
        let relations = Relations {
            session: self,
            moment,
            scope: &scope,
            apart: false,
        };
        let (plan, state) = Box::pin(relations.plan(statement, &mut Lookups::default())).await?;
        let known = state.system.read_all(&plan).await;
        known.map_err(from_engine)?;
        let typed = analyzed(&state.state, plan.clone())?;
        let shown = names.schema(typed.schema().inner());
        // The rules of the session's dialect are not those of the view's, nor is the order of its dates.
        let is_alike = dialect.names() == self.dialect().names()
            && (self.settings().date_order() == DateOrder::default()
                || !parses_times(&typed).map_err(from_engine)?);
        let plan = match is_alike {
            true => plan,
            false => accepted_casts(typed).map_err(from_engine)?,
        };
        let columns = columns_of(view, &definition, &plan, &shown)?;
        LogicalPlanBuilder::from(plan)
            .project(columns)
            .and_then(LogicalPlanBuilder::build)
            .map_err(from_engine)
    }
}

/// # Errors
/// The view is read to plan itself; too many views are nested.
fn check_nesting(view: &Arc<Table>, within: &[Arc<Table>]) -> Result<()> {
    if let Some(start) = within.iter().position(|outer| outer.id == view.id) {
        let circle = within.iter().skip(start).chain([view]);
        let circle: Vec<String> = circle.map(|view| view.full_name()).collect();
        return Err(Error::new(
            Code::InvalidView,
            format!("the view reads itself: {}", circle.join(" → ")),
        ));
    }
    if within.len() >= MAX_NESTED {
        return Err(Error::new(
            Code::TooComplex,
            format!("views are nested more than {MAX_NESTED} deep"),
        )
        .with_hint("let one of them read the tables"));
    }
    Ok(())
}

/// Returns the error to report for a view whose query cannot be planned.
fn stale(error: Error, view: &Table, sealed: bool) -> Error {
    let name = view.full_name();
    match error.code() {
        code if code.is_about_the_run() => return error,
        // Of this view, or of one within it.
        Code::InvalidView if !sealed => return error,
        _ => {}
    }
    let by_definer = "the query runs with what the user that made the view may grant to others (SELECT WITH GRANT OPTION)";
    let stale = Error::new(
        Code::InvalidView,
        match sealed {
            true => format!("view {name} cannot be read any more"),
            false => format!("view {name} is stale: {}", error.message()),
        },
    );
    match (sealed, view.definer) {
        (true, _) => stale
            .with_hint("an administrator that reads it is shown why")
            .caused_by(&error),
        (false, Some(_)) => stale.with_hint(format!(
            "{by_definer}; CREATE OR REPLACE VIEW gives it another query"
        )),
        (false, None) => stale.with_hint("CREATE OR REPLACE VIEW gives it another query"),
    }
}

/// # Errors
/// The text is not one query.
fn query_of(definition: &ViewDefinition) -> Result<ast::Statement> {
    let invalid = |problem: String| {
        Error::new(
            Code::InvalidView,
            format!("the text of the view is not a query that can be read here: {problem}"),
        )
    };
    let sql = match definition.syntax {
        ViewSyntax::Hive => Cow::Owned(standard_strings(&definition.sql)),
        ViewSyntax::Trino | ViewSyntax::Session(_) => Cow::Borrowed(&*definition.sql),
    };
    let parsed = lakegate_sql::parse(&sql).map_err(|error| invalid(error.said()))?;
    let mut parsed = parsed.into_iter();
    match (parsed.next().map(|one| one.statement), parsed.next()) {
        (Some(Statement::Query(mut query)), None) => {
            check_parameters(query.as_ref(), 0)?;
            if let Some(catalog) = &definition.catalog {
                let _ = walk_mut(query.as_mut(), &mut InThisCatalog { own: catalog });
            }
            Ok(ast::Statement::Query(query))
        }
        (Some(Statement::Unsupported(refused)), None) => Err(invalid(refused.message())),
        _ => Err(invalid("it is not one SELECT".to_owned())),
    }
}

/// Names this catalog where the query of a view names its own: a catalog has another name in each
/// program that it is configured in.
struct InThisCatalog<'a> {
    own: &'a str,
}

impl VisitorMut for InThisCatalog<'_> {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &mut ast::ObjectName) -> ControlFlow<()> {
        if let [ast::ObjectNamePart::Identifier(catalog), _, _] = name.0.as_mut_slice()
            && catalog.value.eq_ignore_ascii_case(self.own)
        {
            CATALOG.clone_into(&mut catalog.value);
        }
        ControlFlow::Continue(())
    }
}

/// Returns the columns of a view as expressions over the plan of its query.
///
/// `shown`: the columns of the query, as it names them, with their types.
///
/// # Errors
/// A column is gone, or has another type.
fn columns_of(
    view: &Table,
    definition: &ViewDefinition,
    plan: &LogicalPlan,
    shown: &Schema,
) -> Result<Vec<Expr>> {
    let mut columns = Vec::with_capacity(shown.fields().len());
    for stored in view.columns() {
        let mut fields = shown.fields().iter().enumerate();
        let found = fields.find(|(_, field)| field.name().to_lowercase() == stored.name);
        let Some((index, field)) = found else {
            let gone = format!("its query has no column \"{}\" any more", stored.name);
            return Err(Error::new(Code::ColumnNotFound, gone));
        };
        let (qualifier, inner) = plan.schema().qualified_field(index);
        let column = Expr::Column(ColumnRef::new(qualifier.cloned(), inner.name()));
        let mut kept = definition.columns.iter();
        let kept = kept.find(|column| column.name.to_lowercase() == stored.name);
        let typed = match kept.and_then(ViewColumn::beyond_hive) {
            Some(_) => column,
            None => match conversion(stored, field.data_type(), &definition.syntax)? {
                Some(data_type) => cast(column, data_type),
                None => column,
            },
        };
        columns.push(typed.alias_qualified(None::<TableReference>, &stored.name));
    }
    Ok(columns)
}

/// Returns the type to which a column is cast; `None` if it has its type.
///
/// A view that was made here has another type only if tables have changed since, and then every
/// value must fit. In a view of another program, numbers have that program's types, some of which
/// are narrower than those here: `1` is an integer to Athena. A value that does not fit is an error
/// when it is read.
///
/// # Errors
/// The column cannot have the view's type.
fn conversion(stored: &Column, found: &DataType, syntax: &ViewSyntax) -> Result<Option<DataType>> {
    let Ok(wanted) = stored.data_type.parse::<HiveType>() else {
        return Ok(None);
    };
    let Ok((is, _)) = ViewColumn::types_of(found) else {
        return Ok(None);
    };
    let rank = |hive: &HiveType| match hive {
        HiveType::TinyInt => Some(1),
        HiveType::SmallInt => Some(2),
        HiveType::Int => Some(3),
        HiveType::BigInt => Some(4),
        _ => None,
    };
    let same = is == wanted
        || (is.is_text() && wanted.is_text())
        // Fields in them may differ in the lengths of texts.
        || (is.is_nested() && wanted.is_nested());
    if same {
        return Ok(None);
    }
    let of_other_program = match syntax {
        ViewSyntax::Trino | ViewSyntax::Hive => true,
        ViewSyntax::Session(_) => false,
    };
    let converts = match (rank(&is), rank(&wanted)) {
        (Some(is), Some(wanted)) => is < wanted || of_other_program,
        _ => match (&is, &wanted) {
            // The sum of a `bigint` is a decimal in PostgreSQL's sessions.
            (HiveType::Float, HiveType::Double) | (HiveType::Decimal(_, 0), HiveType::BigInt) => {
                true
            }
            (HiveType::Double, HiveType::Float)
            | (HiveType::Decimal(..), HiveType::Decimal(..)) => of_other_program,
            _ => false,
        },
    };
    if !converts {
        return Err(Error::new(
            Code::TypeMismatch,
            format!(
                "column \"{}\" has the type {} now, and had {} when the view was made",
                stored.name,
                is.to_trino(),
                wanted.to_trino()
            ),
        ));
    }
    Ok(Some(wanted.to_arrow()))
}
