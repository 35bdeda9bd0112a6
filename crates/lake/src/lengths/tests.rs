#![allow(clippy::unwrap_used)]

use arrow::array::{
    ArrayRef, AsArray, ListBuilder, MapBuilder, StringArray, StringBuilder, StringViewArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, Operator, col, lit};
use datafusion::physical_expr::expressions::{
    binary, col as physical_col, in_list, is_null, lit as physical_lit,
};

use super::*;

fn fit(declared: &str) -> Fit {
    Fit::of(&declared.parse().unwrap()).unwrap()
}

const TEXTS: [Option<&str>; 6] = [
    Some("abcdef"),
    None,
    Some("äöüß"),
    Some("ab "),
    Some("ab     "),
    Some(""),
];

fn shown(values: &ArrayRef) -> Vec<Option<String>> {
    let texts = arrow::compute::cast(values, &DataType::Utf8).unwrap();
    let texts = texts.as_string::<i32>().iter();
    texts.map(|text| text.map(str::to_owned)).collect()
}

fn owned(texts: [Option<&str>; 6]) -> Vec<Option<String>> {
    texts.map(|text| text.map(str::to_owned)).to_vec()
}

#[test]
fn texts_have_the_characters_of_their_type() {
    let arrays: [ArrayRef; 2] = [
        Arc::new(StringArray::from(TEXTS.to_vec())),
        Arc::new(StringViewArray::from(TEXTS.to_vec())),
    ];
    for array in &arrays {
        let varchar = fit("varchar(3)").fitted(array).unwrap();
        assert_eq!(varchar.data_type(), array.data_type());
        assert_eq!(
            shown(&varchar),
            owned([
                Some("abc"),
                None,
                Some("äöü"),
                Some("ab "),
                Some("ab "),
                Some("")
            ])
        );
        let char = fit("char(3)").fitted(array).unwrap();
        assert_eq!(
            shown(&char),
            owned([
                Some("abc"),
                None,
                Some("äöü"),
                Some("ab"),
                Some("ab"),
                Some("")
            ])
        );
        let unchanged = fit("varchar(7)").fitted(array).unwrap();
        assert!(Arc::ptr_eq(&unchanged, array));
        let none: ArrayRef = array.slice(0, 0);
        assert_eq!(fit("char(1)").fitted(&none).unwrap().len(), 0);
    }
    let numbers: ArrayRef = Arc::new(arrow::array::Int32Array::from(vec![1]));
    assert!(fit("varchar(3)").fitted(&numbers).is_err());
}

#[test]
fn a_long_text_is_cut_in_its_place() {
    let long = "x".repeat(100);
    let mut builder = arrow::array::StringViewBuilder::new().with_deduplicate_strings();
    for _ in 0..50 {
        builder.append_value(&long);
    }
    let shared: ArrayRef = Arc::new(builder.finish());
    let cut = fit("varchar(40)").fitted(&shared).unwrap();
    let bytes = |array: &ArrayRef| -> usize {
        let buffers = array.as_string_view().data_buffers();
        buffers.iter().map(|buffer| buffer.len()).sum()
    };
    assert_eq!(bytes(&cut), bytes(&shared));
    assert!(
        cut.as_string_view()
            .iter()
            .flatten()
            .all(|text| text == &long[..40])
    );
}

#[test]
fn texts_within_nested_values_are_cut() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.values().append_value("abcdef");
    lists.values().append_null();
    lists.append(true);
    lists.append(false);
    let lists: ArrayRef = Arc::new(lists.finish());
    let cut = fit("array<varchar(2)>").fitted(&lists).unwrap();
    assert_eq!(cut.data_type(), lists.data_type());
    assert!(cut.is_null(1));
    let items = cut.as_list::<i32>().value(0);
    assert_eq!(shown(&items), [Some("ab".to_owned()), None]);

    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("key");
    maps.values().append_value("value");
    maps.append(true).unwrap();
    let maps: ArrayRef = Arc::new(maps.finish());
    let cut = fit("map<string,char(2)>").fitted(&maps).unwrap();
    assert_eq!(shown(cut.as_map().keys()), [Some("key".to_owned())]);
    assert_eq!(shown(cut.as_map().values()), [Some("va".to_owned())]);

    assert!(Fit::of(&"struct<a:int,b:map<string,date>>".parse().unwrap()).is_none());
    let mixed = fit("struct<a:int,b:varchar(2)>");
    assert_eq!(mixed, Fit::Inside(vec![None, Some(Fit::Varchar(2))]));
    assert!(fit("varchar(2)").fitted(&lists).is_err());
}

/// All texts of at most `most` letters.
fn words(most: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..most {
        let longer = last
            .iter()
            .flat_map(|word| ["a", "b"].map(|next| format!("{word}{next}")));
        last = longer.collect();
        all.extend(last.iter().cloned());
    }
    all
}

#[test]
fn restated_comparisons_are_as_true_of_the_texts_in_files() {
    use Operator as O;
    let compare = |op: Operator, left: &str, right: &str| match op {
        O::Eq | O::IsNotDistinctFrom => left == right,
        O::NotEq | O::IsDistinctFrom => left != right,
        O::Lt => left < right,
        O::LtEq => left <= right,
        O::Gt => left > right,
        _ => left >= right,
    };
    let (mut restated, mut left_out) = (0, 0);
    for constant in words(4) {
        let value = ScalarValue::Utf8View(Some(constant.clone()));
        for op in [
            O::Eq,
            O::NotEq,
            O::IsDistinctFrom,
            O::IsNotDistinctFrom,
            O::Lt,
            O::LtEq,
            O::Gt,
            O::GtEq,
        ] {
            let Some(of_file) = Fit::Varchar(2).of_file(op, &value) else {
                left_out += 1;
                continue;
            };
            restated += 1;
            for text in words(4) {
                let cut = text.get(..2).unwrap_or(&text);
                let mut parts = of_file.parts.iter().map(|(op, part)| {
                    let part = part.try_as_str().flatten().unwrap();
                    compare(*op, &text, part)
                });
                let found = match of_file.joined {
                    O::Or => parts.any(|part| part),
                    _ => parts.all(|part| part),
                };
                assert_eq!(found, compare(op, cut, &constant), "{text} {op} {constant}");
            }
        }
    }
    // All comparisons with fewer characters, and all with as many but IS [NOT] DISTINCT FROM.
    assert_eq!((restated, left_out), (3 * 8 + 4 * 6, 4 * 2 + 24 * 8));
    assert!(
        Fit::Char(2)
            .of_file(O::Eq, &ScalarValue::from("a"))
            .is_none()
    );
    let null = ScalarValue::Utf8(None);
    assert!(Fit::Varchar(2).of_file(O::Eq, &null).is_none());
    let last = ScalarValue::from("\u{10ffff}");
    assert!(Fit::Varchar(1).of_file(O::Eq, &last).is_none());
    let before_surrogates = ScalarValue::from("\u{d7ff}");
    let after = Fit::Varchar(1).of_file(O::Gt, &before_surrogates).unwrap();
    assert_eq!(after.parts, [(O::GtEq, ScalarValue::from("\u{e000}"))]);
}

#[test]
fn conditions_are_restated_or_left_out() {
    let columns = BoundedColumns(vec![("v", fit("varchar(3)")), ("c", fit("char(3)"))]);
    let v = || col("v");
    let range = |from: &str, to: &str| v().gt_eq(lit(from)).and(v().lt(lit(to)));
    let unchanged = |filter: Expr| (filter.clone(), Some(filter));
    for (filter, expected) in [
        unchanged(v().eq(lit("ab"))),
        (lit("ab").gt(v()), Some(v().lt(lit("ab")))),
        unchanged(v().lt(lit("abc"))),
        (v().eq(lit("abc")), Some(range("abc", "abd"))),
        (v().eq(lit("abcd")), None),
        unchanged(v().in_list(vec![lit("a"), lit("b")], true)),
        (
            v().in_list(vec![lit("a"), lit("abc")], false),
            Some(v().eq(lit("a")).or(range("abc", "abd"))),
        ),
        (v().in_list(vec![lit("a"), lit("abcd")], false), None),
        unchanged(v().is_null().or(col("x").eq(lit(1)))),
        (v().eq(lit("ab")).and(v().eq(col("w"))), None),
        (col("c").eq(lit("a")), None),
        unchanged(col("c").is_not_null()),
        (v().like(lit("a%")), None),
        unchanged(col("x").eq(col("y"))),
    ] {
        let filters = [filter];
        let restated = columns.of_files(&filters);
        assert_eq!(restated.first(), expected.as_ref(), "{}", filters[0]);
    }
}

#[test]
fn a_scan_tests_the_texts_of_its_files() {
    let schema = Schema::new(vec![Field::new("v", DataType::Utf8, true)]);
    let column = physical_col("v", &schema).unwrap();
    let options = Arc::new(ConfigOptions::default());
    let call = ScalarFunctionExpr::try_new(
        fitted(fit("varchar(3)")),
        vec![Arc::clone(&column)],
        &schema,
        options,
    );
    let call: Arc<dyn PhysicalExpr> = Arc::new(call.unwrap());
    let shown = |condition: Arc<dyn PhysicalExpr>| of_files(condition).unwrap().to_string();
    let compared = |op: Operator, text: &str| {
        let call = Arc::clone(&call);
        binary(call, op, physical_lit(text), &schema).unwrap()
    };
    assert_eq!(shown(compared(Operator::Eq, "ab")), "v@0 = ab");
    assert_eq!(
        shown(compared(Operator::Eq, "abc")),
        "v@0 >= abc AND v@0 < abd"
    );
    assert_eq!(shown(compared(Operator::Eq, "abcd")), "fitted(v@0) = abcd");
    let swapped = binary(physical_lit("ab"), Operator::Lt, Arc::clone(&call), &schema);
    assert_eq!(shown(swapped.unwrap()), "v@0 > ab");
    assert_eq!(shown(is_null(Arc::clone(&call)).unwrap()), "v@0 IS NULL");
    let listed = |items: [&str; 2], negated: bool| {
        let items = items.map(physical_lit).to_vec();
        in_list(Arc::clone(&call), items, &negated, &schema).unwrap()
    };
    assert!(!shown(listed(["a", "b"], false)).contains("fitted"));
    assert_eq!(
        shown(listed(["a", "abc"], true)),
        "NOT v@0 = a OR v@0 >= abc AND v@0 < abd"
    );
    assert!(shown(listed(["a", "abcd"], false)).contains("fitted"));
}
