use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Mistake;

/// A table of a configuration file, read key by key. What is wrong, and what is never asked for, is noted.
pub(super) struct Section<'t, 'm> {
    text: &'t str,
    path: String,
    table: DeTable<'t>,
    asked: BTreeSet<String>,
    mistakes: &'m mut Vec<Mistake>,
}

impl<'t, 'm> Section<'t, 'm> {
    pub(super) fn root(text: &'t str, mistakes: &'m mut Vec<Mistake>) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        mistakes.extend(errors.iter().map(|error| {
            let line = error.span().map(|span| line_of(text, span.start));
            Mistake::new(line, "", error.message())
        }));
        let table = table.into_inner();
        Self { text, path: String::new(), table, asked: BTreeSet::new(), mistakes }
    }

    /// A table within this one.
    pub(super) fn table(&mut self, name: &str, read: impl FnOnce(&mut Section<'t, '_>)) {
        let Some(value) = self.take(name) else { return };
        match value.get_ref() {
            DeValue::Table(table) => self.within(name, table.clone(), read),
            _ => self.mistake(name, "must be a table"),
        }
    }

    fn within<T>(&mut self, name: &str, table: DeTable<'t>, read: impl FnOnce(&mut Section<'t, '_>) -> T) -> T {
        let path = self.path_of(name);
        let mut section = Section { text: self.text, path, table, asked: BTreeSet::new(), mistakes: self.mistakes };
        let value = read(&mut section);
        section.finish();
        value
    }

    /// A string that `parse` understands.
    pub(super) fn value<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>, into: &mut T) {
        let Some(value) = self.take(name) else { return };
        match string(&value, parse) {
            Ok(value) => *into = value,
            Err(why) => self.mistake(name, why),
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, name: &str, into: &mut bool) {
        match self.take(name).as_ref().map(Spanned::get_ref) {
            None => {}
            Some(DeValue::Boolean(value)) => *into = *value,
            Some(_) => self.mistake(name, "must be true or false, without quotes"),
        }
    }

    /// A whole number within a range.
    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<usize>, into: &mut usize) {
        let mut number = None;
        self.optional_number(name, range, &mut number);
        *into = number.unwrap_or(*into);
    }

    /// A whole number within a range, where there is one.
    pub(super) fn optional_number(&mut self, name: &str, range: RangeInclusive<usize>, into: &mut Option<usize>) {
        let Some(value) = self.take(name) else { return };
        let number = match value.get_ref() {
            DeValue::Integer(number) => usize::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok(),
            _ => None,
        };
        match number.filter(|number| range.contains(number)) {
            Some(number) => *into = Some(number),
            None => self.mistake(name, format!("must be a whole number from {} to {}", range.start(), range.end())),
        }
    }

    /// A string, a table, or an array of both. What `read` gives none for it has noted itself.
    pub(super) fn items<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        read: impl Fn(&mut Section<'t, '_>) -> Option<T>,
        into: &mut Vec<T>,
    ) {
        for item in self.list(name) {
            match item.get_ref() {
                DeValue::Table(table) => into.extend(self.within(name, table.clone(), &read)),
                _ => match string(&item, &parse) {
                    Ok(value) => into.push(value),
                    Err(why) => self.mistake_in(name, &item, why),
                },
            }
        }
    }

    /// A string, or an array of strings.
    pub(super) fn values<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>, into: &mut Vec<T>) {
        for item in self.list(name) {
            match string(&item, &parse) {
                Ok(value) => into.push(value),
                Err(why) => self.mistake_in(name, &item, why),
            }
        }
    }

    /// Whether there is a value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Whether the value is a table.
    pub(super) fn is_table(&self, name: &str) -> bool {
        self.table.get(name).is_some_and(|value| matches!(value.get_ref(), DeValue::Table(_)))
    }

    /// The names in this table.
    pub(super) fn names(&self) -> Vec<String> {
        self.table.keys().map(|name| name.get_ref().to_string()).collect()
    }

    pub(super) fn mistake(&mut self, name: &str, why: impl Into<String>) {
        let key = self.table.get_key_value(name).map(|(key, _)| key.span().start);
        let line = key.map(|start| line_of(self.text, start));
        self.mistakes.push(Mistake::new(line, self.path_of(name), why));
    }

    /// Notes what is wrong with one of several items, which may stand on a line of its own.
    fn mistake_in(&mut self, name: &str, item: &Spanned<DeValue<'_>>, why: String) {
        let line = line_of(self.text, item.span().start);
        self.mistakes.push(Mistake::new(Some(line), self.path_of(name), why));
    }

    /// Notes the names that nobody asked for.
    pub(super) fn finish(mut self) {
        for name in self.names() {
            if !self.asked.contains(&name) {
                let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
                let why = format!("is not a setting; here there are: {}", known.join(", "));
                self.mistake(&name, why);
            }
        }
    }

    /// The items of an array; what is none is one item.
    fn list(&mut self, name: &str) -> Vec<Spanned<DeValue<'t>>> {
        let Some(value) = self.take(name) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().cloned().collect(),
            _ => vec![value],
        }
    }

    fn take(&mut self, name: &str) -> Option<Spanned<DeValue<'t>>> {
        self.asked.insert(name.to_owned());
        self.table.get(name).cloned()
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

fn string<T>(value: &Spanned<DeValue<'_>>, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, String> {
    match value.get_ref() {
        DeValue::String(text) => parse(text),
        _ => Err("must be text in quotes".into()),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}
