//! Which values are numbers of objects that are shown as names, such as `regclass`.
//!
//! Fields have marks of it ([`PG_TYPE`]), which the engine keeps for columns and calls, and drops in
//! what chooses among values or gathers them:
//!
//! ```text
//! CASE WHEN c THEN x::regclass END, coalesce(x::regclass, y)     regclass
//! SELECT x::regclass UNION SELECT NULL                           regclass
//! array_agg(x::regtype), ARRAY[x::regtype]                       regtype[]
//! min(x::regclass), nullif(x::regclass, y)                       oid, as in PostgreSQL
//! ```
//!
//! So these are looked through, also in subqueries. A NULL or a literal has the type of the others, and
//! so has a number without a mark.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, JoinType};
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};

use super::cell::PG_TYPE;

/// The types that are shown as names, with those of their arrays.
pub(super) static OBJECTS: [(&str, &str); 8] = [
    ("regclass", "regclass[]"),
    ("regcollation", "regcollation[]"),
    ("regnamespace", "regnamespace[]"),
    ("regoper", "regoper[]"),
    ("regoperator", "regoperator[]"),
    ("regproc", "regproc[]"),
    ("regrole", "regrole[]"),
    ("regtype", "regtype[]"),
];

/// The function that reads the name of a table as the type of its rows, which is a `regtype`.
pub(super) const ROW_TYPE: &str = "$row_type";

/// How many expressions and operators are read to learn about one value. An operand that is written
/// twice in each of several nested queries would be read exponentially often.
const MAX_STEPS: usize = 1000;

/// What a number is the number of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// An object of one of the types [`OBJECTS`].
    Object(&'static str),
    /// A list of them, by the type of the array.
    Objects(&'static str),
    /// An object of any type, which is shown as a number.
    Oid,
    /// Anything else, or not known.
    Other,
}

impl Kind {
    fn of_field(field: &Field) -> Self {
        let mark = field.metadata().get(PG_TYPE).map(String::as_str);
        let known = |mark: &str| {
            let mut objects = OBJECTS.iter();
            objects.find(|(one, list)| *one == mark || *list == mark)
        };
        match (field.data_type(), mark) {
            (of, Some("oid")) if of.is_integer() => Self::Oid,
            (of, Some(mark)) if of.is_integer() => {
                known(mark).map_or(Self::Other, |&(one, _)| Self::Object(one))
            }
            (DataType::List(item), Some(mark)) if item.data_type().is_integer() => {
                known(mark).map_or(Self::Other, |&(_, list)| Self::Objects(list))
            }
            _ => Self::Other,
        }
    }

    /// Returns the kind of the first of values of one type that has one: an `oid` takes in all others.
    fn of_all(kinds: impl Iterator<Item = Self>) -> Self {
        let mut known = kinds.filter(|kind| *kind != Self::Other);
        let first = known.next().unwrap_or(Self::Other);
        match known.all(|kind| kind == first || kind == Self::Oid || first == Self::Oid) {
            true => first,
            false => Self::Other,
        }
    }

    fn list(self) -> Self {
        match self {
            Self::Object(name) => {
                let mut objects = OBJECTS.iter();
                let found = objects.find(|(one, _)| *one == name);
                found.map_or(Self::Other, |&(_, list)| Self::Objects(list))
            }
            _ => Self::Other,
        }
    }

    fn item(self) -> Self {
        match self {
            Self::Objects(name) => {
                let mut objects = OBJECTS.iter();
                let found = objects.find(|(_, list)| *list == name);
                found.map_or(Self::Other, |&(one, _)| Self::Object(one))
            }
            _ => Self::Other,
        }
    }

    /// Returns the type that is shown as names; `None` for what is shown as it is.
    fn shown(self) -> Option<&'static str> {
        match self {
            Self::Object(name) | Self::Objects(name) => Some(name),
            Self::Oid | Self::Other => None,
        }
    }
}

/// Returns the type of a plan's column that is shown as names, such as `regclass` or `regclass[]`;
/// `None` for a column that is shown as it is.
pub(super) fn type_of_column(plan: &LogicalPlan, place: usize) -> Option<&'static str> {
    let mut steps = MAX_STEPS;
    let kind = of_column(plan, place, &mut steps);
    let data_type = plan.schema().fields().get(place)?.data_type();
    let fits = match kind {
        Kind::Object(_) => data_type.is_integer() || data_type.is_null(),
        _ => matches!(data_type, DataType::List(_) | DataType::Null),
    };
    kind.shown().filter(|_| fits)
}

/// Returns the same about an expression of an operator with these inputs.
pub(super) fn type_of(
    expr: &Expr,
    inputs: &[&LogicalPlan],
    schema: &DFSchema,
) -> Option<&'static str> {
    let mut steps = MAX_STEPS;
    of_expr(expr, inputs, schema, &mut steps).shown()
}

fn of_column(plan: &LogicalPlan, place: usize, steps: &mut usize) -> Kind {
    let Some(left) = steps.checked_sub(1) else {
        return Kind::Other;
    };
    *steps = left;
    let own = || {
        let field = plan.schema().fields().get(place);
        field.map_or(Kind::Other, |field| Kind::of_field(field))
    };
    let mut calculated = |expr: Option<&Expr>, input: &LogicalPlan| match expr {
        Some(expr) => of_expr(expr, &[input], input.schema(), steps),
        None => Kind::Other,
    };
    match plan {
        LogicalPlan::Projection(projection) => {
            calculated(projection.expr.get(place), projection.input.as_ref())
        }
        LogicalPlan::Aggregate(aggregate) => {
            // The columns of grouping sets are not in this order.
            let is_set = |expr: &Expr| matches!(expr, Expr::GroupingSet(_));
            if aggregate.group_expr.iter().any(is_set) {
                return own();
            }
            let mut columns = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            calculated(columns.nth(place), aggregate.input.as_ref())
        }
        LogicalPlan::Window(window) => {
            let of_input = window.input.schema().fields().len();
            match place.checked_sub(of_input) {
                Some(place) => calculated(window.window_expr.get(place), window.input.as_ref()),
                None => of_column(&window.input, place, steps),
            }
        }
        LogicalPlan::Distinct(Distinct::On(on)) => {
            calculated(on.select_expr.get(place), on.input.as_ref())
        }
        LogicalPlan::Distinct(Distinct::All(input)) => of_column(input, place, steps),
        LogicalPlan::SubqueryAlias(alias) => of_column(&alias.input, place, steps),
        LogicalPlan::Filter(filter) => of_column(&filter.input, place, steps),
        LogicalPlan::Sort(sort) => of_column(&sort.input, place, steps),
        LogicalPlan::Limit(limit) => of_column(&limit.input, place, steps),
        LogicalPlan::Union(union) => {
            let inputs = union.inputs.iter();
            Kind::of_all(inputs.map(|input| of_column(input, place, steps)))
        }
        LogicalPlan::Join(join) => {
            use JoinType::{RightAnti, RightMark, RightSemi};
            let of_left = match join.join_type {
                RightSemi | RightAnti | RightMark => 0,
                _ => join.left.schema().fields().len(),
            };
            match place.checked_sub(of_left) {
                None => of_column(&join.left, place, steps),
                Some(place) => of_column(&join.right, place, steps),
            }
        }
        _ => own(),
    }
}

fn of_expr(expr: &Expr, inputs: &[&LogicalPlan], schema: &DFSchema, steps: &mut usize) -> Kind {
    let Some(left) = steps.checked_sub(1) else {
        return Kind::Other;
    };
    *steps = left;
    let mut of = |expr: &Expr| of_expr(expr, inputs, schema, steps);
    match expr {
        Expr::Alias(alias) => of(alias.expr.as_ref()),
        Expr::Literal(..) => Kind::Other,
        Expr::Column(column) => {
            let found = inputs.iter().find_map(|input| {
                let place = input.schema().maybe_index_of_column(column)?;
                Some((*input, place))
            });
            match found {
                Some((input, place)) => of_column(input, place, steps),
                None => Kind::Other,
            }
        }
        Expr::ScalarSubquery(query) => of_column(&query.subquery, 0, steps),
        Expr::Case(case) => {
            let results = case.when_then_expr.iter().map(|(_, result)| result);
            let results = results.chain(&case.else_expr);
            Kind::of_all(results.map(|result| of(result.as_ref())))
        }
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
            ("coalesce" | "greatest" | "least" | "nvl", args) => Kind::of_all(args.iter().map(of)),
            ("make_array", args) => Kind::of_all(args.iter().map(of)).list(),
            ("array_item", [list, ..]) => of(list).item(),
            _ => of_call(expr, schema),
        },
        Expr::AggregateFunction(call) => {
            let first = call.params.args.first();
            match (call.func.name(), first) {
                ("array_agg", Some(first)) => of(first).list(),
                (name, Some(first)) if returns_a_value(name) => of(first),
                _ => of_call(expr, schema),
            }
        }
        Expr::WindowFunction(call) => {
            let first = call.params.args.first();
            match (call.fun.name(), first) {
                ("array_agg", Some(first)) => of(first).list(),
                (name, Some(first)) if returns_a_value(name) => of(first),
                _ => of_call(expr, schema),
            }
        }
        _ => of_call(expr, schema),
    }
}

/// Returns the kind that the field of an expression has a mark of.
fn of_call(expr: &Expr, schema: &DFSchema) -> Kind {
    let field = expr.to_field(schema);
    field.map_or(Kind::Other, |(_, field)| Kind::of_field(&field))
}

/// Returns whether a function returns one of the values that it is called for. `min` and `max` are
/// those of `oid` in PostgreSQL.
fn returns_a_value(function: &str) -> bool {
    matches!(
        function,
        "any_value" | "first_value" | "lag" | "last_value" | "lead" | "nth_value"
    )
}

#[cfg(test)]
mod tests {
    use super::super::cell::hinted_field;
    use super::*;

    #[test]
    fn marks_of_numbers_and_lists_are_known() {
        let list = || DataType::new_list(DataType::Int64, true);
        for (field, kind) in [
            (
                hinted_field("x", DataType::Int64, "regtype"),
                Kind::Object("regtype"),
            ),
            (
                hinted_field("x", list(), "regtype[]"),
                Kind::Objects("regtype[]"),
            ),
            (hinted_field("x", DataType::Int64, "oid"), Kind::Oid),
            (hinted_field("x", DataType::Utf8, "regtype"), Kind::Other),
            (hinted_field("x", DataType::Int64, "xid"), Kind::Other),
            (Field::new("x", DataType::Int64, true), Kind::Other),
        ] {
            assert_eq!(Kind::of_field(&field), kind, "{field:?}");
        }
        assert_eq!(Kind::Object("regrole").list(), Kind::Objects("regrole[]"));
        assert_eq!(Kind::Objects("regrole[]").item(), Kind::Object("regrole"));
        assert_eq!(Kind::Oid.list(), Kind::Other);
    }

    #[test]
    fn the_first_value_with_a_type_decides() {
        use Kind::{Object, Oid, Other};
        let (class, role) = (Object("regclass"), Object("regrole"));
        for (kinds, expected) in [
            (vec![Other, class, Other, class], class),
            (vec![class, Oid], class),
            (vec![Oid, class], Oid),
            (vec![class, role], Other),
            (vec![Other, Other], Other),
            (vec![], Other),
        ] {
            assert_eq!(
                Kind::of_all(kinds.clone().into_iter()),
                expected,
                "{kinds:?}"
            );
        }
    }
}
