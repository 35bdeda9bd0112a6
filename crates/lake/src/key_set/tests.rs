#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use arrow::array::{DictionaryArray, Int32Array, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::Field;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};
use datafusion::physical_expr::conjunction;
use datafusion::physical_expr::expressions::{Column, in_list, lit};

use super::*;

const MANY: u64 = 1 << 28;

fn pool(bytes: usize) -> Arc<dyn MemoryPool> {
    Arc::new(GreedyMemoryPool::new(bytes))
}

fn empty(data_type: DataType) -> KeySet {
    let memory = MemoryConsumer::new("keys").register(&pool(64 << 20));
    KeySet::new(data_type, memory)
}

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Numbers within so many of this one, both ways round the type's ends. Some are NULL.
    fn keys<T: ArrowPrimitiveType>(
        &mut self,
        from: usize,
        width: u64,
        rows: usize,
    ) -> PrimitiveArray<T> {
        let keys = (0..rows).map(|_| {
            let key = from.wrapping_add((self.draw() % width) as usize);
            (!self.draw().is_multiple_of(7))
                .then_some(<T as ArrowPrimitiveType>::Native::usize_as(key))
        });
        keys.collect()
    }
}

/// Checks sets of random keys against hash sets. `ends`: the bits of the least and of the greatest
/// value of the type.
fn check<T: ArrowPrimitiveType>(ends: [usize; 2]) {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let [least, greatest] = ends;
    let width = 200_u64;
    // Numbers below the greatest one, above the least one, and around zero.
    let below = greatest.wrapping_sub(width as usize - 1);
    let around = match least {
        0 => 0,
        _ => 0_usize.wrapping_sub(100),
    };
    for from in [least, below, around] {
        let first: PrimitiveArray<T> = random.keys(from, width, 90);
        let second: PrimitiveArray<T> = random.keys(from, width / 3, 50);
        let mut set = empty(T::DATA_TYPE);
        let parts: [Vec<ArrayRef>; 3] = [
            vec![Arc::new(first.slice(7, 31))],
            Vec::new(),
            vec![Arc::new(second.slice(3, 40)), Arc::new(first.slice(30, 60))],
        ];
        let mut places = HashSet::new();
        for part in &parts {
            assert!(set.add(part, MANY));
            for keys in part {
                let keys = keys.as_primitive::<T>();
                places.extend(keys.iter().flatten().map(ArrowNativeType::as_usize));
            }
        }
        assert_eq!(set.count(), places.len());
        let probed: PrimitiveArray<T> = random.keys(from.wrapping_sub(300), 900, 1000);
        let edges = [least, greatest, 0].map(|bits| {
            let key = <T as ArrowPrimitiveType>::Native::usize_as(bits);
            Some(key)
        });
        let edges: PrimitiveArray<T> = edges.into_iter().collect();
        for keys in [probed.clone(), probed.slice(13, 777), first, edges] {
            let found = set.contains(&keys);
            assert_eq!(found.len(), keys.len());
            for (row, key) in keys.iter().enumerate() {
                let expected = key.is_some_and(|key| places.contains(&key.as_usize()));
                assert_eq!(found.value(row), expected, "{key:?} {:?}", T::DATA_TYPE);
            }
        }
    }
}

#[test]
fn sets_have_the_keys_that_were_added() {
    check::<Int8Type>([i8::MIN as usize, i8::MAX as usize]);
    check::<Int16Type>([i16::MIN as usize, i16::MAX as usize]);
    check::<Int32Type>([i32::MIN as usize, i32::MAX as usize]);
    check::<Int64Type>([i64::MIN as usize, i64::MAX as usize]);
    check::<UInt8Type>([0, u8::MAX as usize]);
    check::<UInt16Type>([0, u16::MAX as usize]);
    check::<UInt32Type>([0, u32::MAX as usize]);
    check::<UInt64Type>([0, u64::MAX as usize]);
    check::<Date32Type>([i32::MIN as usize, i32::MAX as usize]);
}

fn bigints(keys: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(keys.to_vec()))
}

#[test]
fn bounds_are_the_least_and_the_greatest_key() {
    let mut set = empty(DataType::Int64);
    assert_eq!(set.bounds(), None);
    let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None, None]));
    assert!(set.add(&[nulls], MANY));
    assert_eq!(set.bounds(), None);
    assert_eq!(set.bits(), 0);
    assert!(set.add(&[bigints(&[5, 3])], MANY));
    assert!(set.add(&[bigints(&[-1, 64])], MANY));
    let bounds = (ScalarValue::from(-1_i64), ScalarValue::from(64_i64));
    assert_eq!(set.bounds(), Some(bounds));
    assert_eq!(set.bits(), 192);
    assert_eq!(set.count(), 4);
    let mut set = empty(DataType::UInt64);
    let large: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, u64::MAX - 9]));
    assert!(set.add(&[large], MANY));
    let bounds = (ScalarValue::from(u64::MAX - 9), ScalarValue::from(u64::MAX));
    assert_eq!(set.bounds(), Some(bounds));
    let mut set = empty(DataType::Date32);
    let days: ArrayRef = Arc::new(Int32Array::from(vec![-3]));
    let days = arrow::compute::cast(&days, &DataType::Date32).unwrap();
    assert!(set.add(&[days], MANY));
    let day = ScalarValue::Date32(Some(-3));
    assert_eq!(set.bounds(), Some((day.clone(), day)));
}

#[test]
fn keys_that_are_far_apart_are_no_set() {
    for keys in [
        [i64::MIN, i64::MAX],
        [i64::MAX, 0],
        [i64::MIN, 0],
        [-1, MANY.cast_signed()],
    ] {
        assert!(!empty(DataType::Int64).add(&[bigints(&keys)], MANY));
        let mut set = empty(DataType::Int64);
        assert!(set.add(&[bigints(&keys[..1])], MANY));
        assert!(!set.add(&[bigints(&keys[1..])], MANY));
    }
    let mut set = empty(DataType::Int64);
    assert!(set.add(&[bigints(&[128, 255])], 128));
    assert!(!set.add(&[bigints(&[256])], 128));
}

#[test]
fn other_types_are_not_added() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1"]));
    let small: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    assert!(!KeySet::holds(texts.data_type()));
    assert!(!KeySet::holds(&DataType::Decimal128(9, 0)));
    assert!(!KeySet::holds(&DataType::Boolean));
    for other in [texts, small] {
        let mut set = empty(DataType::Int64);
        assert!(set.add(&[bigints(&[1])], MANY));
        assert!(!set.add(&[Arc::clone(&other)], MANY));
        // What cannot be decided is not left out.
        assert_eq!(set.contains(&other).count_set_bits(), 1);
    }
    let mut set = empty(DataType::Int64);
    assert!(set.add(&[bigints(&[1])], MANY));
    let keys = Int64Array::from(vec![7, 8]);
    let places = arrow::array::Int8Array::from(vec![0, 1, 0]);
    let packed = DictionaryArray::new(places, Arc::new(keys));
    assert_eq!(set.contains(&packed).count_set_bits(), 3);
}

#[test]
fn memory_is_taken_from_the_pool() {
    let pool = pool(3000);
    let memory = MemoryConsumer::new("keys").register(&pool);
    let mut set = KeySet::new(DataType::Int64, memory);
    assert!(set.add(&[bigints(&[0, 6399])], MANY));
    assert_eq!(pool.reserved(), 800);
    // While it grows, it takes what it has twice.
    assert!(set.add(&[bigints(&[-6400])], MANY));
    assert_eq!(pool.reserved(), 1600);
    assert!(set.add(&[bigints(&[-5, 6000])], MANY));
    assert!(!set.add(&[bigints(&[12_800])], MANY));
    assert_eq!(pool.reserved(), 1600);
    let found = set.contains(&bigints(&[-6400, 0, 6399, -5, 6000, -4, 12_800]));
    assert_eq!(found.iter().filter(|found| *found).count(), 5);
    drop(set);
    assert_eq!(pool.reserved(), 0);
}

#[test]
fn all_keys_between_the_bounds_of_a_full_set_are_in_it() {
    let mut set = empty(DataType::Int64);
    assert!(!set.is_full());
    assert!(set.add(&[bigints(&[7, 9, 9])], MANY));
    assert!(!set.is_full());
    assert!(set.add(&[bigints(&[8])], MANY));
    assert!(set.is_full());
    let key: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 0));
    let lookup = KeyLookup::new(key, Arc::new(set));
    let schema = Schema::new(vec![Field::new("k", DataType::Int64, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![bigints(&[6, 7, 9, 10])]).unwrap();
    let found = lookup.evaluate(&batch).unwrap().into_array(4).unwrap();
    let found: Vec<bool> = found.as_boolean().values().iter().collect();
    assert_eq!(found, [false, true, true, false]);
}

#[test]
fn lookups_are_of_any_column() {
    let mut set = empty(DataType::Int64);
    assert!(set.add(&[bigints(&[2, 70])], MANY));
    let set = Arc::new(set);
    let key: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 0));
    let lookup: Arc<dyn PhysicalExpr> = Arc::new(KeyLookup::new(key, Arc::clone(&set)));
    let fields = ["k", "n"].map(|name| Field::new(name, DataType::Int64, true));
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(2), None, Some(3)]));
    let others = bigints(&[70, 71, 2]);
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![keys, others]).unwrap();
    let found = |lookup: &Arc<dyn PhysicalExpr>| {
        let found = lookup.evaluate(&batch).unwrap().into_array(3).unwrap();
        assert_eq!(found.null_count(), 0);
        found.as_boolean().values().iter().collect::<Vec<_>>()
    };
    assert_eq!(found(&lookup), [true, false, false]);
    assert_eq!(lookup.data_type(&schema).unwrap(), DataType::Boolean);
    assert!(!lookup.nullable(&schema).unwrap());
    let other: Arc<dyn PhysicalExpr> = Arc::new(Column::new("n", 1));
    let moved = Arc::clone(&lookup).with_new_children(vec![other]).unwrap();
    assert_eq!(found(&moved), [true, false, true]);
    let constant = Arc::clone(&lookup)
        .with_new_children(vec![lit(70_i64)])
        .unwrap();
    assert_eq!(found(&constant), [true; 3]);
    assert!(lookup.eq(&Arc::clone(&lookup)) && !lookup.eq(&moved));
}

#[test]
fn filter_is_its_lookup_where_it_has_no_other_parts() {
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![-5, 3, 70]));
    let dense: ArrayRef = Arc::new(Int64Array::from(vec![3, 4, 5]));
    let [set, full] = [keys, dense].map(|keys| {
        let mut set = empty(DataType::Int64);
        assert!(set.add(&[keys], MANY));
        Arc::new(set)
    });
    let key: Arc<dyn PhysicalExpr> = Arc::new(Column::new("k", 0));
    let compared = |operator, value: i64| -> Arc<dyn PhysicalExpr> {
        Arc::new(BinaryExpr::new(Arc::clone(&key), operator, lit(value)))
    };
    let lookup = |set: &Arc<KeySet>| -> Arc<dyn PhysicalExpr> {
        Arc::new(KeyLookup::new(Arc::clone(&key), Arc::clone(set)))
    };
    let filter = |parts: Vec<Arc<dyn PhysicalExpr>>| -> Arc<dyn PhysicalExpr> {
        let filter = DynamicFilterPhysicalExpr::new(vec![Arc::clone(&key)], lit(true));
        filter.update(conjunction(parts)).unwrap();
        Arc::new(filter)
    };
    let (at_least, at_most) = (Operator::GtEq, Operator::LtEq);
    let whole = filter(vec![
        compared(at_least, -5),
        compared(at_most, 70),
        lookup(&set),
    ]);
    let alone = without_bounds(&whole).unwrap();
    assert!(alone.is::<KeyLookup>());
    let keys: Int64Array = (-10..80).map(|n| (n % 4 != 0).then_some(n)).collect();
    let schema = Schema::new(vec![Field::new("k", DataType::Int64, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(keys)]).unwrap();
    let passing = |condition: &Arc<dyn PhysicalExpr>| {
        let values = condition.evaluate(&batch).unwrap();
        let values = values.into_array(batch.num_rows()).unwrap();
        let values = values.as_boolean().clone();
        let rows = values.iter().map(|value| value == Some(true));
        rows.collect::<Vec<bool>>()
    };
    assert_eq!(passing(&alone), passing(&whole));
    // A list of the keys is evaluated no more than the bounds.
    let listed = |key: &Arc<dyn PhysicalExpr>, negated: bool| {
        let keys = [-5_i64, 3, 70].map(lit).to_vec();
        in_list(Arc::clone(key), keys, &negated, batch.schema_ref()).unwrap()
    };
    let whole = filter(vec![
        lookup(&set),
        compared(at_least, -5),
        compared(at_most, 70),
        listed(&key, false),
    ]);
    let alone = without_bounds(&whole).unwrap();
    assert!(alone.is::<KeyLookup>());
    assert_eq!(passing(&alone), passing(&whole));
    let negated = filter(vec![lookup(&set), listed(&key, true)]);
    assert!(without_bounds(&negated).is_none());
    let whole = filter(vec![
        lookup(&full),
        compared(at_least, 3),
        compared(at_most, 5),
    ]);
    let alone = without_bounds(&whole).unwrap();
    let moved = Arc::clone(&alone)
        .with_new_children(vec![Arc::clone(&key)])
        .unwrap();
    assert_eq!(passing(&alone), passing(&whole));
    assert_eq!(passing(&moved), passing(&whole));
    assert_eq!(passing(&alone).iter().filter(|passes| **passes).count(), 2);
    for parts in [
        vec![compared(at_least, -4), lookup(&set)],
        vec![compared(at_most, 69), lookup(&set)],
        vec![compared(Operator::NotEq, 3), lookup(&set)],
        vec![lookup(&set), lookup(&set)],
        vec![compared(at_least, -5)],
    ] {
        assert!(without_bounds(&filter(parts)).is_none());
    }
    assert!(without_bounds(&lookup(&set)).is_none());
}
