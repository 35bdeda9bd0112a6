//! Names that rows of the catalog are restricted to through a join: a query about one table does
//! not read the columns of all tables then.
//!
//! ```text
//! FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'orders'
//!     pg_attribute is read for the relations of that name
//! ```
//!
//! Conditions on the column itself need no rewrite: the engine hands them to the relation.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, ObjectName, Select, TableFactor,
    TableWithJoins, Value,
};

use super::folded;

/// Names by the relation whose rows are restricted to them.
pub(super) type Narrowed = BTreeMap<&'static str, BTreeSet<String>>;

/// The relations with rows about relations, and their columns with the OID.
const ABOUT: [(&str, &str); 2] = [("pg_attribute", "attrelid"), ("pg_description", "objoid")];

/// Returns whether a relation may be narrowed, by its name.
pub(super) fn about_relations(relation: &str) -> Option<&'static str> {
    let mut known = ABOUT.into_iter().map(|(name, _)| name);
    known.find(|name| *name == relation)
}

/// Returns the names that the rows of relations in FROM are restricted to.
///
/// `relation_of`: the relation of `pg_catalog` that a name means.
pub(super) fn names(
    select: &Select,
    relation_of: impl Fn(&ObjectName) -> Option<String>,
) -> Narrowed {
    let mut conditions = Conditions {
        relation_of: &relation_of,
        relations: BTreeMap::new(),
        equal: Vec::new(),
        named: BTreeMap::new(),
    };
    let understood = select.from.iter().all(|table| conditions.tables(table));
    if !understood {
        return Narrowed::new();
    }
    if let Some(selection) = &select.selection {
        conditions.conjuncts(selection, &Holds::Always);
    }
    let about = |(alias, relation): (&String, &String)| {
        let relation = about_relations(relation)?;
        Some((relation, conditions.names_of(alias)?.clone()))
    };
    conditions.relations.iter().filter_map(about).collect()
}

/// For which rows of a result a condition holds.
enum Holds {
    Always,
    /// Those with a row of the relation of this alias.
    With(String),
}

/// What a SELECT says of the relations in FROM.
struct Conditions<'a> {
    relation_of: &'a dyn Fn(&ObjectName) -> Option<String>,
    /// By alias.
    relations: BTreeMap<String, String>,
    equal: Vec<Equal>,
    /// The names of the rows of `pg_class`, by alias.
    named: BTreeMap<String, BTreeSet<String>>,
}

/// Two aliases whose rows are about the same relation.
struct Equal {
    left: String,
    right: String,
    /// The one of them that may have no row; the other one may be about any relation then.
    optional: Option<String>,
}

impl Conditions<'_> {
    /// Reads the relations of an item of FROM and their joins. Returns whether all joins are
    /// understood.
    fn tables(&mut self, table: &TableWithJoins) -> bool {
        if !self.factor(&table.relation) {
            return false;
        }
        for join in &table.joins {
            let (on, holds) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) => (Some(on), Holds::Always),
                JoinOperator::CrossJoin(_) => (None, Holds::Always),
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => {
                    match self.alias(&join.relation) {
                        Some((alias, _)) => (Some(on), Holds::With(alias)),
                        // Nothing is known of it.
                        None => continue,
                    }
                }
                _ => return false,
            };
            if !self.factor(&join.relation) {
                return false;
            }
            if let Some(JoinConstraint::On(condition)) = on {
                self.conjuncts(condition, &holds);
            }
        }
        true
    }

    fn factor(&mut self, factor: &TableFactor) -> bool {
        if let TableFactor::NestedJoin {
            table_with_joins,
            alias: None,
        } = factor
        {
            return self.tables(table_with_joins);
        }
        self.relations.extend(self.alias(factor));
        true
    }

    /// Returns a relation of the catalog by its alias, unless that gives columns other names.
    fn alias(&self, factor: &TableFactor) -> Option<(String, String)> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
        else {
            return None;
        };
        let relation = (self.relation_of)(name)?;
        if alias
            .as_ref()
            .is_some_and(|alias| !alias.columns.is_empty())
        {
            return None;
        }
        let alias = alias
            .as_ref()
            .map_or_else(|| relation.clone(), |alias| folded(&alias.name));
        Some((alias, relation))
    }

    fn conjuncts(&mut self, expr: &Expr, holds: &Holds) {
        match expr {
            Expr::Nested(inner) => self.conjuncts(inner, holds),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::And,
                right,
            } => {
                self.conjuncts(left, holds);
                self.conjuncts(right, holds);
            }
            expr => {
                self.equality(expr, holds);
                if matches!(holds, Holds::Always) {
                    self.naming(expr);
                }
            }
        }
    }

    /// Reads `a.attrelid = c.oid`.
    fn equality(&mut self, expr: &Expr, holds: &Holds) {
        let Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } = expr
        else {
            return;
        };
        let (Some(left), Some(right)) = (self.object(left), self.object(right)) else {
            return;
        };
        let optional = match holds {
            Holds::Always => None,
            Holds::With(alias) if *alias == left || *alias == right => Some(alias.clone()),
            Holds::With(_) => return,
        };
        self.equal.push(Equal {
            left,
            right,
            optional,
        });
    }

    /// Returns the alias of the relation whose column says which relation a row is about.
    fn object(&self, expr: &Expr) -> Option<String> {
        let (alias, column) = qualified(expr)?;
        let relation = self.relations.get(&alias)?.as_str();
        let is_object = |(known, own): &(&str, &str)| *known == relation && *own == column;
        let mut objects = ABOUT.iter().chain([&("pg_class", "oid")]);
        objects.any(is_object).then_some(alias)
    }

    /// Reads `c.relname = 'orders'`.
    fn naming(&mut self, expr: &Expr) {
        let Some((column, names)) = restricted(expr) else {
            return;
        };
        let Some((alias, column)) = qualified(column) else {
            return;
        };
        let is_name = column == "relname"
            && self
                .relations
                .get(&alias)
                .is_some_and(|relation| relation == "pg_class");
        if is_name {
            self.named.insert(alias, names);
        }
    }

    /// Returns the names of the relations that the rows of an alias are about.
    fn names_of(&self, alias: &str) -> Option<&BTreeSet<String>> {
        let mut same = vec![alias];
        let mut next = 0;
        while let Some(alias) = same.get(next).copied() {
            next += 1;
            if let Some(names) = self.named.get(alias) {
                return Some(names);
            }
            for Equal {
                left,
                right,
                optional,
            } in &self.equal
            {
                for (one, other) in [(left, right), (right, left)] {
                    // A row whose name is known is there.
                    let is_there =
                        optional.as_ref() != Some(other) || self.named.contains_key(other);
                    if one == alias && is_there && !same.contains(&other.as_str()) {
                        same.push(other);
                    }
                }
            }
        }
        None
    }
}

/// Returns the qualifier and the name of a column.
fn qualified(expr: &Expr) -> Option<(String, String)> {
    let Expr::CompoundIdentifier(idents) = expr else {
        return None;
    };
    match idents.as_slice() {
        [alias, column] => Some((folded(alias), folded(column))),
        [schema, alias, column] if folded(schema) == "pg_catalog" => {
            Some((folded(alias), folded(column)))
        }
        _ => None,
    }
}

/// Returns the expression that a condition restricts to texts, and the texts.
fn restricted(expr: &Expr) -> Option<(&Expr, BTreeSet<String>)> {
    let texts = |items: &[Expr]| {
        let texts = items.iter().map(|item| text(item).map(str::to_owned));
        texts.collect::<Option<BTreeSet<String>>>()
    };
    match expr {
        Expr::BinaryOp { left, op, right } => {
            let literal = text(right)?;
            let names = match op {
                BinaryOperator::Eq => vec![literal],
                BinaryOperator::PGLikeMatch => vec![without_wildcards(literal)?],
                BinaryOperator::PGRegexMatch => alternatives(literal)?,
                _ => return None,
            };
            Some((left, names.into_iter().map(str::to_owned).collect()))
        }
        Expr::Like {
            negated: false,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => {
            let name = without_wildcards(text(pattern)?)?;
            Some((expr, [name.to_owned()].into()))
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => Some((expr, texts(list)?)),
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => {
            let mut items = right.as_ref();
            while let Expr::Nested(inner) = items {
                items = inner;
            }
            match items {
                Expr::Array(array) => Some((left, texts(&array.elem)?)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => text(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

fn without_wildcards(pattern: &str) -> Option<&str> {
    (!pattern.contains(['%', '_', '\\'])).then_some(pattern)
}

/// Returns the names that a regular expression such as `^(orders|users)$` matches.
fn alternatives(pattern: &str) -> Option<Vec<&str>> {
    let whole = pattern.strip_prefix('^')?.strip_suffix('$')?;
    let names = match whole.strip_prefix('(') {
        Some(rest) => rest.strip_suffix(')')?.split('|').collect(),
        None => vec![whole],
    };
    let is_plain = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || c == '_');
    names.iter().all(is_plain).then_some(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use datafusion::sql::sqlparser::ast::{SetExpr, Statement};
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    /// The names as text, for relations whose name begins with `pg_`.
    fn narrowed(from: &str) -> String {
        let sql = format!("SELECT 1 FROM {from}");
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &sql).unwrap();
        let Statement::Query(query) = statements.remove(0) else {
            panic!("{sql}")
        };
        let SetExpr::Select(select) = *query.body else {
            panic!("{sql}")
        };
        let names = names(&select, |name| {
            let name = name.to_string();
            let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
            name.starts_with("pg_").then(|| name.to_owned())
        });
        let each = names.iter().map(|(relation, names)| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{relation}: {}", names.join(" "))
        });
        each.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn names_pass_through_joins() {
        let of_orders = "pg_attribute: orders";
        for (from, expected) in [
            (
                "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'orders'",
                of_orders,
            ),
            (
                "pg_class AS C, pg_attribute a WHERE c.oid = A.attrelid AND (C.relname LIKE 'orders' AND a.attnum > 0)",
                of_orders,
            ),
            (
                "pg_class c LEFT JOIN pg_attribute a ON c.oid = a.attrelid AND a.attnum > 0 WHERE c.relname ~ '^(orders|users)$'",
                "pg_attribute: orders users",
            ),
            (
                "pg_catalog.pg_attribute LEFT JOIN pg_catalog.pg_class ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid WHERE pg_catalog.pg_class.relname IN ('orders')",
                of_orders,
            ),
            (
                "((pg_class c INNER JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relname LIKE 'orders') INNER JOIN pg_attribute a ON NOT a.attisdropped AND a.attrelid = c.oid) LEFT JOIN pg_description d ON d.objoid = a.attrelid AND d.objsubid = a.attnum",
                "pg_attribute: orders; pg_description: orders",
            ),
            (
                "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = ANY (ARRAY['orders', 'x'])",
                "pg_attribute: orders x",
            ),
        ] {
            assert_eq!(narrowed(from), expected, "{from}");
        }
    }

    #[test]
    fn rows_that_may_be_needed_are_not_ruled_out() {
        for from in [
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid",
            "pg_class c JOIN pg_attribute a ON true WHERE c.relname = 'orders'",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'orders' OR a.attnum = 1",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname <> 'orders'",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname LIKE 'order_'",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname ~ '^(orders.*)$'",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname ~ 'orders'",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname NOT IN ('orders')",
            "pg_class c JOIN pg_attribute a ON a.attrelid = c.reltype WHERE c.relname = 'orders'",
            "lake.c JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'orders'",
            "pg_attribute a LEFT JOIN pg_class c ON a.attrelid = c.oid AND c.relname = 'orders'",
            "pg_class c FULL JOIN pg_attribute a ON a.attrelid = c.oid WHERE c.relname = 'orders'",
            "pg_class c CROSS JOIN pg_attribute a LEFT JOIN pg_am m ON a.attrelid = c.oid WHERE c.relname = 'orders'",
            "pg_class c JOIN (SELECT * FROM pg_attribute) a ON a.attrelid = c.oid WHERE c.relname = 'orders'",
            "pg_class c CROSS JOIN pg_attribute a LEFT JOIN pg_class d ON d.oid = c.oid AND d.oid = a.attrelid WHERE c.relname = 'orders'",
            "pg_class c JOIN pg_description d (x, objoid) ON d.objoid = c.oid WHERE c.relname = 'pg_class'",
        ] {
            assert_eq!(narrowed(from), "", "{from}");
        }
    }
}
