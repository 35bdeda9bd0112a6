//! Hive's patterns of SHOW … LIKE.

/// A pattern over names: `*` (or `.*`, or SQL's `%`) matches any characters, `|` separates
/// alternatives. Ignores case.
#[derive(Debug, Clone)]
pub(super) struct NamePattern {
    alternatives: Vec<Vec<char>>,
}

impl NamePattern {
    pub(super) fn new(pattern: &str) -> NamePattern {
        let lower = pattern.to_lowercase().replace(".*", "*").replace('%', "*");
        NamePattern {
            alternatives: lower
                .split('|')
                .map(|one| one.trim().chars().collect())
                .collect(),
        }
    }

    /// Whether a lower-case name matches. Without a pattern every name does.
    pub(super) fn fits(pattern: Option<&NamePattern>, name: &str) -> bool {
        let Some(pattern) = pattern else { return true };
        let name: Vec<char> = name.chars().collect();
        pattern.alternatives.iter().any(|one| matches(one, &name))
    }
}

/// Backtracks to the last `*` only, so the time is at most the product of both lengths.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut in_name) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at + 1, in_name));
                at += 1;
            }
            Some(c) if Some(c) == name.get(in_name) => {
                at += 1;
                in_name += 1;
            }
            _ => match retry {
                None => return false,
                Some((after_star, taken)) => {
                    retry = Some((after_star, taken + 1));
                    at = after_star;
                    in_name = taken + 1;
                }
            },
        }
    }
    pattern
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        NamePattern::fits(Some(&NamePattern::new(pattern)), name)
    }

    #[test]
    fn stars_and_alternatives_match_as_in_hive() {
        assert!(NamePattern::fits(None, "anything"));
        assert!(
            fits("sales*", "sales_fact")
                && fits("sales.*", "sales_fact")
                && fits("sales%", "sales")
        );
        assert!(fits("*_fact", "sales_fact") && fits("*a*f*", "sales_fact") && fits("*", ""));
        assert!(fits("orders|Sales*", "sales_fact") && fits("orders | users", "users"));
        assert!(!fits("sales", "sales_fact") && !fits("*x", "sales") && !fits("", "sales"));
        assert!(!fits("s_les", "sales"), "an underscore is itself");
    }

    #[test]
    fn many_stars_end_soon() {
        let pattern = "*a".repeat(2_000) + "b";
        assert!(!fits(&pattern, &"a".repeat(255)));
    }
}
