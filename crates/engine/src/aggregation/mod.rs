//! Aggregates, groups and how rows are grouped.

pub(crate) mod aggregates;
pub(crate) mod chosen_steps;
pub(crate) mod eager_groups;
pub(crate) mod finest_groups;
pub(crate) mod first_steps;
pub(crate) mod grouping_keys;
pub(crate) mod joined_texts;
pub(crate) mod near_groups;
pub(crate) mod numbered_texts;
pub(crate) mod numeric_sums;
pub(crate) mod period_sums;
pub(crate) mod shifted_sums;
pub(crate) mod sorted_distinct;
pub(crate) mod sum;
