//! Equality and order, by CEL's rules: numbers compare across kinds, other kinds are never equal to one another.

use std::cmp::Ordering;

use crate::ast::Comparison;
use crate::error::EvalErrorKind;
use crate::eval::{Evaluator, Trouble, count, element, lookup, wrong_type};
use crate::number::compare_int_double;
use crate::program::Node;
use crate::value::Value;

/// How deep values are compared: data from outside may nest deeper than a stack holds.
const DEEPEST: u32 = 32;

impl<'a> Evaluator<'a> {
    pub(super) fn compare(&mut self, how: Comparison, left: Node, right: Node, node: Node) -> Result<bool, Trouble> {
        self.charge(1, node)?;
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        self.compared(how, &left, &right, node)
    }

    pub(super) fn compared(
        &mut self,
        how: Comparison,
        left: &Value<'a>,
        right: &Value<'a>,
        node: Node,
    ) -> Result<bool, Trouble> {
        Ok(match how {
            Comparison::Equal => self.equal(left, right, node, 0)?,
            Comparison::NotEqual => !self.equal(left, right, node, 0)?,
            _ => match (self.order(left, right, node)?, how) {
                // NaN is neither less nor greater than anything.
                (None, _) => false,
                (Some(order), Comparison::Less) => order.is_lt(),
                (Some(order), Comparison::LessOrEqual) => order.is_le(),
                (Some(order), Comparison::Greater) => order.is_gt(),
                (Some(order), _) => order.is_ge(),
            },
        })
    }

    pub(super) fn order(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
        node: Node,
    ) -> Result<Option<Ordering>, Trouble> {
        Ok(match (left, right) {
            (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
            (Value::Double(left), Value::Double(right)) => left.partial_cmp(right),
            (Value::Int(left), Value::Double(right)) => compare_int_double(*left, *right),
            (Value::Double(left), Value::Int(right)) => compare_int_double(*right, *left).map(Ordering::reverse),
            (Value::Timestamp(left), Value::Timestamp(right)) => Some(left.cmp(right)),
            (Value::Duration(left), Value::Duration(right)) => Some(left.cmp(right)),
            (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
            _ => {
                let (Some(left), Some(right)) = (left.as_str(), right.as_str()) else {
                    return Err(wrong_type(node));
                };
                self.charge_text(left.len().min(right.len()), node)?;
                // UTF-8 keeps the order of code points.
                Some(left.cmp(right))
            }
        })
    }

    pub(super) fn equal(
        &mut self,
        left: &Value<'a>,
        right: &Value<'a>,
        node: Node,
        depth: u32,
    ) -> Result<bool, Trouble> {
        Ok(match (left, right) {
            (Value::Int(left), Value::Int(right)) => left == right,
            (Value::Double(left), Value::Double(right)) => left == right,
            (Value::Int(int), Value::Double(double)) | (Value::Double(double), Value::Int(int)) => {
                compare_int_double(*int, *double) == Some(Ordering::Equal)
            }
            (Value::Bool(left), Value::Bool(right)) => left == right,
            (Value::Timestamp(left), Value::Timestamp(right)) => left == right,
            (Value::Duration(left), Value::Duration(right)) => left == right,
            (Value::Null, Value::Null) => true,
            (Value::Object(_), _) | (_, Value::Object(_)) => return Err(wrong_type(node)),
            (left, right) if left.is_list() && right.is_list() => self.equal_lists(left, right, node, depth)?,
            (Value::Map(_) | Value::MadeMap(_), Value::Map(_) | Value::MadeMap(_)) => {
                self.equal_maps(left, right, node, depth)?
            }
            _ => {
                let (Some(left), Some(right)) = (left.as_str(), right.as_str()) else {
                    return Ok(false);
                };
                if left.len() != right.len() {
                    return Ok(false);
                }
                self.charge_text(left.len(), node)?;
                left == right
            }
        })
    }

    fn equal_lists(&mut self, left: &Value<'a>, right: &Value<'a>, node: Node, depth: u32) -> Result<bool, Trouble> {
        deeper(depth, node)?;
        let length = count(left).unwrap_or_default();
        if count(right) != Some(length) {
            return Ok(false);
        }
        for index in 0..length {
            self.charge(1, node)?;
            let (Some(left), Some(right)) = (element(left, index), element(right, index)) else {
                return Ok(false);
            };
            if !self.equal(&left, &right, node, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_maps(&mut self, left: &Value<'a>, right: &Value<'a>, node: Node, depth: u32) -> Result<bool, Trouble> {
        deeper(depth, node)?;
        if super::fold::entries(left) != super::fold::entries(right) {
            return Ok(false);
        }
        let mut key = super::fold::key_after(left, None);
        while let Some(name) = key {
            self.charge(1 + name.len() as u64 / 16, node)?;
            let (Some(mine), Some(theirs)) = (lookup(left, &name, node)?, lookup(right, &name, node)?) else {
                return Ok(false);
            };
            if !self.equal(&mine, &theirs, node, depth + 1)? {
                return Ok(false);
            }
            key = super::fold::key_after(left, Some(&name));
        }
        Ok(true)
    }

    /// `item in list` and `key in map`.
    pub(super) fn contains(&mut self, item: Node, of: Node, node: Node) -> Result<bool, Trouble> {
        self.charge(1, node)?;
        let (item, of) = (self.operand(item)?, self.operand(of)?);
        if let Some(length) = count(&of) {
            for index in 0..length {
                self.charge(1, node)?;
                if let Some(element) = element(&of, index)
                    && self.equal(&item, &element, node, 0)?
                {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        match item.as_str() {
            Some(key) => {
                self.charge_text(key.len(), node)?;
                Ok(lookup(&of, key, node)?.is_some())
            }
            None if super::fold::entries(&of).is_some() => Ok(false),
            None => Err(wrong_type(node)),
        }
    }
}

fn deeper(depth: u32, node: Node) -> Result<(), Trouble> {
    if depth < DEEPEST { Ok(()) } else { Err(Trouble { kind: EvalErrorKind::TooDeep, at: node }) }
}
