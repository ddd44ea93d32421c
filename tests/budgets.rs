//! Methods at budgets of evaluations.

use std::path::Path;

use tweedie::recipe::Recipe;
use tweedie::report::{Progress, rankings};
use tweedie::run::{Outcome, Place, Ranked, Standing, run};

fn recipe(extra: &str) -> tweedie::error::Result<Recipe> {
    let text = format!(
        "data = \"eight-gaussians\"\nmodel = \"exact\"\nsde = \"vp\"\ngrid = \"uniform-log-snr\"\nsamples = 200\nfigures = false\n\
         save-samples = false\nseed = [0, 1, 2]\n{extra}"
    );
    Recipe::build("t".into(), "t.toml", text.parse().unwrap())
}

fn outcome(recipe: &Recipe, out: &Path) -> Outcome {
    std::fs::create_dir_all(out).unwrap();
    let place =
        Place { out, device: &candle_core::Device::Cpu, resume: false, progress: &Progress::default() };
    run(recipe, &place, &|_| ()).unwrap()
}

/// Steps are the most that a budget pays for, the final denoising included; what cannot take one step is left out of a budget; adaptive methods
/// come in where they fit; groups start at 1 and only grow down the list; the front falls with evaluations.
#[test]
fn budgets_are_kept() {
    let recipe = recipe(
        "method = [\"ddim\", \"heun\", \"rk4\", { name = \"rk45\", rtol = 0.1, atol = 0.1 }]\nevals = [4, 9, 60]\nfinish = \"denoise\"\n",
    )
    .unwrap();
    let out = std::env::temp_dir().join(format!("tweedie-budgets-{}", std::process::id()));
    let done = outcome(&recipe, &out);
    let of =
        |budget: usize| done.ranking.iter().filter(move |r| r.budget == budget).collect::<Vec<&Ranked>>();
    let steps =
        |budget: usize, method: &str| of(budget).iter().find(|r| r.method == method).and_then(|r| r.steps);
    assert_eq!([4, 9, 60].map(|b| steps(b, "ddim")), [Some(3), Some(8), Some(59)]);
    assert_eq!([4, 9, 60].map(|b| steps(b, "heun")), [Some(1), Some(4), Some(29)]);
    assert_eq!([4, 9, 60].map(|b| steps(b, "rk4")), [None, Some(2), Some(14)]);
    assert!(of(4).iter().all(|r| !r.method.starts_with("rk45")) && of(60).iter().any(|r| r.steps.is_none()));
    for budget in [4, 9, 60] {
        let rows = of(budget);
        assert!(rows.iter().all(|r| r.evals <= budget as f64));
        assert_eq!(rows[0].group, Some(1));
        assert!(rows.windows(2).all(|w| w[0].group <= w[1].group));
        assert!(rows.iter().all(|r| rows[0].mean <= r.mean));
    }
    let mut front: Vec<&Ranked> = done.ranking.iter().filter(|r| r.pareto).collect();
    front.sort_by(|a, b| a.evals.total_cmp(&b.evals));
    assert!(
        front.windows(2).all(|w| w[1].mean <= w[0].mean || w[1].against_floor == Some(Standing::At))
            && !front.is_empty()
    );
    let text = std::fs::read_to_string(out.join("ranking.csv")).unwrap();
    assert_eq!(text.lines().count(), 1 + done.ranking.len());
    assert!(
        text.contains("flow in t")
            && rankings(&recipe, &done.summary, &done.ranking).contains("Pareto front of means")
    );
    std::fs::remove_dir_all(out).unwrap();
}

/// Step counts rank nothing.
#[test]
fn nothing_to_rank() {
    let out = std::env::temp_dir().join(format!("tweedie-unranked-{}", std::process::id()));
    assert!(outcome(&recipe("method = \"ddim\"\nsteps = 4\n").unwrap(), &out).ranking.is_empty());
    std::fs::remove_dir_all(out).unwrap();
}

#[test]
fn bad_budgets_are_refused() {
    for (extra, parts) in [
        ("evals = [4]\nsteps = [4]", ["steps", "evals"]),
        ("evals = [0]", ["evals", "0"]),
        ("method = [\"ddim\", \"rk4\"]\nevals = [2, 3]", ["no budget pays for one step of rk4", "takes 4"]),
        ("method = [\"euler\", \"heun\"]\nevals = [8]\n[paired]\nbaseline = \"heun\"", ["[paired]", "steps"]),
        ("method = \"heun\"\nevals = [8]\n[decompose]", ["[decompose]", "steps"]),
    ] {
        let Err(error) = recipe(extra) else { panic!("{extra} was taken") };
        for part in parts {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
