//! What a column of a result is calculated from.

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Case, Cast, Expr, ExprSchemable, LogicalPlan, Operator};

use super::exact::{is_exact, scale};
use super::place::{Functions, with_sums};
use crate::numbers::open_numerics::{self, OPEN_NUMERIC};
use crate::numbers::quotients::PLACES;
use crate::numbers::{checked, float_decimals, quotients};
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
    Calculated(Operator, Box<Node>, Box<Node>),
    /// The first that is not NULL, as of `coalesce`.
    First(Vec<Node>),
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
        Expr::Cast(Cast { expr, field }) if is_open(field) => Some(expr),
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
            Some((binary.op, &binary.left, &binary.right))
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

/// Makes the tree of a column.
pub(super) struct Builder<'a> {
    /// What the leaves are columns of. It may get columns at its end.
    pub(super) input: LogicalPlan,
    /// The values that leaves name.
    pub(super) leaves: Vec<Expr>,
    functions: &'a Functions,
    /// Whether the digits of the result differ from those of its type.
    pub(super) differs: bool,
}

impl<'a> Builder<'a> {
    pub(super) fn new(input: LogicalPlan, functions: &'a Functions) -> Self {
        Self {
            input,
            leaves: Vec::new(),
            functions,
            differs: false,
        }
    }

    fn type_of(&self, value: &Expr) -> Option<DataType> {
        value.get_type(self.input.schema()).ok()
    }

    /// Returns the tree of a value.
    ///
    /// `is_guarded`: the value is not calculated for all rows, so that leaves must not fail.
    pub(super) fn node(&mut self, value: &Expr, is_guarded: bool, depth: usize) -> Option<Node> {
        let below = depth + 1;
        let value = expressions::without_alias(value);
        let of = self.type_of(value)?;
        if depth > MAX_DEPTH || !(of.is_decimal() || of.is_integer()) {
            return None;
        }
        if let Some(open) = open_value(value) {
            return match self.type_of(open)? {
                DataType::Decimal128(..) => self.node(open, is_guarded, below),
                of if of.is_string() || of.is_floating() => {
                    self.differs = true;
                    self.leaf(open, is_guarded)
                }
                of if of.is_integer() => self.leaf(open, is_guarded),
                _ => None,
            };
        }
        if of.is_integer() {
            return self.leaf(value, is_guarded);
        }
        if let Some((op, left, right)) = operation(value) {
            self.differs |= op == Operator::Divide;
            let left = self.node(left, is_guarded, below)?;
            let right = self.node(right, is_guarded, below)?;
            return Some(Node::Calculated(op, Box::new(left), Box::new(right)));
        }
        match value {
            Expr::Negative(operand) => {
                let operand = self.node(operand, is_guarded, below)?;
                Some(Node::Negative(Box::new(operand)))
            }
            Expr::Case(case) => self.case(case, &of, is_guarded, below),
            Expr::ScalarFunction(call) if call.func.name() == "coalesce" => {
                self.first(call, &of, is_guarded, below)
            }
            value if is_exact(value, &self.input) => self.leaf(value, is_guarded),
            Expr::Column(column) => self.average(column),
            _ => None,
        }
    }

    fn leaf(&mut self, value: &Expr, is_guarded: bool) -> Option<Node> {
        if is_guarded && !self.never_fails(value) {
            return None;
        }
        self.place(value).map(Node::Leaf)
    }

    /// Returns the place of a value among the leaves.
    fn place(&mut self, value: &Expr) -> Option<usize> {
        if let Some(known) = self.leaves.iter().position(|leaf| leaf == value) {
            return Some(known);
        }
        let place = self.leaves.len();
        self.leaves.push(value.clone());
        (place < MAX_LEAVES).then_some(place)
    }

    fn case(&mut self, case: &Case, of: &DataType, is_guarded: bool, depth: usize) -> Option<Node> {
        if case.expr.is_some() {
            return None;
        }
        let mut branches = Vec::new();
        for (place, (condition, branch)) in case.when_then_expr.iter().enumerate() {
            if (is_guarded || place > 0) && !self.never_fails(condition) {
                return None;
            }
            let condition = self.place(condition)?;
            branches.push((condition, self.merged(branch, of, true, depth)?));
        }
        let otherwise = match &case.else_expr {
            Some(otherwise) => Some(Box::new(self.merged(otherwise, of, true, depth)?)),
            None => None,
        };
        Some(Node::Case(branches, otherwise))
    }

    fn first(
        &mut self,
        call: &ScalarFunction,
        of: &DataType,
        is_guarded: bool,
        depth: usize,
    ) -> Option<Node> {
        let mut nodes = Vec::new();
        for (place, value) in call.args.iter().enumerate() {
            nodes.push(self.merged(value, of, is_guarded || place > 0, depth)?);
        }
        Some(Node::First(nodes))
    }

    /// Returns the tree of one of several values of one type, without the engine's cast to the type.
    fn merged(
        &mut self,
        value: &Expr,
        common: &DataType,
        is_guarded: bool,
        depth: usize,
    ) -> Option<Node> {
        let value = expressions::without_alias(value);
        if matches!(value, Expr::Literal(literal, _) if literal.is_null()) {
            return self
                .place(&Expr::Literal(ScalarValue::Null, None))
                .map(Node::Leaf);
        }
        let Expr::Cast(Cast { expr, field }) = value else {
            return self.node(value, is_guarded, depth);
        };
        if field.data_type() != common || is_open(field) {
            return self.node(value, is_guarded, depth);
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
        let is_literal = matches!(expr.as_ref(), Expr::Literal(..)) && from.is_integer();
        match is_of_quotients || is_literal {
            true => {
                self.differs |= scale(&from) != scale(common);
                self.node(expr, is_guarded, depth)
            }
            false => self.node(value, is_guarded, depth),
        }
    }

    /// Returns the quotient that an average is.
    fn average(&mut self, column: &Column) -> Option<Node> {
        let place = self.input.schema().maybe_index_of_column(column)?;
        let (input, sum, count) = with_sums(&self.input, place, self.functions)?;
        self.input = input;
        self.differs = true;
        let sum = self.place(&Expr::Column(sum)).map(Node::Leaf)?;
        let count = self.place(&Expr::Column(count)).map(Node::Leaf)?;
        let (sum, count) = (Box::new(sum), Box::new(count));
        Some(Node::Calculated(Operator::Divide, sum, count))
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
            Expr::ScalarFunction(call) if call.func.name() == "nullif" => {
                call.args.iter().all(|arg| self.never_fails(arg))
            }
            _ => false,
        }
    }
}
