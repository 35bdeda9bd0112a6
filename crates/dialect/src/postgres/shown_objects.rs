//! Which type of PostgreSQL a value has: that of its mark, such as `regclass`, whose numbers are shown
//! as names, or `name`.
//!
//! Fields have marks of it ([`PG_TYPE`]), which the engine keeps for columns and calls, and drops in
//! what chooses among values or gathers them:
//!
//! ```text
//! CASE WHEN c THEN x::regclass END, coalesce(x::regclass, y)     regclass
//! SELECT x::regclass UNION SELECT NULL                           regclass
//! array_agg(x::regtype), ARRAY[x::regtype]                       regtype[]
//! array_agg(x::name), coalesce(x::name, 'y')                     name[], name
//! unnest(ARRAY[x::regclass]), unnest(ARRAY[x::oid])              regclass, oid
//! min(x::regclass), nullif(x::regclass, y)                       oid, as in PostgreSQL
//! ```
//!
//! So these are looked through, also in subqueries. A NULL or a literal has the type of the others, and
//! so has a number without a mark.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, JoinType};
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, LogicalPlan};
use lakegate_engine::untyped_texts::TYPED_TEXT;

use super::cell::PG_TYPE;
use super::functions::value_types;

/// The types that are shown as names, with those of their arrays.
pub(super) static OBJECTS: [(&str, &str); 9] = [
    ("regclass", "regclass[]"),
    ("regcollation", "regcollation[]"),
    ("regnamespace", "regnamespace[]"),
    ("regoper", "regoper[]"),
    ("regoperator", "regoperator[]"),
    ("regproc", "regproc[]"),
    ("regprocedure", "regprocedure[]"),
    ("regrole", "regrole[]"),
    ("regtype", "regtype[]"),
];

/// Other types whose values are numbers, with those of their arrays.
static NUMBERS: [(&str, &str); 4] = [
    ("cid", "cid[]"),
    (OID, "oid[]"),
    ("xid", "xid[]"),
    ("xid8", "xid8[]"),
];

/// Types whose values are texts, with those of their arrays; others have an entry in a table. A
/// `"char"` is not among them: a text that takes its type would lose all but its first byte.
static TEXTS: [(&str, &str); 20] = [
    ("aclitem", "aclitem[]"),
    ("anyarray", "anyarray[]"),
    ("bit", "bit[]"),
    ("cidr", "cidr[]"),
    ("daterange", "daterange[]"),
    ("inet", "inet[]"),
    ("int4range", "int4range[]"),
    ("int8range", "int8range[]"),
    ("json", "json[]"),
    ("jsonb", "jsonb[]"),
    ("macaddr", "macaddr[]"),
    (NAME, "name[]"),
    ("numrange", "numrange[]"),
    ("pg_lsn", "pg_lsn[]"),
    ("tid", "tid[]"),
    ("timetz", "timetz[]"),
    ("tsrange", "tsrange[]"),
    ("tstzrange", "tstzrange[]"),
    ("uuid", "uuid[]"),
    ("varbit", "varbit[]"),
];

const OID: &str = "oid";
const NAME: &str = "name";

/// The function that reads the name of a table as the type of its rows, which is a `regtype`.
pub(super) const ROW_TYPE: &str = "$row_type";

/// How many expressions and operators are read to learn about one value. An operand that is written
/// twice in each of several nested queries would be read exponentially often.
const MAX_STEPS: usize = 1000;

/// The type of a value, as far as its mark tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A number of an object of one of the types [`OBJECTS`].
    Object(&'static str),
    /// A list of them, by the type of the array.
    Objects(&'static str),
    /// A number or a text of another type.
    Marked(&'static str),
    /// A list of them, by the type of the array.
    MarkedList(&'static str),
    /// A text without such a type.
    Text,
    /// Anything else, or not known.
    Other,
}

/// What one of the types is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// As names of objects, by the type or the type of the array.
    Names(&'static str),
    /// As it is, with the type or the type of the array.
    AsItIs(&'static str),
}

/// Returns the type of a mark, and that of its arrays.
fn known(all: &[(&'static str, &'static str)], mark: &str) -> Option<(&'static str, &'static str)> {
    let mut all = all.iter();
    all.find(|(one, list)| *one == mark || *list == mark)
        .copied()
}

/// Returns the type of a mark of texts, and that of its arrays.
fn known_text(mark: &str) -> Option<(&'static str, &'static str)> {
    let entry = || value_types::marked(mark).map(|of| (of.name, of.array));
    known(&TEXTS, mark).or_else(entry)
}

impl Kind {
    fn of_field(field: &Field) -> Self {
        let mark = field.metadata().get(PG_TYPE).map(String::as_str);
        let of = field.data_type();
        let (item, is_list) = match of {
            DataType::List(item) => (item.data_type(), true),
            of => (of, false),
        };
        let Some(mark) = mark else {
            return if of.is_string() {
                Self::Text
            } else {
                Self::Other
            };
        };
        if item.is_integer()
            && let Some((one, list)) = known(&OBJECTS, mark)
        {
            return match is_list {
                true => Self::Objects(list),
                false => Self::Object(one),
            };
        }
        let other = match item {
            item if item.is_integer() => known(&NUMBERS, mark),
            item if item.is_string() => known_text(mark),
            _ => None,
        };
        match other {
            Some((_, list)) if is_list => Self::MarkedList(list),
            Some((one, _)) => Self::Marked(one),
            None if of.is_string() => Self::Text,
            None => Self::Other,
        }
    }

    /// Returns the kind of the first of values of one type that has one: an `oid` takes in all objects,
    /// and a name and a text take in each other.
    fn of_all(kinds: impl Iterator<Item = Self>) -> Self {
        let is_number = |kind: Self| matches!(kind, Self::Object(_) | Self::Marked(OID));
        let is_text = |kind: Self| matches!(kind, Self::Text | Self::Marked(NAME));
        let is_oid = |kind: Self| kind == Self::Marked(OID);
        let mut known = kinds.filter(|kind| *kind != Self::Other);
        let first = known.next().unwrap_or(Self::Other);
        let fits = |kind: Self| {
            kind == first
                || is_number(kind) && is_number(first) && (is_oid(kind) || is_oid(first))
                || is_text(kind) && is_text(first)
        };
        match known.all(fits) {
            true => first,
            false => Self::Other,
        }
    }

    fn list(self) -> Self {
        match self {
            Self::Object(name) => {
                known(&OBJECTS, name).map_or(Self::Other, |(_, list)| Self::Objects(list))
            }
            Self::Marked(name) => known(&NUMBERS, name)
                .or_else(|| known_text(name))
                .map_or(Self::Other, |(_, list)| Self::MarkedList(list)),
            _ => Self::Other,
        }
    }

    fn item(self) -> Self {
        match self {
            Self::Objects(name) => {
                known(&OBJECTS, name).map_or(Self::Other, |(one, _)| Self::Object(one))
            }
            Self::MarkedList(name) => known(&NUMBERS, name)
                .or_else(|| known_text(name))
                .map_or(Self::Other, |(one, _)| Self::Marked(one)),
            _ => Self::Other,
        }
    }

    /// Returns the kind of one of values that compare as numbers of objects do.
    fn as_oid(self) -> Self {
        match self {
            Self::Object(_) | Self::Marked(OID) => Self::Marked(OID),
            _ => Self::Other,
        }
    }

    /// Returns the kind of what `nullif` returns of a value.
    fn operand(self) -> Self {
        match self {
            Self::Object(_) => Self::Marked(OID),
            other => other,
        }
    }

    fn shown(self) -> Option<Shown> {
        match self {
            Self::Object(name) | Self::Objects(name) => Some(Shown::Names(name)),
            Self::Marked(name) | Self::MarkedList(name) => Some(Shown::AsItIs(name)),
            Self::Text | Self::Other => None,
        }
    }
}

/// Returns how a plan's column is shown; `None` for a column without one of the types.
pub(super) fn shown_column(plan: &LogicalPlan, place: usize) -> Option<Shown> {
    let mut steps = MAX_STEPS;
    let kind = of_column(plan, place, &mut steps);
    let data_type = plan.schema().fields().get(place)?.data_type();
    let (item, is_list) = match data_type {
        DataType::List(item) => (item.data_type(), true),
        of => (of, false),
    };
    let fits = match kind {
        Kind::Object(_) => !is_list && item.is_integer(),
        Kind::Objects(_) => is_list,
        Kind::Marked(name) => !is_list && holds(name, item),
        Kind::MarkedList(_) => {
            is_list && matches!(kind.item(), Kind::Marked(one) if holds(one, item))
        }
        Kind::Text | Kind::Other => false,
    };
    kind.shown().filter(|_| fits || data_type.is_null())
}

/// Returns whether values of a data type may be of a type of numbers or texts.
fn holds(name: &str, data_type: &DataType) -> bool {
    match known(&NUMBERS, name) {
        Some(_) => data_type.is_integer(),
        None => data_type.is_string(),
    }
}

/// Returns the type of an expression of an operator with these inputs that is shown as names, such as
/// `regclass` or `regclass[]`.
pub(super) fn type_of(
    expr: &Expr,
    inputs: &[&LogicalPlan],
    schema: &DFSchema,
) -> Option<&'static str> {
    let mut steps = MAX_STEPS;
    match of_expr(expr, inputs, schema, &mut steps).shown()? {
        Shown::Names(name) => Some(name),
        Shown::AsItIs(_) => None,
    }
}

/// Returns the type of an expression, if its field is not marked with it.
pub(super) fn marked_type_of(
    expr: &Expr,
    inputs: &[&LogicalPlan],
    schema: &DFSchema,
) -> Option<&'static str> {
    let mut steps = MAX_STEPS;
    let shown = of_expr(expr, inputs, schema, &mut steps).shown()?;
    let (Shown::Names(pg_type) | Shown::AsItIs(pg_type)) = shown;
    let (_, field) = expr.to_field(schema).ok()?;
    let own = field.metadata().get(PG_TYPE);
    (own.map(String::as_str) != Some(pg_type)).then_some(pg_type)
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
        LogicalPlan::Unnest(unnest) => {
            let Some(of_input) = unnest.dependency_indices.get(place) else {
                return own();
            };
            if unnest.struct_type_columns.contains(of_input) {
                return own();
            }
            let mut lists = unnest.list_type_columns.iter();
            match lists.find(|(list, _)| list == of_input) {
                Some((_, list)) if list.depth == 1 => {
                    of_column(&unnest.input, *of_input, steps).item()
                }
                Some(_) => own(),
                None => of_column(&unnest.input, *of_input, steps),
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
        // A literal takes the type of the value beside it.
        Expr::ScalarFunction(call) if call.func.name() == TYPED_TEXT => Kind::Other,
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
            ("nullif", [value, ..]) => of(value).operand(),
            ("coalesce" | "greatest" | "least" | "nvl", args) => Kind::of_all(args.iter().map(of)),
            ("make_array", args) => Kind::of_all(args.iter().map(of)).list(),
            ("array_item", [list, ..]) => of(list).item(),
            ("array_or_empty", [list]) => of(list),
            _ => of_call(expr, schema),
        },
        Expr::AggregateFunction(call) => {
            let first = call.params.args.first();
            match (call.func.name(), first) {
                ("array_agg", Some(first)) => of(first).list(),
                ("max" | "min", Some(first)) => of(first).as_oid(),
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
        let texts = || DataType::new_list(DataType::Utf8, true);
        for (field, kind) in [
            (
                hinted_field("x", DataType::Int64, "regtype"),
                Kind::Object("regtype"),
            ),
            (
                hinted_field("x", list(), "regtype[]"),
                Kind::Objects("regtype[]"),
            ),
            (
                hinted_field("x", DataType::Int64, "oid"),
                Kind::Marked("oid"),
            ),
            (
                hinted_field("x", DataType::Int64, "xid"),
                Kind::Marked("xid"),
            ),
            (
                hinted_field("x", DataType::Utf8, "name"),
                Kind::Marked("name"),
            ),
            (
                hinted_field("x", texts(), "name[]"),
                Kind::MarkedList("name[]"),
            ),
            (hinted_field("x", DataType::Utf8, "regtype"), Kind::Text),
            (hinted_field("x", DataType::Utf8, "varchar"), Kind::Text),
            (hinted_field("x", DataType::Int64, "name"), Kind::Other),
            (Field::new("x", DataType::Utf8, true), Kind::Text),
            (Field::new("x", DataType::Int64, true), Kind::Other),
        ] {
            assert_eq!(Kind::of_field(&field), kind, "{field:?}");
        }
        assert_eq!(Kind::Object("regrole").list(), Kind::Objects("regrole[]"));
        assert_eq!(Kind::Objects("regrole[]").item(), Kind::Object("regrole"));
        assert_eq!(Kind::Marked("oid").list(), Kind::MarkedList("oid[]"));
        assert_eq!(Kind::Marked("inet").list(), Kind::MarkedList("inet[]"));
        assert_eq!(Kind::MarkedList("point[]").item(), Kind::Marked("point"));
        assert_eq!(Kind::MarkedList("name[]").item(), Kind::Marked("name"));
        assert_eq!(Kind::Text.list(), Kind::Other);
        assert_eq!(Kind::Object("regrole").as_oid(), Kind::Marked("oid"));
        assert_eq!(Kind::Marked("name").as_oid(), Kind::Other);
    }

    #[test]
    fn the_first_value_with_a_type_decides() {
        use Kind::{Marked, Object, Other, Text};
        let (class, role) = (Object("regclass"), Object("regrole"));
        let (oid, name) = (Marked("oid"), Marked("name"));
        for (kinds, expected) in [
            (vec![Other, class, Other, class], class),
            (vec![class, oid], class),
            (vec![oid, class], oid),
            (vec![class, role], Other),
            (vec![name, Text], name),
            (vec![Text, name], Text),
            (vec![Marked("inet"), Text], Other),
            (vec![Marked("uuid"), Other], Marked("uuid")),
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
