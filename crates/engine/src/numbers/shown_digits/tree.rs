//! What a column of a result is calculated from.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator};

use super::exact::{has_exact_values, is_exact, is_rounded, scale};
use super::place::Finder;
use super::stated::is_stated;
use super::sums::{Spread, Statistic, Sums, with_sums};
use crate::numbers::open_numerics::{self, OPEN_NUMERIC};
use crate::numbers::quotients::PLACES;
use crate::numbers::{checked, digits, float_decimals, quotients};
use crate::plans::expressions;

/// The maximum depth of a tree.
const MAX_DEPTH: usize = 32;
/// The maximum number of values that a tree is calculated from.
const MAX_LEAVES: usize = 64;

/// A number that is calculated from leaves, which are arguments of the function by their places.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Leaf(usize),
    Negative(Box<Node>),
    Absolute(Box<Node>),
    Calculated(Operator, Box<Node>, Box<Node>),
    /// The first that is not NULL, as of `coalesce`.
    First(Vec<Node>),
    /// The greatest or the least that is not NULL, as of `greatest` and `least`; the first of equal ones.
    Extreme(Ordering, Vec<Node>),
    /// The first number if it is not equal to the second one, as of `nullif`.
    Unless(Box<Node>, Box<Node>),
    /// A variance, of the leaves that are a count, a sum and a sum of squares.
    Spread(Spread, [usize; 3]),
    /// The branch of the first condition, which is a leaf, that is true; or the last one.
    Case(Vec<(usize, Node)>, Option<Box<Node>>),
}

/// Returns whether the type of a cast is a `numeric` without digits.
pub(super) fn is_open(target: &Field) -> bool {
    target.name() == OPEN_NUMERIC
}

/// Returns the value that is cast to a `numeric` without digits.
pub(super) fn open_value(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Cast(Cast { expr, field }) if is_open(field) => Some(expr.as_ref()),
        Expr::ScalarFunction(call) => {
            open_numerics::value_of(call).or_else(|| float_decimals::open_value(call))
        }
        _ => None,
    }
}

/// Returns an operator of numbers with its operands.
pub(super) fn operation(expr: &Expr) -> Option<(Operator, &Expr, &Expr)> {
    match expr {
        Expr::BinaryExpr(binary) if expressions::is_arithmetic(binary.op) => {
            Some((binary.op, binary.left.as_ref(), binary.right.as_ref()))
        }
        Expr::ScalarFunction(call) => {
            let op = quotients::operator_of(call).or_else(|| checked::operator_of(call))?;
            match call.args.as_slice() {
                [left, right] => Some((op, left, right)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Where a value is in the tree of a column.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct At {
    depth: usize,
    /// Whether it is not calculated for all rows, so that leaves must not fail.
    is_guarded: bool,
    /// Whether it is part of an operand of a quotient, whose digits rarely depend on those of operands.
    is_divided: bool,
}

impl At {
    fn guarded(self) -> Self {
        Self {
            is_guarded: true,
            ..self
        }
    }
}

/// Makes the tree of a column.
pub(super) struct Builder<'f, 'a> {
    /// What the leaves are columns of. It may get columns at its end.
    pub(super) input: Arc<LogicalPlan>,
    /// The values that leaves name.
    pub(super) leaves: Vec<Expr>,
    /// Finds what columns of subqueries are calculated from.
    finder: &'f mut Finder<'a>,
    /// Whether the digits of the result differ from those of its type.
    pub(super) differs: bool,
}

impl<'f, 'a> Builder<'f, 'a> {
    pub(super) fn new(input: Arc<LogicalPlan>, finder: &'f mut Finder<'a>) -> Self {
        Self {
            input,
            leaves: Vec::new(),
            finder,
            differs: false,
        }
    }

    fn type_of(&self, value: &Expr) -> Option<DataType> {
        value.get_type(self.input.schema()).ok()
    }

    /// Returns the tree of a value.
    pub(super) fn node(&mut self, value: &Expr, at: At) -> Option<Node> {
        let below = At {
            depth: at.depth + 1,
            ..at
        };
        let value = expressions::without_alias(value);
        let of = self.type_of(value)?;
        if at.depth > MAX_DEPTH || !(of.is_decimal() || of.is_integer()) {
            return None;
        }
        if let Some(open) = open_value(value) {
            return match self.type_of(open)? {
                DataType::Decimal128(..) => self.node(open, below),
                of if of.is_string() || of.is_floating() => {
                    self.differs = true;
                    self.leaf(digits::unchecked(open), at)
                }
                of if of.is_integer() => self.leaf(open, at),
                _ => None,
            };
        }
        if of.is_integer() {
            return self.leaf(value, at);
        }
        if let Some((op, left, right)) = operation(value) {
            let divides = op == Operator::Divide;
            self.differs |= divides;
            let below = At {
                is_divided: at.is_divided || divides,
                ..below
            };
            let left = self.node(left, below)?;
            let right = self.node(right, below)?;
            return Some(Node::Calculated(op, Box::new(left), Box::new(right)));
        }
        match value {
            value if at.is_divided && has_exact_values(value, &self.input) => self.leaf(value, at),
            Expr::Negative(operand) => {
                let operand = self.node(operand, below)?;
                Some(Node::Negative(Box::new(operand)))
            }
            Expr::Case(case) => self.case(case, &of, below),
            Expr::ScalarFunction(call) if call.func.name() == "coalesce" => {
                self.first(call, &of, below).map(Node::First)
            }
            Expr::ScalarFunction(call) if call.func.name() == "greatest" => {
                let nodes = self.all(call, &of, below)?;
                Some(Node::Extreme(Ordering::Greater, nodes))
            }
            Expr::ScalarFunction(call) if call.func.name() == "least" => {
                let nodes = self.all(call, &of, below)?;
                Some(Node::Extreme(Ordering::Less, nodes))
            }
            // The engine's own cast, to the type of the first argument.
            Expr::Cast(Cast { expr, field })
                if !is_stated(field) && scale(&of) != Some(0) && is_nullif(expr) =>
            {
                self.unless(expr, &of, below)
            }
            value if is_exact(value, &self.input) => self.leaf(value, at),
            Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
                ("nullif", _) => self.unless(value, &of, below),
                ("abs", [operand]) => {
                    let operand = self.node(operand, below)?;
                    Some(Node::Absolute(Box::new(operand)))
                }
                _ => None,
            },
            Expr::Column(column) => self.statistic(column).or_else(|| self.grafted(column)),
            _ => None,
        }
    }

    fn leaf(&mut self, value: &Expr, at: At) -> Option<Node> {
        if at.is_guarded && !self.never_fails(value) {
            return None;
        }
        self.place(value).map(Node::Leaf)
    }

    /// Returns the place of a value among the leaves.
    fn place(&mut self, value: &Expr) -> Option<usize> {
        let mut leaves = self.leaves.iter();
        if let Some(known) = leaves.position(|leaf| leaf == value && !leaf.is_volatile()) {
            return Some(known);
        }
        let place = self.leaves.len();
        self.leaves.push(value.clone());
        (place < MAX_LEAVES).then_some(place)
    }

    fn case(&mut self, case: &Case, of: &DataType, at: At) -> Option<Node> {
        if case.expr.is_some() {
            return None;
        }
        let mut branches = Vec::new();
        for (place, (condition, branch)) in case.when_then_expr.iter().enumerate() {
            if (at.is_guarded || place > 0) && !self.never_fails(condition) {
                return None;
            }
            let condition = self.place(condition)?;
            branches.push((condition, self.merged(branch, of, at.guarded())?));
        }
        let otherwise = match &case.else_expr {
            Some(otherwise) => Some(Box::new(self.merged(otherwise, of, at.guarded())?)),
            None => None,
        };
        Some(Node::Case(branches, otherwise))
    }

    /// Returns the trees of arguments of which only the first one is calculated for all rows.
    fn first(&mut self, call: &ScalarFunction, of: &DataType, at: At) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        for (place, value) in call.args.iter().enumerate() {
            let at = if place > 0 { at.guarded() } else { at };
            nodes.push(self.merged(value, of, at)?);
        }
        Some(nodes)
    }

    /// Returns the trees of arguments that all are calculated.
    fn all(&mut self, call: &ScalarFunction, of: &DataType, at: At) -> Option<Vec<Node>> {
        let values = call.args.iter();
        values.map(|value| self.merged(value, of, at)).collect()
    }

    /// Returns the tree of one of several values of one type, without the engine's cast to the type.
    pub(super) fn merged(&mut self, value: &Expr, common: &DataType, at: At) -> Option<Node> {
        let value = expressions::without_alias(value);
        if matches!(value, Expr::Literal(literal, _) if literal.is_null()) {
            return self
                .place(&Expr::Literal(ScalarValue::Null, None))
                .map(Node::Leaf);
        }
        let Expr::Cast(Cast { expr, field }) = value else {
            return self.node(value, at);
        };
        if field.data_type() != common || is_open(field) {
            return self.node(value, at);
        }
        let from = self.type_of(expr)?;
        if from.is_null() {
            return self
                .place(&Expr::Literal(ScalarValue::Null, None))
                .map(Node::Leaf);
        }
        // No statement has the type of a quotient, and literals of integers are cast as texts.
        let is_of_quotients = matches!(
            common,
            DataType::Decimal128(DECIMAL128_MAX_PRECISION, places) if *places >= PLACES
        );
        if is_of_quotients || is_integer_literal(expr) {
            self.differs |= scale(&from) != scale(common);
            return self.node(expr, at);
        }
        let scales = scale(&from).zip(scale(common));
        // The statement's own casts, and those of functions that round, have the digits of their type.
        if scales.is_none_or(|(of, to)| of > to) || is_stated(field) || is_rounded(expr) {
            return self.node(value, at);
        }
        self.differs |= scales.is_some_and(|(of, to)| of < to);
        self.node(expr, at)
    }

    /// Returns the tree of a call of `nullif` whose result has a type.
    fn unless(&mut self, call: &Expr, of: &DataType, at: At) -> Option<Node> {
        let Expr::ScalarFunction(call) = call else {
            return None;
        };
        let [value, other] = call.args.as_slice() else {
            return None;
        };
        let value = match value {
            Expr::Cast(Cast { expr, field })
                if !is_stated(field)
                    && !is_open(field)
                    && self.type_of(expr).as_ref() == Some(of) =>
            {
                expr.as_ref()
            }
            value => value,
        };
        let value = self.merged(value, of, at)?;
        // Its digits are not shown.
        let differs = self.differs;
        let common = self.type_of(other)?;
        let other = self.merged(other, &common, at)?;
        self.differs = differs;
        Some(Node::Unless(Box::new(value), Box::new(other)))
    }

    /// Returns what a column of a subquery, or a key of groups, is calculated from.
    fn grafted(&mut self, column: &Column) -> Option<Node> {
        let place = self.input.schema().maybe_index_of_column(column)?;
        let (input, found) = self.finder.grafted(&self.input, place)?;
        self.input = Arc::new(input);
        self.differs |= found.differs;
        let leaves = found.leaves.into_iter();
        let places = leaves.map(|leaf| self.place(&Expr::Column(leaf)));
        let places: Vec<usize> = places.collect::<Option<_>>()?;
        found.tree.with_places(&places)
    }

    /// Returns what an average or a variance is calculated from.
    fn statistic(&mut self, column: &Column) -> Option<Node> {
        let place = self.input.schema().maybe_index_of_column(column)?;
        let Sums {
            plan,
            statistic,
            count,
            sum,
            squares,
        } = with_sums(&self.input, place, self.finder.functions)?;
        self.input = Arc::new(plan);
        self.differs = true;
        let sum = self.place(&Expr::Column(sum))?;
        let count = self.place(&Expr::Column(count))?;
        match (statistic, squares) {
            (Statistic::Average, _) => {
                let (sum, count) = (Box::new(Node::Leaf(sum)), Box::new(Node::Leaf(count)));
                Some(Node::Calculated(Operator::Divide, sum, count))
            }
            (Statistic::Spread(spread), Some(squares)) => {
                let squares = self.place(&Expr::Column(squares))?;
                Some(Node::Spread(spread, [count, sum, squares]))
            }
            (Statistic::Spread(_), None) => None,
        }
    }

    /// Returns whether a value, or a condition, has a result for all rows.
    fn never_fails(&self, value: &Expr) -> bool {
        match value {
            Expr::Column(_) | Expr::Literal(..) => true,
            Expr::Alias(alias) => self.never_fails(&alias.expr),
            Expr::Not(operand)
            | Expr::IsNull(operand)
            | Expr::IsNotNull(operand)
            | Expr::IsTrue(operand)
            | Expr::IsNotTrue(operand) => self.never_fails(operand),
            Expr::BinaryExpr(binary) => {
                let is_condition = expressions::is_comparison(binary.op)
                    || matches!(binary.op, Operator::And | Operator::Or);
                is_condition && self.never_fails(&binary.left) && self.never_fails(&binary.right)
            }
            Expr::Cast(Cast { expr, .. }) if is_small(expr) => true,
            Expr::Cast(Cast { expr, field }) => {
                let is_wider = |from: DataType| match (from, field.data_type()) {
                    (from, DataType::Float64) => from.is_numeric(),
                    (from, to) if from.is_integer() && to.is_integer() => {
                        !expressions::narrows(&from, to)
                    }
                    (from, DataType::Decimal128(precision, places)) => {
                        // An integer has 20 digits at most.
                        let room = i16::from(*precision) - i16::from(*places);
                        from.is_integer() && room >= 20
                    }
                    _ => false,
                };
                self.type_of(expr).is_some_and(is_wider) && self.never_fails(expr)
            }
            // The second one rounds a floating-point number that is cast.
            Expr::ScalarFunction(call) if matches!(call.func.name(), "nullif" | "significant") => {
                call.args.iter().all(|arg| self.never_fails(arg))
            }
            _ => false,
        }
    }
}

impl Node {
    /// Returns the tree with other places of its leaves: those that are at their places in a list.
    fn with_places(self, places: &[usize]) -> Option<Self> {
        let at = |place: usize| places.get(place).copied();
        let boxed = |node: Box<Self>| node.with_places(places).map(Box::new);
        let all = |nodes: Vec<Self>| {
            let nodes = nodes.into_iter().map(|node| node.with_places(places));
            nodes.collect::<Option<Vec<_>>>()
        };
        Some(match self {
            Self::Leaf(place) => Self::Leaf(at(place)?),
            Self::Negative(operand) => Self::Negative(boxed(operand)?),
            Self::Absolute(operand) => Self::Absolute(boxed(operand)?),
            Self::Calculated(op, left, right) => Self::Calculated(op, boxed(left)?, boxed(right)?),
            Self::First(nodes) => Self::First(all(nodes)?),
            Self::Extreme(wanted, nodes) => Self::Extreme(wanted, all(nodes)?),
            Self::Unless(value, other) => Self::Unless(boxed(value)?, boxed(other)?),
            Self::Spread(spread, [count, sum, squares]) => {
                Self::Spread(spread, [at(count)?, at(sum)?, at(squares)?])
            }
            Self::Case(branches, otherwise) => {
                let branches = branches.into_iter();
                let branches = branches
                    .map(|(condition, node)| Some((at(condition)?, node.with_places(places)?)));
                let otherwise = match otherwise {
                    Some(otherwise) => Some(boxed(otherwise)?),
                    None => None,
                };
                Self::Case(branches.collect::<Option<_>>()?, otherwise)
            }
        })
    }
}

fn is_nullif(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.func.name() == "nullif")
}

/// Returns whether an expression is a literal of an integer, which may be cast to another integer.
fn is_integer_literal(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(literal, _) => literal.data_type().is_integer(),
        Expr::Cast(Cast { expr, field }) => {
            field.data_type().is_integer() && is_integer_literal(expr)
        }
        _ => false,
    }
}

/// Returns whether an expression is a literal that all types of numbers have: each has 7 bits, and room
/// for two digits before the point.
fn is_small(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => (0..100).contains(number),
        Expr::Cast(Cast { expr, field }) => field.data_type().is_integer() && is_small(expr),
        _ => false,
    }
}
