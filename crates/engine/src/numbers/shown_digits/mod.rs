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
//! A column of the result that is a quotient, an average, a variance, a text or a floating-point number that
//! becomes a `numeric`, one of several values with different digits, or is calculated of these, is
//! calculated once more at the top of the plan, as PostgreSQL does it, and becomes a text of the digits of
//! its value. The endpoint shows it as a `numeric`. Sorts, groups, joins and conditions read the decimals.
//!
//! What passes rows on, such as a subquery, a join or a UNION, passes on the values that the column is
//! calculated from, too. DISTINCT and groups have one text for each key.
//!
//! Columns whose operands do not tell how many digits PostgreSQL's have, such as sums of quotients, stay
//! decimals.

mod exact;
mod function;
mod passed;
mod place;
mod stated;
mod sums;
mod texts;
mod tree;
mod value;

pub use self::place::with_shown_digits;
pub use self::stated::with_stated_casts;
