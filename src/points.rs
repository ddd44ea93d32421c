//! Points on the host: n rows of d numbers in f64, row-major. What data sets make, metrics read and files hold.

/// A set of n points in d dimensions, d ≥ 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    dim: usize,
    values: Vec<f64>,
}

impl Points {
    /// Points from their values, row after row.
    ///
    /// # Panics
    /// If `dim` is 0 or does not divide the number of values: a mistake of the program, never of its input.
    pub fn new(dim: usize, values: Vec<f64>) -> Self {
        assert!(dim > 0 && values.len().is_multiple_of(dim), "{} values are not rows of {dim}", values.len());
        Self { dim, values }
    }

    /// The number of coordinates of each point.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Point number `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.dim..(i + 1) * self.dim]
    }

    /// The points, one after the other.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.dim)
    }

    /// All values, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// `count` points from number `first` on, starting again at the first after the last.
    #[must_use]
    pub fn cycle(&self, first: usize, count: usize) -> Self {
        let rows = (first..first + count).flat_map(|i| self.row(i % self.len()).iter().copied());
        Self { dim: self.dim, values: rows.collect() }
    }

    /// Points `from .. to`.
    #[must_use]
    pub fn slice(&self, from: usize, to: usize) -> Self {
        Self { dim: self.dim, values: self.values[from * self.dim..to * self.dim].to_vec() }
    }
}
