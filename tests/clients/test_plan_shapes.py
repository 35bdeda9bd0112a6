"""The reduction of plans must keep what the files of plans are for, and nothing else."""

from plan_shapes import parse, shape

PLAN = """\
SortExec: expr=[n@0 ASC], preserve_partitioning=[false]
  Unordered
    HashJoinExec: mode=CollectLeft, join_type=Inner, on=[(a@0, b@0)], projection=[n@1]
      CoalescePartitionsExec
        DataSourceExec: file_groups={1 group: [[tpch/nation/part-00001.parquet]]}, projection=[a]
      HashJoinExec: mode=Partitioned, join_type=LeftSemi, on=[(b@0, c@0)]
        DataSourceExec: file_groups={2 groups: [[tpch/orders/part-00001.parquet:0..9]]}, projection=[b]
        EmptyExec
Scans:
  tpch.nation: partitions: 1 of 1, files: 1 of 1, bytes: 2658, list requests: 1""".splitlines()

SHAPE = """\
  inner broadcast
    nation
    left semi hashed
      orders
      empty""".splitlines()


def test_a_plan_is_its_joins_and_tables():
    assert shape(parse(PLAN)) == SHAPE


def test_sides_kinds_and_modes_are_seen_and_figures_are_not():
    changed = [line.replace("Partitioned", "CollectLeft") for line in PLAN]
    assert shape(parse(changed)) != SHAPE
    changed = [line.replace("LeftSemi", "LeftAnti") for line in PLAN]
    assert shape(parse(changed)) != SHAPE
    swapped = [*PLAN[:6], PLAN[7], PLAN[6], *PLAN[8:]]
    assert shape(parse(swapped)) != SHAPE
    others = [line.replace("0..9", "0..8").replace("@0", "@3").replace("part-00001", "part-00007") for line in PLAN]
    assert others != PLAN and shape(parse(others)) == SHAPE


def test_a_cross_join_and_a_loop_have_no_mode():
    scans = ["    DataSourceExec: file_groups={1 group: [[tpcds/item/part-00001.parquet]]}"] * 2
    assert shape(parse(["ProjectionExec: expr=[]", "  CrossJoinExec", *scans]))[0].strip() == "cross"
    loop = parse(["FilterExec: a", "  NestedLoopJoinExec: join_type=Left, filter=a@0 < b@1", *scans])
    assert [line.strip() for line in shape(loop)] == ["left loop", "item", "item"]
