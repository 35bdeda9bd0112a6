use super::*;
use crate::query::testing::query;

/// Returns the types of parameters, and the query that is planned for the others.
pub(super) fn placed(sql: &str, declared: &[Option<DataType>]) -> (Vec<Option<DataType>>, String) {
    let mut query = query(sql);
    let types = place_types(&mut query, declared);
    (types, query.to_string())
}

#[test]
fn conditions_are_booleans_and_lengths_are_integers() {
    let (types, query) = placed(
        "SELECT left(t, $1), abs($2), CASE WHEN $3 THEN 1 END, count(*) FILTER (WHERE $4), $5 || $6 FROM r WHERE NOT $7 AND ($8) HAVING $9",
        &[],
    );
    let (int, boolean) = (Some(DataType::Int32), Some(DataType::Boolean));
    let text = Some(DataType::Utf8);
    assert_eq!(
        types,
        [
            int,
            Some(DataType::Float64),
            boolean.clone(),
            boolean.clone(),
            text.clone(),
            text,
            boolean.clone(),
            boolean.clone(),
            boolean
        ]
    );
    assert!(!query.contains('='), "{query}");
}

#[test]
fn offsets_of_frames_are_counts() {
    let (types, _) = placed(
        "SELECT sum(a) OVER (ORDER BY b ROWS BETWEEN $1 PRECEDING AND $2 FOLLOWING), sum(a) OVER w, sum(a) OVER (ORDER BY b RANGE $4 PRECEDING) FROM t WINDOW w AS (ORDER BY b GROUPS $3 PRECEDING)",
        &[],
    );
    assert_eq!(types, vec![Some(DataType::Int64); 3]);
}

#[test]
fn bounds_of_a_series_are_counts_beside_a_count() {
    let count = Some(DataType::Int64);
    let (types, _) = placed("SELECT n FROM generate_series(1, $1) t(n)", &[]);
    assert_eq!(types, std::slice::from_ref(&count));
    let (types, _) = placed("SELECT generate_series($1, $2, 5)", &[]);
    assert_eq!(types, [count.clone(), count]);
    let (types, _) = placed("SELECT n FROM generate_series($1, now(), $2) t(n)", &[]);
    assert!(types.is_empty());
}
