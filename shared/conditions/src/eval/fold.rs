//! The macros over lists and maps: all, exists, exists_one, filter, map.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::EvalErrorKind;
use crate::eval::{Evaluated, Evaluator, Trouble, count, element, wrong_type};
use crate::program::{Fold, Node, Op};
use crate::value::Value;

/// What a fold runs over, and how far it is.
enum Range<'a> {
    List { list: Value<'a>, next: usize, count: usize, backwards: bool },
    Keys { map: Value<'a>, last: Option<Value<'a>> },
}

/// What a fold has gathered so far.
#[derive(Default)]
struct Gathered<'a> {
    trouble: Option<Trouble>,
    found: usize,
    list: Vec<Value<'a>>,
}

impl<'a> Evaluator<'a> {
    pub(super) fn fold(&mut self, node: Node) -> Evaluated<'a> {
        let Op::Fold { how, over, .. } = self.code.ops[node as usize] else {
            return Err(wrong_type(node));
        };
        self.charge(1, node)?;
        if let Some(leaving) = self.leaving(over)? {
            return self.fold_leaving(node, how, &leaving);
        }
        let range = self.operand(over)?;
        self.fold_over(node, range, false).map(|(value, _)| value)
    }

    /// Folds over what a range gave, a list from its end where that is asked; with the place of the element that
    /// decided, where one did.
    pub(super) fn fold_over(
        &mut self,
        node: Node,
        range: Value<'a>,
        backwards: bool,
    ) -> Result<(Value<'a>, Option<usize>), Trouble> {
        let Op::Fold { how, local, .. } = self.code.ops[node as usize] else {
            return Err(wrong_type(node));
        };
        let mut range = Range::over(range, backwards, node)?;
        let mut gathered = Gathered::default();
        while let Some((place, item)) = range.next() {
            self.charge(1, node)?;
            self.locals[usize::from(local)] = item;
            if let Some(decided) = self.fold_one(node, &mut gathered)? {
                return Ok((Value::Bool(decided), Some(place)));
            }
        }
        let value = match (gathered.trouble, how) {
            (Some(trouble), _) => return Err(trouble),
            (None, Fold::All) => Value::Bool(true),
            (None, Fold::Exists) => Value::Bool(false),
            (None, Fold::ExistsOne) => Value::Bool(gathered.found == 1),
            (None, Fold::Filter | Fold::Map) => Value::MadeList(gathered.list.into()),
        };
        Ok((value, None))
    }

    /// Takes the item that stands in the fold's local; `Some` where that decides the whole.
    fn fold_one(&mut self, node: Node, gathered: &mut Gathered<'a>) -> Result<Option<bool>, Trouble> {
        let Op::Fold { how, local, predicate, transform, .. } = self.code.ops[node as usize] else {
            return Err(wrong_type(node));
        };
        let holds = self.boolean(predicate);
        match (how, holds) {
            (Fold::All, Ok(false)) => return Ok(Some(false)),
            (Fold::Exists, Ok(true)) => return Ok(Some(true)),
            (Fold::All | Fold::Exists, Ok(_)) => {}
            // As && and || do, all and exists forget an error when another element decides.
            (Fold::All | Fold::Exists, Err(trouble)) if trouble.kind != EvalErrorKind::TooDear => {
                gathered.trouble = gathered.trouble.or(Some(trouble));
            }
            (_, Err(trouble)) => return Err(trouble),
            (Fold::ExistsOne, Ok(holds)) => gathered.found += usize::from(holds),
            (Fold::Filter, Ok(true)) => gathered.list.push(self.locals[usize::from(local)].clone()),
            (Fold::Map, Ok(true)) => {
                let value = self.evaluate(transform)?;
                gathered.list.push(value);
            }
            (Fold::Filter | Fold::Map, Ok(false)) => {}
        }
        Ok(None)
    }
}

impl<'a> Range<'a> {
    fn over(value: Value<'a>, backwards: bool, node: Node) -> Result<Self, Trouble> {
        if let Some(count) = count(&value) {
            return Ok(Self::List { list: value, next: 0, count, backwards });
        }
        if entries(&value).is_some() {
            return Ok(Self::Keys { map: value, last: None });
        }
        Err(wrong_type(node))
    }

    /// The next item, with its place in a list.
    fn next(&mut self) -> Option<(usize, Value<'a>)> {
        match self {
            Self::List { list, next, count, backwards } => {
                while *next < *count {
                    *next += 1;
                    let place = if *backwards { *count - *next } else { *next - 1 };
                    // A list that counts more than it holds has its gaps passed over.
                    if let Some(item) = element(list, place) {
                        return Some((place, item));
                    }
                }
                None
            }
            Self::Keys { map, last } => {
                let after = last.as_ref().and_then(Value::as_str);
                let key = match &*map {
                    Value::Map(map) => map.key_after(after).map(Value::String),
                    _ => key_after(map, after).map(|key| Value::MadeString(Arc::from(&*key))),
                };
                last.clone_from(&key);
                key.map(|key| (0, key))
            }
        }
    }
}

/// How many entries a map has; `None` for what is no map.
pub(super) fn entries(map: &Value<'_>) -> Option<usize> {
    match map {
        Value::Map(map) => Some(map.count()),
        Value::MadeMap(map) => Some(map.len()),
        _ => None,
    }
}

/// The first key of a map, or the one after `key`.
pub(super) fn key_after<'a>(map: &Value<'a>, key: Option<&str>) -> Option<Cow<'a, str>> {
    match map {
        Value::Map(map) => map.key_after(key).map(Cow::Borrowed),
        Value::MadeMap(map) => {
            let mut keys = map.keys();
            let next = match key {
                Some(key) => keys.find(|other| other.as_str() > key),
                None => keys.next(),
            };
            next.map(|key| Cow::Owned(key.clone()))
        }
        _ => None,
    }
}
