//! The functions against the library's, on the widest vectors and on one lane.

use pulp::{Arch, WithSimd};

use super::*;

/// f of every number, on lanes.
struct Each<'a, F>(&'a mut [f32], F);

trait Function {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s;
}

impl<F: Function> WithSimd for Each<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let (body, tail) = S::as_mut_simd_f32s(self.0);
        body.iter_mut().for_each(|x| *x = self.1.of(s, *x));
        assert!(tail.is_empty());
    }
}

struct Exp;
struct Silu;
struct Slope;
struct Sin;
struct Cos;

impl Function for Exp {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s {
        exp(s, x)
    }
}
impl Function for Silu {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s {
        silu(s, x)
    }
}
impl Function for Slope {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s {
        silu_and_slope(s, x).1
    }
}
impl Function for Sin {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s {
        sin_cos_turns(s, x).0
    }
}
impl Function for Cos {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s {
        sin_cos_turns(s, x).1
    }
}

/// The best that this machine has, and one lane.
fn both<F: Function + Copy>(f: F, x: &[f32]) -> [Vec<f32>; 2] {
    [Arch::new(), Arch::Scalar].map(|arch| {
        let mut padded = x.to_vec();
        padded.resize(x.len().next_multiple_of(16), 0.0);
        arch.dispatch(Each(&mut padded, f));
        padded.truncate(x.len());
        padded
    })
}

fn compare<F: Function + Copy>(f: F, x: &[f32], want: impl Fn(f64) -> f64, within: impl Fn(f64, f64) -> f64) {
    for got in both(f, x) {
        for (&x, got) in x.iter().zip(got) {
            let want = want(f64::from(x));
            assert!((f64::from(got) - want).abs() <= within(f64::from(x), want), "{x}: {got} {want}");
        }
    }
}

impl<F: Function> Function for &F {
    fn of<S: Simd>(&self, s: S, x: S::f32s) -> S::f32s {
        (**self).of(s, x)
    }
}

const ULP: f64 = f32::EPSILON as f64;

#[test]
fn functions_of_f32() {
    let x: Vec<f32> = (-87_000..=88_000).map(|i| i as f32 / 1000.0).chain([1e-20, -1e-20, 0.0]).collect();
    // log₂e is rounded, and where a product is before it is added, it too: x multiplies both.
    compare(&Exp, &x, f64::exp, |x, y| (2.0 + 0.6 * x.abs()) * ULP * y);
    let p = |z: f64| 1.0 / (1.0 + (-z).exp());
    compare(&Silu, &x, |z| z * p(z), |z, y| (2.0 + 0.6 * (-z).max(0.0)) * ULP * y.abs() + 1e-35);
    // 1 − p is rounded, which h multiplies.
    compare(&Slope, &x, |z| p(z) + z * p(z) * (1.0 - p(z)), |_, _| 10.0 * ULP);
    let turn = |u: f64| std::f64::consts::TAU * (u - u.round());
    compare(&Sin, &x, |u| turn(u).sin(), |_, _| 5.0 * ULP);
    compare(&Cos, &x, |u| turn(u).cos(), |_, _| 5.0 * ULP);
}

#[test]
fn ends_of_f32() {
    for got in both(&Silu, &[1e30, -1e30, f32::MAX, f32::MIN, f32::INFINITY, f32::NAN, 1e-45]) {
        assert!(got[0] == 1e30 && got[2] == f32::MAX && got[1].abs() < 1e-7 && got[3].abs() < 3.0);
        assert!(got[4] == f32::INFINITY && got[5].is_nan() && got[6] <= 1e-45);
    }
    for got in both(&Exp, &[-1e30, -200.0, 89.0, f32::INFINITY, f32::NEG_INFINITY]) {
        assert!(got[..2].iter().all(|v| (0.0..1e-37).contains(v)) && got[2] > 1e38);
        assert!(got[3] > 1e38 && got[4] < 1e-37);
    }
}

/// Against the library's functions, at random words and at the ends of the range.
#[test]
fn normals_of_words() {
    let ends = [0, u64::MAX, 1 << 11, (1 << 63) - 1, 1 << 63, (1 << 62) | 77, 3 << 62];
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state ^ state >> 29
    };
    let random = (0..100_000).map(|_| [next(), next()]).collect::<Vec<_>>();
    let words: Vec<[u64; 2]> = ends.iter().flat_map(|&a| ends.map(|b| [a, b])).chain(random).collect();
    let mut got = vec![[0.0; 2]; words.len()];
    box_muller(&words, &mut got);
    for (w, z) in words.iter().zip(got) {
        let unit = 2f64.powi(-53);
        let (u, v) = (((w[0] >> 11) + 1) as f64 * unit, (w[1] >> 11) as f64 * unit);
        let radius = (-2.0 * u.ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        for (z, want) in z.into_iter().zip([radius * cos, radius * sin]) {
            // 2πv, rounded, turns by up to 4e-16 too, in the library's form.
            assert!((z - want).abs() <= 3e-15 * radius, "{w:?}: {z} {want}");
        }
    }
}

#[test]
fn exponentials_of_f64() {
    for i in -708_000..=709_000 {
        let x = f64::from(i) * 1e-3;
        let (got, want) = (exp_f64(x), x.exp());
        assert!((got - want).abs() <= 4.0 * f64::EPSILON * want, "{x}: {got} {want}");
    }
    assert_eq!(exp_f64(0.0), 1.0);
    assert!(exp_f64(f64::NEG_INFINITY) < 1e-300 && exp_f64(1e300) > 1e300 && exp_f64(f64::NAN).is_nan());
}
