//! Trino's expressions that sqlparser does not parse in Postgres' grammar.
//!
//! ```text
//! IF(c, a, b)                        CASE WHEN c THEN a ELSE b END
//! TRY(x)                             "$try"(_ -> x): a lambda, so that x is not evaluated before the call
//! CAST(x AS ARRAY(T) | MAP(K, V) | ROW(a T, …))
//!                                    "$cast"(x, CAST(NULL AS T)): fields by position
//! TRY_CAST(x AS …) of the same       "$try"(_ -> "$cast"(…))
//! TRIM(LEADING FROM x)               TRIM(LEADING x)
//! TRIM(LEADING x, c)                 TRIM(LEADING c FROM x)
//! TABLE(SELECT …), an argument       a call of TABLE with a query
//! IPADDRESS '10.0.0.1'               CAST('10.0.0.1' AS IPADDRESS), also IPPREFIX
//! ```

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::ast::{
    ArrayElemTypeDef, CaseWhen, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, LambdaFunction, LambdaFunctionParameter,
    LambdaSyntax, ObjectName, OneOrManyWithParens, StructBracketKind, StructField, TrimWhereField,
    Value,
};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::sql_json;

/// The function that `TRY` calls: its lambda's errors of data become NULL.
pub const TRY: &str = "$try";
/// The function that a cast to a nested type calls.
pub const CAST: &str = "$cast";
/// Stands in a SELECT list for the fields of a row, or the columns of a table: `row.*`.
///
/// Its arguments are the row, and the names of the columns as strings.
pub const FIELDS: &str = "$fields";

/// Parses an expression that begins with one of Trino's words; `None` if the next tokens do not.
pub(crate) fn prefix(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    if let Some(trimmed) = trim(parser) {
        return Some(trimmed);
    }
    if let Some(literal) = address(parser) {
        return Some(Ok(literal));
    }
    let parse: fn(&mut Parser<'_>) -> Result<Expr, ParserError> = {
        let Token::Word(word) = &parser.peek_token_ref().token else {
            return None;
        };
        if word.quote_style.is_some() {
            return None;
        }
        match word.value.to_ascii_uppercase().as_str() {
            "TABLE" if queries(parser) => table,
            "IF" => conditional,
            "TRY" => attempt,
            "CAST" => |parser| cast(parser, CastKind::Cast),
            "TRY_CAST" => |parser| cast(parser, CastKind::TryCast),
            name => sql_json::arguments_of(name)?,
        }
    };
    if parser.peek_nth_token_ref(1).token != Token::LParen {
        return None;
    }
    parser.advance_token();
    parser.advance_token();
    Some(parse(parser))
}

/// Whether a query follows the next two tokens, a word and a parenthesis.
fn queries(parser: &Parser<'_>) -> bool {
    let Token::Word(word) = &parser.peek_nth_token_ref(2).token else {
        return false;
    };
    matches!(
        word.keyword,
        Keyword::SELECT | Keyword::WITH | Keyword::VALUES
    )
}

/// `TABLE(query)`, an argument of a table function, after its parenthesis.
fn table(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let query = parser.parse_query()?;
    parser.expect_token(&Token::RParen)?;
    let mut table = call("TABLE", Vec::new());
    if let Expr::Function(function) = &mut table {
        function.args = FunctionArguments::Subquery(query);
    }
    Ok(table)
}

/// `TRIM([BOTH | LEADING | TRAILING] [characters] FROM text)` and, as PostgreSQL has it too,
/// `TRIM(LEADING [FROM] text, characters)`; `None` if neither a side nor FROM comes first.
fn trim(parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
    let is = |at: usize, expected: &str| {
        matches!(
            &parser.peek_nth_token_ref(at).token,
            Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected)
        )
    };
    if !is(0, "TRIM") || parser.peek_nth_token_ref(1).token != Token::LParen {
        return None;
    }
    let (side, begun) = match is(2, "FROM") {
        true => (TrimWhereField::Both, 2),
        false if is(2, "LEADING") => (TrimWhereField::Leading, 3),
        false if is(2, "TRAILING") => (TrimWhereField::Trailing, 3),
        false if is(2, "BOTH") => (TrimWhereField::Both, 3),
        false => return None,
    };
    let names_text = is(begun, "FROM");
    (0..begun + usize::from(names_text)).for_each(|_| parser.advance_token());
    Some(trimmed(parser, side, names_text))
}

/// The operands of a `TRIM`. `names_text`: the first one is the text.
fn trimmed(
    parser: &mut Parser<'_>,
    side: TrimWhereField,
    names_text: bool,
) -> Result<Expr, ParserError> {
    let first = parser.parse_expr()?;
    let (text, characters) = if !names_text && parser.parse_keyword(Keyword::FROM) {
        (parser.parse_expr()?, Some(first))
    } else if parser.consume_token(&Token::Comma) {
        let characters = parser.parse_expr()?;
        (first, Some(characters))
    } else {
        (first, None)
    };
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Trim {
        expr: Box::new(text),
        trim_where: Some(side),
        trim_what: characters.map(Box::new),
        trim_characters: None,
    })
}

/// `IPADDRESS 'text'` or `IPPREFIX 'text'`; `None` if the next tokens are something else.
fn address(parser: &mut Parser<'_>) -> Option<Expr> {
    let Token::Word(word) = &parser.peek_token_ref().token else {
        return None;
    };
    let is_type = ["IPADDRESS", "IPPREFIX"]
        .iter()
        .any(|name| word.value.eq_ignore_ascii_case(name));
    if word.quote_style.is_some() || !is_type {
        return None;
    }
    let name = Ident::new(word.value.clone());
    let Token::SingleQuotedString(text) = &parser.peek_nth_token_ref(1).token else {
        return None;
    };
    let text = Value::SingleQuotedString(text.clone());
    (0..2).for_each(|_| parser.advance_token());
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(text.with_empty_span())),
        data_type: DataType::Custom(ObjectName::from(vec![name]), Vec::new()),
        array: false,
        format: None,
    })
}

/// `IF(condition, value[, otherwise])`, after its parenthesis.
fn conditional(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let condition = parser.parse_expr()?;
    parser.expect_token(&Token::Comma)?;
    let result = parser.parse_expr()?;
    let else_result = match parser.consume_token(&Token::Comma) {
        true => Some(Box::new(parser.parse_expr()?)),
        false => None,
    };
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result }],
        else_result,
    })
}

/// `TRY(expression)`, after its parenthesis.
fn attempt(parser: &mut Parser<'_>) -> Result<Expr, ParserError> {
    let tried = parser.parse_expr()?;
    parser.expect_token(&Token::RParen)?;
    Ok(match tried {
        Expr::Cast {
            kind: CastKind::Cast,
            expr,
            data_type,
            array: false,
            format: None,
        } => Expr::Cast {
            kind: CastKind::TryCast,
            expr,
            data_type,
            array: false,
            format: None,
        },
        tried => tried_call(tried),
    })
}

/// Returns the call of [`TRY`] with an expression.
pub fn tried_call(tried: Expr) -> Expr {
    let parameter = LambdaFunctionParameter {
        name: Ident::with_quote('"', "$"),
        data_type: None,
    };
    let lambda = LambdaFunction {
        params: OneOrManyWithParens::One(parameter),
        body: Box::new(tried),
        syntax: LambdaSyntax::Arrow,
    };
    call(TRY, vec![Expr::Lambda(lambda)])
}

/// Returns the call of a function.
pub fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments
        .into_iter()
        .map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)))
        .collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![match name.starts_with('$') {
            true => Ident::with_quote('"', name),
            false => Ident::new(name),
        }]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// Returns the arguments of [`FIELDS`], if the expression is that call.
pub fn fields_of(expr: &Expr) -> Option<&[FunctionArg]> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let [name] = function.name.0.as_slice() else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    (name.as_ident()?.value == FIELDS).then_some(list.args.as_slice())
}

/// `CAST(x AS type)`, after its parenthesis.
fn cast(parser: &mut Parser<'_>, kind: CastKind) -> Result<Expr, ParserError> {
    let expr = Box::new(parser.parse_expr()?);
    parser.expect_keyword_is(Keyword::AS)?;
    let (data_type, special) = data_type(parser)?;
    let plain = |kind, expr, data_type| Expr::Cast {
        kind,
        expr,
        data_type,
        array: false,
        format: None,
    };
    parser.expect_token(&Token::RParen)?;
    if !special {
        return Ok(plain(kind, expr, data_type));
    }
    let null = Box::new(Expr::Value(Value::Null.with_empty_span()));
    let call = call(CAST, vec![*expr, plain(CastKind::Cast, null, data_type)]);
    Ok(match kind {
        CastKind::TryCast => tried_call(call),
        _ => call,
    })
}

/// A type, and whether a cast to it is Trino's own.
pub(crate) fn data_type(parser: &mut Parser<'_>) -> Result<(DataType, bool), ParserError> {
    let word = match &parser.peek_token_ref().token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_uppercase(),
        _ => String::new(),
    };
    let opens = parser.peek_nth_token_ref(1).token == Token::LParen;
    if !opens || !["ARRAY", "MAP", "ROW"].contains(&word.as_str()) {
        return Ok((parser.parse_data_type()?, false));
    }
    parser.advance_token();
    parser.advance_token();
    let inner = |parser: &mut Parser<'_>| Ok::<_, ParserError>(Box::new(data_type(parser)?.0));
    let nested = match word.as_str() {
        "ARRAY" => DataType::Array(ArrayElemTypeDef::AngleBracket(inner(parser)?)),
        "MAP" => {
            let key = inner(parser)?;
            parser.expect_token(&Token::Comma)?;
            DataType::Map(key, inner(parser)?)
        }
        _ => {
            let fields = parser.parse_comma_separated(field)?;
            DataType::Struct(fields, StructBracketKind::Parentheses)
        }
    };
    parser.expect_token(&Token::RParen)?;
    Ok((nested, true))
}

/// `name type` or `type`, in a ROW.
fn field(parser: &mut Parser<'_>) -> Result<StructField, ParserError> {
    let named = match &parser.peek_nth_token_ref(1).token {
        Token::Comma | Token::RParen | Token::LParen | Token::Lt | Token::LBracket => false,
        // Types of two words.
        Token::Word(word) => !["PRECISION", "VARYING", "WITH", "WITHOUT"]
            .iter()
            .any(|second| word.value.eq_ignore_ascii_case(second)),
        _ => true,
    };
    let field_name = match named {
        true => Some(parser.parse_identifier()?),
        false => None,
    };
    Ok(StructField {
        field_name,
        field_type: data_type(parser)?.0,
        options: None,
    })
}
