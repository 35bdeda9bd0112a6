//! Plans of small operator trees, as text and JSON.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::{Relation, Shown, document, of, text};
use crate::query::explain::options::Format;

const PLAIN: Shown = Shown {
    costs: false,
    analyze: false,
    timing: false,
    verbose: false,
};

async fn planned(sql: &str) -> (Arc<dyn ExecutionPlan>, Vec<Relation>) {
    let config = SessionConfig::new().with_target_partitions(2);
    let context = SessionContext::new_with_config(config);
    for setup in [
        "CREATE TABLE t AS VALUES (1, 'a', 1.5), (2, 'b', 2.5), (3, 'c', 3.5)",
        "CREATE TABLE u AS VALUES (1, 'x'), (2, 'y')",
    ] {
        context.sql(setup).await.unwrap().collect().await.unwrap();
    }
    let frame = context.sql(sql).await.unwrap();
    let relations = Relation::all(frame.logical_plan());
    (frame.create_physical_plan().await.unwrap(), relations)
}

async fn lines(sql: &str, shown: Shown) -> Vec<String> {
    let (plan, relations) = planned(sql).await;
    text(&of(&plan, &relations, shown.analyze), shown)
}

#[tokio::test]
async fn operators_have_the_names_and_words_of_postgres() {
    let sorted = "SELECT column1 FROM t WHERE column1 > 1 AND column2 <> 'b' ORDER BY column1 DESC NULLS LAST LIMIT 2";
    let shown = lines(sorted, PLAIN).await.join("\n");
    for part in [
        "Limit\n",
        "  ->  Sort\n",
        "        Sort Key: column1 DESC NULLS LAST\n",
        "              Filter: ((column1 > 1) AND (column2 <> 'b'::text))",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    let grouped = "SELECT column2, count(*) FROM t GROUP BY column2";
    let shown = lines(grouped, PLAIN).await.join("\n");
    assert!(
        shown.contains("HashAggregate\n  Group Key: column2\n"),
        "{shown}"
    );
    assert!(!shown.contains("Repartition"), "{shown}");
    let joined = "SELECT t.column2 FROM t LEFT JOIN u ON t.column1 = u.column1";
    let shown = lines(joined, PLAIN).await.join("\n");
    assert!(shown.contains("Hash Cond: (column1 = column1)"), "{shown}");
    assert!(shown.contains("->  Hash\n"), "{shown}");
    let crossed = "SELECT * FROM t JOIN u ON t.column1 < u.column1";
    let shown = lines(crossed, PLAIN).await.join("\n");
    assert!(shown.starts_with("Nested Loop\n"), "{shown}");
    assert!(shown.contains("Join Filter: "), "{shown}");
    let merged = "SELECT 1 UNION ALL SELECT column1 FROM t";
    let shown = lines(merged, PLAIN).await.join("\n");
    assert!(shown.contains("Append\n  ->  Result"), "{shown}");
    assert_eq!(lines("SELECT 1", PLAIN).await, ["Result"]);
}

#[tokio::test]
async fn the_first_line_is_what_postgres_fdw_reads() {
    let costs = Shown {
        costs: true,
        ..PLAIN
    };
    for sql in [
        "SELECT * FROM t",
        "SELECT 1",
        "SELECT * FROM t, u ORDER BY 1",
        "SELECT column2, sum(column3) FROM t GROUP BY 1",
    ] {
        let (plan, relations) = planned(sql).await;
        let node = of(&plan, &relations, false);
        let lines = text(&node, costs);
        assert!(has_estimates(&lines[0]), "{lines:?}");
        grows(&node);
    }
}

/// Whether a line ends with `(cost=%lf..%lf rows=%lf width=%d)`, as postgres_fdw scans it.
fn has_estimates(line: &str) -> bool {
    let read = || {
        let (_, numbers) = line.rsplit_once("  (cost=")?;
        let (startup, rest) = numbers.split_once("..")?;
        let (total, rest) = rest.split_once(" rows=")?;
        let (rows, rest) = rest.split_once(" width=")?;
        let width = rest.strip_suffix(')')?;
        startup.parse::<f64>().ok()?;
        total.parse::<f64>().ok()?;
        rows.parse::<f64>().ok()?;
        width.parse::<u32>().ok()
    };
    read().is_some()
}

/// Asserts that no node costs less than its inputs together.
fn grows(node: &super::Node) {
    let below: f64 = node.inputs.iter().map(|input| input.node.cost.total).sum();
    assert!(node.cost.total + 1e-9 >= below, "{node:?}");
    assert!(node.cost.total >= node.cost.startup, "{node:?}");
    for input in &node.inputs {
        grows(&input.node);
    }
}

#[tokio::test]
async fn json_has_the_keys_of_postgres() {
    let sql = "SELECT t.column2 FROM t LEFT JOIN u ON t.column1 = u.column1 WHERE t.column1 > 1";
    let (plan, relations) = planned(sql).await;
    let shown = Shown {
        costs: true,
        verbose: true,
        ..PLAIN
    };
    let node = of(&plan, &relations, false);
    let document = document(&node, shown, &[("Planning Time", 1.5)], &["t".to_owned()]);
    let document = document.written(Format::Json);
    let parsed: serde_json::Value = serde_json::from_str(&document).unwrap();
    let plan = &parsed[0]["Plan"];
    assert_eq!(plan["Node Type"], "Hash Join", "{document}");
    assert!(["Left", "Right"].contains(&plan["Join Type"].as_str().unwrap()));
    for number in ["Startup Cost", "Total Cost", "Plan Rows", "Plan Width"] {
        assert!(plan[number].is_number(), "{number}: {document}");
    }
    assert_eq!(plan["Output"][0], "column2");
    let relationships = [0, 1].map(|place| plan["Plans"][place]["Parent Relationship"].clone());
    assert_eq!(relationships, ["Outer", "Inner"]);
    assert_eq!(parsed[0]["Planning Time"], 1.5);
    assert_eq!(parsed[0]["Scans"][0], "t");
    assert!(document.starts_with("[\n  {\n    \"Plan\": {\n      \"Node Type\": "));
}

#[tokio::test]
async fn a_query_that_ran_has_measurements() {
    let sql = "SELECT column1 FROM t WHERE column1 > 1";
    let (plan, relations) = planned(sql).await;
    let context = SessionContext::new().task_ctx();
    datafusion::physical_plan::collect(Arc::clone(&plan), context)
        .await
        .unwrap();
    let shown = Shown {
        analyze: true,
        timing: true,
        costs: true,
        ..PLAIN
    };
    let node = of(&plan, &relations, true);
    let lines = text(&node, shown).join("\n");
    assert!(lines.contains(" (actual time="), "{lines}");
    assert!(lines.contains(" rows=2 loops=1)"), "{lines}");
    let untimed = Shown {
        timing: false,
        costs: false,
        ..shown
    };
    let lines = text(&node, untimed).join("\n");
    assert!(lines.contains("  (actual rows=2 loops=1)"), "{lines}");
}
