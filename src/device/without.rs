//! What a program that was built without CUDA says in the place of `cuda.rs`: that there is no kernel.

use candle_core::{Device, Tensor};
use tweedie_solvers::{Key, Result};

use super::{MixtureTrajectory, Played, Shape, Trajectory};

pub(super) fn sum(_: &[(&Tensor, f64)]) -> Result<Option<Tensor>> {
    Ok(None)
}

pub(super) fn normals(_: &Key, _: u64, _: (u64, usize, usize), _: &Device) -> Result<Option<Tensor>> {
    Ok(None)
}

pub(super) fn trajectory(_: &Trajectory<'_>, _: &Tensor) -> Result<Option<Played>> {
    Ok(None)
}

pub(super) fn mixture(_: &MixtureTrajectory, _: &Tensor) -> Result<Option<Played>> {
    Ok(None)
}

/// There is none.
#[derive(Debug)]
pub enum Training {}

impl Training {
    #[expect(missing_docs, reason = "as in `cuda`")]
    pub fn new(_: Shape, _: &[f32], _: &[Vec<f32>; 4], _: &Device) -> Result<Option<Self>> {
        Ok(None)
    }

    #[expect(missing_docs, reason = "as in `cuda`")]
    pub fn gradient(&self, _: &[f32]) -> Result<(Vec<f32>, f64)> {
        match *self {}
    }

    #[expect(missing_docs, reason = "as in `cuda`")]
    pub fn step(&self, _: &[f32], _: [f32; 10], _: f64) -> Result<f64> {
        match *self {}
    }

    #[expect(missing_docs, reason = "as in `cuda`")]
    pub fn state(&self) -> Result<[Vec<f32>; 4]> {
        match *self {}
    }
}

pub(super) fn free(_: &Device) -> Option<usize> {
    None
}
