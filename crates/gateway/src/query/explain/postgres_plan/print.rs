//! Writes a plan as text and as a document, with PostgreSQL's indentation, numbers and keys.

use serde_json::Value;

use super::documents::{Document, Part};
use super::numbers::Ran;
use super::{Fact, Input, Node, Role, Shown};

/// Spaces before the details of a node, counted from its arrow.
const DETAILS: usize = 6;

/// Returns the lines of a plan.
pub(crate) fn text(plan: &Node, shown: Shown) -> Vec<String> {
    let mut lines = Vec::new();
    add_text(plan, shown, 0, &mut lines);
    lines
}

/// `indent`: the column of the arrow, which the root does not have.
fn add_text(node: &Node, shown: Shown, indent: usize, lines: &mut Vec<String>) {
    let (arrow, details) = match indent {
        0 => ("", 2),
        _ => ("->  ", indent + DETAILS),
    };
    let spaces = " ".repeat(indent);
    lines.push(format!(
        "{spaces}{arrow}{}{}",
        node.label,
        numbers(node, shown)
    ));
    let spaces = " ".repeat(details);
    // A literal may contain line breaks.
    let mut add = |text: String| lines.extend(text.lines().map(|line| format!("{spaces}{line}")));
    if shown.verbose && !node.output.is_empty() {
        add(format!("Output: {}", node.output.join(", ")));
    }
    for (name, fact) in &node.facts {
        add(match fact {
            Fact::Text(text) => format!("{name}: {text}"),
            Fact::List(items) => format!("{name}: {}", items.join(", ")),
            Fact::Count(count) => format!("{name}: {count}"),
        });
    }
    for input in in_order(node) {
        match &input.role {
            Role::InitPlan(label) => {
                lines.push(format!("{spaces}{label}"));
                add_text(&input.node, shown, details + 2, lines);
            }
            Role::Outer | Role::Inner | Role::Member => {
                add_text(&input.node, shown, details, lines);
            }
        }
    }
}

/// Returns the inputs of a node as they are printed: subqueries first.
fn in_order(node: &Node) -> impl Iterator<Item = &Input> {
    let is_subquery = |input: &&Input| matches!(input.role, Role::InitPlan(_));
    let subqueries = node.inputs.iter().filter(is_subquery);
    let others = node.inputs.iter().filter(move |input| !is_subquery(input));
    subqueries.chain(others)
}

fn numbers(node: &Node, shown: Shown) -> String {
    let mut numbers = String::new();
    if shown.costs {
        let cost = node.cost;
        numbers.push_str(&format!(
            "  (cost={:.2}..{:.2} rows={:.0} width={})",
            cost.startup,
            cost.total,
            rows(node),
            cost.width
        ));
    }
    if let Some(Ran { start, end, rows }) = node.ran.filter(|_| shown.analyze) {
        let space = if shown.costs { " " } else { "  " };
        numbers.push_str(space);
        numbers.push_str(&match shown.timing {
            true => format!("(actual time={start:.3}..{end:.3} rows={rows} loops=1)"),
            false => format!("(actual rows={rows} loops=1)"),
        });
    }
    numbers
}

/// Returns the estimated rows. As in PostgreSQL, they are 0 only if it is certain.
fn rows(node: &Node) -> f64 {
    match node.cost.rows > 0.0 {
        true => node.cost.rows.round().max(1.0),
        false => 0.0,
    }
}

/// Returns a plan as PostgreSQL's document in a form that is not text. `times`: names and milliseconds
/// that follow the plan. `scans`: how much of each table is read.
pub(crate) fn document(
    plan: &Node,
    shown: Shown,
    times: &[(&'static str, f64)],
    scans: &[String],
) -> Document {
    let mut document = vec![("Plan", part_of(plan, shown, None))];
    for (name, milliseconds) in times {
        document.push((*name, Part::Number(*milliseconds, 3)));
    }
    if !scans.is_empty() {
        document.push(("Scans", Part::texts(scans)));
    }
    Document::of(document)
}

fn part_of(node: &Node, shown: Shown, role: Option<&Role>) -> Part {
    let mut members = vec![("Node Type", Part::text(&node.kind))];
    match role {
        None => {}
        Some(Role::Outer) => members.push(("Parent Relationship", Part::text("Outer"))),
        Some(Role::Inner) => members.push(("Parent Relationship", Part::text("Inner"))),
        Some(Role::Member) => members.push(("Parent Relationship", Part::text("Member"))),
        Some(Role::InitPlan(label)) => {
            members.push(("Parent Relationship", Part::text("InitPlan")));
            members.push(("Subplan Name", Part::text(label)));
        }
    }
    let no = || Part::Value(Value::from(false));
    members.push(("Parallel Aware", no()));
    members.push(("Async Capable", no()));
    for (name, value) in &node.attributes {
        members.push((*name, Part::Value(value.clone())));
    }
    if shown.costs {
        members.push(("Startup Cost", Part::Number(node.cost.startup, 2)));
        members.push(("Total Cost", Part::Number(node.cost.total, 2)));
        members.push(("Plan Rows", Part::Number(rows(node), 0)));
        members.push(("Plan Width", Part::Value(Value::from(node.cost.width))));
    }
    if let Some(Ran { start, end, rows }) = node.ran.filter(|_| shown.analyze) {
        if shown.timing {
            members.push(("Actual Startup Time", Part::Number(start, 3)));
            members.push(("Actual Total Time", Part::Number(end, 3)));
        }
        members.push(("Actual Rows", Part::Value(Value::from(rows))));
        members.push(("Actual Loops", Part::Value(Value::from(1))));
    }
    if shown.verbose && !node.output.is_empty() {
        members.push(("Output", Part::texts(&node.output)));
    }
    for (name, fact) in &node.facts {
        let value = match fact {
            Fact::Text(text) => Part::text(text),
            Fact::List(items) => Part::texts(items),
            Fact::Count(count) => Part::Value(Value::from(*count)),
        };
        members.push((*name, value));
    }
    if !node.inputs.is_empty() {
        let plans = in_order(node);
        let plans = plans.map(|input| part_of(&input.node, shown, Some(&input.role)));
        members.push(("Plans", Part::List(plans.collect())));
    }
    Part::Object(members)
}
