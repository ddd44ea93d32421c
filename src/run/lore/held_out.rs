//! What is said of what metrics and likelihoods of a user's points are taken against.

use super::short;
use crate::data::{Empirical, digests, repeated};
use crate::points::Points;

/// What metrics and the NLL are taken against, where that needs a word: `samples` and `points` are
/// how many are asked for, none where there is no NLL; `known` are the digests of the rows that a
/// saved model was trained on.
pub(super) fn measured(own: &Empirical, samples: usize, points: Option<usize>, known: &[u64]) -> Vec<String> {
    let mut out = Vec::new();
    let Some(kept) = own.kept() else {
        let nll = if points.is_some() { " and the NLL" } else { "" };
        out.push(format!(
            "no rows are held out, so metrics{nll} are taken against the points that the model was made from, and a model that remembers \
             them looks better than it is; set holdout = 0.2, or give a test-file"
        ));
        return out;
    };
    let rows = kept.len();
    let fewest = rows.min(own.training().len());
    if fewest < samples {
        out.push(format!(
            "metrics and floors compare {fewest} samples, not {samples}, for there are {rows} held-out and {} training rows; which rows \
             those are is in no interval: more points or a test-file narrow that, more samples do not",
            own.training().len()
        ));
    }
    if points.is_some_and(|points| points >= rows) {
        out.push(format!(
            "the NLL is that of the same {rows} held-out rows for every seed: intervals over seeds leave out which rows those are, whose \
             standard error is nll-rows-error in summary.csv"
        ));
    }
    let training = digests(own.training());
    let shared = digests(kept).iter().filter(|hash| training.binary_search(hash).is_ok()).count();
    if shared > 0 && !repeated(own.file()) {
        out.push(format!(
            "{shared} of the {rows} points of the test-file are training rows too; leave them out of one file"
        ));
    }
    out.extend(apart(own, kept));
    let met = digests(kept).iter().filter(|hash| known.binary_search(hash).is_ok()).count();
    if met > 0 && !repeated(own.file()) {
        out.push(format!(
            "{met} of the {rows} held-out points are among those that the model was trained on; give the holdout that it was trained with"
        ));
    }
    out
}

/// How many standard errors the means of a column may lie apart: chance puts them further once in 5 · 10⁸ columns.
const APART: f64 = 6.0;

/// The column whose means of training rows and held-out rows are furthest apart in standard errors, if that is no chance.
fn apart(own: &Empirical, kept: &Points) -> Option<String> {
    let moments = |points: &Points, j: usize| {
        let n = points.len() as f64;
        let mean = points.rows().map(|row| row[j]).sum::<f64>() / n;
        let square = points.rows().map(|row| (row[j] - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, square / n)
    };
    let of = |j: usize| {
        let ((a, v), (b, w)) = (moments(own.training(), j), moments(kept, j));
        let errors = (a - b).abs() / (v + w).sqrt();
        (errors.is_finite() && errors > APART).then_some((errors, j, a, b))
    };
    let (errors, j, a, b) = (0..kept.dim()).filter_map(of).max_by(|x, y| x.0.total_cmp(&y.0))?;
    Some(format!(
        "the mean of column {} is {} in training rows and {} in held-out rows, {errors:.0} standard errors apart: they follow different laws, so \
         that no floor, metric or memorisation says what it should; take both from one file, or shuffle the rows before they are divided",
        own.column(j),
        short(a),
        short(b)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::Key;

    #[test]
    fn what_held_out_rows_show() {
        let points = Points::new(2, Key::root(7).normals(0, 0, 300, 2));
        let own = |points: Points| Empirical::new(points, "own.csv").unwrap();
        let split = own(points.clone()).holdout(0.2).unwrap();
        let rows = split.kept().unwrap().len();
        let said = measured(&split, 1000, Some(500), &[]);
        assert!(
            said[0].starts_with(&format!("metrics and floors compare {rows} samples, not 1000, for there")),
            "{said:?}"
        );
        assert!(
            said[1].starts_with(&format!("the NLL is that of the same {rows} held-out rows for every seed"))
        );
        assert!(
            measured(&own(points.clone()), 10, None, &[])[0]
                .contains("set holdout = 0.2, or give a test-file")
        );
        assert_eq!(measured(&split, 20, Some(20), &[]), [""; 0]);
        let other = own(points.slice(0, 200)).test(points.slice(150, 300), "t.csv").unwrap();
        assert!(
            measured(&other, 10, None, &[])[0]
                .starts_with("50 of the 150 points of the test-file are training rows")
        );
        let shifted = Points::new(
            2,
            points.values().iter().enumerate().map(|(i, v)| v + 0.6 * (i % 2) as f64).collect(),
        );
        let said = measured(&own(points.clone()).test(shifted, "t.csv").unwrap(), 10, None, &[]);
        assert!(
            said[0].starts_with("the mean of column 2 is ") && said[0].contains("standard errors apart"),
            "{said:?}"
        );
        let known = digests(&points);
        let said = measured(&split, 10, None, &known);
        assert!(
            said[0].starts_with(&format!("{rows} of the {rows} held-out points are among those")),
            "{said:?}"
        );
        assert_eq!(measured(&split, 10, None, &digests(split.training())), [""; 0]);
    }
}
