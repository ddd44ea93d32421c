//! Whether the law of times shows a network the noise levels at which samples take shape.

use tweedie_solvers::Key;
use tweedie_solvers::sde::{LinearSde, Use};

use super::short;
use crate::net::MlpConfig;
use crate::train::{TimeLaw, draw_times};

/// The smallest share of an octave of noise levels that is enough: of the default training's 1.5 million draws it is 3000.
const LEAST: f64 = 2e-3;

/// Draws of the law.
const DRAWS: usize = 100_000;

/// The sentence about octaves of σ/α, from the finest that a network resolves to the data's deviation, that the law of times hardly ever draws.
pub(super) fn unseen(law: TimeLaw, sde: &dyn LinearSde, net: &MlpConfig) -> Option<String> {
    let span = sde.span(Use::Training);
    let least = net.finest.max(sde.kernel(span.start).ratio());
    let share = |law: TimeLaw| {
        let drawn = draw_times(law, sde, (span, net), &Key::root(0).branch("lore"), 0, DRAWS);
        let levels: Vec<f64> = drawn.iter().map(|(t, _)| sde.kernel(*t).ratio()).collect();
        let octave = |low: f64| levels.iter().filter(|l| (low..2.0 * low).contains(*l)).count();
        let lows =
            std::iter::successors(Some(least), |low| Some(2.0 * low)).take_while(|low| *low < net.sigma_data);
        let shares = lows.map(|low| (octave(low) as f64 / DRAWS as f64, low));
        shares.min_by(|a, b| a.0.total_cmp(&b.0))
    };
    let (found, low) = share(law)?;
    let (better, _) = share(TimeLaw::Level)?;
    (found < LEAST && better > found).then(|| {
        format!(
            "train.times draws {} % of its noise levels σ/α from {} to {}, where samples take shape, so the network learns \
             little there; set times = \"level\", which draws {} % or more of every such octave",
            short(100.0 * found),
            short(low),
            short(2.0 * low),
            short(100.0 * better)
        )
    })
}
