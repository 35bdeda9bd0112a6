//! The visitor that rewrites the nodes of a statement, each by what is around it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Query, Select, Statement, TableFactor,
    VisitorMut,
};
use lakegate_engine::Names;
use lakegate_error::Error;
use lakegate_sql::walk::walk_mut;

use super::{
    CatalogReferences, SystemRelations, array_texts, bits, clauses, collations, comparisons,
    conditions, expressions, folded, grouping, numbers, object_lists, object_texts, ordered_sets,
    parts, precedence, row_counts, rows_from, sets, tables, text_conditions, transactions,
    types_of_casts, unnested, untyped, values, wildcards, windows,
};

/// Rewrites the nodes of a statement.
pub(super) struct Rewriter<'a> {
    relations: &'a SystemRelations,
    pub(super) by_object: &'a [&'a str],
    /// Which functions the names of calls mean.
    pub(super) functions: Names,
    pub(super) common_tables: BTreeSet<String>,
    pub(super) references: CatalogReferences,
    /// Those of the SELECTs around the node that is visited, the innermost last.
    pub(super) scopes: Vec<Scope>,
    /// Whether the query that is visited is part of another one.
    is_inside: bool,
    /// Whether the parser read ANDs and ORs as part of the preceding operand.
    mends_precedence: bool,
}

/// The system tables, conditions and windows of a SELECT.
#[derive(Default)]
pub(super) struct Scope {
    /// The OIDs of its system relations, by alias.
    pub(super) relations: BTreeMap<String, i64>,
    /// The conjuncts of its WHERE that compare an expression with a number.
    pub(super) equalities: Vec<(Expr, i64)>,
    /// The windows of its WINDOW clause.
    pub(super) windows: windows::Windows,
}

/// The names of a statement's common table expressions.
#[derive(Default)]
struct CommonTables {
    names: BTreeSet<String>,
}

impl VisitorMut for CommonTables {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(with) = &query.with {
            self.names
                .extend(with.cte_tables.iter().map(|cte| folded(&cte.alias.name)));
        }
        ControlFlow::Continue(())
    }
}

impl<'a> Rewriter<'a> {
    pub(super) fn new(
        statement: &mut Statement,
        relations: &'a SystemRelations,
        by_object: &'a [&'a str],
        functions: Names,
    ) -> Self {
        let mut names = CommonTables::default();
        let _ = walk_mut(statement, &mut names);
        Self {
            relations,
            by_object,
            functions,
            common_tables: names.names,
            references: CatalogReferences {
                objects: Some(BTreeSet::new()),
                ..CatalogReferences::default()
            },
            scopes: Vec::new(),
            is_inside: false,
            mends_precedence: precedence::is_needed(statement),
        }
    }

    /// Returns the system relation that a table's name refers to.
    fn system_relation(&self, name: &ObjectName) -> Option<(String, i64)> {
        let parts = parts(name)?;
        let name = match parts.as_slice() {
            [name] if !self.common_tables.contains(name) => name,
            [schema, name] | [_, schema, name] if schema == "pg_catalog" => name,
            _ => return None,
        };
        self.relations
            .get(name.as_str())
            .map(|oid| (name.clone(), *oid))
    }

    fn scope_of(&self, select: &Select) -> Scope {
        let mut scope = Scope::default();
        let joined = select.from.iter().flat_map(|table| {
            std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
        });
        for factor in joined {
            if let TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } = factor
                && let Some((relation, oid)) = self.system_relation(name)
            {
                let alias = alias.as_ref().map_or(relation, |alias| folded(&alias.name));
                scope.relations.insert(alias, oid);
            }
        }
        if let Some(selection) = &select.selection {
            conjuncts(selection, &mut |left, right| {
                if let Some(number) = expressions::number(right) {
                    scope.equalities.push((left.clone(), number));
                }
            });
        }
        scope
    }
}

/// Calls `found` for each equality among the conjuncts, with its sides in both orders.
fn conjuncts(expr: &Expr, found: &mut impl FnMut(&Expr, &Expr)) {
    match expr {
        Expr::Nested(inner) => conjuncts(inner, found),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left, found);
            conjuncts(right, found);
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } => {
            found(left, right);
            found(right, left);
        }
        _ => {}
    }
}

impl VisitorMut for Rewriter<'_> {
    type Break = Error;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        for tables in &select.from {
            if let Err(error) = tables::check_joins(tables) {
                return ControlFlow::Break(error);
            }
        }
        row_counts::rewrite(select);
        if let Err(error) = conditions::check(select).and_then(|()| row_counts::check(select)) {
            return ControlFlow::Break(error);
        }
        clauses::rewrite(select);
        if let Err(error) = grouping::rewrite(select) {
            return ControlFlow::Break(error);
        }
        let mut scope = self.scope_of(select);
        match windows::defined(select) {
            Ok(windows) => scope.windows = windows,
            Err(error) => return ControlFlow::Break(error),
        }
        self.scopes.push(scope);
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        wildcards::qualify(select);
        if self.functions == Names::Postgres {
            text_conditions::rewrite(select);
        }
        self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        clauses::take_out(query);
        clauses::read_counts(query, self.functions == Names::Postgres);
        if let Err(error) = row_counts::rewrite_keys(query) {
            return ControlFlow::Break(error);
        }
        if self.functions == Names::Postgres {
            if let Err(error) = untyped::set_operation(query) {
                return ControlFlow::Break(error);
            }
            match self.is_inside {
                true => untyped::values(query),
                false => untyped::values_of_set_operation(query),
            }
        }
        self.is_inside = true;
        match values::rewrite(query) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<Error> {
        let relation = self.system_relation(name);
        if relation.is_some() && name.0.len() == 1 {
            name.0
                .insert(0, ObjectNamePart::Identifier(Ident::new("pg_catalog")));
        }
        let system = parts(name).is_some_and(|parts| {
            let schema = parts.iter().rev().nth(1);
            schema.is_some_and(|schema| schema == "pg_catalog" || schema == "information_schema")
        });
        self.references.system_relations |= system;
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = factor
            && let Err(error) = tables::check_joins(table_with_joins)
        {
            return ControlFlow::Break(error);
        }
        unnested::rewrite(factor);
        match rows_from::rewrite(factor).and_then(|()| tables::rewrite(factor)) {
            Ok(called) => {
                // Which objects a function in FROM is about is not looked for.
                let by_object = |name: &String| self.by_object.contains(&name.as_str());
                if called.iter().any(by_object) {
                    self.references.objects = None;
                }
                self.references.functions.extend(called);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if self.mends_precedence {
            precedence::mend(expr);
        }
        transactions::name_age(expr);
        if self.functions == Names::Postgres {
            bits::rewrite(expr);
            object_texts::rewrite(expr);
            collations::known(expr);
            object_lists::among(expr);
            array_texts::beside_casts(expr);
            types_of_casts::rewrite(expr);
            text_conditions::rewrite_operands(expr);
            if let Expr::Function(function) = expr {
                ordered_sets::drop_numbers(function);
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        if self.functions == Names::Postgres {
            numbers::fold(expr);
            numbers::shift(expr);
            numbers::raise(expr);
            numbers::of_one_type(expr);
            untyped::rewrite(expr);
            array_texts::beside_values(expr);
        }
        match sets::check(expr)
            .and_then(|()| self.rewrite_expr(expr))
            .and_then(|()| comparisons::rewrite(expr))
        {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}
