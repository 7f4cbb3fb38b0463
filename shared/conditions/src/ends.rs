//! Of which lists of events a condition reads no more than how many there are, the first and the last: a host that can
//! count need not load the others.

use std::collections::BTreeSet;

use crate::program::{Bound, Code, Node, Op, Program, Run, Step, Total, ZoneFrom};

impl Program {
    /// Whether it reads of the events at a path more than how many there are, the first and the last. Only of paths that
    /// its [`Program::inputs`] name; where it does not, a list that counts all and holds its ends alone gives the same
    /// answers, as long as its last is not to come.
    #[must_use]
    pub fn reads_between(&self, path: &[String]) -> bool {
        self.between().contains(path)
    }
}

/// The paths of lists of events that are read between their ends.
pub(crate) fn between(code: &Code) -> BTreeSet<Vec<String>> {
    let path = |node: Node| match code.ops[node as usize] {
        Op::Past { .. } => code.reads.get(&node).cloned(),
        _ => None,
    };
    let mut paths: BTreeSet<Vec<String>> = path(code.root).into_iter().collect();
    for op in &code.ops {
        if !matches!(op, Op::Size(_) | Op::Total { how: Total::First | Total::Last, .. }) {
            operands(code, *op, &mut |node| paths.extend(path(node)));
        }
    }
    paths
}

/// Shows the operands of an operation.
fn operands(code: &Code, op: Op, show: &mut dyn FnMut(Node)) {
    match op {
        Op::Constant(_) | Op::Variable(_) | Op::VariableField { .. } | Op::HasVariableField { .. } | Op::Local(_) => {}
        Op::Field { of, .. }
        | Op::Key { of, .. }
        | Op::HasField { of, .. }
        | Op::HasKey { of, .. }
        | Op::Not(of)
        | Op::Negate(of)
        | Op::Convert { of, .. }
        | Op::Size(of)
        | Op::Case { of, .. }
        | Op::Matches { text: of, .. }
        | Op::Past { of, .. }
        | Op::Total { of, .. } => show(of),
        Op::Part { of, zone, .. } => {
            show(of);
            if let ZoneFrom::Computed(zone) = zone {
                show(zone);
            }
        }
        Op::And(run) | Op::Or(run) | Op::List(run) | Op::Map(run) => {
            code.operands[run.range()].iter().for_each(|node| show(*node));
        }
        Op::If { condition, yes, no } => [condition, yes, no].into_iter().for_each(show),
        Op::Compare { left, right, .. }
        | Op::Arithmetic { left, right, .. }
        | Op::Index { of: left, key: right }
        | Op::In { item: left, of: right }
        | Op::Text { text: left, part: right, .. }
        | Op::CompareCount { list: left, other: right, .. } => [left, right].into_iter().for_each(show),
        Op::Clock { steps: run, other, .. } => {
            steps(code, run, show);
            show(other);
        }
        Op::Fold { over, predicate, transform, .. } => [over, predicate, transform].into_iter().for_each(show),
        Op::Window(window) => {
            let window = code.windows[window as usize];
            show(window.of);
            for bound in [window.from, window.before].into_iter().flatten() {
                match bound {
                    Bound::Fixed(node) | Bound::Within(node) => show(node),
                    Bound::Moving(run) => steps(code, run, show),
                }
            }
        }
        Op::Followed(follow) => {
            let follow = code.follows[follow as usize];
            [follow.earlier, follow.later, follow.within].into_iter().for_each(show);
        }
    }
}

fn steps(code: &Code, run: Run, show: &mut dyn FnMut(Node)) {
    for step in &code.steps[run.range()] {
        match step {
            Step::Plus(node) | Step::Minus(node) | Step::From(node) => show(*node),
        }
    }
}
