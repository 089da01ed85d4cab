//! Reads a file of settings key by key, and notes everything that is wrong with it.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Something wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// From 1; `None` where something is missing.
    pub line: Option<usize>,
    /// What it is about; empty where the file is no TOML.
    pub setting: String,
    /// What is wrong, in words.
    pub why: String,
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.setting.is_empty() {
            write!(f, "{} ", self.setting)?;
        }
        f.write_str(&self.why)
    }
}

/// A table.
pub(super) struct Sheet<'t, 'm> {
    text: &'t str,
    path: String,
    table: DeTable<'t>,
    /// Where the table begins.
    begins: Option<usize>,
    asked: BTreeSet<String>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'t, 'm> Sheet<'t, 'm> {
    pub(super) fn root(text: &'t str, mistakes: &'m mut Vec<Mistake>) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        mistakes.extend(errors.iter().map(|error| Mistake {
            line: error.span().map(|span| line_of(text, span.start)),
            setting: String::new(),
            why: error.message().to_owned(),
        }));
        Self { text, path: String::new(), table: table.into_inner(), begins: None, asked: BTreeSet::new(), mistakes }
    }

    /// A text that `parse` understands.
    pub(super) fn parsed<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.take(name)?;
        let parsed = match value.get_ref() {
            DeValue::String(text) => parse(text),
            _ => Err("must be text in quotes".to_owned()),
        };
        parsed.map_err(|why| self.mistake(name, why)).ok()
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.parsed(name, |text| Ok(text.to_owned()))
    }

    /// Something without which the rest means nothing.
    pub(super) fn needed<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.table.contains_key(name) {
            let (line, setting) = (self.begins, self.path_of(name));
            self.mistakes.push(Mistake { line, setting, why: "is missing".to_owned() });
        }
        value
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.take(name)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.mistake(name, "must be a whole number, without quotes");
        }
        number
    }

    /// `true` or `false`; `false` where there is nothing.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.take(name).as_ref().map(Spanned::get_ref) {
            None => false,
            Some(DeValue::Boolean(value)) => *value,
            Some(_) => {
                self.mistake(name, "must be true or false, without quotes");
                false
            }
        }
    }

    /// An array of texts.
    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.take(name) else { return Vec::new() };
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
            _ => None,
        };
        items.unwrap_or_else(|| {
            self.mistake(name, "must be an array of texts, like [\"a\", \"b\"]");
            Vec::new()
        })
    }

    /// A table within this one.
    pub(super) fn table(&mut self, name: &str, read: impl FnOnce(&mut Sheet<'t, '_>)) {
        let Some(value) = self.take(name) else { return };
        match value.get_ref() {
            DeValue::Table(table) => self.within(name.to_owned(), &value, table, read),
            _ => self.mistake(name, format!("must be a table: [{name}]")),
        }
    }

    /// Each table of an array of tables.
    pub(super) fn each(&mut self, name: &str, mut read: impl FnMut(&mut Sheet<'t, '_>)) {
        let Some(value) = self.take(name) else { return };
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => Vec::new(),
        };
        let mut tables = items.iter().filter_map(|item| Some((item, item.get_ref().as_table()?))).peekable();
        if tables.peek().is_none() {
            self.mistake(name, format!("must be an array of tables: [[{name}]]"));
        }
        for (number, (item, table)) in tables.enumerate() {
            self.within(format!("{name} {}", number + 1), item, table, &mut read);
        }
    }

    fn within(
        &mut self,
        name: String,
        at: &Spanned<DeValue<'t>>,
        table: &DeTable<'t>,
        read: impl FnOnce(&mut Sheet<'t, '_>),
    ) {
        let mut sheet = Sheet {
            text: self.text,
            path: name,
            table: table.clone(),
            begins: Some(line_of(self.text, at.span().start)),
            asked: BTreeSet::new(),
            mistakes: self.mistakes,
        };
        read(&mut sheet);
        sheet.finish();
    }

    pub(super) fn mistake(&mut self, name: &str, why: impl Into<String>) {
        let key = self.table.get_key_value(name).map(|(key, _)| line_of(self.text, key.span().start));
        self.mistakes.push(Mistake { line: key.or(self.begins), setting: self.path_of(name), why: why.into() });
    }

    /// Notes the names that nobody asked for.
    pub(super) fn finish(mut self) {
        let names: Vec<String> = self.table.keys().map(|name| name.get_ref().to_string()).collect();
        let known = self.asked.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        for name in names.iter().filter(|name| !self.asked.contains(*name)).cloned().collect::<Vec<_>>() {
            self.mistake(&name, format!("is not a setting; here there are: {known}"));
        }
    }

    fn take(&mut self, name: &str) -> Option<Spanned<DeValue<'t>>> {
        self.asked.insert(name.to_owned());
        self.table.get(name).cloned()
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}: {name}", self.path) }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}
