//! What cannot be divided, and what may not be written.

use futures::StreamExt;

use super::*;

const ALONE: (PartitionMode, usize) = (PartitionMode::CollectLeft, 1);

#[tokio::test]
async fn rows_of_one_key_are_joined_in_parts() {
    let left: Keys = (0..5000_i64)
        .map(|row| Some(if row % 5 > 0 { 7 } else { row }))
        .collect();
    let right = keys(800, 400, 0);
    for is_narrow in [false, true] {
        for mode in MODES {
            for join_type in TYPES {
                let nothing = NullEquality::NullEqualsNothing;
                let of = || join((&left, &right), *join_type, *mode, nothing, is_narrow);
                let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
                let expected = rows(&plain, &context(LARGE)).await.unwrap();
                let got = rows(&spilling(&of()), &context(240 << 10)).await;
                match join_type {
                    JoinType::Full => assert!(is_exhausted(got), "{mode:?}"),
                    _ => assert!(got.unwrap() == expected, "{join_type} {mode:?} {is_narrow}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn keys_that_equal_nothing_are_spread() {
    let left: Keys = (0..6000).map(|row| (row % 5 == 0).then_some(row)).collect();
    let right: Keys = (0..3000).map(|row| (row % 3 == 0).then_some(row)).collect();
    for join_type in TYPES {
        let nothing = NullEquality::NullEqualsNothing;
        let of = || join((&left, &right), *join_type, ALONE, nothing, false);
        let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
        let expected = rows(&plain, &context(LARGE)).await.unwrap();
        let plan = spilling(&of());
        assert!(rows(&plan, &context(160 << 10)).await.unwrap() == expected);
    }
}

#[tokio::test]
async fn joins_fail_where_nothing_may_be_written() {
    let (left, right) = (keys(5000, 2100, 0), keys(3000, 1900, 700));
    for mode in MODES {
        let nothing = NullEquality::NullEqualsNothing;
        let plan = spilling(&join(
            (&left, &right),
            JoinType::Full,
            *mode,
            nothing,
            false,
        ));
        let closed = context_with(200 << 10, DiskManagerMode::Disabled);
        assert!(is_exhausted(rows(&plan, &closed).await));
        let plan = spilling(&join(
            (&left, &right),
            JoinType::Full,
            *mode,
            nothing,
            false,
        ));
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(200 << 10)))
            .with_disk_manager_builder(
                DiskManagerBuilder::default().with_max_temp_directory_size(100 << 10),
            );
        let task = TaskContext::default().with_runtime(runtime.build_arc().unwrap());
        let full = Arc::new(task);
        let error = rows(&plan, &full).await.unwrap_err();
        assert!(error.to_string().contains("used disk space"), "{error}");
    }
}

#[tokio::test]
async fn files_are_deleted_with_the_stream() {
    let (left, right) = (keys(5000, 2100, 0), keys(3000, 1900, 700));
    for mode in [ALONE, (PartitionMode::Partitioned, 1)] {
        let nothing = NullEquality::NullEqualsNothing;
        let plan = spilling(&join((&left, &right), JoinType::Left, mode, nothing, false));
        // While rows are written.
        let task = context(200 << 10);
        let disk = Arc::clone(&task.runtime_env().disk_manager);
        let mut stream = plan.execute(0, Arc::clone(&task)).unwrap();
        while disk.used_disk_space() == 0 {
            assert!(futures::poll!(stream.next()).is_pending());
            tokio::task::yield_now().await;
        }
        drop(stream);
        assert_eq!(disk.used_disk_space(), 0);
        assert_eq!(task.memory_pool().reserved(), 0);
        // While they are joined.
        let plan = plan.reset_state().unwrap();
        let mut stream = plan.execute(0, Arc::clone(&task)).unwrap();
        stream.next().await.unwrap().unwrap();
        assert!(disk.used_disk_space() > 0);
        drop(stream);
        assert_eq!(disk.used_disk_space(), 0);
        assert_eq!(task.memory_pool().reserved(), 0);
    }
}

#[tokio::test]
async fn limits_hold_for_all_buckets() {
    let (left, right) = (keys(5000, 2100, 0), keys(3000, 1900, 700));
    let nothing = NullEquality::NullEqualsNothing;
    let join = join((&left, &right), JoinType::Full, ALONE, nothing, false);
    for limit in [1, 1000, 100_000] {
        let limited = join.builder().with_fetch(Some(limit)).build().unwrap();
        let plan = spilling(&limited);
        let got = rows(&plan, &context(200 << 10)).await.unwrap();
        let plain: Arc<dyn ExecutionPlan> =
            Arc::new(limited.builder().reset_state().build().unwrap());
        let expected = rows(&plain, &context(LARGE)).await.unwrap();
        assert_eq!(got.len(), expected.len());
        assert!(got.len() <= limit);
    }
}

#[tokio::test]
async fn not_in_heeds_nulls_of_both_sides() {
    let left = keys(5000, 2100, 0);
    let values: Keys = (0..3000).map(|row| Some(700 + row % 1900)).collect();
    let mut with_null = values.clone();
    with_null.push(None);
    for (right, is_empty) in [(values, false), (with_null, true), (Keys::new(), false)] {
        for partitions in [1, 3] {
            for is_narrow in [false, true] {
                let mode = (PartitionMode::CollectLeft, partitions);
                let nothing = NullEquality::NullEqualsNothing;
                let of = || {
                    let join = join(
                        (&left, &right),
                        JoinType::LeftAnti,
                        mode,
                        nothing,
                        is_narrow,
                    );
                    join.builder().with_null_aware(true).build().unwrap()
                };
                let plain: Arc<dyn ExecutionPlan> = Arc::new(of());
                let expected = rows(&plain, &context(LARGE)).await.unwrap();
                assert_eq!(expected.is_empty(), is_empty);
                let plan = spilling(&of());
                let got = rows(&plan, &context(200 << 10)).await.unwrap();
                assert!(spilled_rows(&plan) >= left.len());
                assert!(got == expected, "{partitions} {is_narrow} {}", right.len());
            }
        }
    }
}
