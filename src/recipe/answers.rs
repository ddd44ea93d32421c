//! What a reader was asked for: the list of options with their defaults, the table with every default filled in, and the label that
//! names what differs from the defaults.

use toml::{Table, Value};

use super::Section;

/// A key that was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) key: &'static str,
    pub(super) default: Unset,
    /// The reader of the value, where that is a table.
    pub(super) inner: Option<Section>,
}

/// What holds where a key is not given.
#[derive(Clone, Debug)]
pub(super) enum Unset {
    Value(Value),
    /// It depends, and these words say on what.
    Meaning(String),
}

impl From<&str> for Unset {
    fn from(text: &str) -> Self {
        Self::Value(Value::String(text.to_owned()))
    }
}

impl Unset {
    pub(super) fn meaning(words: &str) -> Self {
        Self::Meaning(words.to_owned())
    }

    fn shown(&self) -> String {
        match self {
            Self::Meaning(words) => words.clone(),
            Self::Value(value) => shown(value),
        }
    }
}

/// Numbers with their shortest digits, texts bare; lists are not spelled out.
fn shown(value: &Value) -> String {
    match value {
        // A control character is shown, not sent to a terminal or into a picture.
        Value::String(text) => {
            let one = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
            text.chars().map(one).collect()
        }
        Value::Float(v) => {
            let (plain, powers) = (v.to_string(), format!("{v:e}"));
            if plain.len() > 6 && powers.len() < plain.len() { powers } else { plain }
        }
        Value::Array(_) => "…".to_owned(),
        other => other.to_string(),
    }
}

impl Section {
    /// The keys that were asked for, with their defaults.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        self.asked.borrow().iter().map(|a| (a.key, a.default.shown())).collect()
    }

    /// The table with every key that was asked for: as given, or its default. Keys whose default depends on something stay out.
    pub fn resolved(&self) -> Table {
        let asked = self.asked.borrow();
        asked.iter().filter_map(|a| Some((a.key.to_owned(), self.resolve(a)?))).collect()
    }

    fn resolve(&self, asked: &Asked) -> Option<Value> {
        match (&asked.inner, self.table.get(asked.key), &asked.default) {
            (Some(inner), ..) => Some(Value::Table(inner.resolved())),
            // 1 and 1.0 are the same number.
            (None, Some(Value::Integer(given)), Unset::Value(Value::Float(_))) => {
                Some(Value::Float(*given as f64))
            }
            (None, Some(given), _) => Some(given.clone()),
            (None, None, Unset::Value(default)) => Some(default.clone()),
            (None, None, Unset::Meaning(_)) => None,
        }
    }

    /// `name`, or `name(option=value, …)` with the options that differ from their defaults.
    pub fn label(&self) -> String {
        let differs = |a: &Asked| {
            let label = match (&a.inner, self.resolve(a)?, &a.default) {
                (Some(inner), ..) => Some(inner.label()).filter(|label| *label != a.default.shown()),
                (None, value, Unset::Value(default)) => (value != *default).then(|| shown(&value)),
                (None, value, Unset::Meaning(_)) => Some(shown(&value)),
            };
            label.map(|label| format!("{}={label}", a.key))
        };
        let asked = self.asked.borrow();
        let options: Vec<String> = asked.iter().filter(|a| a.key != "name").filter_map(differs).collect();
        let name = self.table.get("name").and_then(Value::as_str).unwrap_or_default();
        if options.is_empty() { name.to_owned() } else { format!("{name}({})", options.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_name_what_differs_and_tables_hold_all() {
        let section = |text: &str| {
            let s = Section::new("r.toml", "method", text.parse().unwrap());
            s.text("name", "").unwrap();
            s.number("rtol", 1e-5).unwrap();
            s.integer("count", 1, 1..=9).unwrap();
            let inner = s.nested("inner", "plain").unwrap();
            inner.text("name", "").unwrap();
            inner.number("x", 2.0).unwrap();
            s.optional("size", "it depends").unwrap();
            s
        };
        for (text, label) in [
            ("name = 'm'", "m"),
            ("name = 'm'\ncount = 1\nrtol = 1e-5\ninner = { name = 'plain', x = 2 }", "m"),
            ("name = 'm'\nrtol = 1e-300", "m(rtol=1e-300)"),
            ("name = 'm'\ncount = 2\ninner = 'other'\nsize = 3", "m(count=2, inner=other, size=3)"),
            ("name = 'm'\ninner = { name = 'plain', x = 3 }", "m(inner=plain(x=3))"),
        ] {
            assert_eq!(section(text).label(), label);
            let table = section(text).resolved();
            let again = section(&table.to_string());
            assert_eq!((again.resolved(), again.label()), (table, label.to_owned()));
        }
        let all = section("name = 'm'").resolved().to_string();
        let wanted: Table =
            "name = 'm'\nrtol = 1e-5\ncount = 1\ninner = { name = 'plain', x = 2.0 }".parse().unwrap();
        assert_eq!(all, wanted.to_string());
        let options = section("name = 'm'").options();
        assert_eq!(options[1..3], [("rtol", "1e-5".to_owned()), ("count", "1".to_owned())]);
    }
}
