//! Filters compare texts with short constants as numbers, and search patterns part by part.
//!
//! ```text
//!  shipmode = 'MAIL'                 the view of a short text is the text: 16 bytes, compared at once
//!  shipmode IN ('AIR', 'AIR REG')    the same, with each of them
//!  note LIKE '%special%requests%'    'special', then 'requests' in what follows it
//! ```
//!
//! Arrow compares lengths and then bytes, row by row (`cmp.rs` of `arrow-ord`, 59.3), which takes a sixth of
//! the time of TPC-H 12 where no column is kept, and makes a regular expression of such a pattern
//! (`predicate.rs` of `arrow-string`). Expressions are replaced in a plan that is ready to run, so that
//! everything else sees those that they were. Delete this when Arrow does the same.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringViewArray};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, InListExpr, LikeExpr, Literal};
use memchr::memmem::Finder;

use crate::plans::conditions::{as_written, typed_as_written};

/// Bytes of a text that is in its view, at most.
const IN_VIEW: usize = 12;

/// Texts of a list that are compared one by one, at most.
const MOST: usize = 8;

/// Returns the expression with its comparisons of texts replaced.
///
/// # Errors
///
/// Returns an error if an expression cannot be built anew.
pub(super) fn with_quick_texts(
    written: &Arc<dyn PhysicalExpr>,
) -> Result<Transformed<Arc<dyn PhysicalExpr>>> {
    Arc::clone(written).transform_up(|part| {
        Ok(match QuickText::of(&part) {
            Some(quick) => Transformed::yes(Arc::new(quick) as Arc<dyn PhysicalExpr>),
            None => Transformed::no(part),
        })
    })
}

/// A condition of a text in a column. To everything but evaluation it is the expression that it was.
#[derive(Debug)]
struct QuickText {
    written: Arc<dyn PhysicalExpr>,
    column: Arc<dyn PhysicalExpr>,
    test: Test,
    is_negated: bool,
}

#[derive(Debug)]
enum Test {
    /// Whether it is one of these, of which these are the views.
    Among(Vec<u128>),
    Matches(Pattern),
}

impl QuickText {
    /// Returns `None` for other expressions.
    fn of(written: &Arc<dyn PhysicalExpr>) -> Option<Self> {
        let (column, test, is_negated) = if let Some(binary) = written.downcast_ref::<BinaryExpr>()
        {
            let is_negated = match binary.op() {
                Operator::Eq => false,
                Operator::NotEq => true,
                _ => return None,
            };
            let (column, constant) = match binary.left().is::<Column>() {
                true => (binary.left(), binary.right()),
                false => (binary.right(), binary.left()),
            };
            (column, Test::Among(vec![view_of(constant)?]), is_negated)
        } else if let Some(list) = written.downcast_ref::<InListExpr>() {
            let views: Option<Vec<u128>> = match list.len() {
                1..=MOST => list.list().iter().map(view_of).collect(),
                _ => None,
            };
            (list.expr(), Test::Among(views?), list.negated())
        } else {
            let like = written.downcast_ref::<LikeExpr>()?;
            if like.case_insensitive() {
                return None;
            }
            let pattern = Pattern::of(text_of(like.pattern())?)?;
            (like.expr(), Test::Matches(pattern), like.negated())
        };
        column.is::<Column>().then(|| Self {
            written: Arc::clone(written),
            column: Arc::clone(column),
            test,
            is_negated,
        })
    }

    /// Returns for which texts the condition is true; anything for NULL.
    fn of_texts(&self, texts: &StringViewArray) -> BooleanBuffer {
        let (rows, views) = (texts.len(), texts.views());
        match &self.test {
            Test::Among(among) => {
                let is_true = |row: usize| {
                    let view = views.get(row).copied().unwrap_or_default();
                    let mut is_among = false;
                    for one in among {
                        is_among |= *one == view;
                    }
                    is_among != self.is_negated
                };
                BooleanBuffer::collect_bool(rows, is_true)
            }
            Test::Matches(pattern) => BooleanBuffer::collect_bool(rows, |row| {
                pattern.matches(texts.value(row).as_bytes()) != self.is_negated
            }),
        }
    }
}

/// Returns the text of a constant; `None` for NULL, and for texts of another form of Arrow.
fn text_of(constant: &Arc<dyn PhysicalExpr>) -> Option<&str> {
    match constant.downcast_ref::<Literal>()?.value() {
        ScalarValue::Utf8View(Some(text)) => Some(text.as_str()),
        _ => None,
    }
}

/// Returns the view of a constant that is a short text, as arrays have it: its length, its bytes, zeros.
fn view_of(constant: &Arc<dyn PhysicalExpr>) -> Option<u128> {
    let text = text_of(constant)?.as_bytes();
    if text.len() > IN_VIEW {
        return None;
    }
    let view = text.iter().rev();
    let view = view.fold(0_u128, |view, byte| (view << 8) | u128::from(*byte));
    Some((view << 32) | text.len() as u128)
}

/// A pattern of LIKE that is texts with anything between them.
#[derive(Debug)]
struct Pattern {
    start: Vec<u8>,
    /// In this order, between the start and the end.
    parts: Vec<Finder<'static>>,
    end: Vec<u8>,
}

impl Pattern {
    /// Returns `None` for a pattern that has `_` or escapes, or fewer than two texts: Arrow needs no
    /// regular expression for these.
    fn of(pattern: &str) -> Option<Self> {
        if pattern.contains(['_', '\\']) {
            return None;
        }
        let (start, rest) = pattern.split_once('%')?;
        let (between, end) = rest.rsplit_once('%').unwrap_or(("", rest));
        let parts = between.split('%').filter(|part| !part.is_empty());
        let parts = parts.map(|part| Finder::new(part.as_bytes()).into_owned());
        let parts: Vec<Finder<'static>> = parts.collect();
        let texts = parts.len() + usize::from(!start.is_empty()) + usize::from(!end.is_empty());
        (texts >= 2).then(|| Self {
            start: start.as_bytes().to_vec(),
            parts,
            end: end.as_bytes().to_vec(),
        })
    }

    fn matches(&self, text: &[u8]) -> bool {
        let Some(mut rest) = text.strip_prefix(self.start.as_slice()) else {
            return false;
        };
        for part in &self.parts {
            // The first place leaves most for the others.
            let Some(at) = part.find(rest) else {
                return false;
            };
            rest = rest.get(at + part.needle().len()..).unwrap_or_default();
        }
        rest.ends_with(&self.end)
    }
}

as_written!(QuickText);

impl PhysicalExpr for QuickText {
    typed_as_written!();

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let ColumnarValue::Array(texts) = self.column.evaluate(batch)? else {
            return self.written.evaluate(batch);
        };
        let Some(texts) = texts.as_string_view_opt() else {
            return self.written.evaluate(batch);
        };
        let flags = BooleanArray::new(self.of_texts(texts), texts.nulls().cloned());
        Ok(ColumnarValue::Array(Arc::new(flags)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.written]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let Some(written) = children.into_iter().next() else {
            return Ok(self);
        };
        Ok(match Self::of(&written) {
            Some(quick) => Arc::new(quick),
            None => written,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{ArrayRef, StringArray};
    use arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::{in_list, lit};

    use super::*;

    fn schema() -> Schema {
        let texts = |name: &str, data_type| Field::new(name, data_type, true);
        Schema::new(vec![
            texts("t", DataType::Utf8View),
            texts("other", DataType::Utf8View),
            texts("plain", DataType::Utf8),
        ])
    }

    fn column(name: &str) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new_with_schema(name, &schema()).unwrap())
    }

    fn text(text: &str) -> Arc<dyn PhysicalExpr> {
        lit(ScalarValue::Utf8View(Some(text.to_owned())))
    }

    /// Texts of every length up to 30 of few letters, NULLs among them, with bytes outside of ASCII.
    fn batch() -> RecordBatch {
        let letters = ["a", "b", "é", "ab"];
        let texts = (0..4000_usize).map(|row| {
            let mixed = |n: usize| (row * 7919 + n * 104_729) / (n + 3);
            (row % 11 != 0).then(|| {
                let letters = (0..row % 16).map(|n| letters[mixed(n) % letters.len()]);
                letters.collect::<String>()
            })
        });
        let texts: Vec<Option<String>> = texts.collect();
        let views: ArrayRef = Arc::new(texts.iter().cloned().collect::<StringViewArray>());
        let others: ArrayRef = Arc::new(texts.iter().rev().cloned().collect::<StringViewArray>());
        let plain: ArrayRef = Arc::new(texts.into_iter().collect::<StringArray>());
        RecordBatch::try_new(Arc::new(schema()), vec![views, others, plain]).unwrap()
    }

    fn values(expression: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> BooleanArray {
        let values = expression.evaluate(batch).unwrap();
        let values = values.into_array(batch.num_rows()).unwrap();
        values.as_boolean().clone()
    }

    /// Checks that an expression is replaced, and has the values that it had.
    fn check(written: Arc<dyn PhysicalExpr>) -> usize {
        let batch = batch();
        let quick = with_quick_texts(&written).unwrap();
        assert!(quick.transformed, "{written}");
        assert_eq!(quick.data.to_string(), written.to_string());
        let expected = values(&written, &batch);
        assert_eq!(values(&quick.data, &batch), expected, "{written}");
        for part in [batch.slice(0, 0), batch.slice(13, 700)] {
            assert_eq!(values(&quick.data, &part), values(&written, &part));
        }
        expected.true_count()
    }

    #[test]
    fn short_texts_are_compared_alike() {
        let mut found = 0;
        let constants = [
            "",
            "a",
            "é",
            "ab",
            "aab",
            "abababababab",
            "éééééé",
            "A",
            "a\0",
        ];
        for constant in constants {
            for operator in [Operator::Eq, Operator::NotEq] {
                let of = |left, right| -> Arc<dyn PhysicalExpr> {
                    Arc::new(BinaryExpr::new(left, operator, right))
                };
                found += check(of(column("t"), text(constant)));
                check(of(text(constant), column("t")));
            }
            for negated in [false, true] {
                let list = vec![text(constant), text("b"), text("bb")];
                check(in_list(column("t"), list, &negated, &schema()).unwrap());
            }
        }
        assert!(found > 4000);
    }

    #[test]
    fn patterns_match_alike() {
        let mut found = 0;
        let patterns = [
            "%a%b%",
            "a%b",
            "a%b%",
            "%a%b",
            "é%é",
            "ab%ab",
            "%ab%ba%",
            "%a%%b%",
            "a%b%a%b",
            "%a%a%a%a%a%",
            "ba%ab",
            "a%a",
        ];
        for pattern in patterns {
            for negated in [false, true] {
                let like = LikeExpr::new(negated, false, column("t"), text(pattern));
                found += check(Arc::new(like));
            }
        }
        assert!(found > 4000);
    }

    #[test]
    fn texts_do_not_overlap_in_a_match() {
        let matches =
            |pattern: &str, text: &str| Pattern::of(pattern).unwrap().matches(text.as_bytes());
        assert!(!matches("ab%ba", "aba"));
        assert!(matches("ab%ba", "abba"));
        assert!(!matches("%ab%ba%", "aba"));
        assert!(matches("%ab%ba%", "xab\nbax"));
        assert!(!matches("a%a%a", "aa"));
        assert!(matches("a%%a", "aa"));
        assert!(matches("%a%b", "aab"));
        assert!(!matches("%a%b", "aba"));
        assert!(!matches("a%b", ""));
    }

    #[test]
    fn other_expressions_stay() {
        let of = |left, operator, right| -> Arc<dyn PhysicalExpr> {
            Arc::new(BinaryExpr::new(left, operator, right))
        };
        let like = |pattern: &str, ignores_case: bool| -> Arc<dyn PhysicalExpr> {
            Arc::new(LikeExpr::new(
                false,
                ignores_case,
                column("t"),
                text(pattern),
            ))
        };
        let null = lit(ScalarValue::Utf8View(None));
        let many = (0..9).map(|n| text(&n.to_string())).collect();
        for other in [
            of(column("t"), Operator::Eq, column("other")),
            of(column("t"), Operator::Lt, text("a")),
            of(column("t"), Operator::Eq, text("longer than 12")),
            of(column("t"), Operator::Eq, Arc::clone(&null)),
            of(column("plain"), Operator::Eq, lit("a")),
            of(text("a"), Operator::Eq, text("a")),
            in_list(column("t"), many, &false, &schema()).unwrap(),
            in_list(column("t"), vec![text("a"), null], &false, &schema()).unwrap(),
            like("a%", false),
            like("%a%", false),
            like("a", false),
            like("%", false),
            like("a%b_", false),
            like("a\\%%b", false),
            like("a%b", true),
        ] {
            assert!(!with_quick_texts(&other).unwrap().transformed, "{other}");
        }
    }

    #[test]
    fn columns_may_be_moved() {
        let eq: Arc<dyn PhysicalExpr> =
            Arc::new(BinaryExpr::new(column("t"), Operator::Eq, text("a")));
        let quick = with_quick_texts(&eq).unwrap().data;
        let moved = quick.transform_up(|part| {
            Ok(match part.is::<Column>() {
                true => Transformed::yes(column("other")),
                false => Transformed::no(part),
            })
        });
        let batch = batch();
        let other: Arc<dyn PhysicalExpr> =
            Arc::new(BinaryExpr::new(column("other"), Operator::Eq, text("a")));
        let moved = moved.unwrap().data;
        assert!(moved.is::<QuickText>());
        assert_eq!(values(&moved, &batch), values(&other, &batch));
    }
}
