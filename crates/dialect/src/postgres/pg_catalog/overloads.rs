//! The operators of `pg_operator` and the kinds of functions of `pg_proc` by their names, and the casts
//! that PostgreSQL makes by itself.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::data::{PG_CAST, PG_OPERATOR, PG_PROC};

/// The numbers of the types of each operator's operands, 0 for the left one of a prefix operator.
pub(crate) static OPERATORS: LazyLock<HashMap<&'static str, Vec<(i64, i64)>>> =
    LazyLock::new(|| {
        let mut found: HashMap<&'static str, Vec<(i64, i64)>> = HashMap::new();
        for row in &PG_OPERATOR.rows {
            let takes = ["oprleft", "oprright"].map(|column| PG_OPERATOR.int(row, column));
            let name = PG_OPERATOR.text(row, "oprname");
            found.entry(name).or_default().push(takes.into());
        }
        found
    });

/// The numbers of types, and of types that their values become without a cast.
pub(crate) static IMPLICIT_CASTS: LazyLock<HashSet<(i64, i64)>> = LazyLock::new(|| {
    let is_implicit = |row: &&Vec<&'static str>| PG_CAST.text(row, "castcontext") == "i";
    let rows = PG_CAST.rows.iter().filter(is_implicit);
    rows.map(|row| {
        let types = ["castsource", "casttarget"].map(|column| PG_CAST.int(row, column));
        types.into()
    })
    .collect()
});

/// The kinds of the functions of a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FunctionKinds {
    pub scalar: bool,
    pub aggregate: bool,
    pub window: bool,
}

impl FunctionKinds {
    /// Returns the kinds of a name, in lower case; none of an unknown one.
    pub(crate) fn of(name: &str) -> Self {
        FUNCTION_KINDS.get(name).copied().unwrap_or_default()
    }

    /// Returns whether all functions of the name are scalar functions.
    pub(crate) fn is_scalar(self) -> bool {
        self.scalar && !self.aggregate && !self.window
    }

    /// Returns whether all functions of the name are aggregate functions.
    pub(crate) fn is_aggregate(self) -> bool {
        self.aggregate && !self.scalar && !self.window
    }

    /// Returns whether all functions of the name are window functions.
    pub(crate) fn is_window(self) -> bool {
        self.window && !self.scalar && !self.aggregate
    }
}

static FUNCTION_KINDS: LazyLock<HashMap<&'static str, FunctionKinds>> = LazyLock::new(|| {
    let mut found: HashMap<&'static str, FunctionKinds> = HashMap::new();
    for row in &PG_PROC.rows {
        let kinds = found.entry(PG_PROC.text(row, "proname")).or_default();
        match PG_PROC.text(row, "prokind") {
            "a" => kinds.aggregate = true,
            "w" => kinds.window = true,
            _ => kinds.scalar = true,
        }
    }
    found
});

/// The parameters of a function.
#[derive(Debug)]
pub(crate) struct Overload {
    types: Vec<i64>,
    /// How many of the last ones may be left out.
    defaults: usize,
    /// The type of each value of the last one, if it takes any number of them; 0 if not.
    variadic: i64,
}

impl Overload {
    /// Returns the types of so many arguments; `None` if the function takes another number of them.
    pub(crate) fn parameters(&self, count: usize) -> Option<Vec<i64>> {
        if self.variadic != 0 {
            let fixed = self.types.len().saturating_sub(1);
            let more = count.checked_sub(fixed).filter(|more| *more > 0)?;
            let mut types = self.types.get(..fixed)?.to_vec();
            types.resize(fixed.checked_add(more)?, self.variadic);
            return Some(types);
        }
        let fewest = self.types.len().saturating_sub(self.defaults);
        let is_known = (fewest..=self.types.len()).contains(&count);
        is_known.then(|| self.types.iter().copied().take(count).collect())
    }
}

/// Returns the functions of a name, in lower case.
pub(crate) fn candidates(name: &str) -> impl Iterator<Item = &'static Overload> {
    static OVERLOADS: LazyLock<HashMap<&'static str, Vec<Overload>>> = LazyLock::new(|| {
        let mut found: HashMap<&'static str, Vec<Overload>> = HashMap::new();
        for row in &PG_PROC.rows {
            let types = PG_PROC.text(row, "proargtypes").split_whitespace();
            let overload = Overload {
                types: types.filter_map(|oid| oid.parse().ok()).collect(),
                defaults: usize::try_from(PG_PROC.int(row, "pronargdefaults")).unwrap_or(0),
                variadic: PG_PROC.int(row, "provariadic"),
            };
            found
                .entry(PG_PROC.text(row, "proname"))
                .or_default()
                .push(overload);
        }
        found
    });
    OVERLOADS.get(name).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_and_casts_are_those_of_the_catalog() {
        let has = |name: &str, takes: (i64, i64)| {
            OPERATORS
                .get(name)
                .is_some_and(|known| known.contains(&takes))
        };
        assert!(has("=", (23, 23)) && has("+", (1082, 23)) && has("-", (0, 23)));
        assert!(!has("=", (23, 25)));
        assert!(FunctionKinds::of("lower").is_scalar() && FunctionKinds::of("sum").is_aggregate());
        assert!(FunctionKinds::of("row_number").is_window());
        assert_eq!(FunctionKinds::of("nothing"), FunctionKinds::default());
        assert!(IMPLICIT_CASTS.contains(&(23, 20)) && !IMPLICIT_CASTS.contains(&(20, 23)));
    }
}
