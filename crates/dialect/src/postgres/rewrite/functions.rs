//! Rewrites of calls of functions.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArguments, Ident, ObjectName, ObjectNamePart,
};
use lakegate_engine::Names;
use lakegate_error::{Code, Error, function_not_found};

use super::expressions::number;
use super::{
    Rewriter, acl, array_queries, build, calls, copies, joined, named_arguments, numbers,
    ordered_sets, parts, records, row_counts, slices, times, variadic, zoned_times,
};
use crate::postgres::pg_catalog::IDENTIFY_OBJECTS;

/// Functions that return a row for each item of a list.
const SET_RETURNING: &[&str] = &["pg_expandarray", "pg_snapshot_xip", "txid_snapshot_xip"];

/// Functions whose result is an unsigned integer in the engine, a type that neither Athena nor
/// Postgres has: the difference of two row numbers may be negative.
const UNSIGNED: &[&str] = &[
    "approx_distinct",
    "dense_rank",
    "rank",
    "regr_count",
    "row_number",
];

/// Functions whose result is an unsigned integer or a `bigint` in the engine, and an `integer` in
/// Postgres.
const SMALL: &[&str] = &[
    "array_length",
    "array_ndims",
    "array_position",
    "cardinality",
    "ntile",
];

impl Rewriter<'_> {
    /// Returns what takes the place of a call; `None` for the call itself, whose name may have
    /// changed.
    pub(super) fn rewrite_function(
        &mut self,
        function: &mut Function,
    ) -> Result<Option<Expr>, Error> {
        let Some(name) = strip_schema(&mut function.name) else {
            return Ok(None);
        };
        if let FunctionArguments::Subquery(_) = &function.args
            && name == "array"
        {
            let args = std::mem::replace(&mut function.args, FunctionArguments::None);
            let FunctionArguments::Subquery(query) = args else {
                return Ok(None);
            };
            return array_queries::array_of(*query).map(Some);
        }
        if name == "every" {
            function.name = ObjectName::from(vec![Ident::new("bool_and")]);
        }
        if let Some(of_type) = type_or_base(&name, &function.args)? {
            return Ok(Some(of_type));
        }
        if name == "make_interval" {
            return times::made_interval(&function.args);
        }
        if self.functions == Names::Postgres {
            check_star(&name, &function.args)?;
            named_arguments::by_place(&name, &mut function.args);
            row_counts::check_arguments(&name, function)?;
            if let Some(rewritten) = variadic::rewrite(&name, &function.args)? {
                return Ok(Some(rewritten));
            }
            if let Some(rewritten) = ordered_sets::rewrite(&name, function)? {
                return Ok(Some(rewritten));
            }
            if name == "string_agg" {
                ordered_sets::sort_distinct(function);
                let windows = self.scopes.last().map(|scope| &scope.windows);
                if let Some(rewritten) = joined::rewrite(function, windows)? {
                    return Ok(Some(rewritten));
                }
            }
        }
        self.references.functions.insert(name.clone());
        let args = build::arguments(&function.args);
        if self.by_object.contains(&name.as_str()) {
            let place = usize::from(IDENTIFY_OBJECTS.contains(&name.as_str()));
            let object = args.as_deref().and_then(|args| args.get(place));
            let held = object.and_then(|object| self.held_to(object));
            self.references.objects = match (self.references.objects.take(), held) {
                (Some(mut objects), Some(object)) => {
                    objects.insert(object);
                    Some(objects)
                }
                _ => None,
            };
        }
        let Some(args) = args else { return Ok(None) };
        if let Some(record) = records::value(&name, &args)? {
            return Ok(Some(record));
        }
        Ok(match (name.as_str(), args.as_slice()) {
            ("generate_subscripts", [array, dimension, reverse @ ..]) if reverse.len() < 2 => {
                let list = calls::subscripts(array, dimension, reverse.first())?;
                Some(build::call("unnest", vec![list]))
            }
            // Returns the array itself: nothing is appended.
            ("array_cat" | "array_concat", [array, nothing] | [nothing, array])
                if slices::is_null(nothing) && !slices::is_null(array) =>
            {
                Some(Expr::Nested(Box::new(array.clone())))
            }
            // Trino's functions are the library's, which need no rewriting.
            ("array_sort" | "sign", _) if self.functions == Names::Trino => None,
            // NULLs sort last; the engine's default is first.
            ("array_sort" | "list_sort", [array]) => Some(build::call(
                "array_sort",
                vec![array.clone(), build::text("ASC"), build::text("NULLS LAST")],
            )),
            ("array_sort" | "list_sort", [array, order]) => Some(build::call(
                "array_sort",
                vec![array.clone(), order.clone(), build::text("NULLS LAST")],
            )),
            ("aclexplode", [acl]) => {
                copies::check(acl, acl::COLUMNS.len())?;
                Some(acl::exploded(acl))
            }
            // The texts of `character(n)` are those of any length here.
            ("bpchar", [value]) => Some(build::cast(value.clone(), DataType::Text)),
            // `uuid_in(md5(x)::cstring)` makes a UUID of a hash.
            ("uuid_in", [text]) => {
                let text = build::cast(text.clone(), DataType::Text);
                Some(build::call("$uuid_in", vec![text]))
            }
            ("substring", [text, pattern]) if calls::text_of(pattern).is_some() => {
                Some(slices::first_match(text.clone(), pattern.clone()))
            }
            ("sign", [value]) => {
                let value = numbers::exact(value).unwrap_or_else(|| value.clone());
                Some(build::call("signum", vec![value]))
            }
            ("mod", [left, right]) => {
                let is_exact = self.functions == Names::Postgres;
                let exact = |x: &Expr| numbers::exact(x).filter(|_| is_exact);
                let operand = |x: &Expr| exact(x).unwrap_or_else(|| x.clone());
                Some(build::nested(build::binary(
                    build::nested(operand(left)),
                    BinaryOperator::Modulo,
                    build::nested(operand(right)),
                )))
            }
            ("regexp_split_to_table", _) => {
                let parts = build::call("regexp_split_to_array", args);
                Some(build::call("unnest", vec![parts]))
            }
            ("generate_series", _) => {
                let series = build::call(&name, calls::series(args)?);
                Some(build::call("unnest", vec![series]))
            }
            (set, _) if SET_RETURNING.contains(&set) => {
                Some(build::call("unnest", vec![build::call(set, args)]))
            }
            // Keywords that are called without parentheses.
            (
                "current_schema" | "current_user" | "session_user" | "user" | "current_catalog"
                | "current_role",
                [],
            ) if matches!(function.args, FunctionArguments::None) => {
                Some(build::call(&name, vec![]))
            }
            ("current_time", [] | [_]) if self.functions == Names::Postgres => {
                Some(zoned_times::current_time(args))
            }
            _ => {
                let of_postgres = match self.functions {
                    Names::Postgres => calls::call(&name, &args)?,
                    Names::Trino => None,
                };
                of_postgres.or_else(|| times::call(&name, &args))
            }
        })
    }

    /// Returns the number that the current SELECT requires an expression to equal.
    fn held_to(&self, expr: &Expr) -> Option<i64> {
        number(expr).or_else(|| {
            let scope = self.scopes.last()?;
            scope
                .equalities
                .iter()
                .find(|(known, _)| known == expr)
                .map(|(_, number)| *number)
        })
    }
}

/// Returns what the functions of `information_schema` that take rows of `pg_attribute` and `pg_type`
/// return: a column's type or type modifier, or those of the type that its domain is over.
fn type_or_base(name: &str, args: &FunctionArguments) -> Result<Option<Expr>, Error> {
    let (of_domain, of_column) = match name {
        "_pg_truetypid" => ("typbasetype", "atttypid"),
        "_pg_truetypmod" => ("typtypmod", "atttypmod"),
        _ => return Ok(None),
    };
    let FunctionArguments::List(list) = args else {
        return Ok(None);
    };
    let [
        FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(column)),
        FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(pg_type)),
    ] = list.args.as_slice()
    else {
        return Ok(None);
    };
    let member = |row: &ObjectName, name: &str| {
        let idents = row.0.iter().filter_map(ObjectNamePart::as_ident).cloned();
        Expr::CompoundIdentifier(idents.chain([Ident::new(name)]).collect())
    };
    let is_domain = Expr::BinaryOp {
        left: Box::new(member(pg_type, "typtype")),
        op: BinaryOperator::Eq,
        right: Box::new(build::text("d")),
    };
    build::case(
        vec![(is_domain, member(pg_type, of_domain))],
        member(column, of_column),
    )
    .map(Some)
}

/// Returns the type of a function whose result has another one in the engine.
pub(super) fn type_of_result(function: &Function, names: Names) -> Option<DataType> {
    let parts = parts(&function.name)?;
    let [name] = parts.as_slice() else {
        return None;
    };
    let (is_unsigned, is_small) = (
        UNSIGNED.contains(&name.as_str()),
        SMALL.contains(&name.as_str()),
    );
    match names {
        Names::Postgres if is_small => Some(DataType::Integer(None)),
        _ => (is_unsigned || is_small).then_some(DataType::BigInt(None)),
    }
}

/// Rejects `*` but as the only argument of `count`.
///
/// # Errors
///
/// The call has such a `*`.
fn check_star(name: &str, args: &FunctionArguments) -> Result<(), Error> {
    let FunctionArguments::List(list) = args else {
        return Ok(());
    };
    let is_star =
        |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    if !list.args.iter().any(is_star) {
        return Ok(());
    }
    if list.args.len() > 1 || list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        let message = "syntax error at or near \"*\"";
        return Err(Error::new(Code::SyntaxError, message)
            .with_hint("count(*) counts rows; other arguments are expressions"));
    }
    match name {
        "count" => Ok(()),
        _ => Err(function_not_found(&format!("{name}()"))),
    }
}

/// Removes the schema in which all functions live from a function's name.
pub(super) fn strip_schema(name: &mut ObjectName) -> Option<String> {
    let names = parts(name)?;
    if let [schema, function] = names.as_slice() {
        let function = match (schema.as_str(), function.as_str()) {
            ("information_schema", "_pg_expandarray") => "pg_expandarray",
            ("information_schema", function) if function.starts_with("_pg_") => function,
            ("pg_catalog", function) => function,
            _ => return None,
        };
        *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(function))]);
        return Some(function.to_owned());
    }
    match names.as_slice() {
        [function] => Some(function.clone()),
        _ => None,
    }
}
