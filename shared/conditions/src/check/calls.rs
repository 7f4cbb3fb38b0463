//! Functions: their names, what they take and what they give.

use regex::RegexBuilder;

use crate::ast::{Expr, ExprKind};
use crate::check::events::ONE_TYPE_AT_A_TIME;
use crate::check::{Compiler, TEXT_COST, Typed, clock, index};
use crate::format::Zone;
use crate::program::{Conversion, Node, Op, Part, TextTest, ZoneFrom};
use crate::types::Type;
use crate::value::Owned;

/// What a compiled pattern may take of memory, so that `a{1000}{1000}` is refused.
const PATTERN_BYTES: usize = 256 * 1024;
const PATTERN_COST: u64 = 150;
/// How many patterns a condition has at most: each takes memory for as long as the program lives.
const MOST_PATTERNS: usize = 16;

impl Compiler<'_> {
    pub(super) fn function(&mut self, name: &str, arguments: &[Expr], offset: usize) -> Typed {
        let conversion = match name {
            "bool" => Some(Conversion::Bool),
            "int" => Some(Conversion::Int),
            "double" => Some(Conversion::Double),
            "string" => Some(Conversion::String),
            "timestamp" => Some(Conversion::Timestamp),
            "duration" => Some(Conversion::Duration),
            _ => None,
        };
        match (name, arguments) {
            ("has", _) => self.has(arguments, offset),
            ("size", [of]) => self.size(of, offset),
            ("matches", [text, pattern]) => self.pattern(text, pattern, offset),
            ("dyn", [of]) => {
                let typed = self.expression(of);
                if typed.kind.hides_events() {
                    return self.failed(offset, ONE_TYPE_AT_A_TIME);
                }
                Typed { kind: Type::Dyn, ..typed }
            }
            (_, [of]) if conversion.is_some() => self.conversion(conversion, of, name, offset),
            ("size" | "dyn" | "matches", _) => {
                self.failed(offset, format!("{name}() takes another number of arguments"))
            }
            _ if conversion.is_some() => self.failed(offset, format!("{name}() takes one argument")),
            ("type" | "bytes" | "uint", _) => self.failed(offset, format!("{name}() is not part of this language")),
            _ => self.failed(offset, format!("there is no function {name}()")),
        }
    }

    pub(super) fn method(&mut self, receiver: &Expr, name: &str, arguments: &[Expr], offset: usize) -> Typed {
        if let Some(typed) = self.fold(receiver, name, arguments, offset) {
            return typed;
        }
        if let Some(typed) = self.list_function(receiver, name, arguments, offset) {
            return typed;
        }
        if let Some(part) = part(name) {
            return self.part(part, name, receiver, arguments, offset);
        }
        match (name, arguments) {
            ("size", []) => self.size(receiver, offset),
            ("contains", [part]) => self.text_test(TextTest::Contains, receiver, part, offset),
            ("startsWith", [part]) => self.text_test(TextTest::StartsWith, receiver, part, offset),
            ("endsWith", [part]) => self.text_test(TextTest::EndsWith, receiver, part, offset),
            ("matches", [pattern]) => self.pattern(receiver, pattern, offset),
            ("lowerAscii", []) => self.case(false, receiver, offset),
            ("upperAscii", []) => self.case(true, receiver, offset),
            ("size" | "lowerAscii" | "upperAscii", _) => self.failed(offset, format!("{name}() takes no argument")),
            ("contains" | "startsWith" | "endsWith" | "matches", _) => {
                self.failed(offset, format!("{name}() takes one argument"))
            }
            _ => self.failed(offset, format!("there is no function {name}()")),
        }
    }

    fn conversion(&mut self, to: Option<Conversion>, of: &Expr, name: &str, offset: usize) -> Typed {
        let Some(to) = to else {
            return self.failed(offset, format!("there is no function {name}()"));
        };
        let literal = matches!(of.kind, ExprKind::String(_));
        let typed = self.expression(of);
        if !convertible(to, &typed.kind) {
            return self.failed(offset, format!("{name}() does not take {}", typed.kind));
        }
        let of = self.fixed(typed);
        let typed = self.emitted_at(Op::Convert { to, of }, target(to), offset, &[of], TEXT_COST);
        if self.is_constant(of) && !self.computed(&typed) && literal {
            let form = match to {
                Conversion::Timestamp => " (as timestamp('2025-01-31T09:30:00Z'))",
                Conversion::Duration => " (as duration('720h'), in h, m, s, ms, us)",
                _ => "",
            };
            self.note(offset, format!("this text is no {name}{form}"));
        }
        typed
    }

    fn size(&mut self, of: &Expr, offset: usize) -> Typed {
        let typed = self.expression(of);
        if matches!(&typed.kind, Type::Map(value) if matches!(**value, Type::Events(_))) {
            return self.failed(offset, ONE_TYPE_AT_A_TIME);
        }
        if !matches!(typed.kind, Type::String | Type::List(_) | Type::Events(_) | Type::Map(_) | Type::Dyn) {
            return self.failed(offset, format!("size() does not take {}", typed.kind));
        }
        let of = self.fixed(typed);
        self.emitted_at(Op::Size(of), Type::Int, offset, &[of], TEXT_COST)
    }

    fn text_test(&mut self, test: TextTest, text: &Expr, part: &Expr, offset: usize) -> Typed {
        let (text, part) = (self.operand(text, &Type::String), self.operand(part, &Type::String));
        self.emitted_at(Op::Text { test, text, part }, Type::Bool, offset, &[text, part], TEXT_COST)
    }

    fn case(&mut self, upper: bool, of: &Expr, offset: usize) -> Typed {
        let of = self.operand(of, &Type::String);
        let typed = self.emitted_at(Op::Case { upper, of }, Type::String, offset, &[of], TEXT_COST);
        if self.is_constant(of) {
            self.computed(&typed);
        }
        typed
    }

    fn pattern(&mut self, text: &Expr, pattern: &Expr, offset: usize) -> Typed {
        let text = self.operand(text, &Type::String);
        let at = pattern.offset;
        let pattern = self.operand(pattern, &Type::String);
        let Some(Owned::String(pattern)) = self.constant_of(pattern) else {
            return self.failed(at, "a pattern must be a literal string");
        };
        if self.code.patterns.len() == MOST_PATTERNS {
            return self.failed(at, format!("a condition has at most {MOST_PATTERNS} patterns"));
        }
        let compiled =
            RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).nest_limit(50).build();
        match compiled {
            Ok(compiled) => {
                self.code.patterns.push(compiled);
                let pattern = index(self.code.patterns.len() - 1);
                self.emitted_at(Op::Matches { text, pattern }, Type::Bool, offset, &[text], PATTERN_COST)
            }
            Err(regex::Error::CompiledTooBig(_)) => self.failed(at, "this pattern is too large"),
            Err(_) => self.failed(at, "this is no pattern of RE2's syntax"),
        }
    }

    fn part(&mut self, part: Part, name: &str, of: &Expr, arguments: &[Expr], offset: usize) -> Typed {
        let typed = self.expression(of);
        let of_duration = matches!(part, Part::Hours | Part::Minutes | Part::Seconds | Part::Milliseconds);
        match &typed.kind {
            Type::Timestamp | Type::Dyn => {}
            Type::Duration if of_duration && arguments.is_empty() => {}
            Type::Duration if of_duration => return self.failed(offset, "a duration has no time zone"),
            other => return self.failed(offset, format!("{name}() does not take {other}")),
        }
        if matches!(typed.meaning, super::Meaning::Moving(_)) {
            return self.failed(typed.offset, clock::MISPLACED);
        }
        let of = self.fixed(typed);
        let (zone, operands) = match arguments {
            [] => (ZoneFrom::Utc, vec![of]),
            [zone] => match self.zone(zone) {
                Some((zone, node)) => (zone, vec![of, node]),
                None => return self.failed(zone.offset, "this is no time zone (as 'Europe/Paris' or '+02:00')"),
            },
            _ => return self.failed(offset, format!("{name}() takes at most a time zone")),
        };
        self.emitted_at(Op::Part { part, of, zone }, Type::Int, offset, &operands, 20)
    }

    fn zone(&mut self, zone: &Expr) -> Option<(ZoneFrom, Node)> {
        let node = self.operand(zone, &Type::String);
        let Some(Owned::String(name)) = self.constant_of(node) else {
            return Some((ZoneFrom::Computed(node), node));
        };
        let zone = Zone::parse(name)?;
        self.code.zones.push(zone);
        Some((ZoneFrom::Constant(index(self.code.zones.len() - 1)), node))
    }
}

fn part(name: &str) -> Option<Part> {
    Some(match name {
        "getFullYear" => Part::FullYear,
        "getMonth" => Part::Month,
        "getDate" => Part::Date,
        "getDayOfMonth" => Part::DayOfMonth,
        "getDayOfWeek" => Part::DayOfWeek,
        "getDayOfYear" => Part::DayOfYear,
        "getHours" => Part::Hours,
        "getMinutes" => Part::Minutes,
        "getSeconds" => Part::Seconds,
        "getMilliseconds" => Part::Milliseconds,
        _ => return None,
    })
}

const fn target(to: Conversion) -> Type {
    match to {
        Conversion::Bool => Type::Bool,
        Conversion::Int => Type::Int,
        Conversion::Double => Type::Double,
        Conversion::String => Type::String,
        Conversion::Timestamp => Type::Timestamp,
        Conversion::Duration => Type::Duration,
    }
}

fn convertible(to: Conversion, from: &Type) -> bool {
    match (to, from) {
        (_, Type::Dyn | Type::String) => true,
        (Conversion::Bool, from) => *from == Type::Bool,
        (Conversion::Int, from) => matches!(from, Type::Int | Type::Double | Type::Timestamp),
        (Conversion::Double, from) => matches!(from, Type::Int | Type::Double),
        (Conversion::String, from) => {
            matches!(from, Type::Bool | Type::Int | Type::Double | Type::Timestamp | Type::Duration)
        }
        (Conversion::Timestamp, from) => matches!(from, Type::Timestamp | Type::Int),
        (Conversion::Duration, from) => *from == Type::Duration,
    }
}
