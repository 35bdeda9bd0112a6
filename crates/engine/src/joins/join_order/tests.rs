#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::execution::SessionStateBuilder;
use datafusion::physical_plan::displayable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::model::Part;
use super::region::Tree;
use super::*;
use crate::optimize::physical_rules;
use crate::testing::{Random, sorted_lines};

/// Stands in the place of the rule.
#[derive(Debug)]
struct Instead {
    seed: u64,
    of_region: fn(&Operator, u64) -> Result<Option<Operator>>,
    regions: Arc<AtomicUsize>,
}

impl PhysicalOptimizerRule for Instead {
    fn optimize(&self, plan: Operator, _: &ConfigOptions) -> Result<Operator> {
        each_region(plan, |region| {
            let changed = (self.of_region)(region, self.seed)?;
            self.regions
                .fetch_add(usize::from(changed.is_some()), Ordering::Relaxed);
            Ok(changed)
        })
    }

    fn name(&self) -> &str {
        "instead_of_join_order"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A session that orders joins by this; counts the regions that it changes.
fn session(
    of_region: fn(&Operator, u64) -> Result<Option<Operator>>,
    seed: u64,
) -> (SessionContext, Arc<AtomicUsize>) {
    let regions = Arc::new(AtomicUsize::new(0));
    let mut rules = physical_rules();
    let place = rules.iter().position(|rule| rule.name() == "join_order");
    rules[place.unwrap()] = Arc::new(Instead {
        seed,
        of_region,
        regions: Arc::clone(&regions),
    });
    let state = SessionStateBuilder::new()
        .with_config(SessionConfig::new().with_target_partitions(2))
        .with_default_features()
        .with_physical_optimizer_rules(rules)
        .build();
    (SessionContext::new_with_state(state), regions)
}

async fn rows(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    sorted_lines(&batches)
}

fn unchanged(_: &Operator, _: u64) -> Result<Option<Operator>> {
    Ok(None)
}

fn ordered(plan: &Operator, _: u64) -> Result<Option<Operator>> {
    reordered(plan)
}

/// Any order at all, cross joins included.
fn shuffled(plan: &Operator, seed: u64) -> Result<Option<Operator>> {
    let Some(region) = Region::of(plan)? else {
        return Ok(None);
    };
    let mut random = Random::new(seed);
    let mut parts: Vec<Tree> = (0..region.leaves.len()).map(Tree::Leaf).collect();
    while parts.len() > 1 {
        let left = parts.swap_remove(random.below(parts.len()));
        let right = parts.swap_remove(random.below(parts.len()));
        if !is_possible(&region, &left, &right) {
            parts.extend([left, right]);
            continue;
        }
        parts.push(Tree::Join {
            left: Box::new(left),
            right: Box::new(right),
            is_keyed: true,
        });
    }
    let plan = plan::built(&region, &keys::classes(&region), &parts[0])?;
    assert_eq!(plan.schema(), region.schema);
    Ok(Some(plan))
}

fn leaves(tree: &Tree) -> Leaves {
    match tree {
        Tree::Leaf(leaf) => Leaves::one(*leaf),
        Tree::Join { left, right, .. } => leaves(left).with(leaves(right)),
    }
}

/// Returns whether semi joins have the leaves that they read.
fn is_possible(region: &Region, left: &Tree, right: &Tree) -> bool {
    let (left, right) = (leaves(left), leaves(right));
    region.semis.iter().all(|semi| {
        let one = Leaves::one(semi.leaf);
        (left != one || right.holds(semi.reads)) && (right != one || left.holds(semi.reads))
    })
}

/// A table of random keys, some of them NULL, and a number for each row.
fn table(random: &mut Random, number: usize, most: usize) -> String {
    let (keys, count) = (2, 1 + random.below(most));
    let rows = (0..count).map(|row| {
        let mut cells: Vec<String> = Vec::new();
        for _ in 0..keys {
            cells.push(match random.below(6) {
                0 => "CAST(NULL AS BIGINT)".to_owned(),
                key => format!("CAST({key} AS BIGINT)"),
            });
        }
        cells.push(format!("{}", 100 * number + row));
        format!("({})", cells.join(", "))
    });
    let rows: Vec<String> = rows.collect();
    let columns: Vec<String> = (0..keys).map(|key| format!("k{key}")).collect();
    format!(
        "(VALUES {}) t{number}({}, v)",
        rows.join(", "),
        columns.join(", ")
    )
}

/// A query of joins: a chain, a star, a cycle, a clique, or parts that nothing connects; with
/// conditions of two and of three tables, and with semi and anti joins.
fn query(random: &mut Random) -> String {
    let count = 3 + random.below(4);
    let shape = random.below(5);
    // What nothing connects has many rows.
    let most = if shape < 4 { 8 } else { 4 };
    let tables: Vec<String> = (0..count)
        .map(|number| table(random, number, most))
        .collect();
    let mut conditions = Vec::new();
    for left in 0..count {
        for right in left + 1..count {
            let is_edge = match shape {
                0 => right == left + 1,
                1 => left == 0,
                2 => right == left + 1 || (left == 0 && right + 1 == count),
                3 => true,
                _ => right == left + 1 && random.below(2) == 0,
            };
            if is_edge {
                let (one, other) = (random.below(2), random.below(2));
                conditions.push(format!("t{left}.k{one} = t{right}.k{other}"));
            }
        }
    }
    if random.below(2) == 0 {
        conditions.push(format!("t0.k0 <= t{}.k1", count - 1));
    }
    if random.below(3) == 0 {
        conditions.push("t0.k0 + t1.k0 > t2.k1".to_owned());
    }
    // Rows that are looked up in other tables.
    for number in count..count + random.below(3) {
        let not = if random.below(2) == 0 { "NOT " } else { "" };
        let looked_up = table(random, number, 8);
        let mut compared = format!("t{number}.k0 = t{}.k0", random.below(count));
        match random.below(4) {
            0 => write!(compared, " AND t{number}.k1 = t{}.k1", random.below(count)).unwrap(),
            1 => write!(compared, " AND t{number}.k1 <> t{}.k1", random.below(count)).unwrap(),
            _ => {}
        }
        conditions.push(format!(
            "{not}EXISTS (SELECT 1 FROM {looked_up} WHERE {compared})"
        ));
    }
    let columns: Vec<String> = (0..count).map(|number| format!("t{number}.v")).collect();
    let filter = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    format!(
        "SELECT {}, t1.k0 AS j FROM {}{filter}",
        columns.join(", "),
        tables.join(", ")
    )
}

#[tokio::test]
async fn every_order_gives_the_same_rows() {
    let (mut shuffles, mut changes, mut found) = (0, 0, 0);
    for seed in 1..60 {
        let sql = query(&mut Random::new(seed));
        let (plain, _) = session(unchanged, 0);
        let expected = rows(&plain, &sql).await;
        found += expected.len();
        let (context, changed) = session(ordered, 0);
        assert_eq!(rows(&context, &sql).await, expected, "{sql}");
        changes += changed.load(Ordering::Relaxed);
        for order in 1..4 {
            let (context, changed) = session(shuffled, order);
            assert_eq!(rows(&context, &sql).await, expected, "{order}: {sql}");
            shuffles += changed.load(Ordering::Relaxed);
        }
    }
    assert!(found > 100, "{found} rows");
    assert!(changes > 0, "no plan changed");
    assert!(shuffles > 100, "{shuffles} plans shuffled");
}

/// Counts regions with semi joins.
fn semis(plan: &Operator, _: u64) -> Result<Option<Operator>> {
    let region = Region::of(plan)?;
    Ok(region
        .is_some_and(|region| !region.semis.is_empty())
        .then(|| Arc::clone(plan)))
}

#[tokio::test]
async fn random_queries_have_semi_joins_whose_place_can_be_chosen() {
    let mut regions = 0;
    for seed in 1..60 {
        let (context, changed) = session(semis, 0);
        let frame = context.sql(&query(&mut Random::new(seed))).await.unwrap();
        frame.create_physical_plan().await.unwrap();
        regions += changed.load(Ordering::Relaxed);
    }
    assert!(regions > 20, "{regions} regions");
}

#[tokio::test]
async fn a_selective_semi_join_comes_before_joins() {
    let rows_of = |name: &str| {
        let rows = (0..300).map(|row| format!("({row}, {})", row % 3));
        let rows: Vec<String> = rows.collect();
        let rows = rows.join(", ");
        format!("(SELECT * FROM (VALUES {rows}) {name}(k, n) WHERE k BETWEEN 0 AND 299) {name}")
    };
    let sql = format!(
        "SELECT a.n, b.n FROM {} JOIN {} ON a.k = b.k
         WHERE EXISTS (SELECT 1 FROM (VALUES (7), (8), (NULL)) s(k) WHERE s.k = a.k)",
        rows_of("a"),
        rows_of("b")
    );
    let (plain, _) = session(unchanged, 0);
    let expected = rows(&plain, &sql).await;
    assert_eq!(expected, ["1|1|", "2|2|"]);
    let (context, changed) = session(ordered, 0);
    assert_eq!(rows(&context, &sql).await, expected);
    assert_eq!(changed.load(Ordering::Relaxed), 1);
    let plan = plan_of(&sql).await;
    let joins = plan.lines().filter(|line| line.contains("HashJoinExec"));
    let joins: Vec<&str> = joins.collect();
    let [first, second] = joins.as_slice() else {
        panic!("{plan}");
    };
    assert!(first.contains("Inner") && second.contains("Semi"), "{plan}");
}

/// Fails if the search finds no order that is as cheap as the cheapest of all.
fn compared(plan: &Operator, _: u64) -> Result<Option<Operator>> {
    let Some(region) = Region::of(plan)? else {
        return Ok(None);
    };
    let classes = keys::classes(&region);
    let model = Model::of(&region, &classes).unwrap();
    let graph = Graph::of(&region, &classes);
    let all = Leaves::first(model.count());
    let found = search::best(&model, &graph).unwrap();
    let found = found.part(all).unwrap();
    let mut known = HashMap::new();
    let pairs = pairs(&model, &graph, all, &mut known);
    assert!(graph.least_pairs() <= pairs as f64, "{graph:?} {pairs}");
    let cheapest = cheapest(&model, &graph, all, &mut known).unwrap();
    assert!(
        (found.cost - cheapest.cost).abs() <= cheapest.cost * 1e-9,
        "{found:?} {cheapest:?}"
    );
    let greedy = search::greedy(&model, &graph).part(all).unwrap();
    assert!(greedy.cost >= cheapest.cost * (1.0 - 1e-9));
    // For the count of regions.
    Ok(Some(Arc::clone(plan)))
}

/// Returns how many pairs of parts can be joined.
fn pairs(
    model: &Model,
    graph: &Graph,
    all: Leaves,
    known: &mut HashMap<Leaves, Option<Part>>,
) -> usize {
    let mut is_joined = |part: Leaves| cheapest(model, graph, part, known).is_some();
    let mut pairs = 0;
    for part in all.subsets() {
        for left in part.subsets() {
            let right = part.without(left);
            let is_once = left.lowest() == part.lowest() && right.len() > 0;
            if is_once && graph.connects(left, right) && is_joined(left) && is_joined(right) {
                pairs += 1;
            }
        }
    }
    pairs
}

/// The cheapest order of a part, of all pairs of parts that can be joined.
fn cheapest(
    model: &Model,
    graph: &Graph,
    part: Leaves,
    known: &mut HashMap<Leaves, Option<Part>>,
) -> Option<Part> {
    if part.len() == 1 {
        return part.lowest().map(|leaf| model.leaf(leaf));
    }
    if let Some(known) = known.get(&part) {
        return *known;
    }
    let mut best: Option<Part> = None;
    for left in part.subsets() {
        let right = part.without(left);
        if right.len() == 0 || !graph.connects(left, right) {
            continue;
        }
        let sides = cheapest(model, graph, left, known).zip(cheapest(model, graph, right, known));
        let Some((left, right)) = sides else {
            continue;
        };
        let is_keyed = model.is_keyed(left.leaves, right.leaves);
        let joined = model.joined(&left, &right, model.rows(part), is_keyed);
        if best.is_none_or(|best| joined.cost < best.cost) {
            best = Some(joined);
        }
    }
    known.insert(part, best);
    best
}

#[tokio::test]
async fn the_search_finds_the_cheapest_order() {
    let mut regions = 0;
    for seed in 100..200 {
        let sql = query(&mut Random::new(seed));
        let (context, compared) = session(compared, 0);
        let frame = context.sql(&sql).await.unwrap();
        frame.create_physical_plan().await.unwrap();
        regions += compared.load(Ordering::Relaxed);
    }
    assert!(regions > 50, "{regions} regions");
}

/// The order of the greedy search, of a region that is too large for the other one.
fn greedily(plan: &Operator, _: u64) -> Result<Option<Operator>> {
    let Some(region) = Region::of(plan)? else {
        return Ok(None);
    };
    let classes = keys::classes(&region);
    assert_eq!(classes.len(), 1);
    let model = Model::of(&region, &classes).unwrap();
    let graph = Graph::of(&region, &classes);
    assert!(search::best(&model, &graph).is_none());
    let all = Leaves::first(model.count());
    let tree = search::greedy(&model, &graph).tree(&model, all).unwrap();
    plan::built(&region, &classes, &tree).map(Some)
}

#[tokio::test]
async fn a_region_of_too_many_pairs_is_ordered_greedily() {
    const COUNT: usize = 13;
    let table = |number: usize| {
        let other = number + 100;
        format!("(VALUES (1, {number}), (2, {other}), (NULL, 0), ({other}, 0)) t{number}(k, v)")
    };
    let tables: Vec<String> = (0..COUNT).map(table).collect();
    let equal = (1..COUNT).map(|number| format!("t{}.k = t{number}.k", number - 1));
    let equal: Vec<String> = equal.collect();
    let sql = format!(
        "SELECT t0.v, t7.v FROM {} WHERE {}",
        tables.join(", "),
        equal.join(" AND ")
    );
    for of_region in [greedily, ordered] {
        let (context, changed) = session(of_region, 0);
        assert_eq!(rows(&context, &sql).await, ["0|7|", "100|107|"]);
        assert!(changed.load(Ordering::Relaxed) <= 1);
    }
    let (context, changed) = session(greedily, 0);
    rows(&context, &sql).await;
    assert_eq!(changed.load(Ordering::Relaxed), 1);
}

/// Returns the operators of a plan.
async fn plan_of(sql: &str) -> String {
    let (context, _) = session(ordered, 0);
    let plan = context.sql(sql).await.unwrap();
    let plan = plan.create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(false).to_string()
}

#[tokio::test]
async fn a_join_that_multiplies_rows_comes_last() {
    let facts = |name: &str| {
        let rows = (0..300).map(|row| format!("({}, {row})", row % 3));
        let rows: Vec<String> = rows.collect();
        let rows = rows.join(", ");
        // The statistics of values have no bounds, but those of filters do.
        format!("(SELECT * FROM (VALUES {rows}) {name}(k, n) WHERE k BETWEEN 0 AND 2) {name}")
    };
    // Each row of `a` has a hundred of `b`, and `d` leaves one row of `a`.
    let sql = format!(
        "SELECT a.n, b.n FROM {} JOIN {} ON a.k = b.k JOIN (VALUES (7)) d(n) ON d.n = a.n
         WHERE a.n BETWEEN 0 AND 299",
        facts("a"),
        facts("b")
    );
    let (plain, _) = session(unchanged, 0);
    let expected = rows(&plain, &sql).await;
    assert_eq!(expected.len(), 100);
    let (context, changed) = session(ordered, 0);
    assert_eq!(rows(&context, &sql).await, expected);
    assert_eq!(changed.load(Ordering::Relaxed), 1);
    let plan = plan_of(&sql).await;
    let keys = plan.lines().filter_map(|line| {
        let (_, keys) = line.split_once("HashJoinExec")?.1.split_once("on=[")?;
        keys.split(']').next()
    });
    let keys: Vec<&str> = keys.collect();
    let [last, first] = keys.as_slice() else {
        panic!("{plan}");
    };
    // `n` is the second column of `a`.
    assert!(first.contains("column2@"), "{plan}");
    assert!(!last.contains("column2@"), "{plan}");
}

#[tokio::test]
async fn keys_of_one_table_that_another_makes_equal_are_both_tested() {
    // `a.x = b.z` and `a.y = b.z` make two columns of `a` equal.
    let sql = "SELECT a.v, b.v, c.v
        FROM (VALUES (1, 1, 10), (1, 2, 11), (2, 2, 12), (3, 4, 13)) a(x, y, v)
        JOIN (VALUES (1, 20), (2, 21), (4, 22)) b(z, v) ON a.x = b.z AND a.y = b.z
        JOIN (VALUES (1, 30), (2, 31), (2, 32)) c(z, v) ON c.z = a.y";
    for seed in 1..12 {
        let (context, changed) = session(shuffled, seed);
        let found = rows(&context, sql).await;
        assert_eq!(found, ["10|20|30|", "12|21|31|", "12|21|32|"]);
        assert_eq!(changed.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn a_region_stays_if_a_leaf_tells_nothing_of_its_rows() {
    // The rows of a join without equal columns are not known.
    let sql = "SELECT a.v, c.v FROM (VALUES (1, 1), (2, 2)) c(k, v)
        JOIN (SELECT a.k, a.v FROM (VALUES (1, 3), (2, 4)) a(k, v)
              LEFT JOIN (VALUES (1)) b(k) ON a.k < b.k) a ON a.k = c.k
        JOIN (VALUES (1, 5)) d(k, v) ON d.k = a.k";
    let (context, changed) = session(ordered, 0);
    assert_eq!(rows(&context, sql).await, ["3|1|"]);
    assert_eq!(changed.load(Ordering::Relaxed), 0);
}
