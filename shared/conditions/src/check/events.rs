//! Past events: reading them, windows, what follows what; and what is made of all elements of a list.

use crate::ast::Expr;
use crate::check::{Compiler, Meaning, Typed, clock, index};
use crate::program::{Bound, Follow, Gives, Node, Op, Run, Step, Total, Window, Zero};
use crate::types::Type;
use crate::value::Owned;

/// What halving a long list a few times costs.
const WINDOW_COST: u64 = 30;

const NO_NOW: &str = "this asks for now, which cannot be used here: the answer must not depend on when it is asked";

pub(super) const ONE_TYPE_AT_A_TIME: &str =
    "events are read a type at a time, as events.purchase or events['web.visit']; a list of all has a name of its own";

impl Compiler<'_> {
    /// Events that are read: without those to come, and none where the map has no such key. Everything else stays.
    pub(super) fn past(&mut self, typed: Typed) -> Typed {
        let Some(at) = instant_of(&typed.kind) else {
            return typed;
        };
        let Typed { kind, meaning: Meaning::Fixed(of, input), offset } = typed else {
            return typed;
        };
        let typed = self.emitted(Op::Past { of, at }, kind, offset, &[of]);
        let typed = self.long(typed, self.environment.limits().events);
        match input {
            Some(input) => typed.reading(input),
            None => typed,
        }
    }

    /// Whether there are any: what `has(events.purchase)` and `'purchase' in events` ask.
    pub(super) fn any_events(&mut self, events: Typed, offset: usize) -> Typed {
        let past = self.past(events);
        let past = self.fixed(past);
        let size = self.emitted(Op::Size(past), Type::Int, offset, &[past]);
        let zero = self.constant(Owned::Int(0), Type::Int, offset);
        let (left, right) = (self.fixed(size), self.fixed(zero));
        let how = crate::ast::Comparison::Greater;
        self.emitted(Op::Compare { how, left, right }, Type::Bool, offset, &[left, right])
    }

    /// A function over events, or over all elements of a list; `None` where the name is none.
    pub(super) fn list_function(
        &mut self,
        receiver: &Expr,
        name: &str,
        arguments: &[Expr],
        offset: usize,
    ) -> Option<Typed> {
        let total = match name {
            "sum" => Some(Total::Sum(Zero::Int)),
            "avg" => Some(Total::Average),
            "min" => Some(Total::Least),
            "max" => Some(Total::Greatest),
            "first" => Some(Total::First),
            "last" => Some(Total::Last),
            _ => None,
        };
        Some(match (name, arguments, total) {
            (_, [], Some(total)) => self.total(total, receiver, name, offset),
            (_, _, Some(_)) => self.failed(offset, format!("{name}() takes no argument")),
            ("within" | "since" | "before", [bound], _) => self.window(receiver, name, bound, None, offset),
            ("between", [from, before], _) => self.window(receiver, name, from, Some(before), offset),
            ("followedBy", [later, within], _) => self.followed(Gives::Followers, receiver, later, within, offset),
            ("notFollowedBy", [later, within], _) => self.followed(Gives::Unfollowed, receiver, later, within, offset),
            ("within", ..) => self.failed(offset, "within() takes a duration, as within(duration('720h'))"),
            ("since" | "before", ..) => self.failed(offset, format!("{name}() takes an instant")),
            ("between", ..) => self.failed(offset, "between() takes two instants"),
            ("followedBy" | "notFollowedBy", ..) => self.failed(
                offset,
                format!("{name}() takes events and a duration, as {name}(events.purchase, duration('24h'))"),
            ),
            _ => return None,
        })
    }

    fn window(&mut self, of: &Expr, name: &str, bound: &Expr, before: Option<&Expr>, offset: usize) -> Typed {
        let of = self.expression(of);
        let Some(at) = instant_of(&of.kind) else {
            return self.not_events(&of, name, offset);
        };
        let (kind, length) = (of.kind.clone(), self.length_of(&of));
        let of = self.fixed(of);
        let mut operands = vec![of];
        let first = if name == "within" {
            self.needs_now(offset);
            let length = self.operand(bound, &Type::Duration);
            self.needs_length(length, name, bound.offset);
            operands.push(length);
            Bound::Within(length)
        } else {
            self.bound(bound, &mut operands)
        };
        let second = before.map(|bound| self.bound(bound, &mut operands));
        let (from, before) = if name == "before" { (None, Some(first)) } else { (Some(first), second) };
        self.code.windows.push(Window { of, at, from, before });
        let op = Op::Window(index(self.code.windows.len() - 1));
        let typed = self.emitted_at(op, kind, offset, &operands, WINDOW_COST);
        self.long(typed, length)
    }

    /// An instant as a bound, which may move with `now`: each event crosses it at an instant that can be computed.
    fn bound(&mut self, bound: &Expr, operands: &mut Vec<Node>) -> Bound {
        let typed = self.expression(bound);
        if !typed.kind.compatible(&Type::Timestamp) {
            self.note(bound.offset, format!("this should be timestamp, but is {}", typed.kind));
        }
        if let Meaning::Moving(steps) = &typed.meaning {
            let (run, nodes) = self.steps(steps);
            operands.extend(nodes);
            return Bound::Moving(run);
        }
        let node = self.fixed(typed);
        operands.push(node);
        Bound::Fixed(node)
    }

    /// Keeps steps from `now`; the run they stand in, and their operands.
    pub(super) fn steps(&mut self, steps: &[Step]) -> (Run, Vec<Node>) {
        let run = Run { start: index(self.code.steps.len()), count: index(steps.len()) };
        self.code.steps.extend_from_slice(steps);
        let operands = steps.iter().map(|step| match step {
            Step::Plus(node) | Step::Minus(node) | Step::From(node) => *node,
        });
        (run, operands.collect())
    }

    fn followed(&mut self, gives: Gives, earlier: &Expr, later: &Expr, within: &Expr, offset: usize) -> Typed {
        let name = if gives == Gives::Followers { "followedBy" } else { "notFollowedBy" };
        if gives == Gives::Unfollowed {
            self.needs_now(offset);
        }
        let (earlier, later) = (self.expression(earlier), self.expression(later));
        let (Some(earlier_at), Some(later_at)) = (instant_of(&earlier.kind), instant_of(&later.kind)) else {
            let wrong = if instant_of(&earlier.kind).is_none() { &earlier } else { &later };
            return self.not_events(wrong, name, offset);
        };
        let lengths = [self.length_of(&earlier), self.length_of(&later)];
        let (kind, length) = match gives {
            Gives::Followers => (later.kind.clone(), lengths[1]),
            Gives::Unfollowed => (earlier.kind.clone(), lengths[0]),
        };
        let (earlier, later) = (self.fixed(earlier), self.fixed(later));
        let span = self.operand(within, &Type::Duration);
        self.needs_length(span, name, within.offset);
        let within = span;
        self.code.follows.push(Follow { earlier, earlier_at, later, later_at, within, gives });
        let op = Op::Followed(index(self.code.follows.len() - 1));
        let own = lengths[0].saturating_add(lengths[1]).saturating_add(1);
        let typed = self.emitted_at(op, kind, offset, &[earlier, later, within], own);
        self.long(typed, length)
    }

    fn not_events(&mut self, typed: &Typed, name: &str, offset: usize) -> Typed {
        let kind = &typed.kind;
        let reason = match kind {
            Type::Map(inner) if matches!(**inner, Type::Events(_)) => ONE_TYPE_AT_A_TIME.to_owned(),
            Type::List(inner) if matches!(**inner, Type::Object(_)) => {
                format!("{name}() takes events in their order, which those of this list may have lost")
            }
            _ => format!("{name}() takes events, not {kind}"),
        };
        if let Meaning::Moving(_) = typed.meaning {
            return self.failed(typed.offset, clock::MISPLACED);
        }
        self.failed(offset, reason)
    }

    fn needs_now(&mut self, offset: usize) {
        if !self.environment.has_now() {
            self.note(offset, NO_NOW);
        }
    }

    /// A length that is known must be one: within no time at all, or less, nothing ever happened.
    fn needs_length(&mut self, length: Node, name: &str, offset: usize) {
        let is_none = |value: &Owned| matches!(value, Owned::Duration(micros) if *micros <= 0);
        if self.constant_of(length).is_some_and(is_none) {
            self.note(offset, format!("{name}() takes a duration above zero, as duration('720h')"));
        }
    }

    fn total(&mut self, how: Total, of: &Expr, name: &str, offset: usize) -> Typed {
        let of = self.expression(of);
        let Some(element) = of.kind.element().or_else(|| (of.kind == Type::Dyn).then_some(Type::Dyn)) else {
            return self.failed(offset, format!("{name}() takes a list, not {}", of.kind));
        };
        let (how, kind) = match (how, &element) {
            (Total::Sum(_), Type::Int | Type::Dyn) => (how, element),
            (Total::Sum(_), Type::Double) => (Total::Sum(Zero::Double), element),
            (Total::Sum(_), Type::Duration) => (Total::Sum(Zero::Duration), element),
            (Total::Average, Type::Int | Type::Double) => (how, Type::Double),
            (Total::Average, Type::Duration | Type::Dyn) | (Total::First | Total::Last, _) => (how, element),
            (
                Total::Least | Total::Greatest,
                Type::Int | Type::Double | Type::String | Type::Timestamp | Type::Duration | Type::Dyn,
            ) => (how, element),
            _ => return self.failed(offset, format!("{name}() does not take {}", of.kind)),
        };
        let own = if matches!(how, Total::First | Total::Last) { 1 } else { self.length_of(&of).saturating_add(1) };
        let of = self.fixed(of);
        let typed = self.emitted_at(Op::Total { how, of }, kind, offset, &[of], own);
        self.past(typed)
    }

    /// The type of what is one or the other. Where that forgets a type by which events to come are kept apart, it is
    /// refused.
    pub(super) fn joined(&mut self, left: &Type, right: &Type, offset: usize) -> Type {
        let joined = left.join(right);
        if [left, right].into_iter().any(|kind| kind.hides_events() && *kind != joined) {
            self.note(offset, ONE_TYPE_AT_A_TIME);
        }
        joined
    }
}

/// The place of the field that says when events happened; `None` for what are no events.
fn instant_of(kind: &Type) -> Option<u16> {
    match kind {
        Type::Events(record) => record.field("at").and_then(|(index, _)| u16::try_from(index).ok()),
        _ => None,
    }
}
