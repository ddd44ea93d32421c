//! What somebody who looked at a user's file would say before anything is trained: columns that are
//! no coordinates, rows that repeat, tails that hide the bulk, values that no density has.

use super::{listed, short};
use crate::data::{Empirical, Standardise, distinct, repeated};
use crate::files::numbered;
use crate::points::Points;

/// Below so many rows nothing is said of patterns, which few numbers show by chance.
const FEW: usize = 10;
/// A column whose values are these many times fewer than its rows holds levels.
const LEVELS: usize = 4;
/// The width of the middle half of a column over its standard deviation, with 1 for a normal law,
/// below which tails are heavy. It is 0.6 for Student's law of 3 degrees of freedom, 0.05 for a
/// lognormal of σ = 2.
const BULK: f64 = 0.1;
/// The middle half of a normal law is this many deviations wide.
const HALF: f64 = 1.349;
/// Columns that a sentence lists.
const SHOWN: usize = 8;

/// The values of a column, in the order of the file.
fn column(points: &Points, j: usize) -> impl Iterator<Item = f64> + Clone {
    points.rows().map(move |row| row[j])
}

fn sorted(points: &Points, j: usize) -> Vec<f64> {
    let mut values: Vec<f64> = column(points, j).collect();
    values.sort_by(f64::total_cmp);
    values
}

fn whole(points: &Points, j: usize) -> bool {
    column(points, j).all(|v| v.fract() == 0.0)
}

/// `1, 2 and 9`, at most eight of them, by the file's names.
fn columns(own: &Empirical, which: &[usize]) -> String {
    let mut names: Vec<String> = which.iter().take(SHOWN).map(|&j| own.column(j)).collect();
    if which.len() > SHOWN {
        names.push(format!("{} more", which.len() - SHOWN));
    }
    listed(&names)
}

/// `column 3 holds`, `columns 1 and 2 hold`.
fn subject(own: &Empirical, which: &[usize], one: &str, many: &str) -> String {
    let (noun, verb) = if which.len() == 1 { ("column", one) } else { ("columns", many) };
    format!("{noun} {} {verb}", columns(own, which))
}

/// The sentences about a file, for a model that works behind a map or in the file's own units.
pub(super) fn noticed(own: &Empirical, map: Option<&Standardise>) -> Vec<String> {
    let points = own.file();
    let (rows, dim) = (points.len(), points.dim());
    let mut out = Vec::new();
    out.extend(numbered(own.columns()).map(|said| format!("{said}; header = false reads it as a point")));
    out.extend((0..dim).filter_map(|j| index(own, j)));
    if let Some(constant) =
        Standardise::fit(own.training()).ok().map(|f| f.constant).filter(|c| !c.is_empty())
    {
        let back = if map.is_some() {
            "as they are"
        } else {
            "with the noise of ε, which standardise = true takes off"
        };
        out.push(format!(
            "{} of {dim} columns do not vary ({}): they are carried along, and come back {back}",
            constant.len(),
            columns(own, &constant)
        ));
    }
    if repeated(points) {
        out.push(format!(
            "{rows} rows hold {} different points, so the law is that of levels or of few points; equal rows fall on both sides of a \
             holdout, where they cannot show whether a model remembers its points",
            distinct(points)
        ));
    }
    out.extend(halves(own));
    out.extend((0..dim).filter_map(|j| heavy(own, j)));
    out
}

/// A column that counts its rows.
fn index(own: &Empirical, j: usize) -> Option<String> {
    let points = own.file();
    if points.len() < FEW || !whole(points, j) {
        return None;
    }
    let rising = column(points, j).zip(column(points, j).skip(1)).all(|(a, b)| a < b);
    let sorted = sorted(points, j);
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let each = (0.0..=1.0).contains(&low) && sorted.windows(2).all(|w| w[1] - w[0] == 1.0);
    let what = match (rising, each) {
        (_, true) => format!("holds each number from {low} to {high} once, as the number of a row does"),
        (true, false) => format!("rises from {low} to {high} with every row, as the number of a row does"),
        _ => return None,
    };
    Some(format!(
        "column {} {what}; that is no coordinate: save the points without it, as df.to_csv(path, index=False) does",
        own.column(j)
    ))
}

/// Every second column holds all digits and nothing else, beside whole numbers that are not:
/// decimals of one digit may have been cut off by commas.
fn halves(own: &Empirical) -> Option<String> {
    let (points, dim) = (own.file(), own.file().dim());
    let digits = |j: usize| {
        let mut values = sorted(points, j);
        values.dedup();
        values.len() == 10 && values.iter().zip(0..).all(|(v, digit)| *v == f64::from(digit))
    };
    let cut = dim.is_multiple_of(2)
        && (0..dim).all(|j| whole(points, j))
        && (1..dim).step_by(2).all(digits)
        && !(0..dim).step_by(2).any(digits);
    cut.then(|| {
        format!(
            "every second of {dim} columns holds the digits 0 to 9: if the file was written with decimal commas, these are halves of \
             {} numbers; write decimal points",
            dim / 2
        )
    })
}

/// A column whose bulk is narrow against its deviation.
fn heavy(own: &Empirical, j: usize) -> Option<String> {
    // Held-out rows far out make floors and metrics theirs.
    let sorted = sorted(own.file(), j);
    let n = sorted.len();
    let (mean, half) = (sorted.iter().sum::<f64>() / n as f64, sorted[3 * n / 4] - sorted[n / 4]);
    let deviation = (sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64).sqrt();
    if n < 4 * FEW || half == 0.0 || half >= BULK * HALF * deviation {
        return None;
    }
    Some(format!(
        "column {} has heavy tails: half of its values lie within {} of each other, {} of its standard deviation {}, which a few rows far \
         out set; a model sees the bulk as one narrow mode and blurs it; take asinh(x/{}) of the column first",
        own.column(j),
        short(half),
        short(half / deviation),
        short(deviation),
        short(half)
    ))
}

/// Why a density of points has no bound, if it has none: columns of whole numbers, of few levels or
/// of one value.
pub fn unbounded(own: &Empirical) -> Option<String> {
    let points = own.file();
    let levels = |j: usize| {
        let mut values = sorted(points, j);
        values.dedup();
        values.len()
    };
    let few = |j: &usize| points.len() >= LEVELS * FEW && LEVELS * levels(*j) <= points.len();
    let numbers: Vec<usize> = (0..points.dim()).filter(|j| whole(points, *j)).collect();
    let steps: Vec<usize> = (0..points.dim()).filter(|j| !numbers.contains(j)).filter(few).collect();
    let why = if !numbers.is_empty() {
        subject(own, &numbers, "holds whole numbers", "hold whole numbers")
    } else if !steps.is_empty() {
        subject(own, &steps, "holds a few levels", "hold a few levels")
    } else if repeated(points) {
        "most rows repeat others".to_owned()
    } else {
        return None;
    };
    Some(format!(
        "{why}, of which a density has no bound: the NLL falls without end as ε does and as a model narrows, so that it ranks neither \
         models nor SDEs; uniform noise of one step added to the points (dequantisation) bounds it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tweedie_solvers::Key;

    fn normal(n: usize, dim: usize) -> Points {
        Points::new(dim, Key::root(7).normals(0, 0, n, dim))
    }

    fn own(points: Points) -> Empirical {
        Empirical::new(points, "own.csv").unwrap()
    }

    /// A column beside two of normals.
    fn beside(n: usize, column: impl Fn(usize) -> f64) -> Empirical {
        let plain = normal(n, 2);
        own(Points::new(3, (0..n).flat_map(|i| [plain.row(i)[0], column(i), plain.row(i)[1]]).collect()))
    }

    #[test]
    fn good_points_need_no_word() {
        let plain = own(normal(200, 3)).holdout(0.2).unwrap();
        assert_eq!(noticed(&plain, None), [""; 0]);
        assert_eq!(unbounded(&plain), None);
    }

    #[test]
    fn columns_that_count_rows() {
        let named = |own: Empirical| own.named(Some(vec!["a".into(), "id".into(), "b".into()]));
        let said = noticed(&named(beside(50, |i| i as f64)), None);
        assert_eq!(
            said,
            [
                "column 2 (`id`) holds each number from 0 to 49 once, as the number of a row does; that is no coordinate: save the points \
              without it, as df.to_csv(path, index=False) does"
            ]
        );
        for column in [|i: usize| i as f64 + 1.0, |i| (i * 7 % 50) as f64, |i| 49.0 - i as f64] {
            assert!(noticed(&beside(50, column), None)[0].starts_with("column 2 holds each number"));
        }
        let filtered = noticed(&beside(50, |i| (3 * i + i % 2) as f64), None);
        assert!(filtered[0].starts_with("column 2 rises from 0 to 148 with every row"), "{filtered:?}");
        for column in [|i: usize| (i / 2) as f64, |i| i as f64 + 0.5, |i| (i * i % 13) as f64] {
            assert_eq!(noticed(&beside(50, column), None), [""; 0]);
        }
        assert_eq!(noticed(&beside(9, |i| i as f64), None), [""; 0]);
    }

    #[test]
    fn columns_that_do_not_vary() {
        let flat = beside(50, |_| 3.0);
        let map = Standardise::fit(flat.training()).unwrap();
        let said = "1 of 3 columns do not vary (2): they are carried along, and come back ";
        assert_eq!(noticed(&flat, Some(&map)), [format!("{said}as they are")]);
        assert!(noticed(&flat, None)[0].starts_with(&format!("{said}with the noise of ε")));
        let many = own(Points::new(
            12,
            (0..480).map(|i| if i % 12 == 5 { f64::from(i).sin() } else { 1.0 }).collect(),
        ));
        assert!(
            noticed(&many, None)[0].contains("(1, 2, 3, 4, 5, 7, 8, 9 and 3 more)"),
            "{:?}",
            noticed(&many, None)
        );
    }

    #[test]
    fn rows_that_repeat() {
        let fifty = normal(50, 2);
        let often = own(fifty.cycle(0, 2000));
        let said = noticed(&often, None);
        assert!(said.len() == 1 && said[0].starts_with("2000 rows hold 50 different points"), "{said:?}");
        assert!(unbounded(&often).unwrap().starts_with("columns 1 and 2 hold a few levels, of which"));
        assert_eq!(noticed(&own(fifty.cycle(0, 100)), None), [""; 0]);
    }

    /// Cauchy's law, a lognormal of σ = 2; not Student's of 3 degrees of freedom, two modes, or
    /// mostly zeros.
    #[test]
    fn tails() {
        let u = Key::root(2).uniforms(0, 0, 2000);
        let z = normal(2000, 4);
        let cauchy = |i: usize| (std::f64::consts::PI * (u[i] - 0.5)).tan();
        let student = |i: usize| {
            let z = z.row(i);
            z[0] / ((z[1] * z[1] + z[2] * z[2] + z[3] * z[3]) / 3.0).sqrt()
        };
        let said = noticed(&beside(2000, cauchy), None);
        assert!(said.len() == 1 && said[0].starts_with("column 2 has heavy tails: half of its"), "{said:?}");
        assert_eq!(noticed(&beside(2000, |i| (2.0 * z.row(i)[0]).exp()), None).len(), 1);
        assert_eq!(noticed(&beside(2000, student), None), [""; 0]);
        assert_eq!(
            noticed(&beside(2000, |i| z.row(i)[0] + if i % 2 == 0 { 30.0 } else { 0.0 }), None),
            [""; 0]
        );
        assert_eq!(noticed(&beside(2000, |i| if i % 9 == 0 { z.row(i)[0] } else { 0.0 }), None), [""; 0]);
    }

    #[test]
    fn halves_of_numbers() {
        let u = Key::root(3).uniforms(0, 0, 4000);
        let pairs = |wide: f64| {
            own(Points::new(
                2,
                u.iter().enumerate().map(|(i, u)| (u * [wide, 10.0][i % 2]).floor()).collect(),
            ))
        };
        let said = noticed(&pairs(200.0), None);
        assert!(
            said.iter().any(|s| s.contains("every second of 2 columns holds the digits 0 to 9")),
            "{said:?}"
        );
        // Digits in all columns are digits.
        assert!(noticed(&pairs(10.0), None).iter().all(|s| !s.contains("every second")));
    }

    #[test]
    fn densities_without_a_bound() {
        let why = |own: &Empirical| unbounded(own).unwrap_or_default();
        assert!(
            why(&beside(50, |i| (i * i % 13) as f64))
                .starts_with("column 2 holds whole numbers, of which a density")
        );
        assert!(why(&beside(80, |i| (i % 17) as f64 / 16.0)).starts_with("column 2 holds a few levels"));
        assert_eq!(why(&beside(30, |i| (i % 17) as f64 / 16.0)), "");
    }
}
