//! A strict reader of one table of a recipe: every key that is asked for is known, every other is an error; and since each key is
//! asked for together with its default, the reader of an empty table is also the list of options that `tweedie list` prints.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::rc::Rc;

use toml::{Table, Value};

use super::answers::{Asked, Unset};
use crate::error::{Error, Result, nearest, suggest};

/// One table, with the place that error messages name. A clone shares the list of what was asked.
#[derive(Clone, Debug)]
pub struct Section {
    file: String,
    path: String,
    pub(super) table: Table,
    pub(super) asked: Rc<RefCell<Vec<Asked>>>,
}

impl Section {
    /// The table at `path` (such as `sde`, or empty for the top) of a file.
    pub fn new(file: impl Into<String>, path: impl Into<String>, table: Table) -> Self {
        Self { file: file.into(), path: path.into(), table, asked: Rc::default() }
    }

    /// An empty table, for reading defaults.
    pub fn empty() -> Self {
        Self::new("", "", Table::new())
    }

    /// The table itself.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The file that the table stands in.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// `sde.beta-min`, or the key alone at the top.
    fn full(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The error that a value breaks a rule; `rule` is read after "it must".
    pub fn broken(&self, key: &str, value: impl std::fmt::Display, rule: &str) -> Error {
        Error::Input(format!("{}: {} = {value}, but it must {rule}", self.file, self.full(key)))
    }

    /// An error of a constructor, with the file and the key in front.
    pub fn wrap(&self, error: tweedie_solvers::Error) -> Error {
        match error {
            tweedie_solvers::Error::Parameter { name, value, rule } => self.broken(&name, value, &rule),
            other => Error::Input(format!("{}: {other}", self.file)),
        }
    }

    /// The same where a choice under `key` is what broke the rule: it is called as it was written.
    pub fn wrap_choice(&self, error: tweedie_solvers::Error, key: &str, typed: &str) -> Error {
        match error {
            tweedie_solvers::Error::Parameter { name, rule, .. } if name == key => {
                self.broken(key, typed, &rule)
            }
            other => self.wrap(other),
        }
    }

    fn ask(&self, key: &'static str, default: impl Into<Unset>) -> Option<&Value> {
        let mut asked = self.asked.borrow_mut();
        if asked.iter().all(|a| a.key != key) {
            asked.push(Asked { key, default: default.into(), inner: None });
        }
        self.table.get(key)
    }

    /// The reader of a table under a key that was asked for.
    fn inner(&self, key: &'static str, table: Table) -> Self {
        let inner = Self::new(self.file.clone(), self.full(key), table);
        self.asked
            .borrow_mut()
            .iter_mut()
            .filter(|a| a.key == key)
            .for_each(|a| a.inner = Some(inner.clone()));
        inner
    }

    /// Makes a key known that need not be given.
    pub fn known(&self, key: &'static str) {
        self.ask(key, Unset::meaning("not given"));
    }

    /// Whether the key is given.
    pub fn has(&self, key: &'static str) -> bool {
        self.table.contains_key(key)
    }

    /// Checks that keys which mean nothing beside another are not given; `rule` is read after "it must".
    ///
    /// # Errors
    /// If one is.
    pub fn excluded(&self, keys: &[&'static str], rule: &str) -> Result<()> {
        let given = keys.iter().find_map(|key| Some((key, self.table.get(*key)?)));
        given.map_or(Ok(()), |(key, value)| Err(self.broken(key, value, rule)))
    }

    /// A number, or its default.
    ///
    /// # Errors
    /// If the value is not a number.
    pub fn number(&self, key: &'static str, default: f64) -> Result<f64> {
        match self.ask(key, Unset::Value(Value::Float(default))) {
            None => Ok(default),
            Some(value) => self.as_number(key, value),
        }
    }

    /// A number that may be left out, in which case `meaning` says what happens.
    ///
    /// # Errors
    /// If the value is not a number.
    pub fn optional(&self, key: &'static str, meaning: &str) -> Result<Option<f64>> {
        self.ask(key, Unset::meaning(meaning)).map(|value| self.as_number(key, value)).transpose()
    }

    fn as_number(&self, key: &str, value: &Value) -> Result<f64> {
        match value {
            Value::Float(v) => Ok(*v),
            Value::Integer(v) => Ok(*v as f64),
            other => Err(self.broken(key, other, "be a number")),
        }
    }

    /// A whole number in a range, or its default.
    ///
    /// # Errors
    /// If the value is not such.
    pub fn integer(&self, key: &'static str, default: u64, within: RangeInclusive<u64>) -> Result<u64> {
        match self.ask(key, Unset::Value(Value::Integer(default as i64))) {
            None => Ok(default),
            Some(Value::Integer(v)) if u64::try_from(*v).is_ok_and(|v| within.contains(&v)) => Ok(*v as u64),
            Some(other) => {
                let rule = match (*within.start(), *within.end()) {
                    (least, u64::MAX) => format!("be a whole number, {least} or more"),
                    (least, most) => format!("be a whole number from {least} to {most}"),
                };
                Err(self.broken(key, other, &rule))
            }
        }
    }

    /// `true` or `false`, or its default.
    ///
    /// # Errors
    /// If the value is neither.
    pub fn boolean(&self, key: &'static str, default: bool) -> Result<bool> {
        match self.ask(key, Unset::Value(Value::Boolean(default))) {
            None => Ok(default),
            Some(Value::Boolean(v)) => Ok(*v),
            Some(other) => Err(self.broken(key, other, "be true or false")),
        }
    }

    /// A text, or its default.
    ///
    /// # Errors
    /// If the value is not a text.
    pub fn text(&self, key: &'static str, default: &str) -> Result<String> {
        match self.ask(key, default) {
            None => Ok(default.to_owned()),
            Some(Value::String(v)) => Ok(v.clone()),
            Some(other) => Err(self.broken(key, other, "be a text in quotes")),
        }
    }

    /// One of some names.
    ///
    /// # Errors
    /// If the value is none of them.
    pub fn choice<T: Copy>(
        &self,
        key: &'static str,
        names: &[(&'static str, T)],
        default: &str,
    ) -> Result<T> {
        let typed = self.text(key, default)?;
        let found = names.iter().find(|(name, _)| *name == typed).map(|(_, value)| *value);
        found.ok_or_else(|| {
            let known = suggest(&typed, names.iter().map(|(name, _)| *name));
            Error::Input(format!("{}: {} = \"{typed}\" is not known; {known}", self.file, self.full(key)))
        })
    }

    /// A list of numbers that must be given.
    ///
    /// # Errors
    /// If it is missing or not such a list.
    pub fn numbers(&self, key: &'static str, meaning: &str) -> Result<Vec<f64>> {
        self.maybe_numbers(key, meaning)?.ok_or_else(|| self.missing(key))
    }

    /// A list of numbers that may be left out.
    ///
    /// # Errors
    /// If it is not such a list.
    pub fn maybe_numbers(&self, key: &'static str, meaning: &str) -> Result<Option<Vec<f64>>> {
        self.ask(key, Unset::meaning(meaning)).map(|value| self.as_numbers(key, value)).transpose()
    }

    fn as_numbers(&self, key: &str, value: &Value) -> Result<Vec<f64>> {
        let Value::Array(items) = value else { return Err(self.broken(key, value, "be a list of numbers")) };
        items.iter().map(|v| self.as_number(key, v)).collect()
    }

    /// A list of lists of numbers that must be given.
    ///
    /// # Errors
    /// If it is missing or not such a list.
    pub fn matrix(&self, key: &'static str, meaning: &str) -> Result<Vec<Vec<f64>>> {
        let value = self.ask(key, Unset::meaning(meaning)).ok_or_else(|| self.missing(key))?;
        self.rows(key, value)
    }

    fn rows(&self, key: &str, value: &Value) -> Result<Vec<Vec<f64>>> {
        let Value::Array(items) = value else {
            return Err(self.broken(key, value, "be a list of lists of numbers"));
        };
        items.iter().map(|row| self.as_numbers(key, row)).collect()
    }

    /// A list of matrices that must be given.
    ///
    /// # Errors
    /// If it is missing or not such a list.
    pub fn matrices(&self, key: &'static str, meaning: &str) -> Result<Vec<Vec<Vec<f64>>>> {
        let value = self.ask(key, Unset::meaning(meaning)).ok_or_else(|| self.missing(key))?;
        let Value::Array(items) = value else { return Err(self.broken(key, value, "be a list of matrices")) };
        items.iter().map(|matrix| self.rows(key, matrix)).collect()
    }

    /// A nested choice: a name, or a table with a `name`.
    ///
    /// # Errors
    /// If the value is neither.
    pub fn nested(&self, key: &'static str, default: &str) -> Result<Self> {
        let table = match self.ask(key, default) {
            None => named(default),
            Some(Value::String(name)) => named(name),
            Some(Value::Table(table)) => table.clone(),
            Some(other) => return Err(self.broken(key, other, "be a name or a table with a `name`")),
        };
        Ok(self.inner(key, table))
    }

    /// A table, empty if it is not given.
    ///
    /// # Errors
    /// If the value is not a table.
    pub fn section(&self, key: &'static str) -> Result<Self> {
        let table = match self.ask(key, "") {
            None => Table::new(),
            Some(Value::Table(table)) => table.clone(),
            Some(other) => return Err(self.broken(key, other, "be a table")),
        };
        Ok(self.inner(key, table))
    }

    /// The value as it stands, for what is read elsewhere.
    pub fn value(&self, key: &'static str, default: &str) -> Option<&Value> {
        self.ask(key, default)
    }

    /// The error that a key must be given.
    pub fn missing(&self, key: &str) -> Error {
        let asked = self.asked.borrow();
        let unknown = self.table.keys().map(String::as_str).filter(|k| asked.iter().all(|a| a.key != *k));
        let hint = match nearest(key, unknown) {
            Some(typed) => format!("; is that what `{typed}` means?"),
            None => String::new(),
        };
        Error::Input(format!("{}: {} must be given{hint}", self.file, self.full(key)))
    }

    /// Checks that no key is left that was not asked for.
    ///
    /// # Errors
    /// If there is one; the sentence names the nearest known key.
    pub fn finish(&self) -> Result<()> {
        let asked = self.asked.borrow();
        let unknown = self.table.keys().find(|k| asked.iter().all(|a| a.key != k.as_str()));
        unknown.map_or(Ok(()), |key| {
            let known = suggest(key, asked.iter().map(|a| a.key));
            Err(Error::Input(format!("{}: the key `{}` is not known; {known}", self.file, self.full(key))))
        })
    }
}

/// `{ name = "…" }`.
pub fn named(name: &str) -> Table {
    Table::from_iter([("name".to_owned(), Value::String(name.to_owned()))])
}
