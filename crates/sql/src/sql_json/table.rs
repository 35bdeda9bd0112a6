//! `JSON_TABLE`, whose rows become an array that UNNEST takes.
//!
//! ```text
//! json_table(j, 'lax $.a[*]' COLUMNS (x bigint PATH 'lax $.x'))
//!     "$cast"(flatten(transform("$json_items"(j, 'lax $.a[*]', 'EMPTY'),
//!             "$item1" -> make_array(ROW("$json_value"("$item1", 'lax $.x', …))))),
//!         CAST(NULL AS ARRAY<STRUCT(x BIGINT)>))
//! ```
//!
//! The rows of a nested path are those of a lambda within that of its parent. A parent without
//! nested rows has one row by OUTER; siblings are appended by UNION, and nested by CROSS.

use std::cell::Cell;

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CaseWhen, DataType, ExactNumberInfo, Expr, Ident,
    LambdaFunction, LambdaFunctionParameter, LambdaSyntax, OneOrManyWithParens, StructBracketKind,
    StructField, Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::formats::format;
use super::plan::{Plan, specific};
use super::{
    Invocation, Parsed, QUERY, QueryClauses, VALUE, ValueClauses, canonical, cast, eat, expect,
    null_of, scalar_type, text,
};
use crate::trino::{CAST, call};

/// Returns the items at a path, each as a JSON text.
const ITEMS: &str = "$json_items";
/// The most lambdas that a table becomes.
const MAX_LAMBDAS: usize = 64;

/// A path, and what is read from each of its items.
struct Level {
    path: Expr,
    name: String,
    columns: Vec<Column>,
}

enum Column {
    /// A column of the table, by its place.
    Of(usize, Source),
    Nested(Level),
}

enum Source {
    Ordinality,
    Value(Expr, DataType, Box<ValueClauses>),
    Query(Expr, QueryClauses),
}

/// The arguments, after the parenthesis.
pub(super) fn table(parser: &mut Parser<'_>) -> Parsed<Expr> {
    let invocation = Invocation::parse(parser)?;
    let mut fields = Fields::default();
    let root = Level {
        path: invocation.path,
        name: fields.path_name(invocation.name.as_ref()),
        columns: columns(parser, &mut fields)?,
    };
    let plan = match eat(parser, &["PLAN"]) {
        true => plan(parser, &root)?,
        false => default_plan(&root, true, false),
    };
    let on_error = match eat(parser, &["ERROR", "ON", "ERROR"]) {
        true => "ERROR",
        false => {
            eat(parser, &["EMPTY", "ON", "ERROR"]);
            "EMPTY"
        }
    };
    parser.expect_token(&Token::RParen)?;
    let rows = Rows {
        variables: invocation.variables,
        on_error,
        lambdas: Cell::new(0),
    };
    let none = fields.types.iter().cloned().map(null_of).collect();
    let made = rows.of(&plan, &[&root], &invocation.json, none, &|row| {
        call("make_array", vec![call("ROW", row)])
    })?;
    let row = DataType::Struct(fields.fields, StructBracketKind::Parentheses);
    let rows = DataType::Array(ArrayElemTypeDef::AngleBracket(Box::new(row)));
    Ok(call(CAST, vec![made, null_of(rows)]))
}

/// The columns of the table.
#[derive(Default)]
struct Fields {
    types: Vec<DataType>,
    fields: Vec<StructField>,
    paths: usize,
}

impl Fields {
    /// Adds a column, and returns its place.
    fn add(&mut self, name: Ident, of: DataType) -> usize {
        self.fields.push(StructField {
            field_name: Some(name),
            field_type: unlimited(&of),
            options: None,
        });
        self.types.push(of);
        self.types.len() - 1
    }

    /// The name of a path, which no other path has if it is not written.
    fn path_name(&mut self, name: Option<&Ident>) -> String {
        self.paths += 1;
        name.map_or_else(|| format!("${}", self.paths), canonical)
    }
}

/// A type as that of a field, which has no length.
fn unlimited(of: &DataType) -> DataType {
    match of {
        DataType::Varchar(_)
        | DataType::CharVarying(_)
        | DataType::CharacterVarying(_)
        | DataType::Char(_)
        | DataType::Character(_) => DataType::Varchar(None),
        DataType::Decimal(ExactNumberInfo::None) | DataType::Numeric(ExactNumberInfo::None) => {
            DataType::Decimal(ExactNumberInfo::PrecisionAndScale(38, 0))
        }
        other => other.clone(),
    }
}

/// `COLUMNS (column, …)`.
fn columns(parser: &mut Parser<'_>, fields: &mut Fields) -> Parsed<Vec<Column>> {
    expect(parser, "COLUMNS")?;
    parser.expect_token(&Token::LParen)?;
    let columns = parser.parse_comma_separated(|parser| column(parser, fields))?;
    parser.expect_token(&Token::RParen)?;
    Ok(columns)
}

fn column(parser: &mut Parser<'_>, fields: &mut Fields) -> Parsed<Column> {
    let quoted = matches!(
        parser.peek_nth_token_ref(1).token,
        Token::SingleQuotedString(_)
    );
    if eat(parser, &["NESTED", "PATH"]) || quoted && eat(parser, &["NESTED"]) {
        let path = text(&parser.parse_literal_string()?);
        let name = match parser.parse_keyword(Keyword::AS) {
            true => Some(parser.parse_identifier()?),
            false => None,
        };
        return Ok(Column::Nested(Level {
            path,
            name: fields.path_name(name.as_ref()),
            columns: columns(parser, fields)?,
        }));
    }
    let name = parser.parse_identifier()?;
    if eat(parser, &["FOR", "ORDINALITY"]) {
        let place = fields.add(name, DataType::BigInt(None));
        return Ok(Column::Of(place, Source::Ordinality));
    }
    let of = scalar_type(parser)?;
    let is_json = format(parser)?.is_some();
    let path = match eat(parser, &["PATH"]) {
        true => parser.parse_literal_string()?,
        false => format!("lax $.\"{}\"", canonical(&name).replace('"', "\"\"")),
    };
    let place = fields.add(name, of.clone());
    let source = match is_json {
        true => Source::Query(text(&path), QueryClauses::parse(parser)?),
        false => Source::Value(text(&path), of, Box::new(ValueClauses::parse(parser)?)),
    };
    Ok(Column::Of(place, source))
}

impl Level {
    fn nested(&self) -> impl Iterator<Item = &Level> {
        self.columns.iter().filter_map(|column| match column {
            Column::Nested(level) => Some(level),
            Column::Of(..) => None,
        })
    }

    /// The number of paths, with this one.
    fn paths(&self) -> usize {
        1 + self.nested().map(Level::paths).sum::<usize>()
    }
}

fn default_plan(level: &Level, outer: bool, cross: bool) -> Plan {
    let nested = level
        .nested()
        .map(|level| default_plan(level, outer, cross));
    let mut nested: Vec<Plan> = nested.collect();
    let parent = level.name.clone();
    let nested = match (nested.len(), cross) {
        (0, _) => return Plan::Path(parent),
        (1, _) => nested.remove(0),
        (_, true) => Plan::Cross(nested),
        (_, false) => Plan::Union(nested),
    };
    Plan::Joined {
        parent,
        outer,
        nested: Box::new(nested),
    }
}

/// `PLAN (…)` or `PLAN DEFAULT (…)`, after its word.
fn plan(parser: &mut Parser<'_>, root: &Level) -> Parsed<Plan> {
    let is_default = eat(parser, &["DEFAULT"]);
    parser.expect_token(&Token::LParen)?;
    if !is_default {
        let plan = specific(parser)?;
        parser.expect_token(&Token::RParen)?;
        if plan.paths() != root.paths() {
            return Err(ParserError::ParserError(
                "the plan of json_table must name all paths, each once".to_owned(),
            ));
        }
        return Ok(plan);
    }
    let (mut outer, mut cross) = (true, false);
    loop {
        if eat(parser, &["INNER"]) {
            outer = false;
        } else if eat(parser, &["CROSS"]) {
            cross = true;
        } else if !eat(parser, &["OUTER"]) && !eat(parser, &["UNION"]) {
            return parser.expected("INNER, OUTER, CROSS or UNION", parser.peek_token());
        }
        if !parser.consume_token(&Token::Comma) {
            break;
        }
    }
    parser.expect_token(&Token::RParen)?;
    Ok(default_plan(root, outer, cross))
}

/// What makes of the columns of a row the array of the rows that they are part of.
type Then<'a> = &'a dyn Fn(Vec<Expr>) -> Expr;

struct Rows {
    /// Names and values in turn.
    variables: Vec<Expr>,
    on_error: &'static str,
    /// The lambdas so far.
    lambdas: Cell<usize>,
}

impl Rows {
    /// Returns the array of the rows of a plan. `levels`: the paths that it may name; `row`: the
    /// columns so far, NULL for those of other paths.
    fn of(
        &self,
        plan: &Plan,
        levels: &[&Level],
        json: &Expr,
        row: Vec<Expr>,
        then: Then<'_>,
    ) -> Parsed<Expr> {
        let (name, nested) = match plan {
            Plan::Union(plans) => {
                let parts = plans
                    .iter()
                    .map(|plan| self.of(plan, levels, json, row.clone(), then));
                let parts = parts.collect::<Parsed<Vec<_>>>()?;
                return Ok(call("flatten", vec![call("make_array", parts)]));
            }
            Plan::Cross(plans) => return self.crossed(plans, levels, json, row, then),
            Plan::Path(name) => (name, None),
            Plan::Joined {
                parent,
                outer,
                nested,
            } => (parent, Some((*outer, nested))),
        };
        let level = levels.iter().find(|level| level.name == *name);
        let level = level.ok_or_else(|| {
            ParserError::ParserError(format!("json_table has no such path in its plan: {name}"))
        })?;
        let number = self.numbered()?;
        let item = Ident::with_quote('"', format!("$item{number}"));
        let place = Ident::with_quote('"', format!("$place{number}"));
        let item_of = Expr::Identifier(item.clone());
        let (row, is_numbered) = self.filled(level, row, &item_of, &place);
        let made = match nested {
            None => then(row),
            Some((outer, nested)) => {
                let levels: Vec<&Level> = level.nested().collect();
                let rows = self.of(nested, &levels, &item_of, row.clone(), then)?;
                match outer {
                    true => self.or_else(rows, then(row))?,
                    false => rows,
                }
            }
        };
        let mut arguments = vec![json.clone(), level.path.clone(), text(self.on_error)];
        arguments.extend(self.variables.iter().cloned());
        let items = call(ITEMS, arguments);
        let each = match is_numbered {
            false => call("transform", vec![items, lambda(vec![item], made)]),
            true => {
                let places = places(&items);
                let pairs = lambda(vec![item, place], made);
                call("zip_with", vec![items, places, pairs])
            }
        };
        Ok(call("flatten", vec![each]))
    }

    /// The rows of the first plan, each with those of the others.
    fn crossed(
        &self,
        plans: &[Plan],
        levels: &[&Level],
        json: &Expr,
        row: Vec<Expr>,
        then: Then<'_>,
    ) -> Parsed<Expr> {
        let Some((first, others)) = plans.split_first() else {
            return Ok(then(row));
        };
        let failed = Cell::new(None);
        let rows = self.of(first, levels, json, row, &|row| match self
            .crossed(others, levels, json, row, then)
        {
            Ok(rows) => rows,
            Err(error) => {
                failed.set(Some(error));
                super::null()
            }
        })?;
        failed.take().map_or(Ok(rows), Err)
    }

    /// The columns with those of a level's item, and whether one is its number.
    fn filled(
        &self,
        level: &Level,
        mut row: Vec<Expr>,
        item: &Expr,
        place: &Ident,
    ) -> (Vec<Expr>, bool) {
        let mut is_numbered = false;
        let on_error = match self.on_error {
            "ERROR" => "ERROR",
            _ => "NULL",
        };
        for column in &level.columns {
            let Column::Of(at, source) = column else {
                continue;
            };
            let called = |name: &str, path: &Expr, clauses: Vec<Expr>| {
                let mut arguments = vec![item.clone(), path.clone()];
                arguments.extend(clauses);
                arguments.extend(self.variables.iter().cloned());
                call(name, arguments)
            };
            let value = match source {
                Source::Ordinality => {
                    is_numbered = true;
                    cast(Expr::Identifier(place.clone()), DataType::BigInt(None))
                }
                Source::Value(path, of, clauses) => {
                    called(VALUE, path, clauses.arguments(of.clone(), on_error))
                }
                Source::Query(path, clauses) => called(QUERY, path, clauses.arguments(on_error)),
            };
            if let Some(column) = row.get_mut(*at) {
                *column = value;
            }
        }
        (row, is_numbered)
    }

    /// Some rows, or others if there are none: `flatten(transform(make_array(rows), r -> CASE …))`,
    /// so that the rows are made once.
    fn or_else(&self, rows: Expr, otherwise: Expr) -> Parsed<Expr> {
        let number = self.numbered()?;
        let name = Ident::with_quote('"', format!("$rows{number}"));
        let of = Expr::Identifier(name.clone());
        let chosen = Expr::Case {
            case_token: AttachedToken::empty(),
            end_token: AttachedToken::empty(),
            operand: None,
            conditions: vec![CaseWhen {
                condition: Expr::BinaryOp {
                    left: Box::new(call("cardinality", vec![of.clone()])),
                    op: BinaryOperator::Gt,
                    right: Box::new(whole(0)),
                },
                result: of,
            }],
            else_result: Some(Box::new(otherwise)),
        };
        let each = lambda(vec![name], chosen);
        let made = call("make_array", vec![rows]);
        Ok(call("flatten", vec![call("transform", vec![made, each])]))
    }

    /// The number of the next lambda. A plan of CROSS and OUTER repeats its parts.
    fn numbered(&self) -> Parsed<usize> {
        let number = self.lambdas.get() + 1;
        self.lambdas.set(number);
        match number <= MAX_LAMBDAS {
            true => Ok(number),
            false => Err(ParserError::ParserError(
                "json_table has too many nested paths".to_owned(),
            )),
        }
    }
}

/// The numbers of items from 1. `sequence(1, 0)` counts down, so that one more is counted.
fn places(items: &Expr) -> Expr {
    let count = call("cardinality", vec![items.clone()]);
    let more = Expr::BinaryOp {
        left: Box::new(count.clone()),
        op: BinaryOperator::Plus,
        right: Box::new(whole(1)),
    };
    let numbers = call("sequence", vec![whole(1), more]);
    call("slice", vec![numbers, whole(1), count])
}

fn whole(number: u8) -> Expr {
    Expr::Value(Value::Number(number.to_string(), false).with_empty_span())
}

fn lambda(names: Vec<Ident>, body: Expr) -> Expr {
    let parameters = names.into_iter().map(|name| LambdaFunctionParameter {
        name,
        data_type: None,
    });
    let mut parameters: Vec<LambdaFunctionParameter> = parameters.collect();
    let params = match parameters.len() {
        1 => OneOrManyWithParens::One(parameters.remove(0)),
        _ => OneOrManyWithParens::Many(parameters),
    };
    Expr::Lambda(LambdaFunction {
        params,
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    })
}
