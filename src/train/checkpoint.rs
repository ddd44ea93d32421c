//! A training run as one safetensors file: weights, their average, Adam's moments and the frequencies as tensors, everything else
//! as JSON in the file's metadata. Written to a temporary name and renamed, so that a reader never meets half a file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use tweedie_solvers::model::ScoreModel;

use super::TrainConfig;
use crate::data::Standardise;
use crate::files::{FileError, replace};
use crate::net::{Mlp, MlpConfig, frozen};

/// The name of the file in a model directory.
pub const FILE: &str = "model.safetensors";

/// A training run at rest.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The shape of the network.
    pub net: MlpConfig,
    /// What the run computes.
    pub train: TrainConfig,
    /// Updates made so far.
    pub step: u64,
    /// The map from the user's coordinates to the network's, if the data were standardised.
    pub standardise: Option<Standardise>,
    /// The recipe's `sde` that the network was trained under.
    pub sde: toml::Table,
    /// The recipe's `data` that it was trained on.
    pub data: toml::Table,
    /// The digests of the rows that it was trained on, in order, where the data are a user's points; see
    /// [`crate::data::digest`].
    pub rows: Vec<u64>,
    /// Frequencies of the Fourier features.
    pub frequencies: Tensor,
    /// Weights, in the order of [`MlpConfig::layout`].
    pub weights: Vec<Tensor>,
    /// Their moving average: what samples and likelihoods use.
    pub average: Vec<Tensor>,
    /// Adam's first moments.
    pub first: Vec<Tensor>,
    /// Adam's second moments.
    pub second: Vec<Tensor>,
}

/// What is kept as JSON.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    version: String,
    net: MlpConfig,
    train: TrainConfig,
    step: u64,
    standardise: Option<Standardise>,
    sde: toml::Table,
    data: toml::Table,
}

const FORMAT: u32 = 1;
/// The name of the tensor of digests.
const ROWS: &str = "rows";
const KEY: &str = "tweedie";

/// Why a checkpoint could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] FileError),
    /// The file is not a checkpoint of this program, or not a whole one.
    #[error("{path}: {what}. A model directory is made by `tweedie train RECIPE` and holds {FILE}")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl Checkpoint {
    /// The groups of tensors, by the prefix that they have in the file.
    fn groups(&self) -> [(&'static str, &[Tensor]); 4] {
        [
            ("weight", &self.weights),
            ("average", &self.average),
            ("first", &self.first),
            ("second", &self.second),
        ]
    }

    /// Writes `directory/model.safetensors`, atomically.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), CheckpointError> {
        let path = directory.join(FILE);
        let foreign = |what: String| CheckpointError::Foreign { path: path.clone(), what };
        let header = Header {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            net: self.net.clone(),
            train: self.train.clone(),
            step: self.step,
            standardise: self.standardise.clone(),
            sde: self.sde.clone(),
            data: self.data.clone(),
        };
        let json = serde_json::to_string(&header).map_err(|e| foreign(e.to_string()))?;
        let names = self.net.layout();
        let mut tensors = vec![("frequencies".to_owned(), self.frequencies.clone())];
        for (prefix, list) in self.groups() {
            tensors
                .extend(names.iter().zip(list).map(|((name, _), t)| (format!("{prefix}/{name}"), t.clone())));
        }
        if !self.rows.is_empty() {
            let bits = self.rows.iter().map(|&hash| hash.cast_signed()).collect::<Vec<i64>>();
            let rows = Tensor::from_vec(bits, self.rows.len(), &Device::Cpu);
            tensors.push((ROWS.to_owned(), rows.map_err(|e| foreign(e.to_string()))?));
        }
        // safetensors views candle tensors that lie on the host.
        let host = tensors.into_iter().map(|(name, t)| Ok((name, t.to_device(&Device::Cpu)?)));
        let host = host.collect::<candle_core::Result<Vec<_>>>().map_err(|e| foreign(e.to_string()))?;
        let bytes = safetensors::serialize(host, Some(HashMap::from([(KEY.to_owned(), json)])));
        Ok(replace(&path, &bytes.map_err(|e| foreign(e.to_string()))?)?)
    }

    /// Reads `directory/model.safetensors`.
    ///
    /// # Errors
    /// If there is none, or it is not whole, or not of this program.
    pub fn load(directory: &Path) -> Result<Self, CheckpointError> {
        let path = directory.join(FILE);
        let bytes =
            std::fs::read(&path).map_err(|e| FileError::system(&path, "the file cannot be read", &e))?;
        Self::parse(&bytes).map_err(|what| CheckpointError::Foreign { path, what })
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let whole = |e: safetensors::SafeTensorError| format!("this is not a whole safetensors file ({e})");
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(whole)?;
        let file = SafeTensors::deserialize(bytes).map_err(whole)?;
        let json = metadata.metadata().as_ref().and_then(|m| m.get(KEY));
        let json =
            json.ok_or("this safetensors file was not written by tweedie (it has no `tweedie` metadata)")?;
        let header: Header =
            serde_json::from_str(json).map_err(|e| format!("its metadata cannot be understood ({e})"))?;
        if header.format != FORMAT {
            return Err(format!("it has format {}, this program reads format {FORMAT}", header.format));
        }
        if header.net.depth > 256 {
            return Err(format!("it has depth {}, more than 256", header.net.depth));
        }
        header.net.clone().checked().map_err(|e| e.to_string())?;
        let fits = |s: &Standardise| {
            let lengths = s.mean.len() == header.net.dim && s.deviation.len() == header.net.dim;
            lengths
                && s.mean.iter().all(|m| m.is_finite())
                && s.deviation.iter().all(|d| d.is_finite() && *d > 0.0)
        };
        if !header.standardise.as_ref().is_none_or(fits) {
            return Err("its standardisation does not fit the dimension, or is not finite and above 0".into());
        }
        let read = |name: &str, shape: &[usize]| {
            let view = file.tensor(name).map_err(|_| format!("it lacks the tensor {name}"))?;
            if view.dtype() != safetensors::Dtype::F32 || view.shape() != shape {
                return Err(format!(
                    "its tensor {name} is {:?} {:?}, not F32 {shape:?}",
                    view.dtype(),
                    view.shape()
                ));
            }
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            Tensor::from_vec(values, shape, &Device::Cpu).map_err(|e| e.to_string())
        };
        // A model of a law has none.
        let rows = match file.tensor(ROWS) {
            Err(_) => vec![],
            Ok(view) if view.dtype() != safetensors::Dtype::I64 || view.shape().len() != 1 => {
                return Err(format!(
                    "its tensor {ROWS} is {:?} {:?}, not a list of I64",
                    view.dtype(),
                    view.shape()
                ));
            }
            Ok(view) => view.data().as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect(),
        };
        let layout = header.net.layout();
        let group = |prefix: &str| -> Result<Vec<Tensor>, String> {
            layout.iter().map(|(name, shape)| read(&format!("{prefix}/{name}"), shape)).collect()
        };
        Ok(Self {
            step: header.step,
            standardise: header.standardise,
            sde: header.sde,
            data: header.data,
            rows,
            frequencies: read("frequencies", &[1, header.net.embedding / 2])?,
            weights: group("weight")?,
            average: group("average")?,
            first: group("first")?,
            second: group("second")?,
            net: header.net,
            train: header.train,
        })
    }

    /// The network of the averaged weights, frozen, in the form that is fast on a device.
    ///
    /// # Errors
    /// If the weights cannot be moved there.
    pub fn network(&self, device: &Device) -> tweedie_solvers::Result<Box<dyn ScoreModel>> {
        let weights =
            self.average.iter().map(|t| t.to_device(device)).collect::<candle_core::Result<Vec<_>>>()?;
        let net = Mlp::new(self.net.clone(), &weights, &self.frequencies.to_device(device)?)?;
        frozen(net, device)
    }
}
