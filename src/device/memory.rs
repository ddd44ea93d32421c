//! What fits into a card's memory. What a row needs is an estimate, taken high.

use candle_core::Device;
use tweedie_solvers::{Error, Result};

/// How many rows of `row` bytes each can be worked on at once.
pub fn fitting(row: usize, device: &Device) -> usize {
    within(super::cuda::free(device), row)
}

/// Whether `rows` rows of `row` bytes each, which must be worked on together, fit on a device.
///
/// # Errors
/// A sentence with what they need and the largest number that fits.
pub fn check(what: &str, rows: usize, row: usize, device: &Device) -> Result<()> {
    enough(what, rows, row, super::cuda::free(device))
}

/// A tenth stays free.
fn within(free: Option<usize>, row: usize) -> usize {
    free.map_or(usize::MAX, |free| free / 10 * 9 / row.max(1))
}

fn enough(what: &str, rows: usize, row: usize, free: Option<usize>) -> Result<()> {
    let most = within(free, row);
    let Some(free) = free.filter(|_| rows > most) else { return Ok(()) };
    let giga = |bytes: f64| format!("{:.3} GB", bytes * 1e-9);
    Err(Error::Unsupported(format!(
        "{what} = {rows} needs about {} of the card's memory, of which {} are free: the largest that fits is {most}; \
         take fewer, or use --device cpu",
        giga(rows as f64 * row as f64),
        giga(free as f64),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_a_sentence() {
        assert!(enough("the batch", usize::MAX, 8, None).is_ok());
        assert!(enough("the batch", 900, 1000, Some(1_000_000)).is_ok());
        let said = enough("`train.batch`", 2000, 1000, Some(1_000_000)).unwrap_err().to_string();
        assert_eq!(
            said,
            "`train.batch` = 2000 needs about 0.002 GB of the card's memory, of which 0.001 GB are free: the largest that fits is 900; \
             take fewer, or use --device cpu"
        );
        assert_eq!(within(Some(1_000_000), 1000), 900);
        assert_eq!(fitting(1000, &Device::Cpu), usize::MAX);
    }
}
