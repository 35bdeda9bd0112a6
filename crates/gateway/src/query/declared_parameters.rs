//! Parameters of which the client declares the types.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use lakegate_sql::walk::walk_mut;
use sqlparser::ast::{self, Expr, VisitorMut};

use super::parameter_marks::{Marks, cast_of, mark_of_sql};
use super::parameters::{number, placeholder, sql_type};

/// The type of a parameter that a client declares as `numeric`, whose digits are not known.
pub(super) const ANY_NUMERIC: DataType = DataType::Decimal128(38, 10);

/// Casts placeholders to the types that the client declared, and those of LIMIT and OFFSET to
/// integers. What a declared type does not say is that of a cast in the statement: the digits of a
/// `numeric`, and the dimensions of an array. Parameters with marks are cast to PostgreSQL's types.
///
/// `declared`: the types of `$1`, `$2` …; a `None` or missing one is inferred.
pub(crate) fn declare_types(
    statement: &mut ast::Statement,
    declared: &[Option<DataType>],
    marks: &Marks,
) {
    if declared.iter().any(Option::is_some) {
        let mut declare = Declare {
            declared,
            marks,
            cast_to: None,
        };
        // The visitor never breaks.
        let _ = walk_mut(statement, &mut declare);
    }
    let _ = walk_mut(statement, &mut Limits);
}

/// A type that says more than a declared one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precise {
    /// A `numeric` with digits.
    Numeric,
    /// An array of arrays.
    Array,
}

impl Precise {
    fn of(data_type: &ast::DataType) -> Option<Self> {
        use ast::{ArrayElemTypeDef::SquareBracket, DataType as T, ExactNumberInfo};
        match data_type {
            T::Numeric(ExactNumberInfo::None) | T::Decimal(ExactNumberInfo::None) => None,
            T::Numeric(_) | T::Decimal(_) => Some(Precise::Numeric),
            T::Array(SquareBracket(item, _)) => {
                matches!(item.as_ref(), T::Array(_)).then_some(Precise::Array)
            }
            _ => None,
        }
    }

    fn says_more_than(self, declared: &DataType) -> bool {
        match (self, declared) {
            (Precise::Numeric, declared) => *declared == ANY_NUMERIC,
            (Precise::Array, DataType::List(item)) => {
                !matches!(item.data_type(), DataType::List(_))
            }
            (Precise::Array, _) => false,
        }
    }
}

struct Declare<'a> {
    declared: &'a [Option<DataType>],
    marks: &'a Marks,
    /// The next placeholder is the operand of a cast to this type.
    cast_to: Option<ast::DataType>,
}

impl VisitorMut for Declare<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast {
            expr: operand,
            data_type,
            ..
        } = expr
            && placeholder(operand).is_some()
        {
            self.cast_to = Some(data_type.clone());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if !matches!(expr, Expr::Value(_)) {
            return ControlFlow::Continue(());
        }
        let Some(name) = placeholder(expr) else {
            return ControlFlow::Continue(());
        };
        let cast_to = self.cast_to.take();
        let Some(index) = number(name).and_then(|number| number.checked_sub(1)) else {
            return ControlFlow::Continue(());
        };
        let precise = cast_to.as_ref().and_then(Precise::of);
        let declared = self.declared.get(index).and_then(Option::as_ref);
        let declared =
            declared.filter(|declared| !precise.is_some_and(|to| to.says_more_than(declared)));
        let Some(data_type) = declared.and_then(sql_type) else {
            return ControlFlow::Continue(());
        };
        *expr = cast(expr.clone(), data_type);
        let mark = self.marks.get(&index);
        let is_cast = |mark: &str| cast_to.as_ref().is_some_and(|to| mark_of_sql(to) == mark);
        let mark = mark.filter(|mark| !is_cast(mark));
        if let Some(data_type) = mark.and_then(|mark| cast_of(mark)) {
            *expr = cast(expr.clone(), data_type);
        }
        ControlFlow::Continue(())
    }
}

fn cast(expr: Expr, data_type: ast::DataType) -> Expr {
    Expr::Cast {
        kind: ast::CastKind::Cast,
        expr: Box::new(expr),
        data_type,
        array: false,
        format: None,
    }
}

/// Casts the placeholders of LIMIT and OFFSET to integers, which the engine does not infer.
struct Limits;

impl VisitorMut for Limits {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut ast::Query) -> ControlFlow<()> {
        let Some(ast::LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause
        else {
            return ControlFlow::Continue(());
        };
        let offset = offset.iter_mut().map(|offset| &mut offset.value);
        for count in limit.iter_mut().chain(offset) {
            if placeholder(count).is_some() {
                *count = cast(count.clone(), ast::DataType::BigInt(None));
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::testing::query;

    fn declared(sql: &str, types: &[Option<DataType>]) -> String {
        marked(sql, types, &Marks::new())
    }

    fn marked(sql: &str, types: &[Option<DataType>], marks: &Marks) -> String {
        let mut statement = ast::Statement::Query(Box::new(query(sql)));
        declare_types(&mut statement, types, marks);
        statement.to_string()
    }

    #[test]
    fn casts_say_what_declared_types_leave_open() {
        let numeric = "CAST($1 AS DECIMAL(38,10))";
        assert_eq!(
            declared(
                "SELECT $1::numeric(38,0), ($1)::decimal(5,2), $1::numeric, $1, $2::numeric(4,1)",
                &[Some(ANY_NUMERIC), Some(DataType::Int32)]
            ),
            format!(
                "SELECT $1::NUMERIC(38,0), ($1)::DECIMAL(5,2), {numeric}::NUMERIC, {numeric}, CAST($2 AS INT)::NUMERIC(4,1)"
            )
        );
        let list = DataType::new_list(DataType::Int32, true);
        assert_eq!(
            declared("SELECT $1::int[][], $1::bigint[], $1", &[Some(list)]),
            "SELECT $1::INT[][], CAST($1 AS INT[])::BIGINT[], CAST($1 AS INT[])"
        );
    }

    #[test]
    fn parameters_with_marks_are_cast_to_their_types() {
        let marks = [(0, "uuid"), (1, "oid"), (2, "jsonb")];
        let marks = marks.map(|(index, mark)| (index, mark.to_owned())).into();
        let types = [
            Some(DataType::Utf8),
            Some(DataType::Int64),
            Some(DataType::Utf8),
        ];
        assert_eq!(
            marked("SELECT $1, $1::uuid, $1::text, $2, $3", &types, &marks),
            "SELECT CAST(CAST($1 AS VARCHAR) AS UUID), CAST($1 AS VARCHAR)::UUID, CAST(CAST($1 AS VARCHAR) AS UUID)::TEXT, CAST($2 AS BIGINT), CAST(CAST($3 AS VARCHAR) AS JSONB)"
        );
    }

    #[test]
    fn limits_are_integers() {
        assert_eq!(
            declared(
                "SELECT a FROM t WHERE b = $1 LIMIT $2 OFFSET $3",
                &[None, None, Some(DataType::Int32)]
            ),
            "SELECT a FROM t WHERE b = $1 LIMIT CAST($2 AS BIGINT) OFFSET CAST($3 AS INT)"
        );
    }
}
