//! The syntax tree of a condition: what the parser makes and the checker reads.

use std::cmp::Ordering;

/// An expression and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    /// Bytes before it; for an operation, before its operator or name.
    pub(crate) offset: usize,
    /// The longest way down to a leaf: bounds every recursion over the tree.
    pub(crate) depth: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    String(String),
    Ident(String),
    Select {
        of: Box<Expr>,
        field: String,
    },
    Index {
        of: Box<Expr>,
        key: Box<Expr>,
    },
    Call {
        receiver: Option<Box<Expr>>,
        name: String,
        arguments: Vec<Expr>,
    },
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// `a && b && c`, flat.
    And(Vec<Expr>),
    /// `a || b || c`, flat.
    Or(Vec<Expr>),
    If(Box<[Expr; 3]>),
    Compare {
        how: Comparison,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Arithmetic {
        how: Arithmetic,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    In {
        item: Box<Expr>,
        of: Box<Expr>,
    },
    List(Vec<Expr>),
    Map(Vec<(Expr, Expr)>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl ExprKind {
    /// The parts it is made of.
    pub(crate) fn children(&self) -> Box<dyn Iterator<Item = &Expr> + '_> {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Double(_) | Self::String(_) | Self::Ident(_) => {
                Box::new(std::iter::empty())
            }
            Self::Select { of, .. } | Self::Not(of) | Self::Negate(of) => Box::new(std::iter::once(&**of)),
            Self::Index { of: left, key: right }
            | Self::Compare { left, right, .. }
            | Self::Arithmetic { left, right, .. }
            | Self::In { item: left, of: right } => Box::new([&**left, &**right].into_iter()),
            Self::Call { receiver, arguments, .. } => Box::new(receiver.as_deref().into_iter().chain(arguments)),
            Self::And(parts) | Self::Or(parts) | Self::List(parts) => Box::new(parts.iter()),
            Self::If(parts) => Box::new(parts.iter()),
            Self::Map(entries) => Box::new(entries.iter().flat_map(|(key, value)| [key, value])),
        }
    }
}

impl Comparison {
    /// Its operator.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it holds for a left side that stands so to the right one.
    #[must_use]
    pub const fn admits(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    /// The comparison that holds exactly where this one does not, of what can be ordered.
    pub(crate) const fn opposite(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
        }
    }

    /// The comparison that holds for `b, a` exactly where this one holds for `a, b`.
    pub(crate) const fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            same @ (Self::Equal | Self::NotEqual) => same,
        }
    }
}

impl Arithmetic {
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}
