#![allow(clippy::unwrap_used)]
use arrow::array::{
    Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array, Int64Array,
    StringViewArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};
use datafusion::physical_expr::conjunction;
use datafusion::physical_expr::expressions::{IsNotNullExpr, IsNullExpr, NotExpr, in_list, lit};

use super::*;
use crate::key_set::{KeyLookup, KeySet};

const ROWS: usize = 3000;

type Expr = Arc<dyn PhysicalExpr>;

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit).cast_signed()
    }

    fn maybe(&mut self, limit: u64) -> Option<i64> {
        (self.below(6) > 0).then(|| self.below(limit))
    }

    fn all(&mut self, limit: u64) -> Vec<Option<i64>> {
        (0..ROWS).map(|_| self.maybe(limit)).collect()
    }
}

fn array(values: impl Array + 'static) -> ArrayRef {
    Arc::new(values)
}

/// Columns that are kept in each way, some of them without NULLs.
fn rows(random: &mut Random) -> RecordBatch {
    let texts = |numbers: Vec<Option<i64>>, form: &str| -> ArrayRef {
        let texts = numbers.into_iter();
        let texts = texts.map(|n| n.map(|n| format!("{n}{form}")));
        Arc::new(texts.collect::<StringViewArray>())
    };
    let decimals = random.all(40_000).into_iter();
    let decimals = decimals.map(|n| n.map(|n| i128::from(n) - 20_000));
    let decimals: Decimal128Array = decimals.collect();
    let small: Int16Array = random
        .all(100)
        .into_iter()
        .map(|n| n.map(|n| n as i16))
        .collect();
    let days: Date32Array = random
        .all(2000)
        .into_iter()
        .map(|n| n.map(|n| n as i32))
        .collect();
    let ints: Int32Array = random
        .all(1 << 20)
        .into_iter()
        .map(|n| n.map(|n| n as i32))
        .collect();
    let ratios: Float64Array = random
        .all(50)
        .into_iter()
        .map(|n| n.map(|n| n as f64 / 8.0))
        .collect();
    let flags: BooleanArray = random
        .all(2)
        .into_iter()
        .map(|n| n.map(|n| n == 1))
        .collect();
    let wide = random
        .all(1 << 50)
        .into_iter()
        .map(|n| n.map(|n| n - (1 << 49)));
    let ends = random.all(3).into_iter();
    let ends = ends.map(|n| n.map(|n| [0, 1, u64::MAX][n as usize]));
    let prices = decimals.with_precision_and_scale(12, 2).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "number",
            array(Int64Array::from_iter_values(0..ROWS as i64)),
        ),
        ("small", array(small)),
        ("day", array(days)),
        ("int", array(ints)),
        ("wide", array(wide.collect::<Int64Array>())),
        ("end", array(ends.collect::<UInt64Array>())),
        ("price", array(prices)),
        ("ratio", array(ratios)),
        ("flag", array(flags)),
        ("kind", texts(random.all(7), "-kind of a longer text")),
        ("name", texts(random.all(400), "")),
        ("note", texts(random.all(1 << 40), "-note")),
        ("none", new_null_array(&DataType::Int32, ROWS)),
        ("less", new_null_array(&DataType::Utf8View, ROWS)),
    ];
    let fields = columns
        .iter()
        .map(|(name, values)| Field::new(*name, values.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let values = columns.into_iter().map(|(_, values)| values);
    RecordBatch::try_new(schema, values.collect()).unwrap()
}

/// The columns, each in chunks of another length.
fn kept(rows: &RecordBatch) -> Vec<Arc<KeptColumn>> {
    let columns = rows.columns().iter().enumerate();
    let columns = columns.map(|(place, column)| {
        let length = [1000, 700, 3000, 512][place % 4];
        let chunks = (0..ROWS).step_by(length).map(|from| {
            let count = length.min(ROWS - from);
            Chunk::of(&column.slice(from, count)).unwrap()
        });
        Arc::new(KeptColumn::new(chunks.collect()))
    });
    columns.collect()
}

/// Conditions of one column each.
fn conditions(schema: &Schema) -> Vec<Expr> {
    use ScalarValue as S;
    let column = |name: &str| -> Expr { Arc::new(Column::new_with_schema(name, schema).unwrap()) };
    let text = |text: &str| S::Utf8View(Some(text.to_owned()));
    let constants = [
        ("number", S::Int64(Some(1500))),
        ("small", S::Int16(Some(50))),
        ("small", S::Int16(Some(-5))),
        ("small", S::Int16(None)),
        ("day", S::Date32(Some(1000))),
        ("day", S::Date32(Some(9999))),
        ("int", S::Int32(Some(1 << 19))),
        ("wide", S::Int64(Some(0))),
        ("wide", S::Int64(Some(i64::MIN))),
        ("end", S::UInt64(Some(u64::MAX))),
        ("end", S::UInt64(Some(0))),
        ("price", S::Decimal128(Some(-1), 12, 2)),
        ("price", S::Decimal128(Some(i128::MAX), 12, 2)),
        ("ratio", S::Float64(Some(3.5))),
        ("kind", text("3-kind of a longer text")),
        ("name", text("17")),
        ("note", text("5")),
        ("none", S::Int32(Some(0))),
        ("less", text("x")),
    ];
    let mut conditions: Vec<Expr> = Vec::new();
    for (name, constant) in &constants {
        use Operator as O;
        for operator in [
            O::Eq,
            O::NotEq,
            O::Lt,
            O::LtEq,
            O::Gt,
            O::GtEq,
            O::IsDistinctFrom,
            O::IsNotDistinctFrom,
        ] {
            let constant = lit(constant.clone());
            let compared = BinaryExpr::new(column(name), operator, Arc::clone(&constant));
            conditions.push(Arc::new(compared.clone()));
            conditions.push(Arc::new(NotExpr::new(Arc::new(compared))));
            conditions.push(Arc::new(BinaryExpr::new(constant, operator, column(name))));
        }
    }
    let lists = [
        ("small", vec![S::Int16(Some(3)), S::Int16(Some(77))]),
        ("small", vec![S::Int16(Some(3)), S::Int16(None)]),
        (
            "day",
            vec![
                S::Date32(Some(5)),
                S::Date32(Some(700)),
                S::Date32(Some(701)),
            ],
        ),
        ("wide", vec![S::Int64(Some(5))]),
        ("kind", vec![text("1-kind of a longer text"), text("x")]),
        ("name", vec![text("1"), text("200"), S::Utf8View(None)]),
        ("none", vec![S::Int32(Some(0))]),
    ];
    for (name, list) in lists {
        for negated in [false, true] {
            let list = list.iter().cloned().map(lit).collect();
            conditions.push(in_list(column(name), list, &negated, schema).unwrap());
        }
    }
    for field in schema.fields() {
        conditions.push(Arc::new(IsNullExpr::new(column(field.name()))));
        conditions.push(Arc::new(IsNotNullExpr::new(column(field.name()))));
    }
    for (keys, most) in [(vec![3_i64, 900, 2999], 3000), (vec![7, 8, 9], 10)] {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1 << 20));
        let memory = MemoryConsumer::new("keys").register(&pool);
        let mut set = KeySet::new(DataType::Int64, memory);
        assert!(set.add(&[array(Int64Array::from(keys))], most));
        conditions.push(Arc::new(KeyLookup::new(column("number"), Arc::new(set))));
    }
    conditions.push(column("flag"));
    conditions.push(Arc::new(NotExpr::new(column("flag"))));
    conditions
}

/// Checks a condition against its evaluation on all rows at once.
fn check(condition: &Expr, rows: &RecordBatch, kept: &[Arc<KeptColumn>], random: &mut Random) {
    let tested = Condition::of(condition, rows.schema_ref()).unwrap();
    let expected = is_true(condition, rows).unwrap();
    for (from, count) in [(0, ROWS), (0, 100), (650, 1800), (2999, 1)] {
        for share in [1, 3, 20, 4000] {
            let among: BooleanBuffer = (0..count).map(|_| random.below(share) == 0).collect();
            let passing = tested.passing(kept, from, &among).unwrap();
            let expected = &expected.slice(from, count) & &among;
            assert_eq!(passing, expected, "{condition} {from} {count} {share}");
        }
    }
}

#[test]
fn conditions_of_a_column_are_true_for_the_same_rows() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let rows = rows(&mut random);
    let kept = kept(&rows);
    for condition in conditions(rows.schema_ref()) {
        check(&condition, &rows, &kept, &mut random);
    }
}

#[test]
fn joined_conditions_are_true_for_the_same_rows() {
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let rows = rows(&mut random);
    let kept = kept(&rows);
    let parts = conditions(rows.schema_ref());
    let pick = |random: &mut Random| Arc::clone(&parts[random.below(parts.len() as u64) as usize]);
    for _ in 0..400 {
        let mut joined = pick(&mut random);
        for _ in 0..random.below(5) {
            let operator = match random.below(2) {
                0 => Operator::And,
                _ => Operator::Or,
            };
            let other = pick(&mut random);
            joined = Arc::new(BinaryExpr::new(joined, operator, other));
            if random.below(8) == 0 {
                joined = Arc::new(NotExpr::new(joined));
            }
        }
        check(&joined, &rows, &kept, &mut random);
    }
}

#[test]
fn columns_are_compared_with_each_other() {
    let mut random = Random(0x1234_5678_9ABC_DEF1);
    let rows = rows(&mut random);
    let kept = kept(&rows);
    let column = |name: &str| -> Expr {
        Arc::new(Column::new_with_schema(name, rows.schema_ref()).unwrap())
    };
    let less: Expr = Arc::new(BinaryExpr::new(
        column("number"),
        Operator::Lt,
        column("wide"),
    ));
    let equal: Expr = Arc::new(BinaryExpr::new(
        column("kind"),
        Operator::Eq,
        column("name"),
    ));
    let above: Expr = Arc::new(BinaryExpr::new(column("int"), Operator::Gt, lit(1000_i32)));
    let either: Expr = Arc::new(BinaryExpr::new(equal, Operator::Or, Arc::clone(&less)));
    for condition in [Arc::clone(&less), either, conjunction([less, above])] {
        check(&condition, &rows, &kept, &mut random);
    }
    // What changes is evaluated as it is at the time.
    let changing = Arc::new(DynamicFilterPhysicalExpr::new(
        vec![column("int")],
        lit(true),
    ));
    let condition: Expr = Arc::<DynamicFilterPhysicalExpr>::clone(&changing);
    let tested = Condition::of(&condition, rows.schema_ref()).unwrap();
    let all = BooleanBuffer::new_set(ROWS);
    assert_eq!(
        tested.passing(&kept, 0, &all).unwrap().count_set_bits(),
        ROWS
    );
    changing.update(lit(false)).unwrap();
    assert_eq!(tested.passing(&kept, 0, &all).unwrap().count_set_bits(), 0);
}

#[test]
fn comparisons_of_a_column_become_one() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let rows = rows(&mut random);
    let column = |name: &str| -> Expr {
        Arc::new(Column::new_with_schema(name, rows.schema_ref()).unwrap())
    };
    let day = |operator, day| -> Expr {
        let day = lit(ScalarValue::Date32(Some(day)));
        Arc::new(BinaryExpr::new(column("day"), operator, day))
    };
    let other: Expr = Arc::new(BinaryExpr::new(
        column("number"),
        Operator::Lt,
        column("wide"),
    ));
    let parts = [other, day(Operator::GtEq, 100), day(Operator::Lt, 130)];
    let parts = parts.map(|part| Condition::of(&part, rows.schema_ref()).unwrap());
    let parts = Condition::all(parts).into_parts();
    assert_eq!(parts.len(), 2);
    assert!(parts[0].is_cheap() && !parts[1].is_cheap());
    let all = BooleanBuffer::new_set(ROWS);
    let passing = parts[0].passing(&kept(&rows), 0, &all).unwrap();
    let both = conjunction([day(Operator::GtEq, 100), day(Operator::Lt, 130)]);
    assert_eq!(passing, is_true(&both, &rows).unwrap());
}

#[test]
fn patterns_are_tested_by_kinds_only() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let rows = rows(&mut random);
    let kept = kept(&rows);
    let like = |name: &str, negated: bool| -> Expr {
        let column = Column::new_with_schema(name, rows.schema_ref()).unwrap();
        let pattern = lit(ScalarValue::Utf8View(Some("1%".to_owned())));
        Arc::new(LikeExpr::new(negated, false, Arc::new(column), pattern))
    };
    for negated in [false, true] {
        let all = BooleanBuffer::new_set(ROWS);
        let like_kind = like("kind", negated);
        let kind = Condition::of(&like_kind, rows.schema_ref()).unwrap();
        let expected = is_true(&like_kind, &rows).unwrap();
        assert_eq!(kind.passing(&kept, 0, &all).unwrap(), expected);
        let note = Condition::of(&like("note", negated), rows.schema_ref()).unwrap();
        assert_eq!(note.passing(&kept, 0, &all).unwrap().count_set_bits(), ROWS);
    }
}

#[test]
fn columns_that_are_too_short_are_errors() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let rows = rows(&mut random);
    let kept = kept(&rows);
    let all = BooleanBuffer::new_set(ROWS);
    for condition in conditions(rows.schema_ref()) {
        let tested = Condition::of(&condition, rows.schema_ref()).unwrap();
        assert!(tested.passing(&kept, 1, &all).is_err());
        assert!(tested.passing(&[], 0, &all).is_err());
    }
}
