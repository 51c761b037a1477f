//! The rows of the tables of texts, each with a document that has something there.

use crate::json::{Field, Want};
use crate::llm::schema;
use crate::llm::texts::{Place, Text, Texts};
use serde_json::{Value, json};

type Table = &'static [Field<Text>];

/// A row, by the way to it: the last of these.
#[derive(Clone)]
pub struct Row {
    pub api: &'static str,
    way: Vec<(Table, &'static Field<Text>)>,
}

/// Stands for every key that a table doesn't know.
const UNHEARD_OF: &str = "unheard_of";

/// All rows of one kind of table, of each API; what several share, once.
pub fn all(table: impl Fn(&Texts) -> Table) -> Vec<Row> {
    let (mut seen, mut rows) = (Vec::<Table>::new(), Vec::new());
    for schema in schema::ALL {
        let table = table(&Texts::of(schema));
        if !seen.iter().any(|known| std::ptr::eq(*known, table)) {
            seen.push(table);
            walk(schema.name, table, &mut Vec::new(), &mut rows);
        }
    }
    rows
}

fn walk(api: &'static str, table: Table, way: &mut Vec<(Table, &'static Field<Text>)>, rows: &mut Vec<Row>) {
    for field in table {
        way.push((table, field));
        rows.push(Row { api, way: way.clone() });
        // What a table doesn't know leads to itself.
        if !std::ptr::eq(field.inside, table) && way.len() < 12 {
            walk(api, field.inside, way, rows);
        }
        way.pop();
    }
}

impl Row {
    pub fn field(&self) -> &'static Field<Text> {
        self.way.last().unwrap().1
    }

    pub fn schema(&self) -> &'static schema::Schema {
        schema::named(self.api).unwrap()
    }

    /// Whose a text of this row is, in a message without a role, and in an event of no kind.
    pub fn place(&self, of_nobody: Place) -> Place {
        match self.field().key {
            Some(Text::In { place, .. }) => place.unwrap_or(of_nobody),
            Some(Text::Message) => Place::User,
            _ => Place::Document,
        }
    }

    /// Whether keys that stand in it are looked at.
    pub fn has_rest(&self) -> bool {
        self.field().inside.last().is_some_and(|last| last.is_rest() && last.want == Want::Pieces)
    }

    /// Whether something on the way says which of several it is.
    pub fn has_index(&self) -> bool {
        self.way.iter().any(|(table, _)| index(table).is_some())
    }

    /// A document that has `leaf` in this row; the outermost that may be one of several is the `nth`.
    pub fn document(&self, leaf: Value, nth: Option<u64>) -> Value {
        let outermost = self.way.iter().position(|(table, _)| index(table).is_some());
        self.way.iter().enumerate().rev().fold(leaf, |inside, (depth, (table, field))| {
            let inside = match field.key {
                Some(Text::Turn | Text::Message) if !inside.is_string() => json!([inside]),
                _ => inside,
            };
            let mut object = json!({name(field): inside});
            if let (Some(nth), Some(index)) = (nth.filter(|_| outermost == Some(depth)), index(table))
                && index != field.name
            {
                object[index] = json!(nth);
            }
            object
        })
    }

    /// What a document has in this row.
    pub fn leaf<'v>(&self, document: &'v Value) -> &'v Value {
        self.way.iter().fold(document, |value, (_, field)| {
            let value = &value[name(field)];
            if matches!(field.key, Some(Text::Turn | Text::Message)) { value.get(0).unwrap_or(value) } else { value }
        })
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.api)?;
        self.way.iter().try_for_each(|(_, field)| write!(f, ".{}", name(field)))
    }
}

fn name(field: &Field<Text>) -> &'static str {
    if field.is_rest() { UNHEARD_OF } else { field.name }
}

fn index(table: Table) -> Option<&'static str> {
    table.iter().find(|field| field.key == Some(Text::Index)).map(|field| field.name)
}
