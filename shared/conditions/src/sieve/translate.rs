//! From a compiled condition to its sieve.
//!
//! Of every operation two things are said: which rows it may be true over, and which it may be false over. Over the
//! rest it fails, and a failure is no match. So `!` changes the one for the other, `&&` is true where all its parts are
//! and false where one of them is, and what is not understood still needs the values that it reads.

use std::cmp::Ordering;

use rapport_kernel::Timestamp;

use super::{Constant, Kind, Sieve, SieveSchema};
use crate::ast::Comparison;
use crate::number::compare_int_double;
use crate::program::{Bound, Code, Fold, Gives, Node, Op, Run, Step, TextTest, Total};
use crate::value::Owned;

/// How many operations are looked at: what is asked both ways doubles at each `? :` in another's condition.
const MOST_VISITS: u32 = 4_000;
/// The greatest number up to which all whole numbers are exact as doubles, less one.
const EXACT: f64 = 9_007_199_254_740_991.0;

pub(super) fn sieve(code: &Code, schema: &SieveSchema, now: Option<Timestamp>) -> Sieve {
    Translator { code, schema, now, visits: 0 }.may(code.root, true)
}

pub(super) struct Translator<'c> {
    pub(super) code: &'c Code,
    schema: &'c SieveSchema,
    pub(super) now: Option<Timestamp>,
    visits: u32,
}

impl Translator<'_> {
    /// The rows over which an operation may give a truth.
    fn may(&mut self, node: Node, truth: bool) -> Sieve {
        self.visits += 1;
        if self.visits > MOST_VISITS {
            return Sieve::True;
        }
        let op = self.code.ops[node as usize];
        match op {
            Op::Constant(_) => match self.constant(node) {
                Some(Owned::Bool(value)) if *value == truth => Sieve::True,
                _ => Sieve::False,
            },
            Op::Not(of) => self.may(of, !truth),
            Op::And(run) => self.junction(run, truth, truth),
            Op::Or(run) => self.junction(run, truth, !truth),
            Op::If { condition, yes, no } => {
                let yes = Sieve::all([self.may(condition, true), self.may(yes, truth)]);
                let no = Sieve::all([self.may(condition, false), self.may(no, truth)]);
                Sieve::any([yes, no])
            }
            Op::Compare { how, left, right } => self.compare(turned(how, truth), left, right),
            Op::CompareCount { how, list, other } => {
                let counted = self.counted(turned(how, truth), list, other);
                Sieve::all([self.needs(list), self.needs(other), counted])
            }
            Op::Clock { how, steps, other } => self.clock(turned(how, truth), steps, other),
            Op::In { item, of } => self.membership(item, of, truth),
            Op::HasVariableField { .. } | Op::HasField { .. } | Op::HasKey { .. } => match self.path(node) {
                Some(path) if truth => self.has(path, None),
                Some(path) => self.lacks(path),
                None => Sieve::True,
            },
            Op::Text { test, text, part } => self.text(test, text, part, truth),
            Op::Fold { how, over, .. } => {
                let found = matches!((how, truth), (Fold::Exists | Fold::ExistsOne, true) | (Fold::All, false));
                let some = if found { self.not_empty(over) } else { Sieve::True };
                Sieve::all([self.needs(over), some])
            }
            _ => match self.value_path(node) {
                Some(path) => self.leaf(path, Comparison::Equal, &Owned::Bool(truth)),
                None => self.needs(node),
            },
        }
    }

    fn junction(&mut self, run: Run, truth: bool, all: bool) -> Sieve {
        let code = self.code;
        let parts: Vec<_> = code.operands[run.range()].iter().map(|part| self.may(*part, truth)).collect();
        if all { Sieve::all(parts) } else { Sieve::any(parts) }
    }

    /// The rows over which an operation can give a value at all: those that have what it reads.
    pub(super) fn needs(&mut self, node: Node) -> Sieve {
        self.visits += 1;
        if self.visits > MOST_VISITS {
            return Sieve::True;
        }
        if let Some(path) = self.value_path(node) {
            return self.has(path, None);
        }
        let code = self.code;
        match code.ops[node as usize] {
            Op::Compare { left, right, .. }
            | Op::Arithmetic { left, right, .. }
            | Op::In { item: left, of: right }
            | Op::Index { of: left, key: right }
            | Op::CompareCount { list: left, other: right, .. } => Sieve::all([self.needs(left), self.needs(right)]),
            Op::Text { text, part, .. } => Sieve::all([self.as_text(text), self.as_text(part)]),
            Op::Matches { text, .. } | Op::Case { of: text, .. } => self.as_text(text),
            Op::Not(of)
            | Op::Negate(of)
            | Op::Convert { of, .. }
            | Op::Size(of)
            | Op::Part { of, .. }
            | Op::Field { of, .. }
            | Op::Key { of, .. }
            | Op::If { condition: of, .. }
            | Op::Fold { over: of, .. } => self.needs(of),
            Op::List(run) | Op::Map(run) => {
                let parts: Vec<_> = code.operands[run.range()].iter().map(|part| self.needs(*part)).collect();
                Sieve::all(parts)
            }
            Op::Clock { steps, other, .. } => {
                let operands = steps_of(code, steps);
                let parts: Vec<_> = operands.chain([other]).map(|operand| self.needs(operand)).collect();
                Sieve::all(parts)
            }
            Op::Total { how, of } => {
                let some = if let Total::Sum(_) = how { Sieve::True } else { self.not_empty(of) };
                Sieve::all([self.needs(of), some])
            }
            Op::Window(window) => {
                let window = code.windows[window as usize];
                let bounds = [window.from, window.before].into_iter().flatten();
                let mut parts = vec![self.needs(window.of)];
                for bound in bounds {
                    match bound {
                        Bound::Fixed(node) | Bound::Within(node) => parts.push(self.needs(node)),
                        Bound::Moving(steps) => parts.extend(steps_of(code, steps).map(|node| self.needs(node))),
                    }
                }
                Sieve::all(parts)
            }
            Op::Followed(follow) => {
                let follow = code.follows[follow as usize];
                Sieve::all([self.needs(follow.earlier), self.needs(follow.later), self.needs(follow.within)])
            }
            // Junctions forget a failure, has() has none, and of events that never happened there are none.
            Op::And(_)
            | Op::Or(_)
            | Op::HasVariableField { .. }
            | Op::HasField { .. }
            | Op::HasKey { .. }
            | Op::Past { .. }
            | Op::Constant(_)
            | Op::Variable(_)
            | Op::VariableField { .. }
            | Op::Local(_) => Sieve::True,
        }
    }

    fn as_text(&mut self, node: Node) -> Sieve {
        match self.value_path(node) {
            Some(path) => self.has(path, Some(Kind::Text)),
            None => self.needs(node),
        }
    }

    /// The rows over which a list may hold something.
    fn not_empty(&mut self, node: Node) -> Sieve {
        self.visits += 1;
        if self.visits > MOST_VISITS {
            return Sieve::True;
        }
        let code = self.code;
        match code.ops[node as usize] {
            Op::Past { .. } => self.path(node).map_or(Sieve::True, |path| self.has(path, None)),
            Op::Window(window) => self.not_empty(code.windows[window as usize].of),
            Op::Followed(follow) => {
                let follow = code.follows[follow as usize];
                let later = if follow.gives == Gives::Followers { self.not_empty(follow.later) } else { Sieve::True };
                Sieve::all([self.not_empty(follow.earlier), later])
            }
            Op::Fold { how: Fold::Filter | Fold::Map, over, .. } => self.not_empty(over),
            Op::Constant(_) => match self.constant(node) {
                Some(Owned::List(list)) if list.is_empty() => Sieve::False,
                _ => Sieve::True,
            },
            _ => Sieve::True,
        }
    }

    fn compare(&mut self, how: Comparison, left: Node, right: Node) -> Sieve {
        for (how, this, that) in [(how, left, right), (how.mirrored(), right, left)] {
            if let (Some(path), Some(constant)) = (self.value_path(this), self.constant(that)) {
                return self.leaf(path, how, constant);
            }
            if let Op::Size(of) | Op::Total { how: Total::Sum(_), of } = self.code.ops[this as usize] {
                let counted = self.counted(how, of, that);
                return Sieve::all([self.needs(this), self.needs(that), counted]);
            }
        }
        Sieve::all([self.needs(left), self.needs(right)])
    }

    /// A size or a sum against a constant that nothing does not reach: there must be something.
    fn counted(&mut self, how: Comparison, list: Node, other: Node) -> Sieve {
        let nothing = match self.constant(other) {
            Some(Owned::Int(int)) => 0.cmp(int),
            Some(Owned::Double(double)) if !double.is_nan() => 0.0.partial_cmp(double).unwrap_or(Ordering::Equal),
            _ => return Sieve::True,
        };
        if how.admits(nothing) { Sieve::True } else { self.not_empty(list) }
    }

    /// A path against a constant.
    pub(super) fn leaf(&self, path: &[String], how: Comparison, constant: &Owned) -> Sieve {
        let Some(kinds) = self.schema.kinds(path) else {
            return Sieve::True;
        };
        let kind = match constant {
            Owned::Int(_) | Owned::Double(_) => Kind::Number,
            Owned::String(_) => Kind::Text,
            Owned::Timestamp(_) => Kind::Time,
            Owned::Bool(_) => Kind::Bool,
            Owned::List(_) => Kind::List,
            Owned::Null | Owned::Duration(_) | Owned::Map(_) | Owned::Object(_) => return self.has(path, None),
        };
        let column = |value| Sieve::Compare { path: path.to_vec(), how, value };
        match (kept(constant), how) {
            // Values of other kinds are not equal to it either.
            (value, Comparison::NotEqual) => match value {
                Some(value) if kinds == [kind] => column(value),
                _ => self.has(path, None),
            },
            (Some(value), Comparison::Equal) if kinds.contains(&kind) => column(value),
            (Some(value), _) if kinds.contains(&kind) && kind != Kind::Bool => column(value),
            // A NaN that is said not to be less may still not be greater either.
            _ => self.has(path, Some(kind)),
        }
    }

    fn membership(&mut self, item: Node, of: Node, truth: bool) -> Sieve {
        if let (Some(path), Some(Owned::List(list))) = (self.value_path(item), self.constant(of)) {
            return if truth { self.one_of(path, list) } else { self.has(path, None) };
        }
        let (Some(constant), Some(path)) = (self.constant(item), self.value_path(of)) else {
            return Sieve::all([self.needs(item), self.needs(of)]);
        };
        if let (Some(_), true) = (self.schema.kinds(path), truth) {
            return match kept(constant) {
                // What is declared of a path is of no map: this is a list.
                Some(value) if self.keeps(path, Kind::List) => Sieve::Holds { path: path.to_vec(), value },
                _ => self.has(path, None),
            };
        }
        // `key in map` is has(map.key).
        match constant {
            Owned::String(key) => {
                let mut inner = path.to_vec();
                inner.push(key.clone());
                let asked = if truth { self.has(&inner, None) } else { self.lacks(&inner) };
                if self.schema.kinds(path).is_some() { self.has(path, None) } else { asked }
            }
            _ => self.has(path, None),
        }
    }

    /// A path that must be one of some constants.
    fn one_of(&self, path: &[String], list: &[Owned]) -> Sieve {
        let Some(kinds) = self.schema.kinds(path) else {
            return Sieve::True;
        };
        let mut parts = Vec::new();
        for kind in [Kind::Number, Kind::Text, Kind::Time, Kind::Bool] {
            let values: Vec<_> = list.iter().filter_map(kept).filter(|value| value.kind() == kind).collect();
            if !values.is_empty() && kinds.contains(&kind) {
                parts.push(Sieve::In { path: path.to_vec(), values });
            }
        }
        // What no column keeps as it is may be equal to anything.
        if list.iter().any(|item| kept(item).is_none()) {
            parts.push(self.has(path, None));
        }
        Sieve::any(parts)
    }

    fn text(&mut self, test: TextTest, text: Node, part: Node, truth: bool) -> Sieve {
        let needs = Sieve::all([self.as_text(text), self.as_text(part)]);
        let (Some(path), Some(Owned::String(prefix))) = (self.value_path(text), self.constant(part)) else {
            return needs;
        };
        if test != TextTest::StartsWith || !self.keeps(path, Kind::Text) {
            return needs;
        }
        let bound = |how, text: &str| self.leaf(path, how, &Owned::from(text));
        let after = after_all_with(prefix);
        if truth {
            let before = after.map_or(Sieve::True, |after| bound(Comparison::Less, &after));
            Sieve::all([bound(Comparison::GreaterOrEqual, prefix), before])
        } else {
            let beyond = after.map_or(Sieve::False, |after| bound(Comparison::GreaterOrEqual, &after));
            Sieve::any([bound(Comparison::Less, prefix), beyond])
        }
    }

    pub(super) fn has(&self, path: &[String], kind: Option<Kind>) -> Sieve {
        match (self.schema.kinds(path), kind) {
            (None, _) => Sieve::True,
            (Some(kinds), Some(kind)) if !kinds.contains(&kind) => Sieve::False,
            (Some(_), kind) => Sieve::Has { path: path.to_vec(), kind },
        }
    }

    fn lacks(&self, path: &[String]) -> Sieve {
        if self.schema.kinds(path).is_some() { Sieve::Lacks { path: path.to_vec() } } else { Sieve::True }
    }

    fn keeps(&self, path: &[String], kind: Kind) -> bool {
        self.schema.kinds(path).is_some_and(|kinds| kinds.contains(&kind))
    }

    fn path(&self, node: Node) -> Option<&'_ [String]> {
        self.code.reads.get(&node).map(Vec::as_slice)
    }

    /// The path of an operation that gives what is there, and fails where nothing is.
    pub(super) fn value_path(&self, node: Node) -> Option<&'_ [String]> {
        match self.code.ops[node as usize] {
            Op::Variable(_) | Op::VariableField { .. } | Op::Field { .. } | Op::Key { .. } => self.path(node),
            _ => None,
        }
    }

    pub(super) fn constant(&self, node: Node) -> Option<&'_ Owned> {
        match self.code.ops[node as usize] {
            Op::Constant(index) => self.code.constants.get(index as usize),
            _ => None,
        }
    }
}

/// The comparison that gives `true` where this one gives a truth, failures and NaN apart.
const fn turned(how: Comparison, truth: bool) -> Comparison {
    if truth { how } else { how.opposite() }
}

pub(super) fn steps_of(code: &Code, steps: Run) -> impl Iterator<Item = Node> + '_ {
    code.steps[steps.range()].iter().map(|step| match step {
        Step::Plus(node) | Step::Minus(node) | Step::From(node) => *node,
    })
}

/// A constant as a column keeps it; `None` for what columns do not keep exactly.
fn kept(constant: &Owned) -> Option<Constant> {
    Some(match constant {
        #[expect(clippy::cast_precision_loss, reason = "only what is exact is taken")]
        Owned::Int(int) if compare_int_double(int.checked_abs()?, EXACT) != Some(Ordering::Greater) => {
            Constant::Number(*int as f64)
        }
        Owned::Double(double) if double.abs() <= EXACT => Constant::Number(*double),
        Owned::String(text) if !text.contains('\0') => Constant::Text(text.clone()),
        Owned::Timestamp(at) => Constant::Time(*at),
        Owned::Bool(value) => Constant::Bool(*value),
        _ => return None,
    })
}

/// The first text after all that start with a prefix; `None` where there is none.
fn after_all_with(prefix: &str) -> Option<String> {
    let mut letters: Vec<char> = prefix.chars().collect();
    while let Some(last) = letters.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            letters.push(next);
            return Some(letters.into_iter().collect());
        }
    }
    None
}
