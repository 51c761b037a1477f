//! YAML, and JSON with it, as a tree in which every part knows where it was written.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// Line and column of a file, both counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    pub line: usize,
    pub column: usize,
}

impl From<Marker> for At {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub at: At,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    /// Without quotes: what it is depends on who reads it.
    Plain(String),
    Quoted(String),
    /// A block whose lines are lines of the file.
    Literal(String),
    List(Vec<Rc<Node>>),
    Map(Vec<(Key, Rc<Node>)>),
}

#[derive(Clone, Debug)]
pub struct Key {
    pub at: At,
    pub name: String,
}

impl Node {
    pub fn map(&self) -> &[(Key, Rc<Self>)] {
        if let Content::Map(entries) = &self.content { entries } else { &[] }
    }

    pub fn list(&self) -> &[Rc<Self>] {
        if let Content::List(items) = &self.content { items } else { &[] }
    }

    pub fn get(&self, name: &str) -> Option<&Rc<Self>> {
        self.map().iter().find(|(key, _)| key.name == name).map(|(_, value)| value)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Plain(text) | Content::Quoted(text) | Content::Literal(text) => Some(text),
            Content::List(_) | Content::Map(_) => None,
        }
    }
}

/// A collection that is not at its end yet.
struct Open {
    at: At,
    anchor: usize,
    key: Option<Key>,
    content: Content,
}

/// The documents of a file.
pub fn documents(text: &str) -> Result<Vec<Rc<Node>>, (At, String)> {
    let (mut documents, mut open, mut anchors) = (Vec::new(), Vec::<Open>::new(), HashMap::new());
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| (At::from(*error.marker()), error.info().to_owned()))?;
        let at = At::from(span.start);
        let node = match event {
            Event::SequenceStart(anchor, _) => {
                open.push(Open { at, anchor, key: None, content: Content::List(Vec::new()) });
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open { at, anchor, key: None, content: Content::Map(Vec::new()) });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { at, anchor, content, .. }) = open.pop() else { continue };
                anchored(&mut anchors, anchor, Node { at, content })
            }
            Event::Scalar(text, style, anchor, _) => {
                let text = text.into_owned();
                let content = match style {
                    ScalarStyle::Plain => Content::Plain(text),
                    ScalarStyle::Literal => Content::Literal(text),
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted | ScalarStyle::Folded => {
                        Content::Quoted(text)
                    }
                };
                anchored(&mut anchors, anchor, Node { at, content })
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => Rc::clone(node),
                None => return Err((at, "an alias inside of what it stands for".to_owned())),
            },
            _ => continue,
        };
        match open.last_mut() {
            None => documents.push(node),
            Some(Open { content: Content::List(items), .. }) => items.push(node),
            Some(Open { content: Content::Map(entries), key, .. }) => match (key.take(), node.text()) {
                (Some(key), _) => entries.push((key, node)),
                (None, Some(name)) => *key = Some(Key { at, name: name.to_owned() }),
                (None, None) => return Err((at, "a key must be a name".to_owned())),
            },
            Some(_) => {}
        }
    }
    Ok(documents)
}

fn anchored(anchors: &mut HashMap<usize, Rc<Node>>, anchor: usize, node: Node) -> Rc<Node> {
    let node = Rc::new(node);
    if anchor != 0 {
        anchors.insert(anchor, Rc::clone(&node));
    }
    node
}
