//! Elementary functions on many numbers at once. [pulp](https://docs.rs/pulp) gives a type of as many lanes as the processor has – AVX-512,
//! AVX2, NEON, or one – and picks it when the program runs; all formulae here are written once for all of them, without branches.
//!
//! Polynomials are minimax to the precision of their type. Nothing here is faster by being less accurate than what it replaces: f32 to a few
//! units in the last place where the value is of the size of 1, f64 to four.

use std::cell::RefCell;
use std::f32::consts::{LN_2, LOG2_E, PI};

use pulp::{Arch, Simd, WithSimd};

/// 1.5 · 2²³: adding it rounds an f32 below 2²² to an integer, whose bits are then the low ones.
const ROUND: f32 = 12_582_912.0;

/// Σ cₖ xᵏ, the constant first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, x: S::f32s, c: [f32; N]) -> S::f32s {
    let mut p = s.splat_f32s(c[N - 1]);
    // Written out: a closure handed to an iterator becomes a function of its own, without the wide instructions.
    for &c in c[..N - 1].iter().rev() {
        p = s.mul_add_e_f32s(p, x, s.splat_f32s(c));
    }
    p
}

/// 2^(scale x) for x in [low, high], at whose ends it stays beyond them; |scale x| ≤ 127.4 there. NaN gives any number.
#[inline(always)]
fn power<S: Simd>(s: S, x: S::f32s, scale: f32, low: f32, high: f32) -> S::f32s {
    let x = s.max_f32s(s.splat_f32s(low), s.min_f32s(s.splat_f32s(high), x));
    let (scale, round) = (s.splat_f32s(scale), s.splat_f32s(ROUND));
    let shifted = s.mul_add_e_f32s(x, scale, round);
    let f = s.mul_add_e_f32s(x, scale, s.sub_f32s(round, shifted));
    let p = polynomial(s, f, [1.0, LN_2, 0.240_223_5, 0.055_503_81, 0.009_666_368, 0.001_338_130_3]);
    let exponent = s.wrapping_dyn_shl_u32s(s.transmute_u32s_f32s(shifted), s.splat_u32s(23));
    s.transmute_f32s_u32s(s.add_u32s(s.transmute_u32s_f32s(p), exponent))
}

/// eˣ; e⁻⁸⁷ below −87, e⁸⁸ above 88; NaN gives any number.
#[inline(always)]
pub fn exp<S: Simd>(s: S, x: S::f32s) -> S::f32s {
    power(s, x, LOG2_E, -87.0, 88.0)
}

/// 1 + e⁻ᶻ, for |z| ≤ 87 or so; NaN gives any number.
#[inline(always)]
fn one_plus<S: Simd>(s: S, z: S::f32s) -> S::f32s {
    s.add_f32s(s.splat_f32s(1.0), power(s, z, -LOG2_E, -88.0, 87.0))
}

/// SiLU(z) = z/(1 + e⁻ᶻ), z e⁻⁸⁸ below −88; NaN stays NaN.
#[inline(always)]
pub fn silu<S: Simd>(s: S, z: S::f32s) -> S::f32s {
    s.div_f32s(z, one_plus(s, z))
}

/// SiLU(z) and its derivative p + h (1 − p), p = 1/(1 + e⁻ᶻ), h = z p.
#[inline(always)]
pub fn silu_and_slope<S: Simd>(s: S, z: S::f32s) -> (S::f32s, S::f32s) {
    let one = s.splat_f32s(1.0);
    let p = s.div_f32s(one, one_plus(s, z));
    let h = s.mul_f32s(z, p);
    (h, s.mul_add_e_f32s(h, s.sub_f32s(one, p), p))
}

/// sin 2πu and cos 2πu for |u| < 2²², by sin πr and cos πr of r = u − its nearest integer.
#[inline(always)]
pub fn sin_cos_turns<S: Simd>(s: S, u: S::f32s) -> (S::f32s, S::f32s) {
    let round = s.splat_f32s(ROUND);
    let r = s.sub_f32s(u, s.sub_f32s(s.add_f32s(u, round), round));
    let r2 = s.mul_f32s(r, r);
    let sin = [PI, -5.167_713, 2.550_163_3, -0.599_252_2, 0.082_050_35, -0.007_028_304];
    let cos = [1.0, -4.934_802, 4.058_712, -1.335_262_3, 0.235_325_44, -0.025_776_316, 0.001_839_989_4];
    let (sin, cos) = (s.mul_f32s(r, polynomial(s, r2, sin)), polynomial(s, r2, cos));
    let twice = s.add_f32s(sin, sin);
    (s.mul_f32s(twice, cos), s.sub_f32s(s.splat_f32s(1.0), s.mul_f32s(twice, sin)))
}

/// Box–Muller on pairs of 64 bits: √(−2 ln u₁) (cos 2πu₂, sin 2πu₂) with u₁ in (0, 1] and u₂ in [0, 1), each the word's upper 53 bits.
/// Sums and products are rounded one by one, so that every processor gives the same bits.
pub fn box_muller(words: &[[u64; 2]], out: &mut [[f64; 2]]) {
    // Not a closure: its call would not be inlined into the function that has the wide instructions.
    struct All<'a>(&'a [[u64; 2]], &'a mut [[f64; 2]]);
    impl WithSimd for All<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) {
            for (z, w) in self.1.iter_mut().zip(self.0) {
                *z = pair(*w);
            }
        }
    }
    Arch::new().dispatch(All(words, out));
}

#[inline(always)]
fn pair([first, second]: [u64; 2]) -> [f64; 2] {
    const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
    let radius = (-2.0 * ln(((first >> 11) + 1) as f64 * UNIT)).sqrt();
    // u − ½: half a turn changes both signs.
    let r = (second >> 11) as f64 * UNIT - 0.5;
    let s = r * horner(
        r * r,
        [
            std::f64::consts::PI,
            -5.167_712_780_049_97,
            2.550_164_039_877_345,
            -0.599_264_529_320_786_9,
            0.082_145_886_610_993_56,
            -0.007_370_430_943_702_136,
            0.000_466_302_787_459_327_3,
            -2.191_525_030_185_174_4e-5,
            7.948_539_037_372_321e-7,
            -2.228_371_216_069_697e-8,
        ],
    );
    let c = horner(
        r * r,
        [
            1.0,
            -4.934_802_200_544_679,
            4.058_712_126_416_768,
            -1.335_262_768_854_589_4,
            0.235_330_630_358_890_56,
            -0.025_806_891_389_964_7,
            0.001_929_574_308_829_220_6,
            -0.000_104_638_100_626_673_14,
            4.303_048_928_191_088e-6,
            -1.387_278_124_454_844_5e-7,
            3.500_312_073_703_762e-9,
        ],
    );
    [-radius * (1.0 - 2.0 * s * s), -radius * (2.0 * s * c)]
}

/// ln u for normal u > 0: u = 2ᵏ m with m in [√½, √2), ln m = 2 artanh((m − 1)/(m + 1)).
#[inline(always)]
fn ln(u: f64) -> f64 {
    const ROOT_HALF: u64 = 0x3FE6_A09E_667F_3BCD;
    let bits = u.to_bits();
    let k = (bits.wrapping_sub(ROOT_HALF) as i64) >> 52;
    let m = f64::from_bits(bits.wrapping_sub((k << 52) as u64));
    let s = (m - 1.0) / (m + 1.0);
    let artanh = horner(
        s * s,
        [
            1.0,
            0.333_333_333_333_333_3,
            0.200_000_000_000_037_74,
            0.142_857_142_844_015_58,
            0.111_111_113_396_306_12,
            0.090_908_867_774_606_22,
            0.076_935_844_215_200_38,
            0.066_242_928_782_783_55,
            0.066_318_549_836_113_97,
        ],
    );
    k as i32 as f64 * std::f64::consts::LN_2 + 2.0 * s * artanh
}

#[inline(always)]
fn horner<const N: usize>(x: f64, c: [f64; N]) -> f64 {
    let mut p = c[N - 1];
    for &c in c[..N - 1].iter().rev() {
        p = p * x + c;
    }
    p
}

/// Numbers that start on a cache line, so that no vector straddles two.
#[derive(Debug)]
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
    len: usize,
}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let values = vec![0.0; len + 15];
        let start = values.as_ptr().align_offset(64).min(15);
        Self { values, start, len }
    }
}

thread_local! {
    static FREE: RefCell<Vec<Aligned>> = const { RefCell::new(Vec::new()) };
}

/// [`Aligned`] numbers for a while: they hold anything at first, and go back to a list of their thread, for the next of the same length.
#[derive(Debug)]
pub struct Scratch(Aligned);

impl Scratch {
    /// `len` numbers.
    pub fn new(len: usize) -> Self {
        let found = FREE.with_borrow_mut(|free| {
            let at = free.iter().rposition(|a| a.len == len)?;
            Some(free.swap_remove(at))
        });
        Self(found.unwrap_or_else(|| Aligned::zeros(len)))
    }

    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut out = Self::new(len);
        out.fill(0.0);
        out
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        /// A forward and backward pass holds fewer.
        const MOST: usize = 64;
        let own = std::mem::replace(&mut self.0, Aligned { values: Vec::new(), start: 0, len: 0 });
        FREE.with_borrow_mut(|free| {
            if free.len() == MOST {
                free.remove(0);
            }
            free.push(own);
        });
    }
}

impl std::ops::Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl std::ops::DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl FromIterator<f32> for Aligned {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Self {
        let values: Vec<f32> = values.into_iter().collect();
        let mut out = Self::zeros(values.len());
        out.copy_from_slice(&values);
        out
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.len]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
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

    fn compare<F: Function + Copy>(
        f: F,
        x: &[f32],
        want: impl Fn(f64) -> f64,
        within: impl Fn(f64, f64) -> f64,
    ) {
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
}
