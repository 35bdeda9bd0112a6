#![allow(clippy::unwrap_used)]
use datafusion::logical_expr::Operator as Comparison;
use datafusion::physical_expr::expressions::{BinaryExpr, lit};
use datafusion::physical_plan::displayable;

use super::*;
use crate::testing::{physical_plan, with_physical_rules};

const LEFT: &str = "(VALUES (1, 'a'), (2, 'b'), (2, NULL), (NULL, 'c')) l(k, x)";
const RIGHT: &str = "(VALUES (2, 7), (2, 8), (3, 9), (NULL, 10)) r(j, y)";

async fn plan(sql: &str) -> Operator {
    physical_plan(&with_physical_rules(), sql).await
}

/// Returns the first operator of a plan of which this is true.
fn find(plan: &Operator, wanted: fn(&Operator) -> bool) -> Operator {
    let mut found = None;
    plan.apply(|node| {
        if wanted(node) {
            found = Some(Arc::clone(node));
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    found.unwrap()
}

/// Returns, for each input of an operator, the filter `column = value` that it gets.
fn passed(operator: &Operator, column: &str) -> Vec<Option<String>> {
    let place = operator.schema().index_of(column).unwrap();
    let is_one = BinaryExpr::new(
        Arc::new(Column::new(column, place)),
        Comparison::Eq,
        lit(1_i64),
    );
    let passage = Passage {
        operator: Arc::clone(operator),
    };
    let phase = FilterPushdownPhase::Post;
    let config = ConfigOptions::new();
    let passed = passage.gather_filters_for_pushdown(phase, vec![Arc::new(is_one)], &config);
    let filters = passed.unwrap().parent_filters().into_iter();
    let first = filters.map(|filters| filters.into_iter().next().unwrap());
    let shown = first.map(|filter| match filter.discriminant {
        PushedDown::Yes => Some(filter.predicate.to_string()),
        PushedDown::No => None,
    });
    shown.collect()
}

#[tokio::test]
async fn a_filter_of_a_probe_key_goes_to_the_build_side_too() {
    let sql = format!("SELECT k, x, j, y FROM {LEFT} JOIN {RIGHT} ON k = j");
    let join = find(&plan(&sql).await, |node| node.is::<HashJoinExec>());
    let on = join.downcast_ref::<HashJoinExec>().unwrap().on();
    let name = |key: &Arc<dyn PhysicalExpr>| {
        let column = key.downcast_ref::<Column>().unwrap();
        (column.name().to_owned(), format!("{column} = 1"))
    };
    let ((build, of_build), (probe, of_probe)) = (name(&on[0].0), name(&on[0].1));
    let both = [Some(of_build.clone()), Some(of_probe)];
    assert_eq!(passed(&join, &probe), both);
    // The join itself tells the probe side of the keys that are left.
    assert_eq!(passed(&join, &build), [Some(of_build), None]);
    let others = passed(&join, "x");
    assert_eq!(others.iter().flatten().count(), 1, "{others:?}");
}

#[tokio::test]
async fn a_filter_of_partition_keys_goes_below_windows() {
    let sql = format!(
        "SELECT k, x, count(*) OVER (PARTITION BY k), row_number() OVER (PARTITION BY x, k ORDER BY k) FROM {LEFT}"
    );
    let plan = plan(&sql).await;
    let mut windows = 0;
    plan.apply(|node| {
        if let Some((exprs, _)) = super::windows(node.as_ref()) {
            windows += 1;
            assert!(passed(node, "k")[0].is_some());
            let by_x = exprs.iter().all(|expr| expr.partition_by().len() == 2);
            assert_eq!(passed(node, "x")[0].is_some(), by_x);
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    assert!(windows > 0);
    let by_float = format!(
        "SELECT f, count(*) OVER (PARTITION BY f) FROM (SELECT CAST(k AS DOUBLE) AS f FROM {LEFT}) s"
    );
    let window = find(&super::tests::plan(&by_float).await, |node| {
        super::windows(node.as_ref()).is_some()
    });
    assert_eq!(passed(&window, "f"), [None]);
}

#[tokio::test]
async fn plans_have_no_passages_and_the_same_rows() {
    let few = "(VALUES (2), (3), (NULL)) f(i)";
    for (sql, expected) in [
        (
            format!(
                "SELECT i, x, n FROM {few} JOIN (SELECT k, x, count(*) OVER (PARTITION BY k) AS n FROM {LEFT}) s ON s.k = i"
            ),
            vec!["2 b 2", "2  2"],
        ),
        (
            format!(
                "SELECT i, x, y FROM {few} JOIN (SELECT j, x, y FROM {LEFT} JOIN {RIGHT} ON k = j WHERE y > 7) s ON s.j = i"
            ),
            vec!["2 b 8", "2  8"],
        ),
        (
            format!(
                "SELECT i, n FROM {few} LEFT JOIN (SELECT j, count(*) AS n FROM {LEFT} JOIN {RIGHT} ON k = j GROUP BY j) s ON s.j = i"
            ),
            vec!["2 4", "3 ", " "],
        ),
    ] {
        let plan = plan(&sql).await;
        let shown = displayable(plan.as_ref()).indent(false).to_string();
        assert!(!shown.contains("Passage"), "{shown}");
        let batches = with_physical_rules()
            .sql(&sql)
            .await
            .unwrap()
            .collect()
            .await
            .unwrap();
        let mut rows = Vec::new();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().map(|column| {
                    arrow::util::display::array_value_to_string(column, row).unwrap()
                });
                rows.push(cells.collect::<Vec<_>>().join(" "));
            }
        }
        rows.sort();
        let mut expected = expected;
        expected.sort_unstable();
        assert_eq!(rows, expected, "{sql}");
    }
}
