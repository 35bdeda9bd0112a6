//! The dialect in which queries are parsed: Postgres' grammar, which most clients use, with
//! Athena's quotes and lambdas.

use std::any::TypeId;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};

use crate::{postgres, trino};

const POSTGRES: PostgreSqlDialect = PostgreSqlDialect {};

/// Postgres, extended by what Athena's users write, and reduced where the two conflict.
///
/// It also limits the parser, which calls its dialect at each operand and operator. Where sqlparser
/// cannot decide between readings it tries one after the other, and nesting such places doubles the
/// work each time. A parser that has used up its steps fails with `RecursionLimitExceeded`, the
/// only error after which sqlparser tries no other reading.
#[derive(Debug)]
pub struct AthenaDialect {
    steps_left: AtomicUsize,
    nests_joins: bool,
}

impl AthenaDialect {
    /// For one text, with a bound on the parser's steps.
    pub(crate) fn with_steps(steps: usize) -> AthenaDialect {
        AthenaDialect {
            steps_left: AtomicUsize::new(steps),
            nests_joins: false,
        }
    }

    /// Sets whether a join that follows a joined table is one of that table:
    /// `a JOIN b JOIN c ON … ON …`.
    #[must_use]
    pub(crate) fn nesting_joins(self, nests_joins: bool) -> AthenaDialect {
        AthenaDialect {
            nests_joins,
            ..self
        }
    }

    fn step(&self) -> Result<(), ParserError> {
        let left = self.steps_left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(ParserError::RecursionLimitExceeded);
        }
        self.steps_left.store(left - 1, Ordering::Relaxed);
        Ok(())
    }
}

impl Default for AthenaDialect {
    /// Without a bound on the steps.
    fn default() -> Self {
        AthenaDialect::with_steps(usize::MAX)
    }
}

impl Dialect for AthenaDialect {
    /// sqlparser's checks of the dialect's type treat this one as Postgres.
    fn dialect(&self) -> TypeId {
        TypeId::of::<PostgreSqlDialect>()
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        POSTGRES.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        POSTGRES.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        POSTGRES.is_identifier_part(ch)
    }

    /// No user-defined operators: they would swallow a backtick, a `?` and the sign of `a<-1`.
    fn is_custom_operator_part(&self, _ch: char) -> bool {
        false
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        // Without the last two, a mistake in a CASE or CAST would make the word a column of that
        // name.
        POSTGRES.is_reserved_for_identifier(keyword)
            || matches!(keyword, Keyword::CASE | Keyword::CAST)
    }

    /// Without this, the FOR of `SELECT 1 FOR UPDATE` would be the name of the column.
    fn is_column_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        *keyword != Keyword::FOR && POSTGRES.is_column_alias(keyword, parser)
    }

    /// Postgres allows this word, which only Hive reserves.
    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        *keyword == Keyword::VIEW || POSTGRES.is_table_alias(keyword, parser)
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        match self.step() {
            Ok(()) => postgres::prefix(parser).or_else(|| trino::prefix(parser)),
            Err(error) => Some(Err(error)),
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        if let Err(error) = self.step() {
            return Some(Err(error));
        }
        if postgres::is_null_test(parser) {
            return Some(Ok(self.prec_value(Precedence::Is)));
        }
        POSTGRES.get_next_precedence(parser)
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        postgres::infix(parser, left, precedence)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRES.prec_value(precedence)
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_window_clause_named_window_reference(&self) -> bool {
        true
    }

    fn supports_match_recognize(&self) -> bool {
        true
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_dictionary_syntax(&self) -> bool {
        true
    }

    fn support_map_literal_syntax(&self) -> bool {
        true
    }

    fn supports_select_wildcard_except(&self) -> bool {
        true
    }

    fn supports_select_wildcard_exclude(&self) -> bool {
        true
    }

    fn supports_select_wildcard_replace(&self) -> bool {
        true
    }

    fn supports_select_wildcard_rename(&self) -> bool {
        true
    }

    /// `row.* AS (a, b)`. The parser refuses the names after other expressions.
    fn supports_select_item_multi_column_alias(&self) -> bool {
        true
    }

    fn supports_left_associative_joins_without_parens(&self) -> bool {
        !self.nests_joins
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_order_by_all(&self) -> bool {
        false
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn allow_extract_single_quotes(&self) -> bool {
        true
    }

    fn supports_comma_separated_trim(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_assignment_operator(&self) -> bool {
        true
    }

    fn supports_empty_projections(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_string_literal_concatenation_with_newline(&self) -> bool {
        true
    }

    fn supports_numeric_literal_underscores(&self) -> bool {
        true
    }

    fn supports_array_typedef_with_brackets(&self) -> bool {
        true
    }

    fn supports_interval_options(&self) -> bool {
        true
    }

    fn supports_notnull_operator(&self) -> bool {
        true
    }

    /// `* x` is valid in neither Postgres nor Athena, and would hide the mistake in `SELECT * FRM
    /// t`.
    fn supports_select_wildcard_with_alias(&self) -> bool {
        false
    }
}
