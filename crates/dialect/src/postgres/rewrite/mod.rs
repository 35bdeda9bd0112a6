//! Rewrites PostgreSQL's syntax to syntax that the engine's planner accepts.
//!
//! ```text
//! pg_class, unless a CTE has the name      pg_catalog.pg_class
//! pg_catalog.f(x)                          f(x)
//! a OPERATOR(pg_catalog.~) b COLLATE "c"   a ~ b
//! x::_int4, x::pg_catalog._text            x::int4[], x::text[]
//! x::regclass, '{a,b}'::text[]             regclass_in(x), ARRAY['a', 'b']::text[]
//! x::oid, x::name, x::inet                 $oid_in(x::bigint), $name_in(x::text), $inet_in(x::text)
//! x::jsonb, JSON '[]'                      $jsonb_in(x::text), $json_in('[]'::text); see json.rs
//! x::uuid, gen_random_uuid()               $uuid_in(x::text), $uuid_in(uuid())
//! x::timetz, current_time                  $timetz_in(x::text), $timetz_in(now()::text)
//! (a, b) OVERLAPS (c, d)                   see overlaps.rs
//! '\x01ff'::bytea, x::bytea               X'01ff'::bytea, bytea_in(x)
//! ARRAY(SELECT x FROM t ORDER BY y)        array_or_empty((SELECT array_agg(x ORDER BY y) FROM t))
//! FROM generate_series(1, x) AS s(n)       FROM (SELECT unnest(generate_series(1, x)) AS n) AS s
//! FROM ROWS FROM (unnest(a), upper(b)) t   FROM (SELECT unnest(a) AS unnest, …) AS t; see rows_from.rs
//! SELECT NULL, NULL                        SELECT NULL, NULL AS "NULL:1"
//! row_number() OVER w                      row_number() OVER w::bigint
//! f(x) OVER (w ORDER BY y)                 f(x) OVER (PARTITION BY z ORDER BY y), where w is (PARTITION BY z)
//! ROWS BETWEEN 2 FOLLOWING AND 1 FOLLOWING  see frames.rs
//! x IS NFC NORMALIZED                      (x) = normalize(x, 'NFC')
//! x SIMILAR TO 'a%'                        (x ~ '(?s)^(?:a.*)$')
//! (f(x)).n                                 get_field(f(x), 'n')
//! information_schema._pg_truetypid(a.*, t.*)  CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END
//! age(c.xmin), age(x::xid)                 "$transaction_age"(c.xmin), "$transaction_age"($xid_in(x::bigint))
//! coalesce(day, '2024-01-01')              coalesce(day, typed_text('2024-01-01', day))
//! coalesce(x, 0)                           coalesce(x, 0::int)
//! SELECT 1, 1.50; x * 0.1                  SELECT NULL $literal 1, '1.50'::numeric(3,2); x * NULL $literal 0.1
//! CASE x WHEN 't' THEN y END               CASE WHEN x = 't' THEN y END
//! SELECT t.* FROM d.t                      SELECT d.t.* FROM d.t
//! (SELECT unnest(a), f(x) AS x FROM t) s   (SELECT unnest(a), f(x) AS "x 2" FROM t) s (unnest, x)
//! t.tableoid                               1259, where t is pg_class
//! (SELECT max(x) FROM u WHERE y = t.y)     (SELECT max(x) FROM u WHERE y = "/outer".t.y); see outer_names.rs
//! (a, b) IN ((1, 2), (3, 4))               (a = 1 AND b = 2) OR (a = 3 AND b = 4)
//! x > ANY (array)                          compare_any('>', x, array)
//! x::timestamp(3)                          timestamp_to_precision(x::timestamp, 3)
//! DISTINCT ON (1) x, y; GROUP BY (x, y)    DISTINCT ON (x) x, y; GROUP BY x, y
//! DISTINCT ON (x) x, unnest(a)             see distinct_sets.rs
//! max(t.x) AS "t.x"                        see dotted_aliases.rs
//! SELECT unnest(a) FROM t ORDER BY x       SELECT unnest(c1) FROM (SELECT a FROM t ORDER BY x) s (c1)
//! DISTINCT ON (x, y) … ORDER BY y          DISTINCT ON (y, x) … ORDER BY y, x
//! LIMIT '1'                                LIMIT 1
//! VALUES ((SELECT 1), 2), (3, 4)           SELECT (SELECT 1), 2 UNION ALL SELECT 3, 4
//! mod(x, y), sign(x)                       ((x) % (y)), signum(x)
//! ceiling(x), div(x, y), x LIKE ANY (…)    see calls.rs
//! concat(VARIADIC a)                       array_to_string(a, '')
//! make_date(2024, day => 2, month => 1)    make_date(2024, 1, 2)
//! mode() WITHIN GROUP (ORDER BY x)         see ordered_sets.rs
//! string_agg(x, y)                         "$joined"(array_agg(x), array_agg(y)); see joined.rs
//! a ^@ b                                   starts_with(a, b)
//! current_query()                          (SELECT query FROM pg_catalog.pg_stat_activity WHERE …)
//! … EXCEPT SELECT a.x, b.x FROM a, b       … EXCEPT SELECT * FROM (SELECT a.x, b.x FROM a, b) AS "operand 2"
//! now()::time(3), '1e400'::float8          see number_casts.rs
//! x::varchar(3), x::char                   left(x::text, 3), left(x::text, 1)
//! B'101', X'1F', x::bit(3)                $bit_in('b101'), $bit_in('x1F'), $bit_cast(x, 3)
//! 0.1 + 0.2                                0.3
//! -(x - y)                                 NULL $negation (x - y); see negations.rs
//! 0.1::decimal(38,20)                      '0.1'::decimal(38,20)
//! 12345678901234567.89                     '12345678901234567.89'::numeric(19,2)
//! 12345678901234567890123                  '12345678901234567890123'::numeric(23,0)
//! ```

mod acl;
mod activity;
mod alike;
mod array_queries;
mod array_texts;
mod array_types;
mod bits;
mod build;
mod calls;
mod casts;
mod clauses;
mod collations;
mod comparisons;
mod conditions;
mod copies;
mod distinct_keys;
mod distinct_on;
mod distinct_sets;
mod dotted_aliases;
mod expressions;
mod frames;
mod functions;
mod grouping;
mod hidden_columns;
mod interval_fields;
mod introspection;
mod joined;
mod json;
mod misplaced;
mod missing;
mod named_arguments;
mod named_casts;
mod negations;
mod number_casts;
mod numbers;
mod object_lists;
mod object_texts;
mod operands;
mod order_keys;
mod ordered_sets;
mod outer_aggregates;
mod outer_groups;
mod outer_names;
mod outputs;
mod overlaps;
mod precedence;
mod prefixes;
mod records;
mod recursions;
mod recursive_casts;
mod recursive_terms;
mod rewriter;
mod row_counts;
mod rows_from;
mod sets;
mod similar;
mod slices;
mod tables;
#[cfg(test)]
mod testing;
mod text_conditions;
mod times;
mod transactions;
mod types_of_casts;
mod unnested;
mod untyped;
mod using;
mod values;
mod variadic;
mod wildcards;
mod windows;
mod zoned_times;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Statement};
use lakegate_engine::Names;
use lakegate_error::Error;
use lakegate_sql::walk::walk_mut;

pub use self::alike::{name_columns, name_expressions, name_outputs};
pub use self::bits::of_any_length as bits_of_any_length;
pub use self::build::everything;
pub use self::hidden_columns::{NamedApart, TableColumns, hide_columns, starred_tables};
pub use self::json::rewrite_json;
pub use self::misplaced::check as check_calls;
pub use self::named_casts::name_casts;
pub use self::numbers::type_literals;
pub use self::order_keys::{restore as restore_outputs, sorts_by_number};
pub use self::recursive_terms::check as check_recursions;
use self::rewriter::Rewriter;
pub use self::using::{JoinedColumns, Resolution, Unknown, enclose_joins, resolve_joins};

/// The system relations that unqualified names may refer to: OIDs by name.
pub type SystemRelations = BTreeMap<&'static str, i64>;

/// The functions, relations and hidden columns that a statement uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogReferences {
    /// The names of the functions that it calls, before they are rewritten.
    pub functions: BTreeSet<String>,
    /// The names of the functions that the rewritten statement calls; `None` if they are not known.
    pub called: Option<BTreeSet<String>>,
    /// For calls `f(x, …)` of those in `Rewriter::by_object`: the numbers that the calling SELECT
    /// restricts `x` to; `None` if some call may be about any object.
    pub objects: Option<BTreeSet<i64>>,
    /// Whether it reads a relation of `pg_catalog` or `information_schema`.
    pub system_relations: bool,
    /// Whether an expression has the name of a hidden column, so that tables must have them.
    pub hidden_columns: bool,
    /// The same for system columns, such as `xmin`, and tables of `pg_catalog`.
    pub system_columns: bool,
}

/// Rewrites a statement in place. Its joins must be resolved.
///
/// # Errors
///
/// The statement uses something that has no equivalent here.
pub fn rewrite(
    statement: &mut Statement,
    relations: &SystemRelations,
    by_object: &[&str],
    functions: Names,
) -> Result<CatalogReferences, Error> {
    if functions == Names::Postgres {
        array_types::rewrite(statement);
        prefixes::mend(statement);
        outer_aggregates::rewrite(statement);
        outer_groups::rewrite(statement)?;
        outer_aggregates::check(statement)?;
        activity::rewrite(statement)?;
    }
    distinct_sets::rewrite(statement)?;
    dotted_aliases::mark(statement);
    outputs::name(statement, functions)?;
    frames::rewrite(statement, functions)?;
    windows::in_order(statement)?;
    order_keys::rewrite(statement, functions)?;
    let mut rewriter = Rewriter::new(statement, relations, by_object, functions);
    if let ControlFlow::Break(error) = walk_mut(statement, &mut rewriter) {
        return Err(error);
    }
    frames::mark_parameters(statement);
    introspection::rewrite(statement, &rewriter.common_tables);
    operands::enclose(statement)?;
    if functions == Names::Postgres {
        numbers::type_columns(statement);
        recursive_casts::doubled(statement);
    }
    // This comes last: different expressions may be equal once they are rewritten.
    alike::tell_apart(statement);
    if functions == Names::Postgres {
        outer_names::qualify(statement);
    }
    let apart = NamedApart::of(statement);
    Ok(CatalogReferences {
        hidden_columns: apart.hidden,
        system_columns: apart.system,
        ..rewriter.references
    })
}

/// Returns an identifier in the form in which names are compared.
pub fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() {
        ident.value.clone()
    } else {
        ident.value.to_lowercase()
    }
}

/// Returns the parts of a name, or `None` if one is computed.
fn parts(name: &ObjectName) -> Option<Vec<String>> {
    name.0
        .iter()
        .map(|part| part.as_ident().map(folded))
        .collect()
}

/// Returns the last part of a name, or `None` if it is computed.
fn last_part(name: &ObjectName) -> Option<String> {
    name.0.last()?.as_ident().map(folded)
}
