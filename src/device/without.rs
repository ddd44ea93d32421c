//! What a program that was built without CUDA says in the place of `cuda.rs`: that there is no kernel.

use candle_core::{Device, Tensor};
use tweedie_solvers::{Key, Result};

use super::Trajectory;

pub(super) fn sum(_: &[(&Tensor, f64)]) -> Result<Option<Tensor>> {
    Ok(None)
}

pub(super) fn normals(_: &Key, _: u64, _: (u64, usize, usize), _: &Device) -> Result<Option<Tensor>> {
    Ok(None)
}

pub(super) fn trajectory(_: &Trajectory<'_>, _: &Tensor) -> Result<Option<Tensor>> {
    Ok(None)
}

pub(super) fn free(_: &Device) -> Option<usize> {
    None
}
