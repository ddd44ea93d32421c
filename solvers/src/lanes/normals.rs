//! Standard normals from words of random bits, and the exponential, in f64.

use pulp::{Arch, Simd, WithSimd};

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

/// eˣ to four units in the last place; e⁻⁷⁰⁸ below −708, e⁷⁰⁹ above 709. A loop of it becomes vectors where it is inlined into a function that
/// has them; sums and products are rounded one by one, so that every processor gives the same bits.
#[inline(always)]
pub fn exp_f64(x: f64) -> f64 {
    /// 1.5 · 2⁵²: adding it rounds to an integer, whose bits are then the low ones.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = x.clamp(-708.0, 709.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    // ln 2 in two parts, the first of 32 bits.
    let r = (x - k * 0.693_147_180_369_123_8) - k * 1.908_214_929_270_587_7e-10;
    let p = horner(
        r,
        [
            1.0,
            1.0,
            1.0 / 2.0,
            1.0 / 6.0,
            1.0 / 24.0,
            1.0 / 120.0,
            1.0 / 720.0,
            1.0 / 5040.0,
            1.0 / 40_320.0,
            1.0 / 362_880.0,
            1.0 / 3_628_800.0,
            1.0 / 39_916_800.0,
            1.0 / 479_001_600.0,
        ],
    );
    f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52))
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
