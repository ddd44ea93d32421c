//! Lists in recipes, which mean every combination, and `KEY=VALUE` overrides.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::section::{Section, named};
use crate::error::{Error, Result};

/// Options whose value is a list by nature; a list anywhere else means every combination.
const LISTS: [&str; 5] = ["times", "weights", "means", "covs", "bandwidths"];
/// Choices under one key.
const MOST_CHOICES: usize = 1000;

/// The choices under a key: a name, a table with a `name` and options, or a list of these; an option with a list of values gives one
/// choice for each.
pub(super) fn choices(top: &Section, key: &'static str, default: &str) -> Result<Vec<Section>> {
    let items = match top.value(key, default) {
        None => vec![Value::String(default.to_owned())],
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(top.broken(key, "[]", "hold at least one name"));
        }
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let all: f64 = items.iter().map(count).sum();
    if all > MOST_CHOICES as f64 {
        let rule = format!("mean at most {MOST_CHOICES} choices in all, for each makes rows of every table");
        return Err(top.broken(key, format!("… of {all:.0} choices"), &rule));
    }
    let mut out: Vec<Section> = Vec::new();
    let several = items.len() > 1;
    for (i, item) in items.into_iter().enumerate() {
        let place = if several { format!("{key}[{i}]") } else { key.to_owned() };
        let table = match item {
            Value::String(name) => named(&name),
            Value::Table(table) => table,
            other => {
                return Err(top.broken(key, other, "be a name, a table with a `name`, or a list of these"));
            }
        };
        out.extend(
            combinations(&table).into_iter().map(|table| Section::new(top.file(), place.as_str(), table)),
        );
    }
    Ok(out)
}

/// How many choices an item means, counted before any is made.
fn count(item: &Value) -> f64 {
    let of = |(key, value): (&String, &Value)| match value {
        Value::Array(items) if !LISTS.contains(&key.as_str()) && !items.is_empty() => items.len() as f64,
        inner => count(inner),
    };
    item.as_table().map_or(1.0, |table| table.iter().map(of).product())
}

/// Every way to take one value from each list in a table.
fn combinations(table: &Table) -> Vec<Table> {
    let mut out = vec![Table::new()];
    for (key, value) in table {
        let values = match value {
            Value::Array(items) if !LISTS.contains(&key.as_str()) && !items.is_empty() => items.clone(),
            Value::Table(inner) => combinations(inner).into_iter().map(Value::Table).collect(),
            one => vec![one.clone()],
        };
        let extended = out.iter().flat_map(|t| {
            values.iter().map(move |v| {
                let mut t = t.clone();
                t.insert(key.clone(), v.clone());
                t
            })
        });
        out = extended.collect();
    }
    out
}

/// Whole numbers under a key, `least` or more, one or a list.
pub(super) fn integers(top: &Section, key: &'static str, default: u64, least: u64) -> Result<Vec<u64>> {
    let items = match top.value(key, &default.to_string()) {
        None => return Ok(vec![default]),
        Some(Value::Array(items)) if items.is_empty() => {
            return Err(top.broken(key, "[]", "hold at least one number"));
        }
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let whole = |v: &Value| v.as_integer().and_then(|i| u64::try_from(i).ok()).filter(|n| *n >= least);
    let rule = format!("be a whole number, or a list of them, {least} or more");
    let (mut out, mut met) = (Vec::new(), BTreeSet::new());
    for item in &items {
        let n = whole(item).ok_or_else(|| top.broken(key, item, &rule))?;
        if met.insert(n) {
            out.push(n);
        }
    }
    Ok(out)
}

/// Puts `a.b=value` into a table. The value is read as TOML, and as a text where it is none.
///
/// # Errors
/// If there is no `=`, or a part of the path is not a table.
pub fn override_key(table: &mut Table, text: &str) -> Result<()> {
    let bad = |what: &str| Error::Input(format!("--set {text}: {what}, as in --set train.steps=500"));
    let (path, value) = text.split_once('=').ok_or_else(|| bad("write KEY=VALUE"))?;
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
    let value = parsed.unwrap_or_else(|| Value::String(value.to_owned()));
    let mut parts: Vec<&str> = path.trim().split('.').collect();
    let last = parts.pop().filter(|l| !l.is_empty()).ok_or_else(|| bad("write KEY=VALUE"))?;
    let mut here = table;
    for part in parts {
        let entry = here.entry(part).or_insert_with(|| Value::Table(Table::new()));
        if let Value::String(name) = entry {
            *entry = Value::Table(named(name));
        }
        here = entry.as_table_mut().ok_or_else(|| bad(&format!("`{part}` is not a table")))?;
    }
    here.insert(last.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(text: &str) -> Section {
        Section::new("r.toml", "", text.parse().unwrap())
    }

    #[test]
    fn lists_mean_every_combination() {
        let top = top(r#"method = ["heun", { name = "rk45", rtol = [1e-3, 1e-5] }, "heun"]
            grid = { name = "explicit", times = [1.0, 0.1] }
            pc = { name = "predictor-corrector", snr = [0.1, 0.2], predictor = { name = "euler-maruyama", lambda = [0, 1] } }"#);
        let tables =
            |key| choices(&top, key, "x").unwrap().iter().map(|s| s.table().clone()).collect::<Vec<_>>();
        let wanted =
            ["name = 'heun'", "name = 'rk45'\nrtol = 1e-3", "name = 'rk45'\nrtol = 1e-5", "name = 'heun'"];
        assert_eq!(tables("method"), wanted.map(|text| text.parse::<Table>().unwrap()));
        assert_eq!(tables("grid"), ["name = 'explicit'\ntimes = [1.0, 0.1]".parse::<Table>().unwrap()]);
        assert_eq!(tables("pc").len(), 4);
        assert_eq!(tables("absent"), [named("x")]);
        assert_eq!(integers(&top, "seed", 3, 0).unwrap(), [3]);
    }

    /// 2000 × 2000 options are counted, not made.
    #[test]
    fn too_many_are_refused_before_they_are_made() {
        let list = (0..2000).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
        let inner = format!("{{ name = \"euler-maruyama\", lambda = [{list}] }}");
        for (method, all) in [
            (format!("{{ name = \"rk45\", rtol = [{list}], atol = [{list}] }}"), "4000000"),
            (format!("{{ name = \"predictor-corrector\", snr = [{list}], predictor = {inner} }}"), "4000000"),
            (format!("[{}]", "\"heun\", ".repeat(1001)), "1001"),
        ] {
            let error = choices(&top(&format!("method = {method}")), "method", "x").unwrap_err().to_string();
            assert!(
                error.contains(&format!("of {all} choices")) && error.contains("at most 1000"),
                "{error}"
            );
        }
    }

    #[test]
    fn overrides_reach_into_tables() {
        let mut table: Table = "seed = 1\nsde = \"vp\"".parse().unwrap();
        for text in ["seed=[1, 2]", "train.steps=50", "sde.beta-max=10", "data=two-moons"] {
            override_key(&mut table, text).unwrap();
        }
        let wanted: Table = "seed = [1, 2]\nsde = { name = \"vp\", beta-max = 10 }\ntrain = { steps = 50 }\ndata = \"two-moons\"".parse().unwrap();
        assert_eq!(table, wanted);
        for bad in ["seed", "=3", "seed.x=1"] {
            assert!(override_key(&mut table, bad).is_err());
        }
    }
}
