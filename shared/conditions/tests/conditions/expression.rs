//! The tests' own tree of an expression, how it is written in CEL, and the world it is evaluated over.

use std::fmt::Write as _;

use rapport_conditions::{Owned, Timestamp};

use crate::golden;

/// An expression, typed by whoever generates it.
#[derive(Clone, Debug)]
pub enum Expr {
    Literal(Literal),
    /// A variable of the environment or of a macro around.
    Name(&'static str),
    /// `customer.field`, a declared field.
    Field(&'static str),
    HasField(&'static str),
    /// `traits['key']`, of a type that is known only when evaluated.
    Trait(&'static str),
    HasTrait(&'static str),
    Now,
    /// `events['type']`, a list of events, and whether there are any.
    Events(&'static str),
    HasEvents(&'static str),
    /// A declared field of a record, and whether it is set.
    Part(Box<Expr>, &'static str),
    HasPart(Box<Expr>, &'static str),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    If(Box<(Expr, Expr, Expr)>),
    /// `==`, `<`, `+`, `in` and so on.
    Binary(&'static str, Box<(Expr, Expr)>),
    List(Vec<Expr>),
    Index(Box<(Expr, Expr)>),
    /// A function of one argument, or a method without any.
    Call(&'static str, Box<Expr>),
    Method(&'static str, Box<Expr>),
    /// A method with one argument.
    Test(&'static str, Box<(Expr, Expr)>),
    /// A method with two arguments.
    Test2(&'static str, Box<(Expr, Expr, Expr)>),
    /// The macro, its range, its variable and its body.
    Fold(&'static str, Box<Expr>, &'static str, Box<Expr>),
}

#[derive(Clone, Debug)]
pub enum Literal {
    Bool(bool),
    Int(i64),
    Double(f64),
    String(&'static str),
    Timestamp(i64),
    Duration(i64),
}

/// What the expressions are evaluated over.
#[derive(Clone)]
pub struct World {
    pub variables: Vec<(&'static str, Owned)>,
    /// Fields of `customer`: a name, and a value where it is set.
    pub customer: Vec<(&'static str, Option<Owned>)>,
    pub traits: Vec<(&'static str, Owned)>,
    /// What happened, by type and in order: records of [`EVENT_FIELDS`].
    pub events: Vec<(&'static str, Vec<Owned>)>,
    pub now: Timestamp,
}

/// The fields of an event, in order of their index.
pub const EVENT_FIELDS: [&str; 4] = ["at", "channel", "value", "count"];

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "now {}", self.now)?;
        for (name, value) in self.variables.iter().chain(&self.traits) {
            write!(f, "\n{name}: {}", golden::json(value))?;
        }
        for (name, value) in self.customer.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            write!(f, "\ncustomer.{name}: {}", golden::json(value))?;
        }
        for (kind, events) in &self.events {
            write!(f, "\nevents.{kind}: {}", golden::json(&Owned::List(events.clone())))?;
        }
        Ok(())
    }
}

pub fn source(expression: &Expr) -> String {
    let mut text = String::new();
    write(expression, &mut text);
    text
}

fn write(expression: &Expr, out: &mut String) {
    let list = |parts: &[Expr], between: &str| parts.iter().map(source).collect::<Vec<_>>().join(between);
    match expression {
        Expr::Literal(literal) => out.push_str(&literal_source(literal)),
        Expr::Name(name) => out.push_str(name),
        Expr::Field(field) => write!(out, "customer.{field}").expect("text"),
        Expr::HasField(field) => write!(out, "has(customer.{field})").expect("text"),
        Expr::Trait(key) => write!(out, "traits['{key}']").expect("text"),
        Expr::HasTrait(key) => write!(out, "has(traits.{key})").expect("text"),
        Expr::Now => out.push_str("now"),
        Expr::Events(kind) => write!(out, "events['{kind}']").expect("text"),
        Expr::HasEvents(kind) => write!(out, "has(events.{kind})").expect("text"),
        Expr::Part(of, field) => write!(out, "{}.{field}", source(of)).expect("text"),
        Expr::HasPart(of, field) => write!(out, "has({}.{field})", source(of)).expect("text"),
        Expr::Test2(name, parts) => {
            write!(out, "{}.{name}({}, {})", source(&parts.0), source(&parts.1), source(&parts.2)).expect("text");
        }
        Expr::Not(of) => write!(out, "!({})", source(of)).expect("text"),
        Expr::Negate(of) => write!(out, "-({})", source(of)).expect("text"),
        Expr::And(parts) => write!(out, "({})", list(parts, " && ")).expect("text"),
        Expr::Or(parts) => write!(out, "({})", list(parts, " || ")).expect("text"),
        Expr::If(parts) => {
            write!(out, "({} ? {} : {})", source(&parts.0), source(&parts.1), source(&parts.2)).expect("text");
        }
        Expr::Binary(operator, parts) => {
            write!(out, "({} {operator} {})", source(&parts.0), source(&parts.1)).expect("text");
        }
        Expr::List(parts) => write!(out, "[{}]", list(parts, ", ")).expect("text"),
        Expr::Index(parts) => write!(out, "{}[{}]", source(&parts.0), source(&parts.1)).expect("text"),
        Expr::Call(name, of) => write!(out, "{name}({})", source(of)).expect("text"),
        Expr::Method(name, of) => write!(out, "{}.{name}()", source(of)).expect("text"),
        Expr::Test(name, parts) => write!(out, "{}.{name}({})", source(&parts.0), source(&parts.1)).expect("text"),
        Expr::Fold(name, range, variable, body) => {
            write!(out, "{}.{name}({variable}, {})", source(range), source(body)).expect("text");
        }
    }
}

fn literal_source(literal: &Literal) -> String {
    match literal {
        Literal::Bool(value) => value.to_string(),
        Literal::Int(value) => value.to_string(),
        Literal::Double(value) => format!("{value:?}"),
        Literal::String(text) => format!("'{text}'"),
        Literal::Timestamp(micros) => format!("timestamp('{}')", Timestamp::from_column(*micros)),
        Literal::Duration(micros) => format!("duration('{}us')", micros),
    }
}
