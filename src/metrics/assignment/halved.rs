//! A set of half as many points that lies like the first.

use crate::points::Points;

/// The means of pairs of neighbours, halved along the widest axis again and again; of an odd number of points one stays alone.
pub(super) fn halved(points: &Points) -> Points {
    let mut order: Vec<usize> = (0..points.len()).collect();
    neighbours(points, &mut order);
    let dim = points.dim();
    let mean = |pair: &[usize]| -> Vec<f64> {
        (0..dim).map(|k| pair.iter().map(|&i| points.row(i)[k]).sum::<f64>() / pair.len() as f64).collect()
    };
    Points::new(dim, order.chunks(2).flat_map(mean).collect())
}

/// Brings neighbours together.
fn neighbours(points: &Points, order: &mut [usize]) {
    if order.len() <= 2 {
        return;
    }
    let width = |k: usize| {
        let values = order.iter().map(|&i| points.row(i)[k]);
        values.clone().fold(f64::NEG_INFINITY, f64::max) - values.fold(f64::INFINITY, f64::min)
    };
    let widest = (0..points.dim()).max_by(|&a, &b| width(a).total_cmp(&width(b))).unwrap_or(0);
    let half = (order.len() / 2).next_multiple_of(2);
    order.select_nth_unstable_by(half - 1, |&a, &b| points.row(a)[widest].total_cmp(&points.row(b)[widest]));
    let (left, right) = order.split_at_mut(half);
    neighbours(points, left);
    neighbours(points, right);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On a line neighbours are next to each other; of an odd number one stays alone.
    #[test]
    fn neighbours_meet() {
        let sorted = |points: &Points| {
            let mut values = halved(points).values().to_vec();
            values.sort_by(f64::total_cmp);
            values
        };
        let line = Points::new(1, vec![9.0, 0.0, 21.0, 3.0, 20.0, 1.0, 8.0, 2.0]);
        assert_eq!(sorted(&line), [0.5, 2.5, 8.5, 20.5]);
        assert_eq!(sorted(&line.slice(0, 7)), [0.5, 5.5, 14.5, 21.0]);
        // Two clusters apart in y only, whatever x is.
        let plane = Points::new(2, vec![0.0, 0.0, 1.0, 9.0, 2.0, 0.0, 0.5, 9.0]);
        assert_eq!(sorted(&plane), [0.0, 0.75, 1.0, 9.0]);
    }
}
