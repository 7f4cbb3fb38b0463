//! Operators, selections and literals of lists and maps.

use crate::ast::{Arithmetic, Expr};
use crate::check::{Compiler, Meaning, TEXT_COST, Typed};
use crate::inputs::Input;
use crate::program::{Node, Op, Step};
use crate::types::Type;
use crate::value::Owned;

impl Compiler<'_> {
    /// `of.field`, or with `has` whether it is set.
    pub(super) fn select(&mut self, of: &Expr, field: &str, offset: usize, has: bool) -> Typed {
        let of = self.expression(of);
        let (kind, node, input) = match of {
            Typed { kind, meaning: Meaning::Fixed(node, input), .. } => (kind, node, input),
            moving => {
                self.fixed(moving);
                return self.failed(offset, "now has no fields");
            }
        };
        let input = input.map(|Input { variable, mut path }| {
            path.push(field.to_owned());
            Input { variable, path }
        });
        let typed = match &kind {
            Type::Object(object) => {
                let Some((index, kind)) = object.field(field) else {
                    let known: Vec<_> = object.names().collect();
                    let reason = format!("{} has no field {field}; it has: {}", object.name(), known.join(", "));
                    return self.failed(offset, reason);
                };
                let field = u16::try_from(index).expect("a record has few fields");
                self.field(node, field, kind.clone(), offset, has)
            }
            Type::Map(_) | Type::Dyn => {
                let element = if let Type::Map(value) = &kind { (**value).clone() } else { Type::Dyn };
                self.code.constants.push(Owned::from(field));
                let key = super::index(self.code.constants.len() - 1);
                if has && let Type::Events(_) = element {
                    let mut typed = self.emitted(Op::Key { of: node, key }, element, offset, &[node]);
                    if let Some(input) = input {
                        typed = typed.reading(input);
                    }
                    return self.any_events(typed, offset);
                }
                if has {
                    self.emitted(Op::HasKey { of: node, key }, Type::Bool, offset, &[node])
                } else {
                    self.emitted(Op::Key { of: node, key }, element, offset, &[node])
                }
            }
            other => return self.failed(offset, format!("{other} has no fields")),
        };
        match input {
            Some(input) => {
                let typed = typed.reading(input);
                self.past(typed)
            }
            None => self.past(typed),
        }
    }

    fn field(&mut self, of: Node, field: u16, kind: Type, offset: usize, has: bool) -> Typed {
        let variable = match self.code.ops[of as usize] {
            Op::Variable(variable) => u16::try_from(variable).ok(),
            _ => None,
        };
        let (op, kind) = match (variable, has) {
            (Some(variable), false) => (Op::VariableField { variable, field }, kind),
            (Some(variable), true) => (Op::HasVariableField { variable, field }, Type::Bool),
            (None, false) => (Op::Field { of, field }, kind),
            (None, true) => (Op::HasField { of, field }, Type::Bool),
        };
        self.emitted(op, kind, offset, &[of])
    }

    pub(super) fn index(&mut self, of: &Expr, key: &Expr, offset: usize) -> Typed {
        let key_offset = key.offset;
        let (of, key) = (self.expression(of), self.expression(key));
        let (kind, key_kind) = (of.kind.clone(), key.kind.clone());
        let key = self.fixed(key);
        let element = match &kind {
            Type::List(_) | Type::Events(_) if key_kind.compatible(&Type::Int) => kind.element().unwrap_or(Type::Dyn),
            Type::Map(value) if key_kind.compatible(&Type::String) => (**value).clone(),
            Type::Dyn if matches!(key_kind, Type::Int | Type::String | Type::Dyn) => Type::Dyn,
            Type::List(_) | Type::Events(_) => {
                return self.failed(key_offset, format!("a list is indexed by int, not {key_kind}"));
            }
            Type::Map(_) => return self.failed(key_offset, format!("a map is indexed by string, not {key_kind}")),
            Type::Dyn => return self.failed(key_offset, format!("{key_kind} is no index")),
            other => return self.failed(offset, format!("{other} cannot be indexed")),
        };
        // A constant key goes on with the path that is read: `traits['plan']` is `traits.plan`.
        let path = match (&of.meaning, self.constant_of(key)) {
            (Meaning::Fixed(_, Some(input)), Some(Owned::String(key))) => Some((input.clone(), key.clone())),
            _ => None,
        };
        match (path, of.meaning) {
            (Some((Input { variable, mut path }, name)), Meaning::Fixed(of, _)) => {
                path.push(name);
                let Op::Constant(key) = self.code.ops[key as usize] else {
                    return self.failed(key_offset, "a constant key is a constant");
                };
                let typed = self.emitted(Op::Key { of, key }, element, offset, &[of]);
                self.past(typed.reading(Input { variable, path }))
            }
            (_, meaning) => {
                let of = self.fixed(Typed { kind, meaning, offset });
                let typed = self.emitted(Op::Index { of, key }, element, offset, &[of, key]);
                self.past(typed)
            }
        }
    }

    pub(super) fn negate(&mut self, of: &Expr, offset: usize) -> Typed {
        let typed = self.expression(of);
        let kind = typed.kind.clone();
        if !matches!(kind, Type::Int | Type::Double | Type::Dyn) {
            return self.failed(offset, format!("- does not take {kind}"));
        }
        let of = self.fixed(typed);
        let typed = self.emitted(Op::Negate(of), kind, offset, &[of]);
        if self.is_constant(of) {
            self.computed(&typed);
        }
        typed
    }

    pub(super) fn conditional(&mut self, parts: &[Expr; 3], offset: usize) -> Typed {
        let [condition, yes, no] = parts;
        let condition = self.operand(condition, &Type::Bool);
        let (yes, no) = (self.expression(yes), self.expression(no));
        if !yes.kind.compatible(&no.kind) {
            return self.failed(offset, format!("the two answers differ in type: {} and {}", yes.kind, no.kind));
        }
        let kind = self.joined(&yes.kind, &no.kind, offset);
        let (yes, no) = (self.fixed(yes), self.fixed(no));
        let dearer = if self.costs[yes as usize] > self.costs[no as usize] { yes } else { no };
        let length = self.lengths[yes as usize].max(self.lengths[no as usize]);
        let typed = self.emitted(Op::If { condition, yes, no }, kind, offset, &[condition, dearer]);
        self.long(typed, length)
    }

    pub(super) fn arithmetic(&mut self, how: Arithmetic, left: &Expr, right: &Expr, offset: usize) -> Typed {
        let (left, right) = (self.expression(left), self.expression(right));
        let Some(kind) = result(how, &left.kind, &right.kind) else {
            let reason = format!("{} does not take {} and {}", how.symbol(), left.kind, right.kind);
            return self.failed(offset, reason);
        };
        if [&left.kind, &right.kind].into_iter().any(|operand| operand.hides_events() && *operand != kind) {
            return self.failed(offset, super::events::ONE_TYPE_AT_A_TIME);
        }
        let moving = |mut steps: Vec<Step>, step| {
            steps.push(step);
            Typed { kind: kind.clone(), meaning: Meaning::Moving(steps), offset }
        };
        match (how, left, right) {
            (
                Arithmetic::Add,
                Typed { meaning: Meaning::Moving(steps), .. },
                other @ Typed { meaning: Meaning::Fixed(..), .. },
            )
            | (
                Arithmetic::Add,
                other @ Typed { meaning: Meaning::Fixed(..), .. },
                Typed { meaning: Meaning::Moving(steps), .. },
            ) => moving(steps, Step::Plus(self.fixed(other))),
            (
                Arithmetic::Subtract,
                Typed { meaning: Meaning::Moving(steps), .. },
                other @ Typed { meaning: Meaning::Fixed(..), .. },
            ) => moving(steps, Step::Minus(self.fixed(other))),
            (
                Arithmetic::Subtract,
                other @ Typed { meaning: Meaning::Fixed(..), .. },
                Typed { meaning: Meaning::Moving(steps), .. },
            ) => moving(steps, Step::From(self.fixed(other))),
            (_, left, right) => self.fixed_arithmetic(how, left, right, kind, offset),
        }
    }

    fn fixed_arithmetic(&mut self, how: Arithmetic, left: Typed, right: Typed, kind: Type, offset: usize) -> Typed {
        let (left, right) = (self.fixed(left), self.fixed(right));
        let length = self.lengths[left as usize].saturating_add(self.lengths[right as usize]);
        let own = match &kind {
            Type::List(_) => length,
            Type::String | Type::Dyn => TEXT_COST,
            _ => 1,
        };
        let typed = self.emitted_at(Op::Arithmetic { how, left, right }, kind, offset, &[left, right], own);
        if self.is_constant(left) && self.is_constant(right) {
            self.computed(&typed);
        }
        self.long(typed, length)
    }

    pub(super) fn membership(&mut self, item: &Expr, of: &Expr, offset: usize) -> Typed {
        let map = of;
        let of = self.expression(of);
        if matches!(&of.kind, Type::Map(value) if matches!(**value, Type::Events(_))) {
            let events = self.index(map, item, offset);
            return self.any_events(events, offset);
        }
        let item = self.expression(item);
        let fits = match &of.kind {
            Type::List(element) => item.kind.equatable(element),
            Type::Map(_) => item.kind.compatible(&Type::String),
            Type::Dyn => true,
            _ => false,
        };
        if !fits {
            return self.failed(offset, format!("in does not look for {} in {}", item.kind, of.kind));
        }
        let own = 1 + if matches!(of.kind, Type::Map(_)) { 1 } else { self.length_of(&of) };
        let (item, of) = (self.fixed(item), self.fixed(of));
        self.emitted_at(Op::In { item, of }, Type::Bool, offset, &[item, of], own)
    }

    pub(super) fn list(&mut self, items: &[Expr], offset: usize) -> Typed {
        let mut kind = None;
        let mut nodes = Vec::with_capacity(items.len());
        for item in items {
            let typed = self.expression(item);
            kind = Some(match kind {
                Some(kind) => self.joined(&kind, &typed.kind, item.offset),
                None => typed.kind.clone(),
            });
            nodes.push(self.fixed(typed));
        }
        let run = self.run(&nodes);
        let kind = Type::list(kind.unwrap_or(Type::Dyn));
        let typed = self.emitted_at(Op::List(run), kind, offset, &nodes, 1 + nodes.len() as u64);
        if nodes.iter().all(|node| self.is_constant(*node)) {
            self.computed(&typed);
        }
        self.long(typed, nodes.len() as u64)
    }

    pub(super) fn map(&mut self, entries: &[(Expr, Expr)], offset: usize) -> Typed {
        let mut kind = None;
        let mut nodes = Vec::with_capacity(entries.len() * 2);
        for (key, value) in entries {
            nodes.push(self.operand(key, &Type::String));
            let typed = self.expression(value);
            kind = Some(match kind {
                Some(kind) => self.joined(&kind, &typed.kind, value.offset),
                None => typed.kind.clone(),
            });
            nodes.push(self.fixed(typed));
        }
        let run = self.run(&nodes);
        let kind = Type::map(kind.unwrap_or(Type::Dyn));
        let own = 1 + TEXT_COST.saturating_mul(entries.len() as u64);
        let typed = self.emitted_at(Op::Map(run), kind, offset, &nodes, own);
        let texts = nodes.iter().step_by(2).all(|node| matches!(self.constant_of(*node), Some(Owned::String(_))));
        if nodes.iter().all(|node| self.is_constant(*node)) && !self.computed(&typed) && texts {
            self.note(offset, "a key stands twice in this map");
        }
        self.long(typed, entries.len() as u64)
    }

    /// Notes how many elements a list has at most.
    pub(super) fn long(&mut self, typed: Typed, length: u64) -> Typed {
        if let Meaning::Fixed(node, _) = typed.meaning {
            self.lengths[node as usize] = length;
        }
        typed
    }

    pub(super) fn length_of(&self, typed: &Typed) -> u64 {
        match typed.meaning {
            Meaning::Fixed(node, _) => self.lengths[node as usize],
            Meaning::Moving(_) => 0,
        }
    }
}

/// The type of an arithmetic operation, or `None` where there is none for the operands.
fn result(how: Arithmetic, left: &Type, right: &Type) -> Option<Type> {
    use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
    use Type::{Double, Duration, Dyn, Events, Int, List, String, Timestamp};
    Some(match (how, left, right) {
        // Two rows of events one after the other are in no order.
        (Add, Events(_), Events(_) | List(_)) | (Add, List(_), Events(_)) => {
            let plain = |kind: &Type| kind.element().map_or_else(|| kind.clone(), Type::list);
            plain(left).join(&plain(right))
        }
        (Add, Events(_), Dyn) | (Add, Dyn, Events(_)) => Type::list(Dyn),
        (_, Int, Int | Dyn) | (_, Dyn, Int) => Int,
        (Add | Subtract | Multiply | Divide, Double, Double | Dyn)
        | (Add | Subtract | Multiply | Divide, Dyn, Double) => Double,
        (Add, String, String | Dyn) | (Add, Dyn, String) => String,
        (Add, List(_), List(_)) => left.join(right),
        (Add, List(_), Dyn) | (Add, Dyn, List(_)) => Type::list(Dyn),
        (Add, Timestamp, Duration | Dyn) | (Add, Duration | Dyn, Timestamp) => Timestamp,
        (Add | Subtract, Duration, Duration) => Duration,
        (Subtract, Timestamp, Duration) => Timestamp,
        (Subtract, Timestamp | Dyn, Timestamp) | (Subtract, Duration, Dyn) => Duration,
        (Subtract, Timestamp, Dyn) | (Add | Subtract, Dyn, Duration) | (Add, Duration, Dyn) => Dyn,
        (Remainder, Dyn, Dyn) => Int,
        (_, Dyn, Dyn) => Dyn,
        _ => return None,
    })
}
