//! Whom a search looks at. Tests that only few rows pass are answered by those rows; else the rows of the rarest value, or
//! all customers, are gone through in the order of the search, a window at a time, and asked about one by one. So no
//! statement looks at more than some thousand rows, however many customers there are.

use rapport_conditions::Sieve;
use rapport_data::{Rx, Stored as _};
use rapport_kernel::{CustomerId, Fault, Timestamp};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    BinOper, ColumnRef, Expr, ExprTrait as _, IntoColumnRef, Order as Direction, SelectStatement,
};
use sea_orm::{Condition, QueryOrder as _, QuerySelect as _, QueryTrait as _};

use super::profile::{Column, Entity, Row, row};
use super::{search_term, trait_value, uuids};
use crate::domain::search::{By, Order};

/// How many rows are few; and how many of one value, or customers, one statement goes through.
const WINDOW: u64 = 1_000;

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
    /// Asked of one profile.
    check: Condition,
    /// What was found of their number.
    size: Size,
}

enum Size {
    /// Less than a window, of those after one where they are in the order of ids.
    Few(Option<(Uuid, bool)>),
    Many,
    /// The one that ends the next window, in the order of ids.
    Until(Uuid),
}

impl Leaf {
    /// Of a query for the ids of customers, which a column of its only table has.
    pub(super) fn new(customers: SelectStatement, id: impl IntoColumnRef, in_order: bool) -> Self {
        let id = id.into_column_ref();
        let mut of_one = customers.clone();
        // A scalar, so that it is asked for each profile that is looked at, and no planner makes it a join of all.
        of_one.and_where(Expr::col(id.clone()).eq(Expr::col((Entity, Column::CustomerId)))).limit(1);
        let check = Condition::all().add(Expr::col((Entity, Column::CustomerId)).eq(Expr::from(of_one)));
        Self { customers, id, in_order, check, size: Size::Many }
    }

    /// Of a condition on profiles themselves.
    pub(super) fn of_profiles(rx: &Rx, is: Condition) -> Self {
        let query = live(rx).select_only().column(Column::CustomerId).filter(is.clone());
        let id = (Entity, Column::CustomerId).into_column_ref();
        Self { customers: query.into_query(), id, in_order: false, check: is, size: Size::Many }
    }

    async fn measure(&mut self, rx: &Rx, by_id: Option<(Option<Uuid>, bool)>) -> Result<(), Fault> {
        let mut probe = self.customers.clone();
        let by_id = by_id.filter(|_| self.in_order);
        if let Some((after, descending)) = by_id {
            let direction = if descending { Direction::Desc } else { Direction::Asc };
            probe.order_by_expr(Expr::col(self.id.clone()), direction);
            if let Some(after) = after {
                probe.and_where(Expr::col(self.id.clone()).binary(beyond(descending), Expr::value(after)));
            }
        }
        probe.limit(1).offset(WINDOW - 1);
        let found = rx.conn().query_one(&probe).await.stored()?;
        self.size = match found {
            None => Size::Few(by_id.and_then(|(after, descending)| Some((after?, descending)))),
            Some(row) if by_id.is_some() => Size::Until(row.try_get_by_index(0).stored()?),
            Some(_) => Size::Many,
        };
        Ok(())
    }

    /// To be one of the customers that have such a row, after one and up to one.
    fn seek(&self, after: Option<Uuid>, until: Option<Uuid>, descending: bool) -> Condition {
        let mut some = self.customers.clone();
        for (bound, how) in [(after, beyond(descending)), (until, within(descending))] {
            if let Some(bound) = bound {
                some.and_where(Expr::col(self.id.clone()).binary(how, Expr::value(bound)));
            }
        }
        Condition::all().add(Expr::col((Entity, Column::CustomerId)).in_subquery(some))
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

    /// Whether few pass, and how they are found.
    fn seek(&self) -> Option<Condition> {
        match self {
            Self::All(parts) => {
                let (first, found) = parts.iter().enumerate().find_map(|(at, part)| Some((at, part.seek()?)))?;
                let others = parts.iter().enumerate().filter(|(at, _)| *at != first).map(|(_, part)| part.check());
                Some(others.fold(Condition::all().add(found), Condition::add))
            }
            Self::Any(parts) if parts.is_empty() => Some(self.check()),
            Self::Any(parts) => {
                let parts: Option<Vec<Condition>> = parts.iter().map(Self::seek).collect();
                Some(parts?.into_iter().fold(Condition::any(), Condition::add))
            }
            Self::Named(_) => Some(self.check()),
            Self::One(leaf) => match leaf.size {
                Size::Few(Some((after, descending))) => Some(leaf.seek(Some(after), None, descending)),
                Size::Few(None) => Some(leaf.seek(None, None, false)),
                Size::Many | Size::Until(_) => None,
            },
        }
    }

    /// Asked of one profile.
    fn check(&self) -> Condition {
        match self {
            Self::All(parts) => parts.iter().map(Self::check).fold(Condition::all(), Condition::add),
            Self::Any(parts) if parts.is_empty() => Condition::all().add(Column::CustomerId.is_null()),
            Self::Any(parts) => parts.iter().map(Self::check).fold(Condition::any(), Condition::add),
            Self::Named(ids) => Condition::all().add(Column::CustomerId.is_in(ids.iter().copied())),
            Self::One(leaf) => leaf.check.clone(),
        }
    }

    /// The part whose next window reaches furthest, for its rows are the rarest; all parts must be met.
    fn rarest(&self, descending: bool) -> Option<(usize, &Leaf, Uuid)> {
        let parts = match self {
            Self::All(parts) => parts.as_slice(),
            Self::One(_) => std::slice::from_ref(self),
            Self::Any(_) | Self::Named(_) => return None,
        };
        let found = parts.iter().enumerate().filter_map(|(at, part)| match part {
            Self::One(leaf) => match leaf.size {
                Size::Until(until) => Some((at, &**leaf, until)),
                Size::Few(_) | Size::Many => None,
            },
            Self::All(_) | Self::Any(_) | Self::Named(_) => None,
        });
        if descending { found.min_by_key(|(.., until)| *until) } else { found.max_by_key(|(.., until)| *until) }
    }

    /// The parts but one, asked of one profile.
    fn others(&self, but: usize) -> Condition {
        let parts = if let Self::All(parts) = self { parts.as_slice() } else { &[] };
        let others = parts.iter().enumerate().filter(|(at, _)| *at != but);
        others.map(|(_, part)| part.check()).fold(Condition::all(), Condition::add)
    }
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
    let (narrow, until) = narrow(rx, asked).await?;
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

/// What the database can tell of who is found, `None`: nothing; and up to which place it is asked.
async fn narrow(rx: &Rx, asked: &Candidates<'_>) -> Result<(Option<Condition>, Option<Place>), Fault> {
    let sieve = trait_value::test(rx, asked.sieve);
    let word = asked
        .word
        .as_ref()
        .map(|word| Test::Any(vec![search_term::with_prefix(rx, word.prefix), Test::Named(uuids(word.named))]));
    let parts: Vec<Test> = sieve.into_iter().chain(word).flat_map(flat).collect();
    if parts.is_empty() {
        return Ok((None, None));
    }
    let (mut test, descending) = (Test::All(parts), asked.order.descending);
    let after = asked.after.map(|(_, id)| id.uuid());
    let by_id = matches!(asked.order.by, By::Id).then_some((after, descending));
    for leaf in test.leaves() {
        leaf.measure(rx, by_id).await?;
    }
    let (narrow, until) = match (test.seek(), test.rarest(descending)) {
        (Some(few), _) => (few, None),
        (None, Some((at, leaf, until))) => {
            let window = leaf.seek(after, Some(until), descending).add(test.others(at));
            (window, Some((Timestamp::MIN, CustomerId::from_uuid(until))))
        }
        (None, None) => (test.check(), window(rx, asked).await?),
    };
    let mut any = Condition::any().add(narrow);
    if let Some(version) = asked.behind {
        any = any.add(Column::DerivedVersion.lt(version.cast_signed()));
    }
    if !asked.due.is_empty() {
        any = any.add(Column::CustomerId.is_in(uuids(asked.due)));
    }
    Ok((Some(any), until))
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
