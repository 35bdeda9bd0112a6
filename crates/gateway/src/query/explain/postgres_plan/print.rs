//! Writes a plan as text and as JSON, with PostgreSQL's indentation, numbers and keys.

use serde_json::Value;

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

/// Part of a JSON document whose keys stay in order.
enum Json {
    Value(Value),
    /// With this many decimals.
    Number(f64, usize),
    Object(Vec<(&'static str, Json)>),
    List(Vec<Json>),
}

impl Json {
    fn text(text: &str) -> Self {
        Self::Value(Value::from(text))
    }

    fn texts(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text)).collect())
    }
}

/// Returns a plan as PostgreSQL's JSON document. `times`: names and milliseconds that follow the
/// plan. `scans`: how much of each table is read.
pub(crate) fn json(
    plan: &Node,
    shown: Shown,
    times: &[(&'static str, f64)],
    scans: &[String],
) -> String {
    let mut document = vec![("Plan", json_of(plan, shown, None))];
    for (name, milliseconds) in times {
        document.push((*name, Json::Number(*milliseconds, 3)));
    }
    if !scans.is_empty() {
        document.push(("Scans", Json::texts(scans)));
    }
    let mut text = String::new();
    write(&Json::List(vec![Json::Object(document)]), 0, &mut text);
    text
}

fn json_of(node: &Node, shown: Shown, role: Option<&Role>) -> Json {
    let mut members = vec![("Node Type", Json::text(&node.kind))];
    match role {
        None => {}
        Some(Role::Outer) => members.push(("Parent Relationship", Json::text("Outer"))),
        Some(Role::Inner) => members.push(("Parent Relationship", Json::text("Inner"))),
        Some(Role::Member) => members.push(("Parent Relationship", Json::text("Member"))),
        Some(Role::InitPlan(label)) => {
            members.push(("Parent Relationship", Json::text("InitPlan")));
            members.push(("Subplan Name", Json::text(label)));
        }
    }
    let no = || Json::Value(Value::from(false));
    members.push(("Parallel Aware", no()));
    members.push(("Async Capable", no()));
    for (name, value) in &node.attributes {
        members.push((*name, Json::Value(value.clone())));
    }
    if shown.costs {
        members.push(("Startup Cost", Json::Number(node.cost.startup, 2)));
        members.push(("Total Cost", Json::Number(node.cost.total, 2)));
        members.push(("Plan Rows", Json::Number(rows(node), 0)));
        members.push(("Plan Width", Json::Value(Value::from(node.cost.width))));
    }
    if let Some(Ran { start, end, rows }) = node.ran.filter(|_| shown.analyze) {
        if shown.timing {
            members.push(("Actual Startup Time", Json::Number(start, 3)));
            members.push(("Actual Total Time", Json::Number(end, 3)));
        }
        members.push(("Actual Rows", Json::Value(Value::from(rows))));
        members.push(("Actual Loops", Json::Value(Value::from(1))));
    }
    if shown.verbose && !node.output.is_empty() {
        members.push(("Output", Json::texts(&node.output)));
    }
    for (name, fact) in &node.facts {
        let value = match fact {
            Fact::Text(text) => Json::text(text),
            Fact::List(items) => Json::texts(items),
            Fact::Count(count) => Json::Value(Value::from(*count)),
        };
        members.push((*name, value));
    }
    if !node.inputs.is_empty() {
        let plans = in_order(node);
        let plans = plans.map(|input| json_of(&input.node, shown, Some(&input.role)));
        members.push(("Plans", Json::List(plans.collect())));
    }
    Json::Object(members)
}

fn write(json: &Json, indent: usize, out: &mut String) {
    match json {
        Json::Value(value) => out.push_str(&value.to_string()),
        Json::Number(number, decimals) => {
            let (number, decimals) = (*number, *decimals);
            out.push_str(&format!("{number:.decimals$}"));
        }
        Json::List(items) if items.iter().all(|item| matches!(item, Json::Value(_))) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| {
                    let mut text = String::new();
                    write(item, indent, &mut text);
                    text
                })
                .collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        Json::List(items) => {
            let items = items.iter().map(|item| ("", item));
            write_several(('[', ']'), items, indent, out);
        }
        Json::Object(members) => {
            let members = members.iter().map(|(name, value)| (*name, value));
            write_several(('{', '}'), members, indent, out);
        }
    }
}

/// Writes items, each in a line of its own. `items`: with their names, or none.
fn write_several<'a>(
    (open, close): (char, char),
    items: impl Iterator<Item = (&'a str, &'a Json)>,
    indent: usize,
    out: &mut String,
) {
    let within = indent + 2;
    out.push(open);
    for (place, (name, item)) in items.enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push('\n');
        out.push_str(&" ".repeat(within));
        if !name.is_empty() {
            out.push_str(&format!("{}: ", Value::from(name)));
        }
        write(item, within, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}
