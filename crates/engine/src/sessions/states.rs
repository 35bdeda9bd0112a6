//! The states that sessions are copies of: DataFusion with Lakegate's settings, rules, planners and
//! functions.

use std::sync::Arc;

use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{FunctionRegistry, SessionState, SessionStateBuilder};
use datafusion::optimizer::{Analyzer, AnalyzerRule};
use datafusion::prelude::SessionConfig;
use lakegate_error::{Result, UNQUALIFIED, from_engine};

use crate::logic::{
    guarded_cases, guarded_filters, guarded_logic, in_lists, joined_booleans, quantified,
    subqueries,
};
use crate::names::{named_cast, relations};
use crate::numbers::{
    checked, decimal_functions, decimal_places, decimal_texts, decimals, digits, divisors,
    factorials, float_decimals, float_digits, floats, halves, integer_places, rounding, series,
    small_shifts, whole_decimals, xors,
};
use crate::{
    CATALOG, EngineOptions, Library, Names, PlanSettings, aggregation::grouping_keys,
    aggregation::joined_texts, aggregation::numeric_sums, aggregation::period_sums,
    aggregation::shifted_sums, aggregation::sorted_distinct, aggregation::sum, arrays,
    arrays::hidden_values, barrier, joins::dependent, joins::equal_keys, joins::set_operations,
    limits::bounded, limits::gathered, limits::stop, optimize, plans::computed_limits,
    plans::input_order, plans::plain_fallbacks, text::byte_texts, text::posix, time, types::beside,
    types::cell_types, types::common_types, types::nested, types::nullif_types,
    types::operand_types, types::untyped_bounds, types::untyped_columns, types::untyped_texts,
    windows::frames, windows::window_inputs,
};

/// Functions that expose a row's file, which the engine removes. A path contains the values of all
/// partition keys, and a row's position in its file shows how rows are sorted by columns that are
/// not granted.
const FUNCTIONS_OF_FILES: &[&str] = &["file_row_index", "input_file_name"];

/// Returns the state with what does not depend on a session's settings. Its queries use this memory,
/// and spill to its folder.
///
/// # Errors
///
/// Returns an error if DataFusion refuses a setting or a function.
pub(crate) fn base(
    options: &EngineOptions,
    runtime: &Arc<RuntimeEnv>,
    library: &Library,
) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_target_partitions(options.threads)
        .with_batch_size(options.batch_size)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, UNQUALIFIED);
    let settings = config.options_mut();
    // Athena sorts NULLs last for ascending and descending order. See `of_settings` for PostgreSQL.
    settings.sql_parser.default_null_ordering = "nulls_last".to_owned();
    // The check refuses plans in which an expression is nullable in one schema and not in the
    // other, such as `x IS TRUE` (apache/datafusion, 55.2).
    settings.execution.skip_physical_aggregate_schema_check = true;
    // The bounds of one min or max remove rows that another one needs, over an expression or
    // with FILTER (`AggrDynFilter` of `datafusion-physical-plan`, 55.2).
    settings.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    // `InputOrder` drops the sorts whose order nothing shows.
    settings.sql_parser.enable_subquery_sort_elimination = false;
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(grouping_keys::GroupingKeys));
    rules.insert(0, Arc::new(optimize::PlainColumns));
    rules.insert(0, Arc::new(plain_fallbacks::PlainFallbacks));
    rules.insert(0, Arc::new(frames::RangeOffsets));
    rules.insert(2, Arc::new(nested::NestedAreNoTexts));
    rules.insert(2, Arc::new(time::WindowsByLength));
    rules.insert(2, Arc::new(decimal_texts::DecimalTexts));
    rules.insert(2, Arc::new(common_types::CommonTypes));
    rules.insert(2, Arc::new(time::MeetingZones));
    rules.insert(2, Arc::new(input_order::InputOrder));
    rules.splice(0..0, (library.rules)());
    let mut base = SessionStateBuilder::new()
        .with_expr_planners(vec![Arc::new(arrays::Subscripts)])
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_default_features()
        .with_analyzer_rules(rules)
        .with_relation_planners(vec![
            Arc::new(optimize::IndependentRelations),
            Arc::new(relations::NamedRelations),
        ])
        .with_query_planner(Arc::new(barrier::BarrierPlanner))
        .with_optimizer_rules(optimize::logical_rules())
        .with_physical_optimizer_rules(optimize::physical_rules())
        .with_analyzer_rule(Arc::new(set_operations::CountedSetOperations))
        .with_analyzer_rule(Arc::new(time::Microseconds))
        .with_analyzer_rule(Arc::new(equal_keys::EqualKeys {
            of_library: library.key_of,
        }))
        .with_analyzer_rule(Arc::new(shifted_sums::ShiftedSums))
        .with_analyzer_rule(Arc::new(checked::CheckedIntegers))
        .with_analyzer_rule(Arc::new(xors::NullableXors))
        .with_analyzer_rule(Arc::new(decimals::DecimalLiterals))
        .with_analyzer_rule(Arc::new(float_decimals::NearestCasts))
        .with_analyzer_rule(Arc::new(digits::BoundedDigits))
        .with_analyzer_rule(Arc::new(hidden_values::EmptyNulls))
        .with_analyzer_rule(Arc::new(dependent::OptionalValues))
        .with_analyzer_rule(Arc::new(subqueries::Existence))
        .with_analyzer_rule(Arc::new(subqueries::InnerNames))
        .with_analyzer_rule(Arc::new(subqueries::ThreeValuedSubqueries))
        .with_analyzer_rule(Arc::new(dependent::DependentJoins))
        .with_analyzer_rule(Arc::new(in_lists::SeparateInLists))
        .with_analyzer_rule(Arc::new(rounding::RoundingCasts))
        .with_analyzer_rule(Arc::new(guarded_logic::GuardedLogic))
        .with_analyzer_rule(Arc::new(guarded_filters::GuardedFilters))
        .with_analyzer_rule(Arc::new(guarded_cases::GuardedCases))
        .with_analyzer_rule(Arc::new(floats::CanonicalFloats))
        .with_analyzer_rule(Arc::new(window_inputs::WindowInputs))
        .with_analyzer_rule(Arc::new(posix::PosixPatterns {
            of_library: library.measures_itself,
        }))
        .build();
    for name in FUNCTIONS_OF_FILES {
        base.deregister_udf(name).map_err(from_engine)?;
    }
    arrays::register(&mut base).map_err(from_engine)?;
    posix::register(&mut base).map_err(from_engine)?;
    stop::stoppable_functions(&mut base).map_err(from_engine)?;
    time::register_templates(&mut base).map_err(from_engine)?;
    bounded::bound(&mut base, library.measures_itself).map_err(from_engine)?;
    floats::register(&mut base).map_err(from_engine)?;
    whole_decimals::register(&mut base).map_err(from_engine)?;
    frames::register(&mut base).map_err(from_engine)?;
    sum::register(&mut base).map_err(from_engine)?;
    joined_texts::register(&mut base).map_err(from_engine)?;
    time::register(&mut base).map_err(from_engine)?;
    quantified::register(&mut base).map_err(from_engine)?;
    named_cast::register(&mut base).map_err(from_engine)?;
    untyped_texts::register(&mut base).map_err(from_engine)?;
    beside::register(&mut base).map_err(from_engine)?;
    gathered::register(&mut base).map_err(from_engine)?;
    Ok(stop::stoppable_rules(base))
}

/// Returns the state of sessions with these settings, made of the one of all sessions.
///
/// # Errors
///
/// Returns an error if a function of the library cannot be registered.
pub(crate) fn of_settings(
    base: &SessionState,
    library: &Library,
    settings: &PlanSettings,
) -> Result<SessionState> {
    let mut config = base.config().clone();
    config.options_mut().execution.time_zone = Some(settings.time_zone.clone());
    let parser = &mut config.options_mut().sql_parser;
    match settings.names {
        Names::Trino => {
            // `1.5` is a decimal in Trino.
            parser.parse_float_as_decimal = true;
        }
        Names::Postgres => {
            // NULLs are greater than all values: the last ones in ascending order, and the
            // first ones in descending order.
            parser.default_null_ordering = "nulls_max".to_owned();
        }
    }
    let mut state = SessionStateBuilder::new_from_existing(base.clone());
    if let Some(analyzer) = state.analyzer() {
        let mut rules = (library.rules_of)(settings.names);
        if settings.names == Names::Postgres {
            // The others see the types that it gives columns.
            rules.insert(0, Arc::new(numeric_sums::NumericSums));
            rules.insert(1, Arc::new(period_sums::PeriodSums));
            rules.push(Arc::new(computed_limits::ComputedLimits));
            rules.push(Arc::new(untyped_texts::UntypedTexts));
            rules.push(Arc::new(untyped_bounds::UntypedBounds));
            rules.push(Arc::new(time::InfiniteTimes));
            rules.push(Arc::new(untyped_columns::UntypedColumns));
            rules.push(Arc::new(nullif_types::NullifTypes));
            rules.push(Arc::new(joined_booleans::JoinedBooleans));
            rules.push(Arc::new(halves::HalvesToEven));
            rules.push(Arc::new(float_digits::FloatDigits));
            rules.push(Arc::new(byte_texts::ByteTexts));
            rules.push(Arc::new(decimal_places::DecimalPlaces));
            rules.push(Arc::new(sorted_distinct::SortedDistinct));
            rules.push(Arc::new(divisors::Divisors));
        }
        analyzer.rules.splice(0..0, stop::stoppable_analysis(rules));
        if settings.names == Names::Postgres {
            let last: Vec<Arc<dyn AnalyzerRule + Send + Sync>> = vec![
                Arc::new(floats::CheckedFloats),
                Arc::new(cell_types::CellTypes),
            ];
            let last = stop::stoppable_analysis(last);
            analyzer.rules.extend(last);
        }
    }
    if let Some(planners) = state.expr_planners() {
        if settings.names == Names::Postgres {
            planners.insert(
                0,
                Arc::new(time::IntervalArithmetic {
                    makes_timestamps: true,
                }),
            );
        }
        planners.splice(0..0, (library.planners_of)(settings.names));
        if settings.names == Names::Postgres {
            planners.insert(0, Arc::new(operand_types::OperandTypes));
            planners.insert(0, Arc::new(small_shifts::SmallShifts));
        }
    }
    let types = time::MicrosecondTypes {
        time_zone: Some(settings.time_zone.clone()),
    };
    let mut state = state
        .with_config(config)
        .with_type_planner(Arc::new(types))
        .build();
    // After the state is built: building one registers functions again by all their names,
    // and a replaced function that still has an alias would return.
    if settings.names == Names::Postgres {
        sum::register_spreads(&mut state).map_err(from_engine)?;
        sum::register_averages(&mut state).map_err(from_engine)?;
        floats::register_totals(&mut state).map_err(from_engine)?;
        frames::register_pairs(&mut state).map_err(from_engine)?;
        time::register_instants(&mut state).map_err(from_engine)?;
        time::register_truncated_dates(&mut state).map_err(from_engine)?;
        time::register_date_series(&mut state).map_err(from_engine)?;
        time::register_asked_fields(&mut state).map_err(from_engine)?;
        time::register_precision(&mut state).map_err(from_engine)?;
        time::read_dates(&mut state, time::DateOrder::Mdy);
    }
    (library.register)(&mut state, settings.names).map_err(from_engine)?;
    if settings.names == Names::Postgres {
        floats::register_domains(&mut state).map_err(from_engine)?;
        decimal_functions::register(&mut state).map_err(from_engine)?;
        floats::register_wholes(&mut state).map_err(from_engine)?;
        factorials::register(&mut state).map_err(from_engine)?;
        integer_places::register(&mut state).map_err(from_engine)?;
        series::register(&mut state).map_err(from_engine)?;
    }
    gathered::gather(&mut state).map_err(from_engine)?;
    Ok(state)
}
