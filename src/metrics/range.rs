//! Where the values of a metric lie.

/// Where the values of a metric lie, which decides the scale on which intervals of its mean are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Any number: estimates that are unbiased about 0, log-likelihoods, slopes.
    Real,
    /// Above 0: distances, errors and counts.
    Positive,
    /// From 0 to 1: fractions and accuracies.
    Fraction,
}
