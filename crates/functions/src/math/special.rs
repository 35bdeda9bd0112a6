//! The functions that distributions are calculated with, to about 15 digits.

use std::f64::consts::{FRAC_2_SQRT_PI, PI, SQRT_2};

/// Terms of a series or of a continued fraction, of which few are needed.
const MAX_TERMS: usize = 100_000;
/// A number that stands for 0 in a denominator.
const TINY: f64 = 1e-300;
const EPSILON: f64 = 1e-16;

/// The error function.
pub(super) fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 2.5 {
        return x.signum() * (1.0 - erfc_of_large(x.abs()));
    }
    // e^(-x²) times a series of positive terms.
    let square = x * x;
    let (mut term, mut sum) = (x, x);
    for n in 1..MAX_TERMS {
        term *= 2.0 * square / (2.0 * n as f64 + 1.0);
        sum += term;
        if term.abs() <= EPSILON * sum.abs() {
            break;
        }
    }
    FRAC_2_SQRT_PI * (-square).exp() * sum
}

/// 1 minus the error function, exact in the tail.
pub(super) fn erfc(x: f64) -> f64 {
    match x > 2.5 {
        true => erfc_of_large(x),
        false => 1.0 - erf(x),
    }
}

/// The continued fraction of the complement, for numbers above 2.
fn erfc_of_large(x: f64) -> f64 {
    if x > 27.5 {
        return 0.0;
    }
    // x + (1/2)/(x + 1/(x + (3/2)/(x + …))), from its end.
    let mut fraction = x;
    for n in (1..=120).rev() {
        fraction = x + f64::from(n) / 2.0 / fraction;
    }
    (-x * x).exp() / (fraction * PI.sqrt())
}

/// The inverse of the cdf of the standard normal distribution, for probabilities between 0 and 1.
pub(super) fn inverse_normal(p: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    // By symmetry, in the lower tail, where the complement is exact.
    let (tail, sign) = if p < 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    // An approximation, then steps of Halley's method.
    let t = (-2.0 * tail.ln()).sqrt();
    let over = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let under = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = (t - over / under).max(0.0);
    for _ in 0..20 {
        let error = 0.5 * erfc(x / SQRT_2) - tail;
        let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        if density == 0.0 {
            break;
        }
        let newton = -error / density;
        let step = newton / (1.0 + 0.5 * x * newton);
        x -= step;
        if step.abs() <= EPSILON * x.abs() {
            break;
        }
    }
    sign * x
}

/// The logarithm of the gamma function of a positive number.
pub(super) fn ln_gamma(x: f64) -> f64 {
    // Stirling's series, of a number that is large enough for it.
    let mut shift = 0.0;
    let mut x = x;
    while x < 20.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / (x * x);
    let series = (1.0 / 12.0
        - inverse
            * (1.0 / 360.0
                - inverse * (1.0 / 1260.0 - inverse * (1.0 / 1680.0 - inverse * (1.0 / 1188.0)))))
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln() + series - shift
}

/// The logarithm of the beta function.
fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// The regularized incomplete beta function: the cdf of the beta distribution.
pub(super) fn beta(a: f64, b: f64, x: f64) -> f64 {
    beta_of(a, b, x, 1.0 - x)
}

/// The same, where `1 - x` is known more exactly.
pub(super) fn beta_of(a: f64, b: f64, x: f64, rest: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if rest <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() + b * rest.ln() - ln_beta(a, b)).exp();
    let result = match x <= (a + 1.0) / (a + b + 2.0) {
        true => front * beta_fraction(a, b, x) / a,
        false => 1.0 - front * beta_fraction(b, a, rest) / b,
    };
    result.clamp(0.0, 1.0)
}

/// The continued fraction of the incomplete beta function, by Lentz's method.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..MAX_TERMS {
        let m = term as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for coefficient in [even, odd] {
            d = 1.0 / not_zero(1.0 + coefficient * d);
            c = not_zero(1.0 + coefficient / c);
            factor = d * c;
            fraction *= factor;
        }
        if (factor - 1.0).abs() <= EPSILON {
            break;
        }
    }
    fraction
}

/// The inverse of [`beta`], by halving.
pub(super) fn inverse_beta(a: f64, b: f64, p: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..1100 {
        // Small numbers have many powers of 2, which the geometric mean passes quickly.
        let middle = match low > 0.0 && high > 2.0 * low {
            true => (low * high).sqrt(),
            false if high < 0.5 && low == 0.0 => high * 0.01,
            false => low + (high - low) / 2.0,
        };
        if middle <= low || middle >= high {
            break;
        }
        match beta(a, b, middle) < p {
            true => low = middle,
            false => high = middle,
        }
    }
    high
}

/// The cdf of Student's t distribution.
pub(super) fn student(x: f64, freedom: f64) -> f64 {
    let square = x * x;
    if square.is_infinite() {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let sum = freedom + square;
    let tail = 0.5 * beta_of(freedom / 2.0, 0.5, freedom / sum, square / sum);
    match x > 0.0 {
        true => 1.0 - tail,
        false => tail,
    }
}

/// The density of Student's t distribution.
pub(super) fn student_density(x: f64, freedom: f64) -> f64 {
    let half = (freedom + 1.0) / 2.0;
    let scale = ln_gamma(half) - ln_gamma(freedom / 2.0) - 0.5 * (PI.ln() + freedom.ln());
    (scale - half * (x * x / freedom).ln_1p()).exp()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::LN_2;

    use super::*;

    fn near(found: f64, expected: f64) {
        let error = (found - expected).abs() / expected.abs().max(TINY);
        assert!(error < 1e-13, "{found} is not {expected}");
    }

    #[test]
    fn functions_have_their_known_values() {
        near(erf(0.5), 0.520_499_877_813_046_5);
        near(erf(1.0), 0.842_700_792_949_714_9);
        near(erf(2.5), 0.999_593_047_982_555);
        near(erf(-3.0), -0.999_977_909_503_001_4);
        near(erfc(3.0), 2.209_049_699_858_544e-5);
        near(erfc(10.0), 2.088_487_583_762_545e-45);
        near(ln_gamma(0.5), 0.572_364_942_924_700_1);
        near(ln_gamma(10.0), 12.801_827_480_081_469);
        near(ln_gamma(1.0) + LN_2, LN_2);
        near(beta(2.0, 3.0, 0.5), 0.6875);
        near(beta(0.5, 0.5, 0.25), 1.0 / 3.0);
        near(beta(1.0, 1.0, 0.3), 0.3);
        near(inverse_beta(2.0, 3.0, 0.6875), 0.5);
        near(inverse_beta(0.5, 0.5, 1e-30), (PI / 2.0 * 1e-30).powi(2));
        near(inverse_normal(0.975), 1.959_963_984_540_054);
        near(inverse_normal(0.3), -0.524_400_512_708_040_9);
        near(inverse_normal(1e-20), -9.262_340_089_798_409);
        near(student(1.0, 1.0), 0.75);
        near(student(-2.0, 2.0), 0.091_751_709_536_136_98);
        near(student_density(0.0, 1.0), 1.0 / PI);
    }

    #[test]
    fn nothing_is_out_of_range() {
        for x in [0.0, 1e-300, 1e-10, 0.1, 0.5, 0.9, 1.0 - 1e-10, 1.0] {
            for a in [1e-5, 0.1, 1.0, 30.0, 1e5] {
                for b in [1e-5, 0.1, 1.0, 30.0, 1e5] {
                    let found = beta(a, b, x);
                    assert!((0.0..=1.0).contains(&found), "{a} {b} {x}: {found}");
                    let found = inverse_beta(a, b, x);
                    assert!((0.0..=1.0).contains(&found), "{a} {b} {x}: {found}");
                }
            }
        }
    }
}
