//! The share of rows that a condition leaves, of which no statistics tell.

use std::sync::Arc;

use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, NotExpr,
};

/// The share of an equality.
const EQUAL: f64 = 0.1;

/// The share of a comparison by order.
const ORDERED: f64 = 1.0 / 3.0;

/// The share of other conditions: DataFusion's.
const OTHER: f64 = 0.2;

/// How deep a condition is read.
const MOST_LEVELS: usize = 32;

/// Returns the share of rows that a condition leaves, from 0.01 to 1.
pub(super) fn share(condition: &Arc<dyn PhysicalExpr>) -> f64 {
    share_at(condition, 0).clamp(0.01, 1.0)
}

/// Returns the share in percent, from 1 to 100.
pub(super) fn percent(condition: &Arc<dyn PhysicalExpr>) -> u8 {
    (share(condition) * 100.0).round() as u8
}

fn share_at(condition: &Arc<dyn PhysicalExpr>, level: usize) -> f64 {
    if level > MOST_LEVELS {
        return OTHER;
    }
    if let Some(binary) = condition.downcast_ref::<BinaryExpr>() {
        let sides = || {
            let left = share_at(binary.left(), level + 1);
            (left, share_at(binary.right(), level + 1))
        };
        return match binary.op() {
            Operator::And => {
                let (left, right) = sides();
                left * right
            }
            Operator::Or => {
                let (left, right) = sides();
                left + right - left * right
            }
            Operator::Eq | Operator::IsNotDistinctFrom => EQUAL,
            Operator::NotEq | Operator::IsDistinctFrom => 1.0 - EQUAL,
            Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq => ORDERED,
            _ => OTHER,
        };
    }
    if let Some(not) = condition.downcast_ref::<NotExpr>() {
        return 1.0 - share_at(not.arg(), level + 1);
    }
    if let Some(list) = condition.downcast_ref::<InListExpr>() {
        let share = (EQUAL * list.len() as f64).min(0.5);
        return match list.negated() {
            true => 1.0 - share,
            false => share,
        };
    }
    if let Some(like) = condition.downcast_ref::<LikeExpr>() {
        return match like.negated() {
            true => 1.0 - EQUAL,
            false => EQUAL,
        };
    }
    if condition.is::<IsNotNullExpr>() {
        return 1.0 - EQUAL;
    }
    if condition.is::<IsNullExpr>() {
        return EQUAL;
    }
    OTHER
}
