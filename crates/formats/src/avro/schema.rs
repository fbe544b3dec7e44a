//! Avro schemas, parsed into a table of nodes that refer to each other by index.
//!
//! Logical types are their underlying types, except decimals. An invalid logical type is ignored,
//! as the specification says.

use std::collections::HashMap;

use serde_json::{Map, Value};

/// Index of a node in [`Schema::nodes`].
pub(super) type NodeId = usize;

/// A schema.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    pub(super) nodes: Vec<Node>,
    pub(super) root: NodeId,
}

/// One type.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(Name, usize),
    /// A decimal with this scale, in a fixed or in bytes.
    Decimal(Option<(Name, usize)>, u32),
    Enum {
        name: Name,
        symbols: Vec<String>,
        default: Option<String>,
    },
    Array(NodeId),
    Map(NodeId),
    Union(Vec<NodeId>),
    Record {
        name: Name,
        fields: Vec<Field>,
    },
}

/// The name of a record, enum or fixed, without its namespace, by which schemas are matched.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
}

impl Name {
    /// Whether a reader's type of this name reads a writer's of that one.
    pub(super) fn reads(&self, writer: &Name) -> bool {
        self.name == writer.name || self.aliases.contains(&writer.name)
    }
}

/// A field of a record.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) aliases: Vec<String>,
    pub(super) node: NodeId,
    pub(super) default: Option<Value>,
}

impl Schema {
    /// Parses a schema's JSON text.
    pub(super) fn parse(text: &str, max_bytes: usize) -> Result<Schema, String> {
        let len = text.len();
        if len > max_bytes {
            return Err(format!("schema of {len} bytes, {max_bytes} bytes are allowed"));
        }
        // A primitive type's name may stand without quotes in registries.
        let json = serde_json::from_str(text).or_else(|e| match primitive(text.trim()) {
            Some(_) => Ok(Value::String(text.trim().to_owned())),
            None => Err(format!("schema is not JSON: {e}")),
        })?;
        let mut parser = Parser { nodes: Vec::new(), names: HashMap::new() };
        let root = parser.node(&json, "")?;
        Ok(Schema { nodes: parser.nodes, root })
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id).unwrap_or(&Node::Null)
    }

    /// What a branch of a union is called: its name, or that of its type.
    pub(super) fn branch_name(&self, id: NodeId) -> &str {
        match self.node(id) {
            Node::Null => "null",
            Node::Boolean => "boolean",
            Node::Int => "int",
            Node::Long => "long",
            Node::Float => "float",
            Node::Double => "double",
            Node::Bytes | Node::Decimal(None, _) => "bytes",
            Node::String => "string",
            Node::Array(_) => "array",
            Node::Map(_) => "map",
            Node::Union(_) => "union",
            Node::Fixed(name, _)
            | Node::Decimal(Some((name, _)), _)
            | Node::Enum { name, .. }
            | Node::Record { name, .. } => &name.name,
        }
    }
}

fn primitive(name: &str) -> Option<Node> {
    Some(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" => Node::Int,
        "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::String,
        _ => return None,
    })
}

struct Parser {
    nodes: Vec<Node>,
    /// Full names of the types defined so far.
    names: HashMap<String, NodeId>,
}

impl Parser {
    fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn node(&mut self, json: &Value, namespace: &str) -> Result<NodeId, String> {
        match json {
            Value::String(name) => self.reference(name, namespace),
            Value::Array(branches) => {
                let branches: Result<Vec<_>, _> =
                    branches.iter().map(|branch| self.node(branch, namespace)).collect();
                let branches = branches?;
                if branches.iter().any(|id| matches!(self.nodes[*id], Node::Union(_))) {
                    return Err("a union directly within a union".into());
                }
                Ok(self.add(Node::Union(branches)))
            }
            Value::Object(object) => self.complex(object, namespace),
            _ => Err(format!("{json} is no type")),
        }
    }

    fn reference(&mut self, name: &str, namespace: &str) -> Result<NodeId, String> {
        if let Some(node) = primitive(name) {
            return Ok(self.add(node));
        }
        let known = self.names.get(&full(name, namespace)).or_else(|| self.names.get(name));
        known.copied().ok_or_else(|| format!("type {name:?} is not defined"))
    }

    fn complex(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<NodeId, String> {
        let kind = object.get("type").ok_or("a type without \"type\"")?;
        let Value::String(kind) = kind else {
            // {"type": {"type": …}}
            return self.node(kind, namespace);
        };
        let part = |key: &str| object.get(key).ok_or_else(|| format!("{kind} without {key:?}"));
        match kind.as_str() {
            "array" => {
                let items = self.node(part("items")?, namespace)?;
                Ok(self.add(Node::Array(items)))
            }
            "map" => {
                let values = self.node(part("values")?, namespace)?;
                Ok(self.add(Node::Map(values)))
            }
            "record" | "error" => {
                let (id, name, inner) = self.define(object, namespace)?;
                let fields = part("fields")?.as_array().ok_or("\"fields\" is no array")?;
                let fields: Result<Vec<_>, _> =
                    fields.iter().map(|field| self.field(field, &inner)).collect();
                self.nodes[id] = Node::Record { name, fields: fields? };
                Ok(id)
            }
            "enum" => {
                let (id, name, _) = self.define(object, namespace)?;
                let symbols = strings(Some(part("symbols")?));
                let default = object.get("default").and_then(Value::as_str).map(str::to_owned);
                self.nodes[id] = Node::Enum { name, symbols, default };
                Ok(id)
            }
            "fixed" => {
                let (id, name, _) = self.define(object, namespace)?;
                let size = part("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or("\"size\" of a fixed is no number")?;
                self.nodes[id] = match scale(object) {
                    Some(scale) => Node::Decimal(Some((name, size)), scale),
                    None => Node::Fixed(name, size),
                };
                Ok(id)
            }
            "bytes" if scale(object).is_some() => {
                let scale = scale(object).unwrap_or_default();
                Ok(self.add(Node::Decimal(None, scale)))
            }
            name => self.reference(name, namespace),
        }
    }

    /// Reserves the node of a named type, as it may contain itself.
    fn define(
        &mut self,
        object: &Map<String, Value>,
        namespace: &str,
    ) -> Result<(NodeId, Name, String), String> {
        let text = |key: &str| object.get(key).and_then(Value::as_str);
        let name = text("name").ok_or("a record, enum or fixed without \"name\"")?;
        let full = full(name, text("namespace").unwrap_or(namespace));
        let id = self.add(Node::Null);
        if self.names.insert(full.clone(), id).is_some() {
            return Err(format!("type {full:?} is defined twice"));
        }
        let (inner, short) = full.rsplit_once('.').unwrap_or(("", &full));
        let aliases = strings(object.get("aliases"));
        let aliases = aliases.iter().map(|alias| short_name(alias).to_owned()).collect();
        Ok((id, Name { name: short.to_owned(), aliases }, inner.to_owned()))
    }

    fn field(&mut self, json: &Value, namespace: &str) -> Result<Field, String> {
        let name = json.get("name").and_then(Value::as_str).ok_or("a field without \"name\"")?;
        let node = json.get("type").ok_or_else(|| format!("field {name:?} without \"type\""))?;
        Ok(Field {
            name: name.to_owned(),
            aliases: strings(json.get("aliases")),
            node: self.node(node, namespace)?,
            default: json.get("default").cloned(),
        })
    }
}

fn full(name: &str, namespace: &str) -> String {
    match name.contains('.') || namespace.is_empty() {
        true => name.trim_start_matches('.').to_owned(),
        false => format!("{namespace}.{name}"),
    }
}

fn short_name(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

fn strings(json: Option<&Value>) -> Vec<String> {
    let texts = json.and_then(Value::as_array).into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The scale, if this is a valid decimal.
fn scale(object: &Map<String, Value>) -> Option<u32> {
    let number = |key: &str| object.get(key).and_then(Value::as_u64);
    if object.get("logicalType")?.as_str()? != "decimal" {
        return None;
    }
    let (precision, scale) = (number("precision")?, number("scale").unwrap_or(0));
    (scale <= precision && scale <= 38).then(|| u32::try_from(scale).ok())?
}
