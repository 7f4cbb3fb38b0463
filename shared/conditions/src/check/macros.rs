//! The macros: has, all, exists, exists_one, filter, map. Their cost is that of the body, times the length.

use crate::ast::{Expr, ExprKind};
use crate::check::events::ONE_TYPE_AT_A_TIME;
use crate::check::{Compiler, Meaning, Typed};
use crate::program::{Fold, LOCALS, Op};
use crate::types::Type;
use crate::value::Owned;

impl Compiler<'_> {
    /// `has(a.b)`: whether a field is set, or a key there.
    pub(super) fn has(&mut self, arguments: &[Expr], offset: usize) -> Typed {
        match arguments {
            [Expr { kind: ExprKind::Select { of, field }, offset, .. }] => self.select(of, field, *offset, true),
            _ => self.failed(offset, "has() takes one field selection, as has(customer.email)"),
        }
    }

    /// A macro over a list or the keys of a map; `None` where the name is none, or the call is not shaped like one.
    pub(super) fn fold(&mut self, receiver: &Expr, name: &str, arguments: &[Expr], offset: usize) -> Option<Typed> {
        let (how, variable, predicate, transform) = match (name, arguments) {
            ("all", [variable, predicate]) => (Fold::All, variable, Some(predicate), None),
            ("exists", [variable, predicate]) => (Fold::Exists, variable, Some(predicate), None),
            ("exists_one", [variable, predicate]) => (Fold::ExistsOne, variable, Some(predicate), None),
            ("filter", [variable, predicate]) => (Fold::Filter, variable, Some(predicate), None),
            ("map", [variable, transform]) => (Fold::Map, variable, None, Some(transform)),
            ("map", [variable, predicate, transform]) => (Fold::Map, variable, Some(predicate), Some(transform)),
            ("all" | "exists" | "exists_one" | "filter" | "map", _) => {
                let reason = format!("{name} takes a variable and what is asked of it, as list.{name}(item, …)");
                return Some(self.failed(offset, reason));
            }
            _ => return None,
        };
        let ExprKind::Ident(variable) = &variable.kind else {
            return Some(
                self.failed(variable.offset, format!("the first argument of {name} is the name of a variable")),
            );
        };
        if self.scopes.len() == LOCALS {
            return Some(self.failed(offset, format!("macros nest at most {LOCALS} deep")));
        }
        Some(self.folded(how, receiver, variable, [predicate, transform], offset))
    }

    fn folded(&mut self, how: Fold, over: &Expr, variable: &str, body: [Option<&Expr>; 2], offset: usize) -> Typed {
        let over = self.expression(over);
        let element = match (&over.kind, over.kind.element()) {
            (_, Some(element)) => element,
            (Type::Map(value), _) if matches!(**value, Type::Events(_)) => {
                return self.failed(offset, ONE_TYPE_AT_A_TIME);
            }
            (Type::Map(_), _) => Type::String,
            (Type::Dyn, _) => Type::Dyn,
            (other, _) => {
                let reason = format!("a macro runs over a list or a map, not over {other}");
                return self.failed(offset, reason);
            }
        };
        // What is kept of events is in their order still.
        let kept = if let Type::Events(_) = &over.kind { over.kind.clone() } else { Type::list(element.clone()) };
        let length = self.length_of(&over);
        let over = self.fixed(over);
        let local = u8::try_from(self.scopes.len()).expect("checked against LOCALS");
        self.scopes.push((variable.to_owned(), element));
        let [predicate, transform] = body;
        let predicate = match predicate {
            Some(predicate) => self.operand(predicate, &Type::Bool),
            None => self.truth(offset),
        };
        let (transform, kind) = match transform {
            Some(transform) => {
                let transform = self.expression(transform);
                let kind = transform.kind.clone();
                (self.fixed(transform), Type::list(kind))
            }
            None if how == Fold::Filter => (self.truth(offset), kept),
            None => (self.truth(offset), Type::Bool),
        };
        self.scopes.pop();
        let body = self.costs[predicate as usize].saturating_add(self.costs[transform as usize]).saturating_add(1);
        let own = body.saturating_mul(length).saturating_add(1);
        let op = Op::Fold { how, over, local, predicate, transform };
        let typed = self.emitted_at(op, kind, offset, &[over], own);
        self.long(typed, length)
    }

    fn truth(&mut self, offset: usize) -> u32 {
        match self.constant(Owned::Bool(true), Type::Bool, offset).meaning {
            Meaning::Fixed(node, _) => node,
            Meaning::Moving(_) => unreachable!("a constant does not move"),
        }
    }
}
