//! Tables for documents: the methods as they stand on the shelf, and their orders as measured.

use tweedie_solvers::method::{Method, Order};

use crate::error::Result;
use crate::recipe::{Section, named};
use crate::registry::{METHODS, default_name};
use crate::verify::Check;

/// The methods with their defaults, one table for each family.
pub(super) fn methods() -> Result<String> {
    let mut out = String::new();
    for family in METHODS.families {
        out += &format!("### {}\n\n", family.name);
        out += "| method | what it is | order | evaluations | grid | options |\n|---|---|---|---|---|---|\n";
        for entry in family.entries {
            let method = METHODS.build(&Section::new("list", "", named(entry.name)))?;
            let options = METHODS.options(entry);
            let options: Vec<String> =
                options.iter().map(|(key, value)| format!("`{key} = {value}`")).collect();
            out += &format!(
                "| `{}` | {} | {} | {} | {} | {} |\n",
                entry.name,
                entry.about,
                order(method.order()),
                cost(&*method),
                grid(&*method),
                options.join(", ")
            );
        }
        out.push('\n');
    }
    Ok(out)
}

/// The grid that goes with a method but under SDEs that overrule it; a dash for those that choose their own steps.
pub(super) fn grid(method: &dyn Method) -> &'static str {
    if method.adaptive() { "–" } else { default_name(method.default_grid()) }
}

fn order(order: Order) -> String {
    match order {
        Order::Deterministic(n) => n.to_string(),
        Order::Stochastic { weak, strong: Some(strong) } => format!("weak {weak}, strong {strong}"),
        Order::Stochastic { weak, strong: None } => format!("weak {weak}"),
        Order::None => "–".to_owned(),
    }
}

/// `2 a step`, `2 a step + 8`, or `adaptive`.
fn cost(method: &dyn Method) -> String {
    let Some((one, two)) = method.evals(1).zip(method.evals(2)) else { return "adaptive".to_owned() };
    let (each, more) = (two - one, one - (two - one));
    if more == 0 { format!("{each} a step") } else { format!("{each} a step + {more}") }
}

/// Measured orders, a row for each method and kind of order: on each SDE, in the order of the grids that were measured on.
pub(super) fn orders(checks: &[Check]) -> String {
    const SDES: [&str; 3] = ["vp", "ve", "sub-vp"];
    let mut rows: Vec<(String, f64, [Vec<f64>; 3])> = Vec::new();
    for check in checks {
        // `METHOD on SDE, GRID: KIND`.
        let Some((method, rest)) = check.name.split_once(" on ") else { continue };
        let Some((sde, rest)) = rest.split_once(", ") else { continue };
        let Some((_, kind)) = rest.rsplit_once(": ") else { continue };
        let (Some(column), true) = (SDES.iter().position(|s| *s == sde), kind.ends_with("order")) else {
            continue;
        };
        let label = format!("`{method}`{}", kind.strip_suffix("order").unwrap_or_default().trim_end());
        let label = label.replace("`weak", "`, weak").replace("`strong", "`, strong");
        match rows.iter_mut().find(|r| r.0 == label) {
            Some(row) => row.2[column].push(check.measured),
            None => {
                let mut row = (label, check.expected, [vec![], vec![], vec![]]);
                row.2[column].push(check.measured);
                rows.push(row);
            }
        }
    }
    let mut out = "| method | order | vp | ve | sub-vp |\n|---|---|---|---|---|\n".to_owned();
    for (label, expected, measured) in rows {
        let cells = measured.map(|m| m.iter().map(|v| format!("{v:.2}")).collect::<Vec<_>>().join(", "));
        out += &format!("| {label} | {expected} | {} |\n", cells.join(" | "));
    }
    out
}
