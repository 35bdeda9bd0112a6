//! SQL's LIKE over names.

/// One character of a LIKE pattern.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Any,
    One,
    Exactly(char),
}

/// Returns whether a name matches a pattern of SQL's LIKE, with `\` as the escape character.
///
/// It backtracks only to the last `%`, so the time is bounded by the product of the lengths.
pub fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Any,
            '_' => Part::One,
            // A trailing `\` stands for itself.
            '\\' => Part::Exactly(chars.next().unwrap_or('\\')),
            c => Part::Exactly(c),
        });
    }
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut in_name) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = name.get(in_name) {
        match parts.get(at) {
            Some(Part::Any) => {
                retry = Some((at + 1, in_name));
                at += 1;
            }
            Some(part) if *part == Part::One || *part == Part::Exactly(*c) => {
                at += 1;
                in_name += 1;
            }
            _ => match retry {
                None => return false,
                Some((after, taken)) => {
                    retry = Some((after, taken + 1));
                    (at, in_name) = (after, taken + 1);
                }
            },
        }
    }
    parts
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|part| *part == Part::Any)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn patterns_match_as_likes_do() {
        assert!(is_like("%", "") && is_like("%", "orders") && is_like("orders", "orders"));
        assert!(
            is_like("o%s", "orders") && is_like("_rders", "orders") && is_like("%d%r%", "orders")
        );
        assert!(!is_like("order", "orders") && !is_like("", "orders") && !is_like("o_s", "orders"));
        assert!(is_like(r"sales\_fact", "sales_fact") && !is_like(r"sales\_fact", "sales-fact"));
        assert!(is_like(r"100\%", "100%") && !is_like(r"100\%", "1000"));
        assert!(is_like(r"a\\b", r"a\b") && is_like("a\\", "a\\"));
        assert!(
            !is_like("Orders", "orders"),
            "names are lower case, patterns are not changed"
        );
    }

    #[test]
    fn many_percents_end_soon() {
        let pattern = "%a".repeat(2_000) + "b";
        assert!(!is_like(&pattern, &"a".repeat(255)));
    }
}
