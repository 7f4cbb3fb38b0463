//! The parser: CEL's grammar by recursive descent, with hard limits on length, nesting and size.
//!
//! Nothing here recurses deeper than the nesting limit, nor is a tree made that is deeper, so neither this nor any
//! later walk over the tree can run out of stack.

use crate::ast::{Arithmetic, Comparison, Expr, ExprKind};
use crate::environment::Limits;
use crate::error::CompileErrors;
use crate::lex::{self, Placed, Token};

/// Whatever limits are set: deeper trees are not walked on a thread's usual stack.
const DEEPEST: usize = 100;

/// Parses a whole source.
pub(crate) fn parse(source: &str, limits: &Limits) -> Result<Expr, CompileErrors> {
    if source.len() > limits.length {
        let reason = format!("a condition has at most {} bytes, this one {}", limits.length, source.len());
        return Err(CompileErrors::one(source, 0, reason));
    }
    let tokens = lex::tokens(source)?;
    let depth = limits.depth.min(DEEPEST);
    let mut parser = Parser { source, tokens, at: 0, level: 0, depth, nodes: 0, limits };
    let expression = parser.expression()?;
    match parser.peek() {
        Token::End => Ok(expression),
        _ => parser.fail("the condition should end here, or an operator is missing"),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Or,
    And,
    In,
    Compare(Comparison),
    Arithmetic(Arithmetic),
}

struct Parser<'s> {
    source: &'s str,
    tokens: Vec<Placed>,
    at: usize,
    level: usize,
    depth: usize,
    nodes: usize,
    limits: &'s Limits,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<Expr, CompileErrors> {
        self.enter()?;
        let mut expression = self.operation(1)?;
        let offset = self.offset();
        if self.take("?") {
            let yes = self.operation(1)?;
            self.expect(":")?;
            let no = self.expression()?;
            expression = self.node(ExprKind::If(Box::new([expression, yes, no])), offset)?;
        }
        self.level -= 1;
        Ok(expression)
    }

    /// Operators of `least` precedence and above, by climbing.
    fn operation(&mut self, least: u8) -> Result<Expr, CompileErrors> {
        let mut left = self.unary()?;
        while let Some((operator, precedence)) = self.operator() {
            if precedence < least {
                break;
            }
            let offset = self.offset();
            self.at += 1;
            let right = self.operation(precedence + 1)?;
            left = self.joined(operator, left, right, offset)?;
        }
        Ok(left)
    }

    fn operator(&self) -> Option<(Operator, u8)> {
        let mark = match self.peek() {
            Token::Mark(mark) => *mark,
            Token::Ident(word) if word == "in" => "in",
            _ => return None,
        };
        Some(match mark {
            "||" => (Operator::Or, 1),
            "&&" => (Operator::And, 2),
            "in" => (Operator::In, 3),
            "==" => (Operator::Compare(Comparison::Equal), 3),
            "!=" => (Operator::Compare(Comparison::NotEqual), 3),
            "<" => (Operator::Compare(Comparison::Less), 3),
            "<=" => (Operator::Compare(Comparison::LessOrEqual), 3),
            ">" => (Operator::Compare(Comparison::Greater), 3),
            ">=" => (Operator::Compare(Comparison::GreaterOrEqual), 3),
            "+" => (Operator::Arithmetic(Arithmetic::Add), 4),
            "-" => (Operator::Arithmetic(Arithmetic::Subtract), 4),
            "*" => (Operator::Arithmetic(Arithmetic::Multiply), 5),
            "/" => (Operator::Arithmetic(Arithmetic::Divide), 5),
            "%" => (Operator::Arithmetic(Arithmetic::Remainder), 5),
            _ => return None,
        })
    }

    fn joined(
        &mut self,
        operator: Operator,
        mut left: Expr,
        right: Expr,
        offset: usize,
    ) -> Result<Expr, CompileErrors> {
        // `a && b && c` grows one flat node, so that a long chain is not a deep tree.
        match (operator, &mut left.kind) {
            (Operator::And, ExprKind::And(parts)) | (Operator::Or, ExprKind::Or(parts)) => {
                left.depth = left.depth.max(right.depth + 1);
                parts.push(right);
                return self.counted(left);
            }
            _ => {}
        }
        let kind = match operator {
            Operator::And => ExprKind::And(vec![left, right]),
            Operator::Or => ExprKind::Or(vec![left, right]),
            Operator::In => ExprKind::In { item: Box::new(left), of: Box::new(right) },
            Operator::Compare(how) => ExprKind::Compare { how, left: Box::new(left), right: Box::new(right) },
            Operator::Arithmetic(how) => ExprKind::Arithmetic { how, left: Box::new(left), right: Box::new(right) },
        };
        self.node(kind, offset)
    }

    fn unary(&mut self) -> Result<Expr, CompileErrors> {
        let offset = self.offset();
        if self.take("!") {
            self.enter()?;
            let of = self.unary()?;
            self.level -= 1;
            return self.node(ExprKind::Not(Box::new(of)), offset);
        }
        if self.take("-") {
            if let Some(literal) = self.negative_literal(offset)? {
                return self.member(literal);
            }
            self.enter()?;
            let of = self.unary()?;
            self.level -= 1;
            return self.node(ExprKind::Negate(Box::new(of)), offset);
        }
        let primary = self.primary()?;
        self.member(primary)
    }

    fn negative_literal(&mut self, offset: usize) -> Result<Option<Expr>, CompileErrors> {
        let kind = match self.peek() {
            Token::Int(magnitude) => match 0_i64.checked_sub_unsigned(*magnitude) {
                Some(value) => ExprKind::Int(value),
                None => return self.fail("this number is out of range"),
            },
            Token::Double(value) => ExprKind::Double(-*value),
            _ => return Ok(None),
        };
        self.at += 1;
        self.node(kind, offset).map(Some)
    }

    /// Field selections, calls and indexes after a primary.
    fn member(&mut self, mut of: Expr) -> Result<Expr, CompileErrors> {
        loop {
            let offset = self.offset();
            if self.take(".") {
                let offset = self.offset();
                let (field, quoted) = self.selector()?;
                let kind = if !quoted && self.take("(") {
                    let arguments = self.list(")")?;
                    ExprKind::Call { receiver: Some(Box::new(of)), name: field, arguments }
                } else {
                    ExprKind::Select { of: Box::new(of), field }
                };
                of = self.node(kind, offset)?;
            } else if self.take("[") {
                let key = self.expression()?;
                self.expect("]")?;
                of = self.node(ExprKind::Index { of: Box::new(of), key: Box::new(key) }, offset)?;
            } else if matches!(
                (self.peek(), &of.kind),
                (Token::Mark("{"), ExprKind::Ident(_) | ExprKind::Select { .. })
            ) {
                return self.fail("messages cannot be built in a condition");
            } else {
                return Ok(of);
            }
        }
    }

    fn primary(&mut self) -> Result<Expr, CompileErrors> {
        let offset = self.offset();
        let kind = match self.peek().clone() {
            Token::Int(magnitude) => match i64::try_from(magnitude) {
                Ok(value) => ExprKind::Int(value),
                Err(_) => return self.fail("this number is out of range"),
            },
            Token::Double(value) => ExprKind::Double(value),
            Token::String(text) => ExprKind::String(text),
            Token::Ident(word) => return self.word(&word, offset),
            Token::Mark("(") => {
                self.at += 1;
                let inner = self.expression()?;
                self.expect(")")?;
                return Ok(inner);
            }
            Token::Mark("[") => {
                self.at += 1;
                let items = self.list("]")?;
                return self.node(ExprKind::List(items), offset);
            }
            Token::Mark("{") => {
                self.at += 1;
                let entries = self.entries()?;
                return self.node(ExprKind::Map(entries), offset);
            }
            Token::Quoted(_) | Token::Mark(_) | Token::End => return self.fail("a value is missing here"),
        };
        self.at += 1;
        self.node(kind, offset)
    }

    fn word(&mut self, word: &str, offset: usize) -> Result<Expr, CompileErrors> {
        let kind = match word {
            "true" => ExprKind::Bool(true),
            "false" => ExprKind::Bool(false),
            "null" => ExprKind::Null,
            _ => {
                let name = self.name("a value is missing here")?;
                let kind = if self.take("(") {
                    ExprKind::Call { receiver: None, name, arguments: self.list(")")? }
                } else {
                    ExprKind::Ident(name)
                };
                return self.node(kind, offset);
            }
        };
        self.at += 1;
        self.node(kind, offset)
    }

    fn name(&mut self, missing: &str) -> Result<String, CompileErrors> {
        match self.peek().clone() {
            Token::Ident(word) if lex::is_identifier(&word) => {
                self.at += 1;
                Ok(word)
            }
            Token::Ident(word) if lex::is_reserved(&word) => self.fail(format!("{word} is a reserved word")),
            _ => self.fail(missing),
        }
    }

    /// What follows a dot: any word but a literal's, or a name in backticks.
    fn selector(&mut self) -> Result<(String, bool), CompileErrors> {
        let found = match self.peek().clone() {
            Token::Ident(word) if lex::is_identifier(&word) || lex::is_reserved(&word) => (word, false),
            Token::Quoted(word) => (word, true),
            _ => return self.fail("the name of a field or function must follow the dot"),
        };
        self.at += 1;
        Ok(found)
    }

    fn list(&mut self, end: &'static str) -> Result<Vec<Expr>, CompileErrors> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.expression()?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn entries(&mut self) -> Result<Vec<(Expr, Expr)>, CompileErrors> {
        let mut entries = Vec::new();
        while !self.take("}") {
            let key = self.expression()?;
            self.expect(":")?;
            entries.push((key, self.expression()?));
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(entries)
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn offset(&self) -> usize {
        self.tokens[self.at].1
    }

    fn take(&mut self, mark: &str) -> bool {
        let found = matches!(self.peek(), Token::Mark(next) if *next == mark);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, mark: &str) -> Result<(), CompileErrors> {
        if self.take(mark) { Ok(()) } else { self.fail(format!("{mark} is missing here")) }
    }

    fn enter(&mut self) -> Result<(), CompileErrors> {
        self.level += 1;
        if self.level > self.depth { self.too_deep(self.offset()) } else { Ok(()) }
    }

    fn node(&mut self, kind: ExprKind, offset: usize) -> Result<Expr, CompileErrors> {
        let depth = 1 + kind.children().map(|child| child.depth).max().unwrap_or(0);
        self.counted(Expr { kind, offset, depth })
    }

    fn counted(&mut self, expression: Expr) -> Result<Expr, CompileErrors> {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let reason = format!("a condition has at most {} operators, names and literals", self.limits.nodes);
            return Err(CompileErrors::one(self.source, expression.offset, reason));
        }
        if expression.depth > self.depth { self.too_deep(expression.offset) } else { Ok(expression) }
    }

    fn too_deep<T>(&self, offset: usize) -> Result<T, CompileErrors> {
        let reason = format!("a condition nests at most {} levels deep", self.depth);
        Err(CompileErrors::one(self.source, offset, reason))
    }

    fn fail<T>(&self, reason: impl Into<String>) -> Result<T, CompileErrors> {
        Err(CompileErrors::one(self.source, self.offset(), reason))
    }
}
