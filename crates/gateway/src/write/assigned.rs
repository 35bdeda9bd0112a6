//! Assignment casts of an INSERT in PostgreSQL's dialect: values of other types become values of the
//! columns that they are written to.
//!
//! ```text
//! numeric, double precision to integers     rounded; out of range is an error (22003)
//! numeric, double precision to numeric      rounded to the digits of the column
//! double precision to real                  the nearest one; out of range is an error (22003)
//! numbers, booleans, dates and times to text  as CAST writes them
//! timestamps to dates                       their day; of a time with a zone, in that of the session
//! timestamps with a zone to those without   what the clock of the session shows
//! ```
//!
//! Other types are as in all dialects: see `lakegate_statement`, which refuses what is neither.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::DFSchema;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};
use lakegate_dialect::postgres::PG_TYPE;
use lakegate_lake::decimal_scale;

/// Returns a plan whose columns are cast to the types of the `columns` that they are written to, as
/// far as these casts are of assignment.
///
/// `types`: the columns of the analysed plan. The plan itself is not analysed, and only analysis
/// knows the types of a UNION, or of a date and an interval.
///
/// # Errors
/// The engine refuses the casts.
pub(crate) fn assigned(
    plan: LogicalPlan,
    types: &DFSchema,
    columns: &Schema,
) -> Result<LogicalPlan> {
    let targets = columns.fields();
    let mut pairs = types.fields().iter().zip(targets);
    if !pairs.any(|(value, column)| is_assigned(value, column.data_type())) {
        return Ok(plan);
    }
    let values = plan.schema().iter().enumerate();
    let values = values.map(|(place, (relation, field))| {
        let own = Expr::from((relation, field));
        let pair = types.fields().get(place).zip(targets.get(place));
        match pair.filter(|(value, column)| is_assigned(value, column.data_type())) {
            Some((_, column)) => cast(own, column.data_type().clone())
                .alias_qualified(relation.cloned(), field.name()),
            None => own,
        }
    });
    let values: Vec<Expr> = values.collect();
    LogicalPlanBuilder::from(plan).project(values)?.build()
}

/// Returns whether a value is cast to the type of its column.
fn is_assigned(value: &Field, column: &DataType) -> bool {
    let of = value.data_type();
    match column {
        column if column.is_integer() => of.is_decimal() || of.is_floating(),
        DataType::Decimal128(_, scale) => {
            of.is_floating() || decimal_scale(of).is_some_and(|own| own > *scale)
        }
        DataType::Float32 => *of == DataType::Float64,
        // A number that is shown as a name would be written as a number.
        column if column.is_string() => has_text(of) && !value.metadata().contains_key(PG_TYPE),
        DataType::Date32 => matches!(of, DataType::Timestamp(..)),
        DataType::Timestamp(_, None) => matches!(of, DataType::Timestamp(_, Some(_))),
        _ => false,
    }
}

/// Returns whether values are scalars that CAST writes as text.
fn has_text(of: &DataType) -> bool {
    of.is_numeric()
        || matches!(
            of,
            DataType::Boolean
                | DataType::Date32
                | DataType::Timestamp(..)
                | DataType::Time64(_)
                | DataType::Interval(_)
                | DataType::Duration(_)
        )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::datatypes::TimeUnit;
    use datafusion::logical_expr::lit;

    use super::*;

    #[test]
    fn values_are_cast_as_postgres_assigns_them() {
        use DataType as T;
        let moment = T::Timestamp(TimeUnit::Microsecond, None);
        let instant = T::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        for (value, column, expected) in [
            (T::Decimal128(5, 2), T::Int32, true),
            (T::Float64, T::Int16, true),
            (T::Float32, T::Int64, true),
            (T::Decimal128(5, 3), T::Decimal128(10, 2), true),
            (T::Float64, T::Decimal128(10, 2), true),
            (T::Float64, T::Float32, true),
            (T::Int64, T::Utf8, true),
            (T::Boolean, T::Utf8, true),
            (moment.clone(), T::Utf8, true),
            (moment.clone(), T::Date32, true),
            (instant.clone(), T::Date32, true),
            (instant, moment.clone(), true),
            // Stored as they are, or not at all.
            (T::Int64, T::Int32, false),
            (T::Decimal128(5, 2), T::Decimal128(10, 2), false),
            (T::Decimal128(5, 2), T::Float64, false),
            (T::Decimal128(5, 2), T::Float32, false),
            (T::Float32, T::Float64, false),
            (T::Float32, T::Float32, false),
            (T::Int32, T::Boolean, false),
            (T::Boolean, T::Int32, false),
            (T::Utf8, T::Int32, false),
            (T::Utf8, T::Utf8, false),
            (T::Null, T::Utf8, false),
            (T::Binary, T::Utf8, false),
            (moment.clone(), moment.clone(), false),
            (T::Date32, moment.clone(), false),
            (T::Date32, T::Date32, false),
            (moment, T::Int64, false),
        ] {
            let field = Field::new("x", value, true);
            assert_eq!(is_assigned(&field, &column), expected, "{field:?} {column}");
        }
        let name = [(PG_TYPE.to_owned(), "regclass".to_owned())];
        let name = Field::new("x", T::Int64, true).with_metadata(name.into());
        assert!(!is_assigned(&name, &T::Utf8));
    }

    #[test]
    fn columns_keep_their_names_and_places() {
        let rows = LogicalPlanBuilder::empty(true)
            .project([
                lit(1.5).alias("a"),
                lit(2_i64).alias("b"),
                lit("x").alias("c"),
            ])
            .unwrap()
            .build()
            .unwrap();
        let columns = Schema::new(vec![
            Field::new("n", DataType::Int32, true),
            Field::new("t", DataType::Utf8, true),
            Field::new("u", DataType::Utf8, true),
        ]);
        let assigned = |columns: &Schema| assigned(rows.clone(), rows.schema(), columns).unwrap();
        let plan = assigned(&columns);
        let fields = plan.schema().fields().iter();
        let fields: Vec<(&str, &DataType)> = fields
            .map(|field| (field.name().as_str(), field.data_type()))
            .collect();
        let expected = [
            ("a", &DataType::Int32),
            ("b", &DataType::Utf8),
            ("c", &DataType::Utf8),
        ];
        assert_eq!(fields, expected);
        let same = Schema::new(vec![Field::new("d", DataType::Float64, true)]);
        assert_eq!(assigned(&same), rows);
        // The write refuses another number of columns.
        let more = Schema::new(vec![Field::new("n", DataType::Int32, true)]);
        assert_eq!(assigned(&more).schema().fields().len(), 3);
    }
}
