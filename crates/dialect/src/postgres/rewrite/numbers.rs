//! Number literals: a decimal literal is exact in PostgreSQL, and floating-point in the engine.
//!
//! ```text
//! 0.1 + 0.2, 0.3 / 0.1         0.3, 3.0
//! 7 % 0.005                    0.000
//! SELECT 1, -2, 1 + 1          SELECT 1::int AS "?column?", (-2)::int …, (1 + 1)::int …
//! SELECT 1.50, 0.1 + 0.2       SELECT '1.50'::numeric(3,2) AS "?column?", '0.3'::numeric(1,1) …
//! ```
//!
//! Only the columns of a result get PostgreSQL's types. Within a query, a literal adapts to what it
//! is combined with.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, ExactNumberInfo, Expr, GroupByExpr, Ident, Query, SelectItem,
    SetExpr, UnaryOperator, Value,
};

use super::build;

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

/// Gives the number literals that are columns of a result PostgreSQL's types.
pub fn type_literals(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
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
                    let alias = Ident::with_quote('"', UNNAMED);
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

/// Returns a literal that is written with a point as a decimal; `None` for other expressions.
pub(super) fn exact(expr: &Expr) -> Option<Expr> {
    let number = literal(expr).filter(|number| number.is_decimal)?;
    Some(number.decimal())
}

/// Returns a column with PostgreSQL's type; `None` if it consists of more than literals.
fn typed(expr: &Expr) -> Option<Expr> {
    let number = calculated(expr, MAX_DEPTH)?;
    if number.is_decimal {
        return Some(number.decimal());
    }
    Some(build::cast(
        build::nested(expr.clone()),
        DataType::Integer(None),
    ))
}

/// Returns whether an expression consists of literals and operators between them.
pub(super) fn is_calculated(expr: &Expr) -> bool {
    calculated(expr, MAX_DEPTH).is_some()
}

/// Returns the value of literals and operators between them, if it and those of all parts are
/// decimals or of 32 bits. Quotients and remainders are those of integers.
fn calculated(expr: &Expr, depth: usize) -> Option<Written> {
    let depth = depth.checked_sub(1)?;
    let number = match expr {
        Expr::Nested(inner) => calculated(inner, depth),
        Expr::Value(_) => literal(expr),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::Minus | UnaryOperator::Plus),
            expr,
        } => calculated(expr, depth).map(|number| number.signed(*op)),
        Expr::BinaryOp { left, op, right } => {
            calculated(left, depth)?.combined(op, calculated(right, depth)?)
        }
        _ => None,
    };
    number.filter(|number| number.is_decimal || i32::try_from(number.value).is_ok())
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
            _ => return None,
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
