//! Rewrites of expressions.

mod names;
mod operators;
mod patterns;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, Expr, NormalizationForm, ObjectName,
    UnaryOperator, Value,
};
use lakegate_engine::Names;
use lakegate_error::Error;

pub(super) use self::operators::native_operator;
use super::{
    Rewriter, bits, build, calls, casts, functions, interval_fields, negations, number_casts,
    object_lists, parts, similar, slices, times, windows, zoned_times,
};
use crate::postgres::functions::CUT_ITEMS;

/// Returns the value of an integer literal, or of a string literal that is an integer.
pub(super) fn number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Nested(inner) => number(inner),
        Expr::Cast { expr, .. } => number(expr),
        Expr::Function(function) => number(&casts::marked(function)?),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) | Value::SingleQuotedString(text) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

impl Rewriter<'_> {
    pub(super) fn rewrite_expr(&mut self, expr: &mut Expr) -> Result<(), Error> {
        match self.rewrite_whole(expr)? {
            true => Ok(()),
            false => self.rewrite_by_form(expr),
        }
    }

    /// Rewrites expressions that are known by more than their outermost form. Returns whether one was.
    fn rewrite_whole(&mut self, expr: &mut Expr) -> Result<bool, Error> {
        if let Some(mut patterns) = calls::patterns(expr)? {
            for comparison in &mut patterns.comparisons {
                self.rewrite_expr(comparison)?;
            }
            *expr = patterns.joined();
            return Ok(true);
        }
        if self.functions != Names::Postgres {
            return Ok(false);
        }
        if let Some(time) = casts::relative_time(expr) {
            *expr = time;
            return Ok(true);
        }
        if zoned_times::rewrite(expr) {
            return Ok(true);
        }
        if let Some(unit) = interval_fields::take(expr) {
            self.rewrite_expr(expr)?;
            let whole = build::taken(expr);
            *expr = build::call("date_trunc", vec![build::text(unit), whole]);
            return Ok(true);
        }
        number_casts::rewrite(expr)?;
        Ok(false)
    }

    fn rewrite_by_form(&mut self, expr: &mut Expr) -> Result<(), Error> {
        match expr {
            Expr::Collate {
                expr: inner,
                collation,
            } => {
                check_collation(collation)?;
                *expr = build::taken(inner);
            }
            Expr::BinaryOp { .. } => {
                operators::rewrite(expr, self.functions == Names::Postgres)?;
            }
            Expr::UnaryOp {
                op:
                    op @ (UnaryOperator::PGSquareRoot
                    | UnaryOperator::PGCubeRoot
                    | UnaryOperator::PGAbs
                    | UnaryOperator::BitwiseNot),
                expr: operand,
            } => {
                if let Some(rewritten) = calls::unary(*op, operand) {
                    *expr = rewritten;
                }
            }
            Expr::Value(value)
                if self.functions == Names::Postgres && bits::is_literal(&value.value) =>
            {
                if let Some(read) = bits::read(&value.value) {
                    *expr = read;
                    self.references.functions.insert(bits::BIT_IN.to_owned());
                }
            }
            Expr::Value(value)
                if matches!(value.value, Value::SingleQuotedByteStringLiteral(_)) =>
            {
                return Err(
                    Error::not_supported("bit strings such as B'101' are not supported")
                        .with_hint("write an integer, or bytes such as X'0f'"),
                );
            }
            Expr::Value(_) => casts::long_number(expr),
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                ..
            } => negations::rewrite(expr, self.functions == Names::Postgres),
            Expr::AnyOp {
                compare_op, right, ..
            }
            | Expr::AllOp {
                compare_op, right, ..
            } => {
                native_operator(compare_op);
                if let Some(items) = casts::literal_array(right)? {
                    **right = build::array(items);
                }
            }
            Expr::Cast { .. }
                if times::typed_interval(expr, self.functions == Names::Postgres).is_some() =>
            {
                times::rewrite(expr, self.functions == Names::Postgres)?;
            }
            Expr::TypedString(typed) if is_read(&typed.data_type) => {
                let data_type = match &typed.data_type {
                    // Unlike a cast, the literal has any length.
                    DataType::Bit(None) if self.functions == Names::Postgres => {
                        bits::of_any_length()
                    }
                    other => other.clone(),
                };
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(Expr::Value(typed.value.clone())),
                    data_type,
                    array: false,
                    format: None,
                };
                if self.functions == Names::Trino {
                    bits::refuse(expr)?;
                }
                casts::rewrite(expr)?;
            }
            Expr::Cast { .. } => self.rewrite_cast(expr)?,
            Expr::Like {
                pattern,
                escape_char,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                ..
            } => patterns::escape(pattern, escape_char)?,
            Expr::CompoundFieldAccess { .. } => names::access(expr)?,
            Expr::CompoundIdentifier(idents) => {
                if let Some(number) = self.qualified_name(idents) {
                    *expr = number;
                }
            }
            Expr::Identifier(ident) => {
                if let Some(value) = self.plain_name(ident) {
                    *expr = value;
                }
            }
            Expr::SimilarTo { .. } => similar::rewrite(expr)?,
            Expr::IsNormalized { .. } => normalized(expr),
            Expr::Case {
                operand,
                conditions,
                ..
            } => searched(operand, conditions),
            // The engine takes only tuples that begin with a column or a literal; the function takes
            // every row. A clause of groups keeps its tuples: they are lists of keys there.
            Expr::Tuple(fields) if begins_with_computed(fields) => {
                *expr = build::call("row", std::mem::take(fields));
            }
            Expr::Substring { .. } => slices::matched_part(expr)?,
            Expr::Interval(_) | Expr::AtTimeZone { .. } => {
                times::rewrite(expr, self.functions == Names::Postgres)?;
            }
            Expr::Function(_) => self.rewrite_call(expr)?,
            _ => {}
        }
        Ok(())
    }

    fn rewrite_cast(&mut self, expr: &mut Expr) -> Result<(), Error> {
        if self.functions == Names::Trino {
            bits::refuse(expr)?;
        }
        let length = match self.functions {
            Names::Postgres => casts::taken_length(expr),
            Names::Trino => None,
        };
        if let Some(reader) = object_lists::rewrite(expr)? {
            self.references.functions.insert(reader.to_owned());
            return Ok(());
        }
        casts::rewrite(expr)?;
        if let Expr::Function(function) = expr
            && let Some(names) = parts(&function.name)
        {
            self.references.functions.extend(names);
        }
        if let Some(length) = length {
            let array = build::taken(expr);
            *expr = build::call(CUT_ITEMS, vec![array, build::integer(length)]);
            self.references.functions.insert(CUT_ITEMS.to_owned());
        }
        Ok(())
    }

    fn rewrite_call(&mut self, expr: &mut Expr) -> Result<(), Error> {
        let Expr::Function(function) = expr else {
            return Ok(());
        };
        let windows = self.scopes.last().map(|scope| &scope.windows);
        windows::resolve_call(windows, function)?;
        if let Some(rewritten) = self.rewrite_function(function)? {
            *expr = rewritten;
        } else if let Some(of) = functions::type_of_result(function, self.functions) {
            let call = build::taken(expr);
            *expr = build::cast(call, of);
        }
        Ok(())
    }
}

/// Returns whether the first field of a row is neither a column nor a literal.
fn begins_with_computed(fields: &[Expr]) -> bool {
    fields.first().is_some_and(|first| {
        !matches!(
            first,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
        )
    })
}

/// Rewrites `CASE x WHEN 't' THEN …` to `CASE WHEN x = 't' THEN …`, so that the literal takes the
/// type of `x`, which may be a boolean. Only where `x` costs nothing to read again.
fn searched(operand: &mut Option<Box<Expr>>, conditions: &mut [CaseWhen]) {
    let is_plain = operand.as_deref().is_some_and(|operand| match operand {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::Function(function) => {
            build::arguments(&function.args).is_some_and(|args| args.is_empty())
        }
        _ => false,
    });
    let spells_boolean = |when: &CaseWhen| match &when.condition {
        Expr::Value(value) => matches!(
            &value.value,
            Value::SingleQuotedString(text) if matches!(text.as_str(), "t" | "f" | "true" | "false")
        ),
        _ => false,
    };
    if !is_plain || !conditions.iter().all(spells_boolean) {
        return;
    }
    let Some(operand) = operand.take() else {
        return;
    };
    for when in conditions {
        let literal = build::taken(&mut when.condition);
        when.condition = Expr::BinaryOp {
            left: operand.clone(),
            op: BinaryOperator::Eq,
            right: Box::new(literal),
        };
    }
}

/// Rejects collations other than the order of bytes, which texts have here.
///
/// # Errors
///
/// The collation is another one.
fn check_collation(collation: &ObjectName) -> Result<(), Error> {
    let name = collation.0.last().and_then(|part| part.as_ident());
    let by_bytes = name.is_some_and(|name| {
        let name = name.value.to_lowercase().replace('-', "");
        matches!(
            name.as_str(),
            "default" | "c" | "posix" | "ucs_basic" | "c.utf8"
        )
    });
    match by_bytes {
        true => Ok(()),
        false => Err(Error::not_supported(format!(
            "collation {collation} is not supported"
        ))
        .with_hint(
            "texts are compared by their bytes, as with COLLATE \"C\"; lower(x) compares without case",
        )),
    }
}

/// Returns whether a function reads the values of a type whose literals begin with its name.
fn is_read(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Bytea
            | DataType::JSON
            | DataType::JSONB
            | DataType::Uuid
            | DataType::Bit(_)
            | DataType::BitVarying(_)
            | DataType::VarBit(_)
            | DataType::Timestamp(Some(_), _)
    )
}

/// Rewrites `x IS NFC NORMALIZED` to a comparison of `x` with its normal form.
fn normalized(expr: &mut Expr) {
    let Expr::IsNormalized {
        expr: text,
        form,
        negated,
    } = expr
    else {
        return;
    };
    let form = form.unwrap_or(NormalizationForm::NFC);
    let op = match negated {
        true => BinaryOperator::NotEq,
        false => BinaryOperator::Eq,
    };
    let args = vec![text.as_ref().clone(), build::text(form.to_string())];
    let normal = build::call("normalize", args);
    let text = build::nested(build::taken(text));
    *expr = build::nested(build::binary(text, op, normal));
}
