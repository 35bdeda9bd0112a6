//! The least and the greatest of some numbers.

/// Numbers that are compared beside each other, as each waits for the one before.
const LANES: usize = 4;

/// The least and the greatest number.
pub(super) fn bounds<N: Copy + Ord>(values: &[N]) -> Option<(N, N)> {
    bounds_of(values, |value| value)
}

/// The least and the greatest of the numbers that values are taken for.
#[inline]
fn bounds_of<V: Copy, N: Copy + Ord>(values: &[V], number: impl Fn(V) -> N) -> Option<(N, N)> {
    let first = number(*values.first()?);
    let (mut least, mut greatest) = ([first; LANES], [first; LANES]);
    let (lanes, rest) = values.as_chunks::<LANES>();
    for values in lanes {
        for lane in 0..LANES {
            let value = number(values[lane]);
            least[lane] = least[lane].min(value);
            greatest[lane] = greatest[lane].max(value);
        }
    }
    let rest = || rest.iter().map(|value| number(*value));
    let least = least.into_iter().chain(rest()).min()?;
    let greatest = greatest.into_iter().chain(rest()).max()?;
    Some((least, greatest))
}

/// As [`bounds`]: most decimals of 128 bits fit 64, which are compared faster.
pub(super) fn bounds_of_decimals(values: &[i128]) -> Option<(i128, i128)> {
    let lost = values
        .iter()
        .fold(0, |lost, value| lost | (value ^ i128::from(*value as i64)));
    if lost != 0 {
        return bounds(values);
    }
    let (least, greatest) = bounds_of(values, |value| value as i64)?;
    Some((least.into(), greatest.into()))
}
