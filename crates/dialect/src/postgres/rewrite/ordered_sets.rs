//! Aggregates over sorted rows that the engine lacks.
//!
//! ```text
//! percentile_disc(p) WITHIN GROUP (ORDER BY x)     array_element(array_agg(x ORDER BY x) FILTER (WHERE x IS NOT NULL), place)
//! percentile_cont(p) WITHIN GROUP (ORDER BY x)     $percentile_cont(array_agg(x) FILTER (WHERE x IS NOT NULL), p, 'ASC')
//! percentile_cont(ARRAY[p, q]) WITHIN GROUP (…)    ARRAY[$percentile_cont(array_agg(x) FILTER (…), p, 'ASC'), …]
//! mode() WITHIN GROUP (ORDER BY x)                 $most_frequent(array_agg(x ORDER BY x) FILTER (…))
//! rank(v) WITHIN GROUP (ORDER BY x)                count(1) FILTER (WHERE x < v OR (x IS NOT NULL AND v IS NULL)) + 1
//! cume_dist(v) WITHIN GROUP (ORDER BY x)           (count(1) FILTER (WHERE x < v … OR x IS NOT DISTINCT FROM v) + 1)::double precision / (count(1) + 1)
//! rank(v, w) WITHIN GROUP (ORDER BY x, y)          by x < v … OR x IS NOT DISTINCT FROM v AND (y < w …)
//! string_agg(DISTINCT x, ',')                      string_agg(DISTINCT x, ',' ORDER BY x)
//! array_agg(x ORDER BY 1, y)                       array_agg(x ORDER BY y)
//! ```

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DuplicateTreatment, Expr, Function, FunctionArgumentClause,
    FunctionArguments, OrderByExpr, OrderByOptions, Value,
};
use lakegate_error::{Code, Error};

use super::array_queries::array_agg;
use super::build::{self, binary, cast, nested};
use super::copies;
use crate::postgres::functions::{DESCENDING, MOST_FREQUENT, PERCENTILE};

/// How often a replacement writes the key of the order, at most.
const KEY_COPIES: usize = 8;
/// The same for the value of a rank or of a percentile.
const VALUE_COPIES: usize = 4;
/// The maximum number of keys of a rank, which is that of PostgreSQL's arguments of a function. The
/// conditions are nested as deeply.
const MAX_KEYS: usize = 100;

/// Returns the replacement of a call; `None` if it stays unchanged.
///
/// # Errors
///
/// A percentile is not between 0 and 1.
pub(super) fn rewrite(name: &str, function: &Function) -> Result<Option<Expr>, Error> {
    if function.within_group.len() > 1 {
        return by_several_keys(name, function);
    }
    let ([key], None) = (function.within_group.as_slice(), &function.over) else {
        return Ok(None);
    };
    let Some(args) = build::arguments(&function.args) else {
        return Ok(None);
    };
    let set = Sorted {
        key,
        filter: function.filter.as_deref(),
    };
    let aggregates = match (name, args.as_slice()) {
        ("percentile_disc" | "percentile_cont", [Expr::Array(places)]) => places.elem.len().max(1),
        ("percentile_disc" | "percentile_cont" | "mode", _)
        | ("rank" | "dense_rank" | "percent_rank" | "cume_dist", _) => 1,
        _ => return Ok(None),
    };
    for arg in &args {
        copies::check(arg, VALUE_COPIES)?;
    }
    copies::check(&key.expr, aggregates.saturating_mul(KEY_COPIES))?;
    if let Some(filter) = set.filter {
        copies::check(filter, aggregates.saturating_mul(2))?;
    }
    Ok(match (name, args.as_slice()) {
        ("percentile_disc" | "percentile_cont", [Expr::Array(places)]) => {
            let each = places.elem.iter().map(|place| set.at(name, place));
            let all = build::array(each.collect::<Result<_, Error>>()?);
            // Of no values, the whole array is NULL.
            let found = binary(
                set.count(set.present()),
                BinaryOperator::Gt,
                build::integer(0),
            );
            let null = build::null();
            Some(build::case(vec![(found, all)], null)?)
        }
        ("percentile_disc" | "percentile_cont", [place]) => Some(set.at(name, place)?),
        ("mode", []) => Some(build::call(MOST_FREQUENT, vec![set.values()])),
        ("rank" | "percent_rank" | "cume_dist", [value]) => {
            Some(set.rank(name, set.before(value), set.same(value))?)
        }
        ("dense_rank", [value]) => {
            let mut distinct = set.count_of(key.expr.clone(), set.before(value));
            if let Expr::Function(Function {
                args: FunctionArguments::List(list),
                ..
            }) = &mut distinct
            {
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            }
            // All NULLs together are one value, which `count` leaves out.
            let others = match set.is_nulls_first() {
                true => {
                    let nulls = set.count(set.null_before(value));
                    let once = build::call("least", vec![nulls, build::integer(1)]);
                    binary(once, BinaryOperator::Plus, build::integer(1))
                }
                false => build::integer(1),
            };
            Some(nested(binary(distinct, BinaryOperator::Plus, others)))
        }
        _ => None,
    })
}

/// Returns the replacement of a rank by several keys; `None` if the call stays unchanged.
///
/// # Errors
///
/// There are too many keys, or the replacement is too large.
fn by_several_keys(name: &str, function: &Function) -> Result<Option<Expr>, Error> {
    let keys = function.within_group.as_slice();
    let (Some(values), None) = (build::arguments(&function.args), &function.over) else {
        return Ok(None);
    };
    let is_rank = matches!(name, "rank" | "percent_rank" | "cume_dist");
    if !is_rank || values.len() != keys.len() {
        return Ok(None);
    }
    if keys.len() > MAX_KEYS {
        let message = format!("cannot pass more than {MAX_KEYS} arguments to a function");
        return Err(Error::new(Code::TooComplex, message));
    }
    let filter = function.filter.as_deref();
    for (key, value) in keys.iter().zip(&values) {
        copies::check(&key.expr, KEY_COPIES)?;
        copies::check(value, KEY_COPIES)?;
    }
    if let Some(filter) = filter {
        copies::check(filter, 2)?;
    }
    // A key counts where those before it are equal.
    let mut conditions: Option<(Expr, Expr)> = None;
    for (key, value) in keys.iter().zip(&values).rev() {
        let set = Sorted { key, filter };
        let (before, same) = (set.before(value), nested(set.same(value)));
        conditions = Some(match conditions {
            None => (before, same),
            Some((later, all_same)) => {
                let later = binary(same.clone(), BinaryOperator::And, later);
                let before = nested(binary(before, BinaryOperator::Or, nested(later)));
                (before, nested(binary(same, BinaryOperator::And, all_same)))
            }
        });
    }
    match (keys, conditions) {
        ([key, ..], Some((before, same))) => {
            Sorted { key, filter }.rank(name, before, same).map(Some)
        }
        _ => Ok(None),
    }
}

/// Builds `count::double precision / all`.
fn part(count: Expr, all: Expr) -> Expr {
    binary(
        cast(count, DataType::DoublePrecision),
        BinaryOperator::Divide,
        all,
    )
}

/// Sorts the values of an aggregate with DISTINCT and without an order, as PostgreSQL does.
pub(super) fn sort_distinct(function: &mut Function) {
    let (FunctionArguments::List(list), None) = (&mut function.args, &function.over) else {
        return;
    };
    let is_sorted = list
        .clauses
        .iter()
        .any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)));
    if is_sorted || list.duplicate_treatment != Some(DuplicateTreatment::Distinct) {
        return;
    }
    if let Some(expr) = list.args.first().and_then(build::argument) {
        let key = OrderByExpr {
            expr,
            options: OrderByOptions::default(),
            with_fill: None,
        };
        list.clauses
            .push(FunctionArgumentClause::OrderBy(vec![key]));
    }
}

/// Takes the numbers out of the ORDER BY of an aggregate. They order nothing, and the engine takes
/// them for places in a list.
pub(super) fn drop_numbers(function: &mut Function) {
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    // DISTINCT requires arguments as keys.
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return;
    }
    let is_number = |key: &OrderByExpr| matches!(&key.expr, Expr::Value(value) if matches!(value.value, Value::Number(..)));
    list.clauses.retain_mut(|clause| match clause {
        FunctionArgumentClause::OrderBy(keys) => {
            keys.retain(|key| !is_number(key));
            !keys.is_empty()
        }
        _ => true,
    });
}

/// The rows of an aggregate, in their order.
struct Sorted<'a> {
    key: &'a OrderByExpr,
    filter: Option<&'a Expr>,
}

impl Sorted<'_> {
    fn value(&self) -> Expr {
        nested(self.key.expr.clone())
    }

    fn present(&self) -> Expr {
        Expr::IsNotNull(Box::new(self.value()))
    }

    /// Builds the condition for rows that come before a value.
    fn before(&self, value: &Expr) -> Expr {
        let operator = match self.key.options.asc {
            Some(false) => BinaryOperator::Gt,
            _ => BinaryOperator::Lt,
        };
        let less = binary(self.value(), operator, nested(value.clone()));
        let of_nulls = match self.is_nulls_first() {
            true => self.null_before(value),
            false => binary(
                self.present(),
                BinaryOperator::And,
                Expr::IsNull(Box::new(nested(value.clone()))),
            ),
        };
        nested(binary(less, BinaryOperator::Or, nested(of_nulls)))
    }

    /// Builds the condition for rows that are equal to a value.
    fn same(&self, value: &Expr) -> Expr {
        Expr::IsNotDistinctFrom(Box::new(self.value()), Box::new(nested(value.clone())))
    }

    /// Builds a rank of a value: by the conditions for rows before it, and for those equal to it.
    fn rank(&self, name: &str, before: Expr, same: Expr) -> Result<Expr, Error> {
        // The value itself is a row too.
        let with_it = |count| nested(binary(count, BinaryOperator::Plus, build::integer(1)));
        Ok(match name {
            "percent_rank" => {
                let others = self.rows();
                let alone = binary(others.clone(), BinaryOperator::Eq, build::integer(0));
                let rank = part(self.count(before), others);
                let zero = cast(build::integer(0), DataType::DoublePrecision);
                build::case(vec![(alone, zero)], rank)?
            }
            "cume_dist" => {
                let until = binary(before, BinaryOperator::Or, nested(same));
                nested(part(
                    with_it(self.count(nested(until))),
                    with_it(self.rows()),
                ))
            }
            _ => with_it(self.count(before)),
        })
    }

    /// NULLs are last in ascending order and first in descending order, unless the order says
    /// otherwise.
    fn is_nulls_first(&self) -> bool {
        let options = &self.key.options;
        options.nulls_first.unwrap_or(options.asc == Some(false))
    }

    /// Builds the condition for NULLs that come before a value.
    fn null_before(&self, value: &Expr) -> Expr {
        binary(
            Expr::IsNull(Box::new(self.value())),
            BinaryOperator::And,
            Expr::IsNotNull(Box::new(nested(value.clone()))),
        )
    }

    /// Returns an aggregate with a condition beside that of the call.
    fn filtered(&self, aggregate: Expr, condition: Expr) -> Expr {
        let condition = match self.filter {
            Some(filter) => binary(
                nested(condition),
                BinaryOperator::And,
                nested(filter.clone()),
            ),
            None => condition,
        };
        match aggregate {
            Expr::Function(mut function) => {
                function.filter = Some(Box::new(condition));
                Expr::Function(function)
            }
            other => other,
        }
    }

    fn count_of(&self, counted: Expr, condition: Expr) -> Expr {
        self.filtered(build::call("count", vec![counted]), condition)
    }

    fn count(&self, condition: Expr) -> Expr {
        self.count_of(build::integer(1), condition)
    }

    /// Builds the array of all values but NULL, in their order.
    fn values(&self) -> Expr {
        let item = self.key.expr.clone();
        let values = array_agg(item.clone(), vec![self.key.clone()], &item);
        self.filtered(values, self.present())
    }

    /// Builds the array of the same values in any order: the function that reads it finds the places of
    /// an order in a fraction of the time of an aggregate that sorts its values.
    fn unsorted(&self) -> Expr {
        let item = self.key.expr.clone();
        self.filtered(array_agg(item.clone(), vec![], &item), self.present())
    }

    fn direction(&self) -> &'static str {
        match self.key.options.asc {
            Some(false) => DESCENDING,
            _ => "ASC",
        }
    }

    /// Counts all rows.
    fn rows(&self) -> Expr {
        self.count(Expr::Value(Value::Boolean(true).into()))
    }

    /// Builds `percentile_disc` or `percentile_cont` of one place.
    fn at(&self, name: &str, place: &Expr) -> Result<Expr, Error> {
        if let Some(literal) = literal(place)
            && !(0.0..=1.0).contains(&literal)
        {
            return Err(Error::new(
                Code::NumericOutOfRange,
                format!("percentile value {literal} is not between 0 and 1"),
            ));
        }
        let part = cast(nested(place.clone()), DataType::DoublePrecision);
        if name == "percentile_cont" {
            let order = build::text(self.direction());
            return Ok(build::call(PERCENTILE, vec![self.unsorted(), part, order]));
        }
        let count = self.count(self.present());
        let product = binary(part, BinaryOperator::Multiply, count);
        let rank = cast(build::call("ceil", vec![product]), DataType::BigInt(None));
        // NULL stays NULL.
        let too_low = binary(rank.clone(), BinaryOperator::Lt, build::integer(1));
        let rank = build::case(vec![(too_low, build::integer(1))], rank)?;
        Ok(build::call("array_element", vec![self.values(), rank]))
    }
}

fn literal(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
