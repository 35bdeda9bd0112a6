//! The options of EXPLAIN: Athena's `FORMAT` and `TYPE`.

use std::fmt::Write as _;

use lakegate_error::{Code, Error, Result};
use lakegate_sql::ast::Explain;
use serde_json::{Value, json};

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    /// PostgreSQL's form of a plan only, as XML is.
    Yaml,
    Xml,
    /// A digraph in the language of Graphviz.
    Graphviz,
}

/// What EXPLAIN shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlanType {
    /// The plan that runs.
    Distributed,
    /// The optimised plan before operators are chosen.
    Logical,
    /// Whether the query can be planned: `true`, or the error.
    Validate,
    /// The tables that the query reads, in JSON.
    Io,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Options {
    pub format: Format,
    pub plan_type: PlanType,
    /// Whether the plan is shown as PostgreSQL shows its plans, rather than in the engine's words.
    pub postgres: bool,
    /// Whether the query runs.
    pub analyze: bool,
    pub verbose: bool,
    /// The others are PostgreSQL's: estimates, times of nodes, times of the query.
    pub costs: bool,
    pub timing: bool,
    pub summary: bool,
}

/// Returns the options of an EXPLAIN. `postgres`: whether its plan is shown as PostgreSQL's.
///
/// # Errors
///
/// An option has an unknown value, or options do not go together.
pub(crate) fn of(explain: &Explain, postgres: bool) -> Result<Options> {
    let plan_type = match explain.plan_type.as_deref() {
        None | Some("DISTRIBUTED") => PlanType::Distributed,
        Some("LOGICAL") => PlanType::Logical,
        Some("VALIDATE") => PlanType::Validate,
        Some("IO") => PlanType::Io,
        Some(other) => {
            return Err(unknown(
                "TYPE",
                other,
                "LOGICAL, DISTRIBUTED, VALIDATE or IO",
            ));
        }
    };
    let format = match explain.format.as_deref() {
        None if plan_type == PlanType::Io => Format::Json,
        None | Some("TEXT") => Format::Text,
        Some("JSON") => Format::Json,
        Some("GRAPHVIZ") => Format::Graphviz,
        Some("YAML") if postgres => Format::Yaml,
        Some("XML") if postgres => Format::Xml,
        Some(other @ ("XML" | "YAML")) => {
            return Err(unknown("FORMAT", other, "TEXT, JSON or GRAPHVIZ"));
        }
        Some(other) => {
            let message = format!(
                "unrecognized value for EXPLAIN option \"format\": \"{}\"",
                other.to_lowercase()
            );
            let known = match postgres {
                true => "FORMAT is TEXT, JSON, YAML, XML or GRAPHVIZ",
                false => "FORMAT is TEXT, JSON or GRAPHVIZ",
            };
            return Err(Error::invalid(message).with_hint(known));
        }
    };
    if explain.analyze && plan_type != PlanType::Distributed {
        return Err(Error::not_supported(
            "EXPLAIN ANALYZE has no TYPE but DISTRIBUTED",
        ));
    }
    if plan_type == PlanType::Io && format != Format::Json {
        return Err(Error::not_supported(
            "EXPLAIN (TYPE IO) has no FORMAT but JSON",
        ));
    }
    for (option, given) in [
        ("WAL", explain.wal),
        ("TIMING", explain.timing == Some(true)),
    ] {
        if given && !explain.analyze {
            return Err(Error::new(
                Code::InvalidParameter,
                format!("EXPLAIN option {option} requires ANALYZE"),
            ));
        }
    }
    if explain.generic_plan && explain.analyze {
        return Err(Error::new(
            Code::InvalidParameter,
            "EXPLAIN options ANALYZE and GENERIC_PLAN cannot be used together",
        ));
    }
    Ok(Options {
        format,
        plan_type,
        postgres,
        analyze: explain.analyze,
        verbose: explain.verbose,
        costs: explain.costs,
        timing: explain.timing.unwrap_or(explain.analyze),
        summary: explain.summary.unwrap_or(explain.analyze),
    })
}

/// Whether PostgreSQL's form can show what an EXPLAIN asks for. Athena's TYPE and Graphviz are not
/// PostgreSQL's.
pub(crate) fn suits_postgres(explain: &Explain) -> bool {
    explain.plan_type.is_none() && explain.format.as_deref() != Some("GRAPHVIZ")
}

fn unknown(option: &str, value: &str, known: &str) -> Error {
    Error::not_supported(format!("EXPLAIN has no {option} {value}"))
        .with_hint(format!("{option} is {known}"))
}

/// An operator with its inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanNode {
    /// The operator's name, such as `ProjectionExec`.
    pub name: String,
    /// Its details, in the engine's words.
    pub details: String,
    pub inputs: Vec<PlanNode>,
}

impl PlanNode {
    /// Splits the engine's text of an operator, `Name: details`.
    pub(crate) fn new(text: &str, inputs: Vec<PlanNode>) -> Self {
        let (name, details) = text.split_once(':').unwrap_or((text, ""));
        Self {
            name: name.trim().to_owned(),
            details: details.trim().to_owned(),
            inputs,
        }
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "details": self.details,
            "children": self.inputs.iter().map(PlanNode::json).collect::<Vec<_>>(),
        })
    }

    /// Returns the lines of a digraph whose edges lead from an operator to its inputs.
    pub(crate) fn graphviz(&self) -> Vec<String> {
        let mut lines = vec!["digraph plan {".to_owned()];
        self.graphviz_into(&mut 0, &mut lines);
        lines.push("}".to_owned());
        lines
    }

    /// Adds the node and all below it, and returns its number.
    fn graphviz_into(&self, count: &mut usize, lines: &mut Vec<String>) -> usize {
        let number = *count;
        *count += 1;
        let mut label = self.name.clone();
        if !self.details.is_empty() {
            let _ = write!(label, "\n{}", self.details);
        }
        let label = label
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        lines.push(format!("  {number} [shape=box, label=\"{label}\"]"));
        for input in &self.inputs {
            let below = input.graphviz_into(count, lines);
            lines.push(format!("  {number} -> {below}"));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use lakegate_sql::Statement;

    use super::*;

    fn explain(options: &str) -> Explain {
        let sql = format!("EXPLAIN {options} SELECT 1");
        let parsed = lakegate_sql::parse(&sql).unwrap().remove(0);
        match parsed.statement {
            Statement::Explain(explain) => explain,
            other => unreachable!("{other:?}"),
        }
    }

    #[test]
    fn options_are_known_or_refused_with_the_known_ones() {
        let known = |options: &str| {
            let options = of(&explain(options), false).unwrap();
            (options.format, options.plan_type)
        };
        assert_eq!(known(""), (Format::Text, PlanType::Distributed));
        assert_eq!(
            known("(TYPE LOGICAL, FORMAT JSON)"),
            (Format::Json, PlanType::Logical)
        );
        assert_eq!(known("(TYPE IO)"), (Format::Json, PlanType::Io));
        for (options, hint) in [
            ("(FORMAT XML)", "TEXT, JSON or GRAPHVIZ"),
            ("(TYPE FRAGMENTS)", "LOGICAL, DISTRIBUTED, VALIDATE or IO"),
        ] {
            let error = of(&explain(options), false).unwrap_err();
            assert!(error.hint().unwrap().contains(hint), "{options}");
        }
        for (options, format) in [
            ("(FORMAT XML)", Format::Xml),
            ("(FORMAT yaml)", Format::Yaml),
        ] {
            let options = of(&explain(options), true).unwrap();
            assert_eq!(options.format, format);
        }
        assert!(of(&explain("ANALYZE (TYPE LOGICAL)"), false).is_err());
        assert!(of(&explain("(TYPE IO, FORMAT GRAPHVIZ)"), false).is_err());
    }

    #[test]
    fn times_are_shown_of_a_query_that_runs() {
        let times = |options: &str| {
            let options = of(&explain(options), true).unwrap();
            (options.costs, options.timing, options.summary)
        };
        assert_eq!(times(""), (true, false, false));
        assert_eq!(times("ANALYZE"), (true, true, true));
        assert_eq!(times("(COSTS OFF, SUMMARY)"), (false, false, true));
        assert_eq!(times("(ANALYZE, TIMING OFF)"), (true, false, true));
        let error = of(&explain("(TIMING)"), true).unwrap_err();
        assert_eq!(error.message(), "EXPLAIN option TIMING requires ANALYZE");
        let error = of(&explain("(ANALYZE, GENERIC_PLAN)"), true).unwrap_err();
        assert_eq!(
            error.message(),
            "EXPLAIN options ANALYZE and GENERIC_PLAN cannot be used together"
        );
        assert!(of(&explain("(GENERIC_PLAN, ANALYZE off)"), true).is_ok());
        assert!(suits_postgres(&explain("(FORMAT JSON)")));
        assert!(!suits_postgres(&explain("(TYPE DISTRIBUTED)")));
    }

    #[test]
    fn labels_of_a_digraph_are_escaped() {
        let leaf = PlanNode::new("FilterExec: a = \"x\\y\"", Vec::new());
        let root = PlanNode::new("Sort", vec![leaf.clone(), leaf]);
        assert_eq!(
            root.graphviz(),
            [
                "digraph plan {",
                "  0 [shape=box, label=\"Sort\"]",
                "  1 [shape=box, label=\"FilterExec\\na = \\\"x\\\\y\\\"\"]",
                "  0 -> 1",
                "  2 [shape=box, label=\"FilterExec\\na = \\\"x\\\\y\\\"\"]",
                "  0 -> 2",
                "}",
            ]
        );
        let json = root.json();
        assert_eq!(json["children"][1]["details"], "a = \"x\\y\"");
    }
}
