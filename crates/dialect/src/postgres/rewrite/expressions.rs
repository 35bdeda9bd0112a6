//! Rewrites of expressions.

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, DataType, Expr, Ident, NormalizationForm,
    ObjectName, UnaryOperator, Value, ValueWithSpan,
};
use lakegate_engine::Names;
use lakegate_error::{Code, Error};

use super::{
    Rewriter, bits, build, calls, casts, folded, functions, interval_fields, negations,
    number_casts, object_lists, parts, similar, slices, times, windows, zoned_times,
};
use crate::postgres::functions::{CUT_ITEMS, NETWORKS_OVERLAP};

/// Returns whether an expression is a network by its form: a cast, or the address of a client.
fn is_network(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_network(inner),
        Expr::Function(function) => {
            let name = parts(&function.name).and_then(|mut name| name.pop());
            name.is_some_and(|name| {
                matches!(
                    name.as_str(),
                    "$inet_in" | "$cidr_in" | "network" | "inet_client_addr" | "inet_server_addr"
                )
            })
        }
        _ => false,
    }
}

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

/// Returns whether a collation is the byte order that text has here.
fn by_bytes(collation: &ObjectName) -> bool {
    let name = collation.0.last().and_then(|part| part.as_ident());
    name.is_some_and(|name| {
        let name = name.value.to_lowercase().replace('-', "");
        matches!(
            name.as_str(),
            "default" | "c" | "posix" | "ucs_basic" | "c.utf8"
        )
    })
}

impl Rewriter<'_> {
    pub(super) fn rewrite_expr(&mut self, expr: &mut Expr) -> Result<(), Error> {
        if let Some(mut patterns) = calls::patterns(expr)? {
            for comparison in &mut patterns.comparisons {
                self.rewrite_expr(comparison)?;
            }
            *expr = patterns.joined();
            return Ok(());
        }
        if self.functions == Names::Postgres
            && let Some(time) = casts::relative_time(expr)
        {
            *expr = time;
            return Ok(());
        }
        if self.functions == Names::Postgres {
            if zoned_times::rewrite(expr) {
                return Ok(());
            }
            if let Some(unit) = interval_fields::take(expr) {
                self.rewrite_expr(expr)?;
                let whole = build::taken(expr);
                *expr = build::call("date_trunc", vec![build::text(unit), whole]);
                return Ok(());
            }
            number_casts::rewrite(expr)?;
        }
        match expr {
            Expr::Collate {
                expr: inner,
                collation,
            } => {
                if !by_bytes(collation) {
                    return Err(Error::not_supported(format!(
                        "collation {collation} is not supported"
                    ))
                    .with_hint(
                        "texts are compared by their bytes, as with COLLATE \"C\"; lower(x) compares without case",
                    ));
                }
                let inner = build::taken(inner);
                *expr = inner;
            }
            Expr::BinaryOp {
                left,
                op: op @ (BinaryOperator::PGOverlap | BinaryOperator::PGStartsWith),
                right,
            } => {
                let function = match op {
                    BinaryOperator::PGOverlap if is_network(left) || is_network(right) => {
                        NETWORKS_OVERLAP
                    }
                    BinaryOperator::PGOverlap => {
                        calls::type_arrays(left, right);
                        "array_has_any"
                    }
                    _ => "starts_with",
                };
                let args = vec![left.as_ref().clone(), right.as_ref().clone()];
                *expr = build::call(function, args);
            }
            Expr::BinaryOp { left, op, right } => {
                native_operator(op);
                if self.functions == Names::Postgres {
                    calls::type_literals(left, op, right)?;
                }
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
            Expr::TypedString(typed)
                if matches!(
                    typed.data_type,
                    DataType::Bytea
                        | DataType::JSON
                        | DataType::JSONB
                        | DataType::Uuid
                        | DataType::Timestamp(Some(_), _)
                ) =>
            {
                *expr = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(Expr::Value(typed.value.clone())),
                    data_type: typed.data_type.clone(),
                    array: false,
                    format: None,
                };
                casts::rewrite(expr)?;
            }
            Expr::Cast { .. } => {
                if self.functions == Names::Trino {
                    bits::refuse(expr)?;
                }
                let length = match self.functions {
                    Names::Postgres => casts::taken_length(expr),
                    Names::Trino => None,
                };
                bits::rewrite(expr);
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
            }
            Expr::Like {
                pattern,
                escape_char,
                ..
            }
            | Expr::ILike {
                pattern,
                escape_char,
                ..
            } => {
                if escape_char
                    .as_ref()
                    .is_some_and(|escape| escape.value == Value::Null)
                {
                    // With a NULL escape, the result is NULL.
                    *escape_char = None;
                    **pattern = build::null();
                }
                if let Some(escape) = escape_char.take()
                    && let Some(escape) = other_escape(escape)?
                {
                    let written = build::taken(pattern);
                    **pattern = build::call("like_escape", vec![written, escape]);
                }
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                if let [AccessExpr::Dot(Expr::Identifier(field))] = access_chain.as_slice() {
                    let field = folded(field);
                    let field = build::text(unnamed_field(root, &field).unwrap_or(field));
                    let root = build::taken(root);
                    *expr = build::call("get_field", vec![root, field]);
                } else {
                    slices::complete(access_chain)?;
                }
            }
            Expr::CompoundIdentifier(idents) => {
                if let Some(oid) = self.table_oid(idents) {
                    *expr = oid_literal(oid);
                }
            }
            Expr::Identifier(ident) if ident.quote_style.is_none() => {
                let name = ident.value.to_lowercase();
                match name.as_str() {
                    // Plain names in Trino.
                    "session_user" | "current_role" if self.functions == Names::Trino => {}
                    "current_schema" | "current_catalog" | "current_user" | "session_user"
                    | "current_role" => {
                        *expr = build::call(&name, vec![]);
                    }
                    "tableoid" => {
                        let relations: Vec<i64> = self
                            .scopes
                            .last()
                            .map(|scope| scope.relations.values().copied().collect())
                            .unwrap_or_default();
                        if let [oid] = relations.as_slice() {
                            *expr = oid_literal(*oid);
                        }
                    }
                    _ => {}
                }
            }
            Expr::SimilarTo { .. } => similar::rewrite(expr)?,
            Expr::IsNormalized {
                expr: text,
                form,
                negated,
            } => {
                let form = form.unwrap_or(NormalizationForm::NFC);
                let op = match negated {
                    true => BinaryOperator::NotEq,
                    false => BinaryOperator::Eq,
                };
                let args = vec![text.as_ref().clone(), build::text(form.to_string())];
                let normal = build::call("normalize", args);
                let text = build::nested(text.as_ref().clone());
                *expr = build::nested(build::binary(text, op, normal));
            }
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
            Expr::Function(function) => {
                let windows = self.scopes.last().map(|scope| &scope.windows);
                windows::resolve_call(windows, function)?;
                if let Some(rewritten) = self.rewrite_function(function)? {
                    *expr = rewritten;
                } else if let Some(of) = functions::type_of_result(function, self.functions) {
                    let call = build::taken(expr);
                    *expr = build::cast(call, of);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn table_oid(&self, idents: &[Ident]) -> Option<i64> {
        let (column, qualifier) = idents.split_last()?;
        if folded(column) != "tableoid" {
            return None;
        }
        let alias = folded(qualifier.last()?);
        self.scopes
            .iter()
            .rev()
            .find_map(|scope| scope.relations.get(&alias).copied())
    }
}

/// Returns the escape character of a pattern, if it is not the backslash, which the engine has.
///
/// # Errors
///
/// It is neither a text nor a parameter.
fn other_escape(escape: ValueWithSpan) -> Result<Option<Expr>, Error> {
    if matches!(escape.value, Value::Placeholder(_)) {
        return Ok(Some(Expr::Value(escape)));
    }
    let text = escape.into_string().ok_or_else(|| {
        Error::new(Code::TypeMismatch, "LIKE takes a text after ESCAPE")
            .with_hint("quote it: ESCAPE '#'")
    })?;
    Ok((text != "\\").then(|| build::text(text)))
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

/// Returns the engine's name for a field of a row that is written out: PostgreSQL counts from `f1`,
/// the engine from `c0`. `None` for other rows and names.
fn unnamed_field(row: &Expr, field: &str) -> Option<String> {
    let is_written_out = match row {
        Expr::Nested(row) => return unnamed_field(row, field),
        Expr::Tuple(_) => true,
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            matches!(name.as_str(), "row" | "struct")
        }
        _ => false,
    };
    let place: usize = field.strip_prefix('f')?.parse().ok()?;
    let place = place.checked_sub(1)?;
    is_written_out.then(|| format!("c{place}"))
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

fn oid_literal(oid: i64) -> Expr {
    bigint(build::integer(oid))
}

fn bigint(expr: Expr) -> Expr {
    build::cast(expr, DataType::BigInt(None))
}

/// Rewrites `OPERATOR(pg_catalog.~)` to `~`.
pub(super) fn native_operator(op: &mut BinaryOperator) {
    let BinaryOperator::PGCustomBinaryOperator(path) = op else {
        return;
    };
    let Some(symbol) = path.last() else { return };
    *op = match symbol.as_str() {
        "=" => BinaryOperator::Eq,
        "<>" | "!=" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        ">" => BinaryOperator::Gt,
        "<=" => BinaryOperator::LtEq,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "*" => BinaryOperator::Multiply,
        "/" => BinaryOperator::Divide,
        "%" => BinaryOperator::Modulo,
        "||" => BinaryOperator::StringConcat,
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "~~*" => BinaryOperator::PGILikeMatch,
        "!~~" => BinaryOperator::PGNotLikeMatch,
        "!~~*" => BinaryOperator::PGNotILikeMatch,
        "^" => BinaryOperator::PGExp,
        "&" => BinaryOperator::BitwiseAnd,
        "|" => BinaryOperator::BitwiseOr,
        "#" => BinaryOperator::PGBitwiseXor,
        "<<" => BinaryOperator::PGBitwiseShiftLeft,
        ">>" => BinaryOperator::PGBitwiseShiftRight,
        "&&" => BinaryOperator::PGOverlap,
        "^@" => BinaryOperator::PGStartsWith,
        "@>" => BinaryOperator::AtArrow,
        "<@" => BinaryOperator::ArrowAt,
        "->" => BinaryOperator::Arrow,
        "->>" => BinaryOperator::LongArrow,
        "#>" => BinaryOperator::HashArrow,
        "#>>" => BinaryOperator::HashLongArrow,
        "#-" => BinaryOperator::HashMinus,
        "@@" => BinaryOperator::AtAt,
        "@?" => BinaryOperator::AtQuestion,
        "?" => BinaryOperator::Question,
        "?&" => BinaryOperator::QuestionAnd,
        "?|" => BinaryOperator::QuestionPipe,
        "<<=" | ">>=" => BinaryOperator::Custom(symbol.clone()),
        _ => return,
    };
}
