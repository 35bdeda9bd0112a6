//! Number literals: a decimal literal is exact in PostgreSQL, and floating-point in the engine.
//!
//! ```text
//! 0.1 + 0.2, 0.3 / 0.1         0.3, 3.0
//! 7 % 0.005                    0.000
//! SELECT 1, -2, 1 + 1          SELECT 1::int AS "?column?", (-2)::int …, (1 + 1)::int …
//! SELECT 1.50, 0.1 + 0.2       SELECT '1.50'::numeric(3,2) AS "?column?", '0.3'::numeric(1,1) …
//! SELECT 1 << 31, gcd(12, 18)  SELECT (-2147483648)::int AS "?column?", 6::int AS gcd
//! VALUES (1), (2)              VALUES (1::int), (2::int)
//! ```
//!
//! Only the columns of a result get PostgreSQL's types. Within a query, a literal adapts to what it
//! is combined with.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, ExactNumberInfo, Expr, Function, GroupByExpr, Ident, Query,
    SelectItem, SetExpr, UnaryOperator, Value, Values,
};

use super::slices::is_null;
use super::{build, last_part};

/// The maximum number of digits of a decimal.
const MAX_DIGITS: u32 = 38;
/// The maximum number of digits after the point of a quotient.
const MAX_QUOTIENT_DIGITS: u32 = 16;
/// The maximum depth of the operators in a column.
const MAX_DEPTH: usize = 16;
/// The name of a column without one.
const UNNAMED: &str = "?column?";

/// A number as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Written {
    /// The digits without the point.
    value: i128,
    /// How many digits follow the point.
    scale: u32,
    /// Whether it is written with a point.
    is_decimal: bool,
}

/// Calculates with two literals of which one has a point.
pub(super) fn fold(expr: &mut Expr) {
    let Expr::BinaryOp { left, op, right } = expr else {
        return;
    };
    let (Some(left), Some(right)) = (literal(left), literal(right)) else {
        return;
    };
    let result = match op {
        BinaryOperator::Divide => left.divided(right),
        op => left.combined(op, right),
    };
    if let Some(result) = result.filter(|_| left.is_decimal || right.is_decimal) {
        *expr = result.expr();
    }
}

/// Makes a literal of an integer beside `<<` or `>>` one of 32 bits: the engine's has 64, and would make
/// the other operand have as many.
pub(super) fn shift(expr: &mut Expr) {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::PGBitwiseShiftLeft | BinaryOperator::PGBitwiseShiftRight,
        right,
    } = expr
    else {
        return;
    };
    // What consists of literals only is calculated as a whole.
    match (integer(left), integer(right)) {
        (Some(value), None) => **left = value,
        (None, Some(bits)) => **right = bits,
        _ => {}
    }
}

/// Gives the number literals that are columns of a result PostgreSQL's types.
pub fn type_literals(query: &mut Query) {
    let select = match query.body.as_mut() {
        SetExpr::Select(select) => select,
        SetExpr::Values(values) => return type_columns(values),
        _ => return,
    };
    let is_grouped = match &select.group_by {
        GroupByExpr::Expressions(keys, modifiers) => !keys.is_empty() || !modifiers.is_empty(),
        GroupByExpr::All(_) => true,
    };
    // The columns are keys too, which are numbers of columns or compared with other expressions.
    if is_grouped || select.distinct.is_some() || query.order_by.is_some() {
        return;
    }
    for item in &mut select.projection {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                if let Some(typed) = typed(expr) {
                    let name = Divisor::called(expr).map_or(UNNAMED, |(divisor, _)| divisor.name());
                    let alias = Ident::with_quote('"', name);
                    *item = SelectItem::ExprWithAlias { expr: typed, alias };
                }
            }
            SelectItem::ExprWithAlias { expr, .. } => {
                if let Some(typed) = typed(expr) {
                    *expr = typed;
                }
            }
            _ => {}
        }
    }
}

/// Makes the columns of VALUES integers that consist of literals of integers and NULLs only.
fn type_columns(values: &mut Values) {
    let width = values.rows.first().map_or(0, |row| row.content.len());
    for column in 0..width {
        let cells = values.rows.iter_mut();
        let cells = cells.filter_map(|row| row.content.get_mut(column));
        let mut cells: Vec<&mut Expr> = cells.collect();
        let mut all = cells.iter();
        let are_integers = all.all(|cell| is_null(cell) || integer(cell).is_some());
        if are_integers {
            to_integers(&mut cells);
        }
    }
}

/// Makes the literals of integers among values ones of the type `integer`, if they fit it.
pub(super) fn to_integers(values: &mut [&mut Expr]) {
    for value in values {
        if let Some(typed) = integer(value) {
            **value = typed;
        }
    }
}

/// Returns a literal, or literals and operators between them, as an `integer`; `None` for other
/// expressions, and for numbers that do not fit it.
pub(super) fn integer(expr: &Expr) -> Option<Expr> {
    let number = calculated(expr, MAX_DEPTH)?;
    (!number.is_decimal).then(|| number.integer(expr))
}

/// Returns a literal that is written with a point as a decimal; `None` for other expressions.
pub(super) fn exact(expr: &Expr) -> Option<Expr> {
    let number = literal(expr).filter(|number| number.is_decimal)?;
    Some(number.decimal())
}

/// Returns a column with PostgreSQL's type; `None` if it consists of more than literals.
fn typed(expr: &Expr) -> Option<Expr> {
    let number = calculated(expr, MAX_DEPTH)?;
    Some(match number.is_decimal {
        true => number.decimal(),
        false => number.integer(expr),
    })
}

/// A function of two integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Divisor {
    GreatestCommon,
    LeastMultiple,
}

impl Divisor {
    /// Returns the function that an expression calls, with its arguments.
    fn called(expr: &Expr) -> Option<(Self, Vec<Expr>)> {
        let function = match expr {
            Expr::Nested(inner) => return Self::called(inner),
            Expr::Function(function) => function,
            _ => return None,
        };
        let Function {
            name,
            args,
            filter: None,
            over: None,
            ..
        } = function
        else {
            return None;
        };
        let divisor = match last_part(name)?.as_str() {
            "gcd" => Self::GreatestCommon,
            "lcm" => Self::LeastMultiple,
            _ => return None,
        };
        Some((divisor, build::arguments(args)?))
    }

    fn name(self) -> &'static str {
        match self {
            Self::GreatestCommon => "gcd",
            Self::LeastMultiple => "lcm",
        }
    }

    fn of(self, one: i128, other: i128) -> Option<i128> {
        let (mut divisor, mut rest) = (one.checked_abs()?, other.checked_abs()?);
        while rest != 0 {
            (divisor, rest) = (rest, divisor.checked_rem(rest)?);
        }
        match self {
            Self::GreatestCommon => Some(divisor),
            Self::LeastMultiple if divisor == 0 => Some(0),
            Self::LeastMultiple => one.checked_div(divisor)?.checked_mul(other)?.checked_abs(),
        }
    }
}

/// Returns whether an expression consists of literals and operators between them.
pub(super) fn is_calculated(expr: &Expr) -> bool {
    calculated(expr, MAX_DEPTH).is_some()
}

/// Returns the value of literals and operators between them, if it and those of all parts are
/// decimals or of 32 bits. Quotients and remainders are those of integers. Bits that are shifted out
/// are lost.
fn calculated(expr: &Expr, depth: usize) -> Option<Written> {
    let depth = depth.checked_sub(1)?;
    let number = match expr {
        Expr::Nested(inner) => calculated(inner, depth),
        Expr::Value(_) => literal(expr),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => calculated(expr, depth).map(|number| number.signed(*op)),
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            expr,
        } => calculated(expr, depth)?.with_bits(|value| Some(!value)),
        // `~5 + 3` is `~(5 + 3)`, and not what the parser reads; see prefixes.rs.
        Expr::BinaryOp { left, right, .. } if is_inverted(left) || is_inverted(right) => None,
        Expr::BinaryOp { left, op, right } => {
            calculated(left, depth)?.combined(op, calculated(right, depth)?)
        }
        Expr::Function(_) => {
            let (divisor, args) = Divisor::called(expr)?;
            let [one, other] = args.as_slice() else {
                return None;
            };
            let other = calculated(other, depth)?.whole()?;
            calculated(one, depth)?.with_bits(|one| divisor.of(one, other))
        }
        _ => None,
    };
    number.filter(|number| number.is_decimal || i32::try_from(number.value).is_ok())
}

fn is_inverted(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            ..
        }
    )
}

/// Returns a literal, which may have a sign.
fn literal(expr: &Expr) -> Option<Written> {
    match expr {
        Expr::Nested(inner) => literal(inner),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => literal(expr).map(|number| number.signed(*op)),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => Written::of(text),
            _ => None,
        },
        _ => None,
    }
}

/// Returns whether an expression calculates with signs and the four operations only.
fn is_arithmetic(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_arithmetic(inner),
        Expr::Value(_) => true,
        Expr::UnaryOp { op, expr } => {
            matches!(op, UnaryOperator::Minus | UnaryOperator::Plus) && is_arithmetic(expr)
        }
        Expr::BinaryOp { left, op, right } => {
            let is_operation = matches!(
                op,
                BinaryOperator::Plus
                    | BinaryOperator::Minus
                    | BinaryOperator::Multiply
                    | BinaryOperator::Divide
                    | BinaryOperator::Modulo
            );
            is_operation && is_arithmetic(left) && is_arithmetic(right)
        }
        _ => false,
    }
}

fn power_of_ten(exponent: u32) -> Option<i128> {
    10_i128.checked_pow(exponent)
}

impl Written {
    /// Returns a number without an exponent.
    fn of(text: &str) -> Option<Self> {
        let text = text.replace('_', "");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}");
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = Self {
            value: is_number.then(|| digits.parse().ok()).flatten()?,
            scale: u32::try_from(fraction.len()).ok()?,
            is_decimal: text.contains('.'),
        };
        number.within_bounds()
    }

    fn within_bounds(self) -> Option<Self> {
        (self.precision() <= MAX_DIGITS).then_some(self)
    }

    /// Returns the value of an integer; `None` for a decimal.
    fn whole(self) -> Option<i128> {
        (!self.is_decimal).then_some(self.value)
    }

    /// Returns the result for an integer; `None` for a decimal.
    fn with_bits(self, of: impl FnOnce(i128) -> Option<i128>) -> Option<Self> {
        let value = of(self.whole()?)?;
        Some(Self { value, ..self })
    }

    /// Returns the result of an operator on the bits of integers; `None` for other operators.
    fn shifted(self, op: &BinaryOperator, other: Self) -> Option<Self> {
        let other = other.whole()?;
        self.with_bits(|value| {
            // As processors do, PostgreSQL shifts by the lowest bits of the number.
            let bits = u32::try_from(other & i128::from(i32::BITS - 1)).ok();
            match op {
                BinaryOperator::BitwiseAnd => Some(value & other),
                BinaryOperator::BitwiseOr => Some(value | other),
                BinaryOperator::PGBitwiseXor => Some(value ^ other),
                BinaryOperator::PGBitwiseShiftRight => Some(value >> bits?),
                BinaryOperator::PGBitwiseShiftLeft => {
                    let value = i32::try_from(value).ok()?;
                    Some(i128::from(value << bits?))
                }
                _ => None,
            }
        })
    }

    /// Returns an expression that has this value as an `integer`.
    fn integer(self, expr: &Expr) -> Expr {
        let value = match is_arithmetic(expr) {
            true => build::nested(expr.clone()),
            // The engine's operators are those of 64 bits.
            false => build::nested(self.literal()),
        };
        build::cast(value, DataType::Integer(None))
    }

    fn signed(self, op: UnaryOperator) -> Self {
        let value = match op {
            UnaryOperator::Minus => -self.value,
            _ => self.value,
        };
        Self { value, ..self }
    }

    /// Returns how many digits it has; those after the point count, be they zero.
    fn precision(self) -> u32 {
        let digits = self
            .value
            .unsigned_abs()
            .checked_ilog10()
            .map_or(1, |log| log + 1);
        digits.max(self.scale)
    }

    fn combined(self, op: &BinaryOperator, other: Self) -> Option<Self> {
        let is_decimal = self.is_decimal || other.is_decimal;
        let (value, scale) = match op {
            BinaryOperator::Multiply => (
                self.value.checked_mul(other.value)?,
                self.scale + other.scale,
            ),
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Modulo => {
                let scale = self.scale.max(other.scale);
                let left = self.value.checked_mul(power_of_ten(scale - self.scale)?)?;
                let right = other
                    .value
                    .checked_mul(power_of_ten(scale - other.scale)?)?;
                let value = match op {
                    BinaryOperator::Plus => left.checked_add(right)?,
                    BinaryOperator::Minus => left.checked_sub(right)?,
                    _ => left.checked_rem(right)?,
                };
                (value, scale)
            }
            BinaryOperator::Divide if !is_decimal => (self.value.checked_div(other.value)?, 0),
            op => return self.shifted(op, other),
        };
        let number = Self {
            value,
            scale,
            is_decimal,
        };
        number.within_bounds()
    }

    /// Returns the quotient, if it has an end.
    fn divided(self, other: Self) -> Option<Self> {
        let dividend = self.value.checked_mul(power_of_ten(other.scale)?)?;
        let divisor = other.value.checked_mul(power_of_ten(self.scale)?)?;
        (1..=MAX_QUOTIENT_DIGITS).find_map(|scale| {
            let dividend = dividend.checked_mul(power_of_ten(scale)?)?;
            let number = Self {
                value: dividend.checked_div(divisor)?,
                scale,
                is_decimal: true,
            };
            let is_exact = dividend.checked_rem(divisor) == Some(0);
            number.within_bounds().filter(|_| is_exact)
        })
    }

    /// Returns a literal of an integer.
    fn literal(self) -> Expr {
        Expr::Value(Value::Number(self.text(), false).into())
    }

    /// Returns the number as text, with all its digits.
    fn text(self) -> String {
        let sign = if self.value < 0 { "-" } else { "" };
        format!("{sign}{}", self.digits())
    }

    fn digits(self) -> String {
        let scale = usize::try_from(self.scale).unwrap_or_default();
        let digits = format!("{:0>1$}", self.value.unsigned_abs(), scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        match fraction {
            "" => whole.to_owned(),
            fraction => format!("{whole}.{fraction}"),
        }
    }

    /// Returns the number as a decimal of its digits.
    fn decimal(self) -> Expr {
        let size =
            ExactNumberInfo::PrecisionAndScale(u64::from(self.precision()), i64::from(self.scale));
        build::cast(build::text(self.text()), DataType::Numeric(size))
    }

    /// Returns a literal of the number, which has a point.
    fn expr(self) -> Expr {
        let mut digits = self.digits();
        if !digits.contains('.') {
            digits.push_str(".0");
        }
        let literal = Expr::Value(Value::Number(digits, false).into());
        match self.value < 0 {
            true => build::nested(Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr: Box::new(literal),
            }),
            false => literal,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    #[test]
    fn literals_are_calculated_exactly() {
        for (sql, expected) in [
            ("0.1 + 0.2", "0.3"),
            ("1.10 * 2", "2.20"),
            ("0.1 - 1", "(-0.9)"),
            ("-0.5 * (-2)", "1.0"),
            ("0.3 / 0.1", "3.0"),
            ("7.5 / 2", "3.75"),
            ("1.5 - 0.5", "1.0"),
            ("0.00 * 5", "0.00"),
            ("7 % 0.005", "0.000"),
            ("-7.5 % 2", "(-1.5)"),
            // Without an end, not written with a point, or more than literals.
            ("1.0 / 3", "1.0 / 3"),
            ("1.0 / 0", "1.0 / 0"),
            ("1.5 % 0", "1.5 % 0"),
            ("7 % 2", "7 % 2"),
            ("1 + 2", "1 + 2"),
            ("0.1 + 1e2", "0.1 + 1e2"),
            ("x + 0.1", "x + 0.1"),
            (
                "99999999999999999999999999999999999999.0 * 10.0",
                "99999999999999999999999999999999999999.0 * 10.0",
            ),
        ] {
            let parser = Parser::new(&PostgreSqlDialect {});
            let mut expr = parser.try_with_sql(sql).unwrap().parse_expr().unwrap();
            fold(&mut expr);
            assert_eq!(expr.to_string(), expected, "{sql}");
        }
    }

    #[test]
    fn literals_of_a_result_have_types() {
        for (sql, expected) in [
            ("SELECT 1", r#"SELECT (1)::INTEGER AS "?column?""#),
            ("SELECT -1 AS a", "SELECT (-1)::INTEGER AS a"),
            ("SELECT 1 + 1 AS a", "SELECT (1 + 1)::INTEGER AS a"),
            ("SELECT 1.50 AS a", "SELECT '1.50'::NUMERIC(3,2) AS a"),
            ("SELECT 0.1 + 0.2 AS a", "SELECT '0.3'::NUMERIC(1,1) AS a"),
            ("SELECT -(0.5) AS a", "SELECT '-0.5'::NUMERIC(1,1) AS a"),
            (
                "SELECT 2 + 7 / 2 AS a, -7 % 3 AS b, 1 / 0 AS c",
                "SELECT (2 + 7 / 2)::INTEGER AS a, (-7 % 3)::INTEGER AS b, 1 / 0 AS c",
            ),
            (
                "SELECT 1 << 4, ~5 AS a, 5 & 3 | 8 AS b, 5 # 3 AS c, -8 >> 1 AS d",
                r#"SELECT (16)::INTEGER AS "?column?", (-6)::INTEGER AS a, (9)::INTEGER AS b, (6)::INTEGER AS c, (-4)::INTEGER AS d"#,
            ),
            (
                "SELECT 1 << 31 AS a, 1 << 32 AS b, 3000000000 >> 1 AS c, 1.5 << 1 AS d, 1 << 2 + 1 AS e",
                "SELECT (-2147483648)::INTEGER AS a, (1)::INTEGER AS b, 3000000000 >> 1 AS c, 1.5 << 1 AS d, (8)::INTEGER AS e",
            ),
            (
                "SELECT ~5 + 3 AS a, (~5) + 3 AS b, ~(5 + 3) AS c",
                "SELECT ~5 + 3 AS a, (-3)::INTEGER AS b, (-9)::INTEGER AS c",
            ),
            (
                "SELECT gcd(12, -18), lcm(4, 6) + 1 AS a, gcd(0, 0) AS b, gcd(12, x) AS c, lcm(0, 5) AS d",
                r#"SELECT (6)::INTEGER AS "gcd", (13)::INTEGER AS a, (0)::INTEGER AS b, gcd(12, x) AS c, (0)::INTEGER AS d"#,
            ),
            (
                "SELECT gcd(-2147483648, 0) AS a, lcm(2147483647, 2) AS b, gcd(1.5, 2) AS c",
                "SELECT gcd(-2147483648, 0) AS a, lcm(2147483647, 2) AS b, gcd(1.5, 2) AS c",
            ),
            (
                "VALUES (1, 2, 3.5), (-4, x, 5)",
                "VALUES ((1)::INTEGER, 2, 3.5), ((-4)::INTEGER, x, 5)",
            ),
            (
                "VALUES (1, NULL), (NULL, NULL)",
                "VALUES ((1)::INTEGER, NULL), (NULL, NULL)",
            ),
            ("VALUES (1), (3000000000)", "VALUES (1), (3000000000)"),
            ("SELECT 3000000000", "SELECT 3000000000"),
            ("SELECT 2147483647 + 1", "SELECT 2147483647 + 1"),
            ("SELECT 1e3, 7.5 / 2, x, 'a'", "SELECT 1e3, 7.5 / 2, x, 'a'"),
            ("SELECT 1 ORDER BY 1", "SELECT 1 ORDER BY 1"),
            ("SELECT DISTINCT 1", "SELECT DISTINCT 1"),
            (
                "SELECT 1, x FROM t GROUP BY 1, 2",
                "SELECT 1, x FROM t GROUP BY 1, 2",
            ),
            ("SELECT 1 UNION SELECT 2", "SELECT 1 UNION SELECT 2"),
        ] {
            let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
            let Statement::Query(query) = &mut statements[0] else {
                unreachable!("{sql}");
            };
            type_literals(query);
            assert_eq!(query.to_string(), expected, "{sql}");
        }
    }
}
