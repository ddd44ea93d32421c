//! Elementary functions on many numbers at once. [pulp](https://docs.rs/pulp) gives a type of as many lanes as the processor has – AVX-512,
//! AVX2, NEON, or one – and picks it when the program runs; all formulae here are written once for all of them, without branches.
//!
//! Polynomials are minimax to the precision of their type. Nothing here is faster by being less accurate than what it replaces: f32 to a few
//! units in the last place where the value is of the size of 1, f64 to four.

mod memory;
mod normals;

use std::f32::consts::{LN_2, LOG2_E, PI};

use pulp::{Arch, Simd, WithSimd};

pub use memory::{Aligned, Scratch};
pub use normals::{box_muller, exp_f64};

/// What the processor's vectors are called: `avx-512`, `avx2`, `neon`, or `one lane`. Sums over a vector are taken in the order of its
/// lanes, so that results are the same to the last bit where this is the same.
pub fn instructions() -> &'static str {
    struct Name;
    impl WithSimd for Name {
        type Output = &'static str;

        fn with_simd<S: Simd>(self, _: S) -> &'static str {
            match (std::any::type_name::<S>(), S::F32_LANES) {
                (_, 1) => "one lane",
                (name, 4) if name.to_lowercase().contains("neon") => "neon",
                (_, 8) => "avx2",
                (_, 16) => "avx-512",
                (name, _) => name,
            }
        }
    }
    Arch::new().dispatch(Name)
}

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

#[cfg(test)]
mod tests;
