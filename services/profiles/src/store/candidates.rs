//! Whom a search looks at. Where customers are sought in the order of their ids and values in that order narrow them, the
//! rows of the rarest value are gone through, in its index alone, and the other tests asked about each, until as many pass
//! as were asked for: what that costs grows with how many of its rows fail, and not with how many there are. Else tests that
//! only few rows pass are answered by those rows; and what is left, by going through all customers. Rows and customers are
//! gone through a window at a time, so that no statement looks at more than some thousand, however many there are.

use rapport_conditions::Sieve;
use rapport_data::{Rx, Stored as _};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    BinOper, ColumnRef, Expr, ExprTrait as _, IntoColumnRef, Order as Direction, Query, SelectStatement,
};
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _, QueryTrait as _};

use super::profile::{Column, Entity, Row, row};
use super::{search_term, trait_value, uuids};
use crate::domain::search::{By, Order};

/// How many rows are few; and how many customers one statement goes through.
const WINDOW: u64 = 1_000;
/// What the rows of the rarest value are called while others are asked about them.
const FOUND: &str = "found";

/// A place in the order of a search.
pub type Place = (Timestamp, CustomerId);

/// Which customers a search looks at: the next ones in its order, narrowed by what the database can tell.
pub struct Candidates<'a> {
    /// The order.
    pub order: Order,
    /// After this place in it.
    pub after: Option<Place>,
    /// Only those that a sieve lets through.
    pub sieve: &'a Sieve,
    /// Only those of whom a word begins so, and those that are named.
    pub word: Option<Word<'a>>,
    /// Whoever an older version of what is derived was derived by, whatever the sieve and the word say.
    pub behind: Option<u64>,
    /// These as well, whatever the sieve and the word say.
    pub due: &'a [CustomerId],
    /// How many.
    pub limit: u64,
    /// How many rows of one value are gone through for them.
    pub reach: u64,
}

/// How a text narrows a search.
pub struct Word<'a> {
    /// The beginning of a word.
    pub prefix: &'a str,
    /// Customers that may be found by an identifier.
    pub named: &'a [CustomerId],
}

/// What is asked of a customer.
pub(super) enum Test {
    /// All of these.
    All(Vec<Test>),
    /// One of these.
    Any(Vec<Test>),
    /// To be one of these.
    Named(Vec<Uuid>),
    /// To have such a row.
    One(Box<Leaf>),
}

/// Rows of a table, each of a customer.
pub(super) struct Leaf {
    /// The customers that have such a row.
    customers: SelectStatement,
    /// The customer's id there.
    id: ColumnRef,
    /// Whether an index has them in the order of their ids.
    in_order: bool,
    /// Where it is one on profiles themselves: that.
    is: Option<Condition>,
    /// What was found of their number.
    size: Size,
}

#[derive(Clone, Copy)]
enum Size {
    /// Less than a window: of a rest where they are in the order of ids.
    Few(Option<Rest>),
    Many,
    /// The one that ends the next window of a rest.
    Until(Rest, Uuid),
}

/// The customers after one, in the order of their ids.
#[derive(Clone, Copy)]
struct Rest {
    after: Option<Uuid>,
    descending: bool,
}

impl Rest {
    const fn direction(self) -> Direction {
        if self.descending { Direction::Desc } else { Direction::Asc }
    }
}

impl Leaf {
    /// Of a query for the ids of customers, which a column of its only table has.
    pub(super) fn new(customers: SelectStatement, id: impl IntoColumnRef, in_order: bool) -> Self {
        Self { customers, id: id.into_column_ref(), in_order, is: None, size: Size::Many }
    }

    /// Of a condition on profiles themselves.
    pub(super) fn of_profiles(rx: &Rx, is: Condition) -> Self {
        let query = live(rx).select_only().column(Column::CustomerId).filter(is.clone());
        Self { customers: query.into_query(), id: of_profile(), in_order: false, is: Some(is), size: Size::Many }
    }

    /// Asked of one customer, whose id a column has.
    fn check(&self, customer: &ColumnRef) -> Condition {
        if let Some(is) = self.is.clone().filter(|_| *customer == of_profile()) {
            return is;
        }
        // A scalar, so that it is asked for each that is looked at, and no planner makes it a join of all.
        let mut of_one = self.customers.clone();
        of_one.and_where(Expr::col(self.id.clone()).eq(Expr::col(customer.clone()))).limit(1);
        Condition::all().add(Expr::col(customer.clone()).eq(Expr::from(of_one)))
    }

    /// The one that ends so many of its rows, in the order of ids where they are.
    fn probe(&self, by_id: Option<Rest>, rows: u64) -> SelectStatement {
        let mut probe = self.customers.clone();
        if let Some(rest) = by_id.filter(|_| self.in_order) {
            probe = self.between(rest, None);
            probe.order_by_expr(Expr::col(self.id.clone()), rest.direction());
        }
        probe.limit(1).offset(rows - 1);
        probe
    }

    /// Notes whom its probe found.
    fn measured(&mut self, by_id: Option<Rest>, found: Option<Uuid>) {
        let by_id = by_id.filter(|_| self.in_order);
        self.size = match (found, by_id) {
            (None, rest) => Size::Few(rest),
            (Some(until), Some(rest)) => Size::Until(rest, until),
            (Some(_), None) => Size::Many,
        };
    }

    /// The customers of a rest that have such a row, up to one.
    fn between(&self, rest: Rest, until: Option<Uuid>) -> SelectStatement {
        let mut some = self.customers.clone();
        for (bound, how) in [(rest.after, beyond(rest.descending)), (until, within(rest.descending))] {
            if let Some(bound) = bound {
                some.and_where(Expr::col(self.id.clone()).binary(how, Expr::value(bound)));
            }
        }
        some
    }

    /// To be one of the few.
    fn seek(&self, rest: Option<Rest>) -> Condition {
        let few = rest.map_or_else(|| self.customers.clone(), |rest| self.between(rest, None));
        Condition::all().add(Expr::col(of_profile()).in_subquery(few))
    }
}

impl Test {
    fn leaves(&mut self) -> Vec<&mut Leaf> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter_mut().flat_map(Self::leaves).collect(),
            Self::One(leaf) => vec![&mut **leaf],
            Self::Named(_) => Vec::new(),
        }
    }

    /// Finds out how many rows there are of each leaf; of what can be gone through, only as far as it will be.
    async fn measure(&mut self, rx: &Rx, by_id: Option<Rest>, reach: u64) -> Result<(), Fault> {
        let mut sizes = Query::select();
        let mut leaves: Vec<(&mut Leaf, u64)> = Vec::new();
        for part in self.parts_mut() {
            let is_gone_through = matches!(part, Self::One(leaf) if leaf.in_order && by_id.is_some());
            let rows = if is_gone_through { reach } else { WINDOW };
            leaves.extend(part.leaves().into_iter().map(|leaf| (leaf, rows)));
        }
        for (leaf, rows) in &leaves {
            sizes.expr(Expr::from(leaf.probe(by_id, *rows)));
        }
        if leaves.is_empty() {
            return Ok(());
        }
        let found = rx.conn().query_one(&sizes).await.stored()?;
        for (at, (leaf, _)) in leaves.into_iter().enumerate() {
            let end = found.as_ref().map(|row| row.try_get_by_index::<Option<Uuid>>(at)).transpose().stored()?;
            leaf.measured(by_id, end.flatten());
        }
        Ok(())
    }

    fn parts(&self) -> &[Self] {
        if let Self::All(parts) = self { parts } else { std::slice::from_ref(self) }
    }

    fn parts_mut(&mut self) -> &mut [Self] {
        if let Self::All(parts) = self { parts } else { std::slice::from_mut(self) }
    }

    /// Whether few pass, and how they are found.
    fn seek(&self) -> Option<Condition> {
        match self {
            Self::All(parts) => {
                let (first, found) = parts.iter().enumerate().find_map(|(at, part)| Some((at, part.seek()?)))?;
                Some(Condition::all().add(found).add(self.others(first, &of_profile())))
            }
            Self::Any(parts) if parts.is_empty() => Some(self.check(&of_profile())),
            Self::Any(parts) => {
                let parts: Option<Vec<Condition>> = parts.iter().map(Self::seek).collect();
                Some(parts?.into_iter().fold(Condition::any(), Condition::add))
            }
            Self::Named(_) => Some(self.check(&of_profile())),
            Self::One(leaf) => match leaf.size {
                Size::Few(rest) => Some(leaf.seek(rest)),
                Size::Many | Size::Until(..) => None,
            },
        }
    }

    /// Asked of one customer, whose id a column has.
    fn check(&self, customer: &ColumnRef) -> Condition {
        let checks = |parts: &[Self], of| parts.iter().map(|part| part.check(customer)).fold(of, Condition::add);
        match self {
            Self::All(parts) => checks(parts, Condition::all()),
            Self::Any(parts) if parts.is_empty() => Condition::all().add(Expr::col(customer.clone()).is_null()),
            Self::Any(parts) => checks(parts, Condition::any()),
            Self::Named(ids) => Condition::all().add(Expr::col(customer.clone()).is_in(ids.iter().copied())),
            Self::One(leaf) => leaf.check(customer),
        }
    }

    /// The part to go through, and up to whom: one that has few left, or whose next window reaches furthest, for its rows
    /// are the rarest. All parts must be met.
    fn rarest(&self) -> Option<(usize, &Leaf, Rest, Option<Uuid>)> {
        let found = self.parts().iter().enumerate().filter_map(|(at, part)| match part {
            Self::One(leaf) => match leaf.size {
                Size::Few(rest) => Some((at, &**leaf, rest?, None)),
                Size::Until(rest, until) => Some((at, &**leaf, rest, Some(until))),
                Size::Many => None,
            },
            Self::All(_) | Self::Any(_) | Self::Named(_) => None,
        });
        found.max_by(|(.., rest, one), (.., other)| match (one, other) {
            (Some(one), Some(other)) if rest.descending => other.cmp(one),
            (Some(one), Some(other)) => one.cmp(other),
            _ => one.is_none().cmp(&other.is_none()),
        })
    }

    /// The parts but one, asked of one customer.
    fn others(&self, but: usize, customer: &ColumnRef) -> Condition {
        let others = self.parts().iter().enumerate().filter(|(at, _)| *at != but);
        others.map(|(_, part)| part.check(customer)).fold(Condition::all(), Condition::add)
    }

    /// Goes through a window of the rarest part, until so many customers pass all others: their ids, and where it ended;
    /// `None`: nothing is left beyond. Nothing, where no part can be gone through.
    async fn go_through(&self, rx: &Rx, limit: u64) -> Result<Option<(Vec<Uuid>, Option<Uuid>)>, Fault> {
        // Where few pass another part, they are asked instead of many.
        let rarest = self.rarest().filter(|(.., until)| until.is_none() || self.seek().is_none());
        let Some((at, leaf, rest, until)) = rarest else { return Ok(None) };
        let id = (FOUND, Column::CustomerId).into_column_ref();
        let mut query = Query::select();
        query.column(id.clone()).from_subquery(leaf.between(rest, until), FOUND);
        query.cond_where(self.others(at, &id)).order_by_expr(Expr::col(id), rest.direction()).limit(limit);
        let rows = rx.conn().query_all(&query).await.stored()?;
        let ids = rows.iter().map(|row| row.try_get_by_index::<Uuid>(0));
        let mut ids = ids.collect::<Result<Vec<_>, _>>().stored()?;
        let until = ids.last().copied().filter(|_| ids.len() as u64 == limit).or(until);
        // A list may hold a text twice.
        ids.dedup();
        Ok(Some((ids, until)))
    }
}

fn of_profile() -> ColumnRef {
    (Entity, Column::CustomerId).into_column_ref()
}

const fn beyond(descending: bool) -> BinOper {
    if descending { BinOper::SmallerThan } else { BinOper::GreaterThan }
}

const fn within(descending: bool) -> BinOper {
    if descending { BinOper::GreaterThanOrEqual } else { BinOper::SmallerThanOrEqual }
}

fn live(rx: &Rx) -> Select<Entity> {
    Entity::find().filter(Column::Tenant.eq(rx.tenant().uuid())).filter(Column::MergedInto.is_null())
}

fn column(order: Order) -> Option<Column> {
    match order.by {
        By::Id => None,
        By::Created => Some(Column::CreatedAt),
        By::Updated => Some(Column::UpdatedAt),
    }
}

/// Only the places that compare so with one.
fn placed(query: Select<Entity>, order: Order, how: BinOper, (instant, id): Place) -> Select<Entity> {
    let id = Expr::value(id.uuid());
    query.filter(match column(order) {
        None => Expr::col(Column::CustomerId).binary(how, id),
        Some(at) => {
            let place = Expr::tuple([Expr::col(at), Expr::col(Column::CustomerId)]);
            place.binary(how, Expr::tuple([Expr::value(instant.micros()), id]))
        }
    })
}

fn ordered(query: Select<Entity>, order: Order) -> Select<Entity> {
    let direction = if order.descending { Direction::Desc } else { Direction::Asc };
    let query = match column(order) {
        Some(at) => query.order_by(at, direction.clone()),
        None => query,
    };
    query.order_by(Column::CustomerId, direction)
}

/// Customers that a search may find, in its order; and where the window ended that they were sought in, `None` where there
/// was none. Fewer than were asked for are all of the window.
pub async fn find(rx: &Rx, asked: &Candidates<'_>) -> Result<(Vec<(CustomerId, Row)>, Option<Place>), Fault> {
    let (narrow, until) = match narrow(rx, asked).await? {
        Narrow::All => (None, None),
        Narrow::Nobody(until) => return Ok((Vec::new(), until)),
        Narrow::To(narrow, until) => (Some(narrow), until),
    };
    let mut query = live(rx);
    if let Some(after) = asked.after {
        query = placed(query, asked.order, beyond(asked.order.descending), after);
    }
    if let Some(until) = until {
        query = placed(query, asked.order, within(asked.order.descending), until);
    }
    if let Some(narrow) = narrow {
        query = query.filter(narrow);
    }
    let models = ordered(query, asked.order).limit(asked.limit).all(rx.conn()).await.stored()?;
    let rows = models.into_iter().map(|model| Ok((CustomerId::from_uuid(model.customer_id), row(model)?)));
    Ok((rows.collect::<Result<_, Fault>>()?, until))
}

/// What the database can tell of who is found, and up to which place it is asked.
enum Narrow {
    /// Nothing.
    All,
    Nobody(Option<Place>),
    To(Condition, Option<Place>),
}

async fn narrow(rx: &Rx, asked: &Candidates<'_>) -> Result<Narrow, Fault> {
    let sieve = trait_value::test(rx, asked.sieve);
    let word = asked
        .word
        .as_ref()
        .map(|word| Test::Any(vec![search_term::with_prefix(rx, word.prefix), Test::Named(uuids(word.named))]));
    let parts: Vec<Test> = sieve.into_iter().chain(word).flat_map(flat).collect();
    if parts.is_empty() {
        return Ok(Narrow::All);
    }
    let mut test = Test::All(parts);
    let rest = Rest { after: asked.after.map(|(_, id)| id.uuid()), descending: asked.order.descending };
    test.measure(rx, matches!(asked.order.by, By::Id).then_some(rest), asked.reach).await?;
    let mut any = Condition::any();
    if let Some(version) = asked.behind {
        any = any.add(Column::DerivedVersion.lt(version.cast_signed()));
    }
    if !asked.due.is_empty() {
        any = any.add(Column::CustomerId.is_in(uuids(asked.due)));
    }
    if let Some((ids, until)) = test.go_through(rx, asked.limit).await? {
        let until = until.map(|id| (Timestamp::MIN, CustomerId::from_uuid(id)));
        if ids.is_empty() && any.is_empty() {
            return Ok(Narrow::Nobody(until));
        }
        return Ok(Narrow::To(any.add(Column::CustomerId.is_in(ids)), until));
    }
    Ok(match test.seek() {
        Some(few) => Narrow::To(any.add(few), None),
        None => Narrow::To(any.add(test.check(&of_profile())), window(rx, asked).await?),
    })
}

/// The parts that must all be met.
fn flat(test: Test) -> Vec<Test> {
    match test {
        Test::All(parts) => parts.into_iter().flat_map(flat).collect(),
        other => vec![other],
    }
}

/// The place that ends the next window of all customers.
async fn window(rx: &Rx, asked: &Candidates<'_>) -> Result<Option<Place>, Fault> {
    let at = column(asked.order).unwrap_or(Column::CreatedAt);
    let mut query = live(rx).select_only().column(at).column(Column::CustomerId);
    if let Some(after) = asked.after {
        query = placed(query, asked.order, beyond(asked.order.descending), after);
    }
    let query = ordered(query, asked.order).offset(WINDOW - 1).limit(1);
    let found = query.into_tuple::<(i64, Uuid)>().one(rx.conn()).await.stored()?;
    Ok(found.map(|(at, id)| (Timestamp::from_column(at), CustomerId::from_uuid(id))))
}
