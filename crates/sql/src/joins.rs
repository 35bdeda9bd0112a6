//! What joins of a statement have.

use sqlparser::ast::{Join, JoinConstraint, JoinOperator};

/// The constraint of a join operator, borrowed as the operator is.
macro_rules! constraint {
    ($operator:expr) => {
        match $operator {
            JoinOperator::Join(constraint)
            | JoinOperator::Inner(constraint)
            | JoinOperator::Left(constraint)
            | JoinOperator::LeftOuter(constraint)
            | JoinOperator::Right(constraint)
            | JoinOperator::RightOuter(constraint)
            | JoinOperator::FullOuter(constraint)
            | JoinOperator::Semi(constraint)
            | JoinOperator::LeftSemi(constraint)
            | JoinOperator::RightSemi(constraint)
            | JoinOperator::Anti(constraint)
            | JoinOperator::LeftAnti(constraint)
            | JoinOperator::RightAnti(constraint) => Some(constraint),
            _ => None,
        }
    };
}

/// Returns the constraint of a join: ON, USING, NATURAL or none. `None` for joins that never have
/// one, such as CROSS JOIN.
pub fn join_constraint(join: &Join) -> Option<&JoinConstraint> {
    constraint!(&join.join_operator)
}

/// Returns what [`join_constraint`] does, to be changed.
pub fn join_constraint_mut(join: &mut Join) -> Option<&mut JoinConstraint> {
    constraint!(&mut join.join_operator)
}
