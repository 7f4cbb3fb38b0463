//! The checker: gives every expression its type and compiles it in the same walk.
//!
//! What is wrong is noted and the walk goes on with an unknown type, so that one answer names many errors. An
//! expression that moves with `now` is no operation yet: it stays a list of steps until a comparison takes it.

mod calls;
mod clock;
mod events;
mod macros;
mod operators;

use std::collections::BTreeSet;

use rapport_kernel::Timestamp;

use crate::ast::{Expr, ExprKind};
use crate::ends::between;
use crate::environment::Environment;
use crate::error::{CompileError, CompileErrors};
use crate::eval::Evaluator;
use crate::inputs::Input;
use crate::program::{Code, Inner, Node, Op, Program, Run, Step};
use crate::types::Type;
use crate::value::{Owned, Value};

/// How many errors one answer names.
const MOST_ERRORS: usize = 20;
/// What a text of unknown length is taken to cost.
const TEXT_COST: u64 = 8;

/// Checks and compiles a whole condition.
pub(crate) fn compile(
    environment: &Environment,
    source: &str,
    expression: &Expr,
    expected: &Type,
) -> Result<Program, CompileErrors> {
    let mut compiler = Compiler::new(environment, source);
    let root = compiler.expression(expression);
    if !root.kind.compatible(expected) {
        compiler.note(expression.offset, format!("this should be {expected}, but is {}", root.kind));
    }
    let unknown = root.kind == Type::Dyn && *expected != Type::Dyn;
    let root = compiler.fixed(root);
    let cost = compiler.costs[root as usize];
    let most = environment.limits().cost;
    if cost > most {
        compiler.note(0, format!("evaluating this may cost {cost}, more than the limit of {most}: nest fewer macros"));
    }
    if !compiler.errors.is_empty() {
        return Err(CompileErrors::new(compiler.errors));
    }
    compiler.code.root = root;
    let reads_now =
        environment.has_now() && compiler.code.ops.iter().any(|op| matches!(op, Op::Clock { .. } | Op::Past { .. }));
    Ok(Program::new(Inner {
        source: source.to_owned(),
        between: between(&compiler.code),
        code: compiler.code,
        cost,
        fuel: environment.limits().fuel,
        inputs: compiler.inputs.into_iter().collect(),
        has_now: environment.has_now(),
        reads_now,
        expected: unknown.then(|| expected.clone()),
    }))
}

struct Compiler<'e> {
    environment: &'e Environment,
    source: &'e str,
    code: Code,
    /// The estimated cost of each operation with all below it.
    costs: Vec<u64>,
    /// How many elements the list that an operation gives has at most.
    lengths: Vec<u64>,
    /// The variables of the macros around, outermost first.
    scopes: Vec<(String, Type)>,
    errors: Vec<CompileError>,
    inputs: BTreeSet<Input>,
}

/// An expression that was checked.
struct Typed {
    kind: Type,
    meaning: Meaning,
    offset: usize,
}

enum Meaning {
    /// An operation; with what it reads, where that is a plain path.
    Fixed(Node, Option<Input>),
    /// Moves with `now`: the steps from it.
    Moving(Vec<Step>),
}

impl<'e> Compiler<'e> {
    fn new(environment: &'e Environment, source: &'e str) -> Self {
        Self {
            environment,
            source,
            code: Code::default(),
            costs: Vec::new(),
            lengths: Vec::new(),
            scopes: Vec::new(),
            errors: Vec::new(),
            inputs: BTreeSet::new(),
        }
    }

    fn expression(&mut self, expression: &Expr) -> Typed {
        let offset = expression.offset;
        match &expression.kind {
            ExprKind::Null => self.constant(Owned::Null, Type::Null, offset),
            ExprKind::Bool(value) => self.constant(Owned::Bool(*value), Type::Bool, offset),
            ExprKind::Int(value) => self.constant(Owned::Int(*value), Type::Int, offset),
            ExprKind::Double(value) => self.constant(Owned::Double(*value), Type::Double, offset),
            ExprKind::String(text) => self.constant(Owned::String(text.clone()), Type::String, offset),
            ExprKind::Ident(name) => self.name(name, offset),
            ExprKind::Select { of, field } => self.select(of, field, offset, false),
            ExprKind::Index { of, key } => self.index(of, key, offset),
            ExprKind::Call { receiver: Some(receiver), name, arguments } => {
                self.method(receiver, name, arguments, offset)
            }
            ExprKind::Call { receiver: None, name, arguments } => self.function(name, arguments, offset),
            ExprKind::Not(of) => {
                let of = self.operand(of, &Type::Bool);
                self.emitted(Op::Not(of), Type::Bool, offset, &[of])
            }
            ExprKind::Negate(of) => self.negate(of, offset),
            ExprKind::And(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.operand(part, &Type::Bool)).collect();
                let run = self.run(&parts);
                self.emitted(Op::And(run), Type::Bool, offset, &parts)
            }
            ExprKind::Or(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.operand(part, &Type::Bool)).collect();
                let run = self.run(&parts);
                self.emitted(Op::Or(run), Type::Bool, offset, &parts)
            }
            ExprKind::If(parts) => self.conditional(parts, offset),
            ExprKind::Compare { how, left, right } => self.comparison(*how, left, right, offset),
            ExprKind::Arithmetic { how, left, right } => self.arithmetic(*how, left, right, offset),
            ExprKind::In { item, of } => self.membership(item, of, offset),
            ExprKind::List(items) => self.list(items, offset),
            ExprKind::Map(entries) => self.map(entries, offset),
        }
    }

    fn name(&mut self, name: &str, offset: usize) -> Typed {
        if let Some(depth) = self.scopes.iter().rposition(|(scope, _)| scope == name) {
            let kind = self.scopes[depth].1.clone();
            let local = u8::try_from(depth).expect("macros nest a few deep");
            let typed = self.emitted(Op::Local(local), kind, offset, &[]);
            return self.past(typed);
        }
        if name == "now" && self.environment.has_now() {
            return Typed { kind: Type::Timestamp, meaning: Meaning::Moving(Vec::new()), offset };
        }
        let Some((index, kind)) = self.environment.variable(name) else {
            let reason = if name == "now" {
                "now cannot be used here: the answer must not depend on when it is asked".to_owned()
            } else {
                format!("there is no variable {name}; there are: {}", self.known_names())
            };
            return self.failed(offset, reason);
        };
        let kind = kind.clone();
        let variable = u32::try_from(index).expect("an environment has few variables");
        let typed = self.emitted(Op::Variable(variable), kind, offset, &[]);
        let typed = typed.reading(Input { variable: index, path: vec![name.to_owned()] });
        self.past(typed)
    }

    fn known_names(&self) -> String {
        let scopes = self.scopes.iter().map(|(name, _)| name.as_str());
        let now = self.environment.has_now().then_some("now");
        let names: Vec<_> = scopes.chain(self.environment.variables().map(|(name, _)| name)).chain(now).collect();
        names.join(", ")
    }

    /// Notes an error; the expression goes on as one of unknown type.
    fn failed(&mut self, offset: usize, reason: impl Into<String>) -> Typed {
        self.note(offset, reason);
        self.constant(Owned::Null, Type::Dyn, offset)
    }

    fn note(&mut self, offset: usize, reason: impl Into<String>) {
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(CompileError::at(self.source, offset, reason));
        }
    }

    /// An expression as an operand of a type.
    fn operand(&mut self, expression: &Expr, expected: &Type) -> Node {
        let typed = self.expression(expression);
        if !typed.kind.compatible(expected) {
            self.note(expression.offset, format!("this should be {expected}, but is {}", typed.kind));
        }
        self.fixed(typed)
    }

    /// The operation of an expression that must not move with `now`; notes what it reads.
    fn fixed(&mut self, typed: Typed) -> Node {
        match typed.meaning {
            Meaning::Fixed(node, input) => {
                if let Some(input) = &input {
                    self.code.reads.insert(node, input.path.clone());
                }
                self.inputs.extend(input);
                node
            }
            Meaning::Moving(_) => {
                self.note(typed.offset, clock::MISPLACED);
                let failed = self.constant(Owned::Null, Type::Dyn, typed.offset);
                self.fixed(failed)
            }
        }
    }

    fn constant(&mut self, value: Owned, kind: Type, offset: usize) -> Typed {
        let length = match &value {
            Owned::List(list) => list.len() as u64,
            Owned::Map(map) => map.len() as u64,
            _ => 0,
        };
        let op = self.constant_op(value);
        let node = self.emit(op, offset, 1, length);
        Typed { kind, meaning: Meaning::Fixed(node, None), offset }
    }

    fn constant_op(&mut self, value: Owned) -> Op {
        self.code.constants.push(value);
        Op::Constant(index(self.code.constants.len() - 1))
    }

    /// Emits an operation that costs one and its operands.
    fn emitted(&mut self, op: Op, kind: Type, offset: usize, operands: &[Node]) -> Typed {
        self.emitted_at(op, kind, offset, operands, 1)
    }

    fn emitted_at(&mut self, op: Op, kind: Type, offset: usize, operands: &[Node], own_cost: u64) -> Typed {
        let cost = operands.iter().fold(own_cost, |sum, operand| sum.saturating_add(self.costs[*operand as usize]));
        let length = self.environment.limits().assumed_length;
        let node = self.emit(op, offset, cost, length);
        Typed { kind, meaning: Meaning::Fixed(node, None), offset }
    }

    fn emit(&mut self, op: Op, offset: usize, cost: u64, length: u64) -> Node {
        self.code.ops.push(op);
        self.code.offsets.push(index(offset));
        self.costs.push(cost);
        self.lengths.push(length);
        index(self.code.ops.len() - 1)
    }

    fn run(&mut self, nodes: &[Node]) -> Run {
        let start = index(self.code.operands.len());
        self.code.operands.extend_from_slice(nodes);
        Run { start, count: index(nodes.len()) }
    }

    fn constant_of(&self, node: Node) -> Option<&Owned> {
        match self.code.ops[node as usize] {
            Op::Constant(at) => self.code.constants.get(at as usize),
            _ => None,
        }
    }

    fn is_constant(&self, node: Node) -> bool {
        self.constant_of(node).is_some()
    }

    /// Computes an operation over constants now, and says whether that went well. One that fails stays, since
    /// `true || 1 / 0 > 0` is true.
    fn computed(&mut self, typed: &Typed) -> bool {
        let Meaning::Fixed(node, _) = typed.meaning else {
            return false;
        };
        let nothing: [Owned; 0] = [];
        let mut evaluator = Evaluator::new(&self.code, &nothing, Timestamp::MIN, self.environment.limits().fuel);
        let Some(value) = evaluator.evaluate(node).ok().as_ref().and_then(Value::to_owned) else {
            return false;
        };
        let op = self.constant_op(value);
        self.code.ops[node as usize] = op;
        self.costs[node as usize] = 1;
        true
    }
}

impl Typed {
    fn reading(mut self, input: Input) -> Self {
        if let Meaning::Fixed(_, reads) = &mut self.meaning {
            *reads = Some(input);
        }
        self
    }
}

/// Indexes into the arena: a source of a few thousand bytes cannot fill 32 bits.
fn index(value: usize) -> u32 {
    u32::try_from(value).expect("a condition is short")
}
