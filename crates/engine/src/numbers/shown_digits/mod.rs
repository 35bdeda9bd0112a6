//! The digits of each `numeric` of a result, in PostgreSQL's protocol. There, a value has a number of
//! fractional digits of its own; here, a column has one for all of its values.
//!
//! ```text
//! SELECT x::numeric, a / b, avg(n) AS c FROM t ORDER BY a
//!
//! Projection: $digits(x) AS x, $digits(a, b) AS a / b, $digits(sum(n), count(n)) AS c
//!   Sort: a
//!     Projection: …, x, a, b, sum(n), count(n)
//! ```
//!
//! A column of the result that is a quotient, an average, a text or a floating-point number that
//! becomes a `numeric`, or is calculated of these, is calculated once more at the top of the plan, as
//! PostgreSQL does it, and becomes a text of the digits of its value. The endpoint shows it as a
//! `numeric`. Sorts, groups, joins and conditions read the decimals.
//!
//! Columns whose operands do not tell how many digits PostgreSQL's have, such as those of subqueries
//! with quotients of their own, stay decimals.

mod exact;
mod function;
mod place;
mod tree;
mod value;

pub use self::place::with_shown_digits;
