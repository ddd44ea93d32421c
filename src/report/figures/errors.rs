//! Pictures of errors: the parts of each method's, and the network's by noise level.

use std::path::Path;

use crate::error::Result;
use crate::recipe::Recipe;
use crate::report::plot::{self, LevelSeries, PartsPanel};
use crate::run::{Level, PARTS, SLOPE, Summary, WHOLE, file_name};

/// The excess loss of each network by noise level, the mean over seeds, and that of a network that says 0.
pub(super) fn excess(data: &str, levels: &[Level], dir: &Path) -> Result<()> {
    let mut series: Vec<LevelSeries> = Vec::new();
    for level in levels.iter().filter(|l| l.data == data) {
        let (excess, zero) = ((level.log_snr, level.excess), (level.log_snr, level.zero));
        match series.iter_mut().find(|s| s.name == level.sde) {
            Some(s) => {
                s.points.push(excess);
                s.bound.push(zero);
            }
            None => {
                let name = level.sde.clone();
                series.push(LevelSeries { name, points: vec![excess], bound: vec![zero] });
            }
        }
    }
    if series.is_empty() {
        return Ok(());
    }
    for points in series.iter_mut().flat_map(|s| [&mut s.points, &mut s.bound]) {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        *points = points.chunk_by(|a, b| a.0 == b.0).map(mean).collect();
    }
    let stem = dir.join(file_name(&format!("excess-{data}")));
    let title = format!("Excess denoising loss by noise level, {data}");
    let note = "dashed: a network that says 0; above it, a network is worse than none";
    Ok(plot::levels(&stem, &title, ("σ² E|s − s*|² per dimension", note), &series)?)
}

fn mean(points: &[(f64, f64)]) -> (f64, f64) {
    (points[0].0, points.iter().map(|p| p.1).sum::<f64>() / points.len() as f64)
}

/// A title, the parts and the whole at each step count, and a remark.
type Panel = (String, Vec<(f64, Vec<f64>)>, String);

/// Where the error of each method comes from, one picture for each SDE.
pub(super) fn parts(recipe: &Recipe, summary: &[Summary], data: &str, dir: &Path) -> Result<()> {
    if recipe.decompose.is_none() {
        return Ok(());
    }
    let names: Vec<&str> = PARTS.iter().chain([&WHOLE]).copied().collect();
    let shown: Vec<&str> = names.iter().map(|name| name.trim_start_matches("error-")).collect();
    for sde in &recipe.sdes {
        let here = || summary.iter().filter(|r| r.data == data && r.sde == sde.label);
        let mut panels: Vec<Panel> = Vec::new();
        for method in &recipe.methods {
            for grid in &recipe.grids {
                let mine = || here().filter(|r| r.method == method.label && r.grid == grid.label);
                let mut points: Vec<(f64, Vec<f64>)> = Vec::new();
                for &steps in &recipe.steps {
                    let value = |name: &&str| {
                        mine().find(|r| r.steps == Some(steps) && r.metric == *name).map(|r| r.mean)
                    };
                    if let Some(values) = names.iter().map(value).collect::<Option<Vec<f64>>>() {
                        points.push((steps as f64, values));
                    }
                }
                if points.is_empty() {
                    continue;
                }
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
                let slope = mine().find(|r| r.metric == SLOPE).map(|r| r.mean);
                let note =
                    slope.map_or_else(String::new, |s| format!("solver: slope {s:.2}").replace('-', "−"));
                let several = recipe.grids.len() > 1;
                let title =
                    if several { format!("{}, {}", method.label, grid.label) } else { method.label.clone() };
                panels.push((title, points, note));
            }
        }
        let panels: Vec<PartsPanel<'_>> = panels
            .iter()
            .map(|(title, points, note)| PartsPanel { title, points: points.clone(), note: note.clone() })
            .collect();
        let stem = dir.join(file_name(&format!("errors-{data}-{}", sde.label)));
        let title = format!("Where errors come from: {data} under {}", sde.label);
        plot::parts(&stem, &title, &shown, &panels)?;
    }
    Ok(())
}
