//! Documents with PostgreSQL's indentation and numbers, in JSON, YAML and XML.

use serde_json::Value;

use crate::query::explain::options::Format;

/// Part of a document whose keys stay in order.
pub(super) enum Part {
    Value(Value),
    /// With this many decimals.
    Number(f64, usize),
    Object(Vec<(&'static str, Part)>),
    List(Vec<Part>),
}

impl Part {
    pub(super) fn text(text: &str) -> Self {
        Self::Value(Value::from(text))
    }

    pub(super) fn texts(texts: &[String]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text)).collect())
    }

    /// Returns a value or a number as JSON; other parts are empty.
    fn scalar(&self) -> String {
        match self {
            Self::Value(value) => value.to_string(),
            Self::Number(number, decimals) => {
                let (number, decimals) = (*number, *decimals);
                format!("{number:.decimals$}")
            }
            Self::Object(_) | Self::List(_) => String::new(),
        }
    }
}

/// What EXPLAIN shows of a statement.
pub(crate) struct Document(Part);

impl Document {
    /// Builds the document of a query.
    pub(super) fn of(query: Vec<(&'static str, Part)>) -> Self {
        Self(Part::Object(query))
    }

    /// Builds a document of lines.
    pub(crate) fn of_lines(lines: &[String]) -> Self {
        Self(Part::texts(lines))
    }

    /// Writes the document.
    pub(crate) fn written(&self, format: Format) -> String {
        let mut out = String::new();
        let Self(query) = self;
        match (format, query) {
            (Format::Yaml, query) => write_items(std::slice::from_ref(query), 0, &mut out),
            (Format::Xml, query) => {
                out.push_str("<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n");
                write_xml("Query", query, 2, &mut out);
                out.push_str("</explain>");
            }
            (_, Part::List(_)) => write_json(query, 0, &mut out),
            (_, query) => {
                let items = std::iter::once(("", query));
                write_several(('[', ']'), items, 0, &mut out);
            }
        }
        out.truncate(out.trim_end_matches('\n').len());
        out
    }
}

fn write_json(part: &Part, indent: usize, out: &mut String) {
    match part {
        Part::Value(_) | Part::Number(..) => out.push_str(&part.scalar()),
        Part::List(items) if items.iter().all(|item| matches!(item, Part::Value(_))) => {
            let items: Vec<String> = items
                .iter()
                .map(|item| {
                    let mut text = String::new();
                    write_json(item, indent, &mut text);
                    text
                })
                .collect();
            out.push_str(&format!("[{}]", items.join(", ")));
        }
        Part::List(items) => {
            let items = items.iter().map(|item| ("", item));
            write_several(('[', ']'), items, indent, out);
        }
        Part::Object(members) => {
            let members = members.iter().map(|(name, value)| (*name, value));
            write_several(('{', '}'), members, indent, out);
        }
    }
}

/// Writes items, each in a line of its own. `items`: with their names, or none.
fn write_several<'a>(
    (open, close): (char, char),
    items: impl Iterator<Item = (&'a str, &'a Part)>,
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
        write_json(item, within, out);
    }
    out.push('\n');
    out.push_str(&" ".repeat(indent));
    out.push(close);
}

/// Writes the items of a list of YAML.
fn write_items(items: &[Part], indent: usize, out: &mut String) {
    let spaces = " ".repeat(indent);
    for item in items {
        out.push_str(&spaces);
        out.push_str("- ");
        match item {
            Part::Value(_) | Part::Number(..) => {
                out.push_str(&item.scalar());
                out.push('\n');
            }
            // The first member is in the line of the dash.
            Part::Object(members) => write_members(members, indent + 2, true, out),
            Part::List(items) => {
                out.push('\n');
                write_items(items, indent + 2, out);
            }
        }
    }
}

/// Writes the members of an object of YAML. `continues`: the first one continues a line.
fn write_members(
    members: &[(&'static str, Part)],
    indent: usize,
    continues: bool,
    out: &mut String,
) {
    for (place, (name, part)) in members.iter().enumerate() {
        if place > 0 || !continues {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(name);
        out.push_str(": ");
        match part {
            Part::Value(_) | Part::Number(..) => {
                out.push_str(&part.scalar());
                out.push('\n');
            }
            Part::Object(members) => {
                out.push('\n');
                write_members(members, indent + 2, false, out);
            }
            Part::List(items) => {
                out.push('\n');
                write_items(items, indent + 2, out);
            }
        }
    }
}

/// Writes an element of XML.
fn write_xml(name: &str, part: &Part, indent: usize, out: &mut String) {
    let spaces = " ".repeat(indent);
    let is_named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let tag = name.replace(|c: char| !is_named(c), "-");
    match part {
        Part::Value(_) | Part::Number(..) => {
            let text = match part {
                Part::Value(Value::String(text)) => escaped(text),
                other => other.scalar(),
            };
            out.push_str(&format!("{spaces}<{tag}>{text}</{tag}>\n"));
        }
        Part::Object(members) => {
            out.push_str(&format!("{spaces}<{tag}>\n"));
            for (name, part) in members {
                write_xml(name, part, indent + 2, out);
            }
            out.push_str(&format!("{spaces}</{tag}>\n"));
        }
        Part::List(items) => {
            out.push_str(&format!("{spaces}<{tag}>\n"));
            for item in items {
                let name = match item {
                    Part::Object(_) => "Plan",
                    Part::Value(_) | Part::Number(..) | Part::List(_) => "Item",
                };
                write_xml(name, item, indent + 2, out);
            }
            out.push_str(&format!("{spaces}</{tag}>\n"));
        }
    }
}

/// Escapes a text as PostgreSQL's `escape_xml` does.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\r' => out.push_str("&#x0d;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plan that PostgreSQL 15 shows for the documents below.
    fn plan() -> Document {
        let scan = Part::Object(vec![
            ("Node Type", Part::text("Seq Scan")),
            ("Parallel Aware", Part::Value(Value::from(false))),
            ("Startup Cost", Part::Number(0.0, 2)),
            ("Plan Rows", Part::Number(6.0, 0)),
            ("Filter", Part::text("(b = 'x<y'::text)")),
        ]);
        let sort = Part::Object(vec![
            ("Node Type", Part::text("Sort")),
            (
                "Sort Key",
                Part::texts(&["a".to_owned(), "b \"q\"".to_owned()]),
            ),
            ("Plans", Part::List(vec![scan])),
        ]);
        Document::of(vec![
            ("Plan", sort),
            ("Planning Time", Part::Number(0.0791, 3)),
        ])
    }

    // The shapes are those of PostgreSQL 15.
    #[test]
    fn yaml_is_that_of_postgres() {
        let lines = [
            "- Plan: ",
            "    Node Type: \"Sort\"",
            "    Sort Key: ",
            "      - \"a\"",
            "      - \"b \\\"q\\\"\"",
            "    Plans: ",
            "      - Node Type: \"Seq Scan\"",
            "        Parallel Aware: false",
            "        Startup Cost: 0.00",
            "        Plan Rows: 6",
            "        Filter: \"(b = 'x<y'::text)\"",
            "  Planning Time: 0.079",
        ];
        assert_eq!(plan().written(Format::Yaml), lines.join("\n"));
    }

    #[test]
    fn xml_is_that_of_postgres() {
        let lines = [
            "<explain xmlns=\"http://www.postgresql.org/2009/explain\">",
            "  <Query>",
            "    <Plan>",
            "      <Node-Type>Sort</Node-Type>",
            "      <Sort-Key>",
            "        <Item>a</Item>",
            "        <Item>b \"q\"</Item>",
            "      </Sort-Key>",
            "      <Plans>",
            "        <Plan>",
            "          <Node-Type>Seq Scan</Node-Type>",
            "          <Parallel-Aware>false</Parallel-Aware>",
            "          <Startup-Cost>0.00</Startup-Cost>",
            "          <Plan-Rows>6</Plan-Rows>",
            "          <Filter>(b = 'x&lt;y'::text)</Filter>",
            "        </Plan>",
            "      </Plans>",
            "    </Plan>",
            "    <Planning-Time>0.079</Planning-Time>",
            "  </Query>",
            "</explain>",
        ];
        assert_eq!(plan().written(Format::Xml), lines.join("\n"));
    }

    #[test]
    fn lines_are_a_list() {
        let lines = Document::of_lines(&["one".to_owned(), "t\"wo".to_owned()]);
        assert_eq!(lines.written(Format::Json), "[\"one\", \"t\\\"wo\"]");
        assert_eq!(
            lines.written(Format::Xml),
            "<explain xmlns=\"http://www.postgresql.org/2009/explain\">\n  <Query>\n    <Item>one</Item>\n    <Item>t\"wo</Item>\n  </Query>\n</explain>"
        );
    }
}
