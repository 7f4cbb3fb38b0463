//! The table of what is searched: the words of what was said, found by the engine's full-text index.

mod words;

use rapport_data::{Engine, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, Timestamp};
use sea_orm::sea_query::{
    Condition, Expr, ExprTrait as _, IntoCondition as _, JoinType, Order, Query, SelectStatement,
};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::search;

/// The table.
const TEXT: &str = "search_text";
/// SQLite's index over it.
const WORD: &str = "search_word";

/// Places that one microsecond has: rows are ordered by when they were said, and told apart within it by chance.
const IN_ONE_INSTANT: i64 = 1 << 11;
/// The first and last microsecond that have places: 1827 and 2112. What was said before or after stands there.
const INSTANTS: i64 = 1 << 52;
/// Ids that one statement names.
const CHUNK: usize = 500;
/// Places tried for one row.
const TRIES: u32 = 48;
/// How far from its instant the place of a row may be where so much was said at one instant that its places are taken.
const SLACK: i64 = 1_000_000;
/// Rows that Postgres looks through in their order before it asks its index: what many said is found sooner so. The second
/// time only where the first found a part of what is wanted.
const IN_ORDER: [u64; 2] = [4_000, 20_000];
/// Which part.
const PART: u64 = 5;
/// Where no more than so many rows can be meant at all, they are looked at one by one: what many said is seldom among them, and
/// who goes through the index for it may go through all of it.
const FEW: u64 = 2_000;

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A response.
    Response,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
        }
    }
}

/// Where a row stands among all: pages go on from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// By this.
    pub place: i64,
    /// Which of those at one place.
    pub item: Uuid,
}

/// What is looked for, and where.
#[derive(Clone)]
pub struct Hunt {
    /// Among what.
    pub kind: Kind,
    /// For what.
    pub query: search::Query,
    /// Said at this instant or after it.
    pub from: Option<Timestamp>,
    /// Said before this instant.
    pub until: Option<Timestamp>,
    /// The oldest first.
    pub ascending: bool,
}

impl Hunt {
    const fn order(&self) -> Order {
        if self.ascending { Order::Asc } else { Order::Desc }
    }
}

/// Notes what was said in an item that has no words here yet.
///
/// # Errors
/// As the database's.
pub async fn insert(
    tx: &Tx,
    (kind, item): (Kind, Uuid),
    (subject, at): (SubjectId, Timestamp),
    document: &search::Document,
) -> Result<(), Fault> {
    let text = match tx.engine() {
        Engine::Sqlite => {
            "INSERT INTO search_text (tenant, kind, item_id, subject_id, place, words) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (place) DO NOTHING"
        }
        Engine::Postgres => {
            "INSERT INTO search_text (tenant, kind, item_id, subject_id, place, words) \
             VALUES ($1, $2, $3, $4, $5, CAST(CAST($6 AS text) AS tsvector))"
        }
    };
    let words = words::document(tx.engine(), tx.tenant(), kind, document);
    for attempt in 0..TRIES {
        let values: [Value; 6] = [
            tx.tenant().uuid().into(),
            kind.name().into(),
            item.into(),
            subject.uuid().into(),
            place(at, item, attempt).into(),
            words.as_str().into(),
        ];
        let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
        if tx.conn().execute_raw(statement).await.stored()?.rows_affected() == 1 {
            return Ok(());
        }
    }
    Err(Fault::internal("no place among all that was said at one instant"))
}

/// Deletes the words of items.
///
/// # Errors
/// As the database's.
pub async fn delete(tx: &Tx, kind: Kind, items: &[Uuid]) -> Result<(), Fault> {
    let delete = Query::delete()
        .from_table(TEXT)
        .and_where(Expr::col("tenant").eq(tx.tenant().uuid()))
        .and_where(Expr::col("kind").eq(kind.name()))
        .and_where(Expr::col("item_id").is_in(items.iter().copied()))
        .to_owned();
    tx.conn().execute(&delete).await.stored().map(drop)
}

/// Deletes the words of all that subjects said.
///
/// # Errors
/// As the database's.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<(), Fault> {
    let delete = Query::delete()
        .from_table(TEXT)
        .and_where(Expr::col("tenant").eq(tx.tenant().uuid()))
        .and_where(Expr::col("subject_id").is_in(subjects.iter().map(|subject| subject.uuid())))
        .to_owned();
    tx.conn().execute(&delete).await.stored().map(drop)
}

/// The items that one of several selects of ids answers, where it answers few: nothing else can be meant. None where all of them
/// answer many.
///
/// # Errors
/// As the database's.
pub async fn few(rx: &Rx, selects: Vec<SelectStatement>) -> Result<Option<Vec<Uuid>>, Fault> {
    let mut fewest: Option<Vec<Uuid>> = None;
    for mut select in selects {
        let rows = rx.conn().query_all(select.limit(FEW + 1)).await.stored()?;
        let is_fewer = fewest.as_ref().is_none_or(|fewest| rows.len() < fewest.len());
        if rows.len() as u64 <= FEW && is_fewer {
            fewest = Some(rows.iter().map(|row| row.try_get_by_index(0).stored()).collect::<Result<_, _>>()?);
        }
    }
    Ok(fewest)
}

/// The items that are found beyond a place, in order; only those for which a row of `narrow` exists, which asks for the
/// item by `search_text.item_id`. Where they are `among` few, those are looked at one by one.
///
/// # Errors
/// As the database's.
pub async fn find(
    rx: &Rx,
    hunt: &Hunt,
    (narrow, among): (&SelectStatement, Option<&[Uuid]>),
    beyond: Option<Place>,
    limit: u64,
) -> Result<Vec<Place>, Fault> {
    if let Some(among) = among {
        return one_by_one(rx, hunt, (narrow, among), beyond, limit).await;
    }
    let words = words::query(rx.engine(), rx.tenant(), hunt.kind, &hunt.query);
    let bounds = Condition::all()
        .add(Expr::col((TEXT, "tenant")).eq(rx.tenant().uuid()))
        .add(Expr::col((TEXT, "kind")).eq(hunt.kind.name()));
    match rx.engine() {
        Engine::Sqlite => in_index(rx, hunt, words, (bounds, narrow), beyond, limit).await,
        Engine::Postgres => in_table(rx, hunt, &words, (bounds, narrow), beyond, limit).await,
    }
}

/// Among few: each row's own words are held against what is looked for. (SQLite's index has no quick answer for one row: it looks
/// for the next that has all words, be it at the very end.)
async fn one_by_one(
    rx: &Rx,
    hunt: &Hunt,
    (narrow, among): (&SelectStatement, &[Uuid]),
    beyond: Option<Place>,
    limit: u64,
) -> Result<Vec<Place>, Fault> {
    let mut found = Vec::new();
    for some in among.chunks(CHUNK) {
        let mut select = Query::select();
        select.from(TEXT).columns([(TEXT, "place"), (TEXT, "item_id")]);
        select.and_where(Expr::col((TEXT, "tenant")).eq(rx.tenant().uuid()));
        select.and_where(Expr::col((TEXT, "kind")).eq(hunt.kind.name()));
        select.and_where(Expr::col((TEXT, "item_id")).is_in(some.iter().copied()));
        select.cond_where(within(hunt, (TEXT, "place"))).cond_where(past(beyond, (TEXT, "place"), hunt));
        select.and_where(Expr::exists(narrow.clone()));
        if rx.engine() == Engine::Postgres {
            let words = words::query(rx.engine(), rx.tenant(), hunt.kind, &hunt.query);
            found.extend(places(rx, select.and_where(is_found(&words))).await?);
            continue;
        }
        for row in rx.conn().query_all(select.column((TEXT, "words"))).await.stored()? {
            let words: String = row.try_get_by_index(2).stored()?;
            if hunt.query.finds(&words::kept(&words)) {
                found.push(place_of(&row)?);
            }
        }
    }
    found.sort_unstable_by_key(|place| (place.place, place.item));
    if !hunt.ascending {
        found.reverse();
    }
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// On SQLite: the index answers in order, and stops where enough is found.
async fn in_index(
    rx: &Rx,
    hunt: &Hunt,
    words: String,
    (bounds, narrow): (Condition, &SelectStatement),
    beyond: Option<Place>,
    limit: u64,
) -> Result<Vec<Place>, Fault> {
    let mut select = Query::select();
    // The order of the join is ours: the index first. (A cross join is written without its condition.)
    select.from(WORD).join(JoinType::CrossJoin, TEXT, Condition::all());
    select.and_where(Expr::col((TEXT, "place")).equals((WORD, "rowid")));
    select.and_where(Expr::cust_with_values("search_word MATCH ?", [words]));
    select.cond_where(within(hunt, (WORD, "rowid"))).cond_where(past(beyond, (WORD, "rowid"), hunt));
    select.cond_where(bounds).and_where(Expr::exists(narrow.clone()));
    select.columns([(TEXT, "place"), (TEXT, "item_id")]).order_by((WORD, "rowid"), hunt.order()).limit(limit);
    places(rx, &select).await
}

/// On Postgres: the index answers all at once and in no order. So what many said is looked for row by row.
async fn in_table(
    rx: &Rx,
    hunt: &Hunt,
    words: &str,
    (bounds, narrow): (Condition, &SelectStatement),
    beyond: Option<Place>,
    limit: u64,
) -> Result<Vec<Place>, Fault> {
    let bounds = bounds.add(within(hunt, (TEXT, "place"))).add(past(beyond, (TEXT, "place"), hunt));
    let in_order = |select: &mut SelectStatement, rows: u64| {
        select.order_by((TEXT, "place"), hunt.order()).order_by((TEXT, "item_id"), hunt.order()).limit(rows);
    };
    let outside = |inner: SelectStatement| {
        let mut select = Query::select();
        select.from_subquery(inner, TEXT).columns([(TEXT, "place"), (TEXT, "item_id")]);
        select.and_where(Expr::exists(narrow.clone()));
        in_order(&mut select, limit);
        select
    };
    for rows in IN_ORDER {
        let mut inner = Query::select();
        inner.from(TEXT).columns(["place", "item_id", "words"]).cond_where(bounds.clone());
        in_order(&mut inner, rows);
        let found = places(rx, outside(inner).and_where(is_found(words))).await?;
        if found.len() as u64 == limit {
            return Ok(found);
        }
        if (found.len() as u64) < limit.div_ceil(PART) {
            break;
        }
    }
    let mut inner = Query::select();
    // The offset keeps the planner from looking through row after row once more.
    inner.from(TEXT).columns(["place", "item_id"]).cond_where(bounds).and_where(is_found(words)).offset(0);
    places(rx, &outside(inner)).await
}

/// On Postgres: that a row's words are what is looked for.
fn is_found(words: &str) -> Expr {
    Expr::cust_with_values("\"search_text\".\"words\" @@ CAST(CAST($1 AS text) AS tsquery)", [words])
}

/// What is said in the time that is asked for, and some more.
fn within(hunt: &Hunt, column: (&'static str, &'static str)) -> Condition {
    let later = |until: Timestamp| Timestamp::from_column(until.micros().saturating_add(SLACK));
    Condition::all()
        .add_option(hunt.from.map(|from| Expr::col(column).gte(base(from))))
        .add_option(hunt.until.map(|until| Expr::col(column).lt(base(later(until)))))
}

fn past(beyond: Option<Place>, column: (&'static str, &'static str), hunt: &Hunt) -> Condition {
    let Some(Place { place, item }) = beyond else { return Condition::all() };
    let (place_of, item_of) = (|| Expr::col(column), || Expr::col((TEXT, "item_id")));
    // The first bound is what an index can start from; the second tells apart what stands at one place.
    if hunt.ascending {
        let tied = Condition::any().add(place_of().gt(place)).add(item_of().gt(item));
        place_of().gte(place).into_condition().add(tied)
    } else {
        let tied = Condition::any().add(place_of().lt(place)).add(item_of().lt(item));
        place_of().lte(place).into_condition().add(tied)
    }
}

async fn places(rx: &Rx, select: &SelectStatement) -> Result<Vec<Place>, Fault> {
    let rows = rx.conn().query_all(select).await.stored()?;
    rows.iter().map(place_of).collect()
}

fn place_of(row: &QueryResult) -> Result<Place, Fault> {
    Ok(Place { place: row.try_get_by_index(0).stored()?, item: row.try_get_by_index(1).stored()? })
}

/// The first place of an instant.
fn base(at: Timestamp) -> i64 {
    at.micros().clamp(-INSTANTS, INSTANTS - 1) * IN_ONE_INSTANT
}

/// Where an item is to stand: some try may find a place that is taken, and the more tries did, the farther the next goes.
fn place(at: Timestamp, item: Uuid, attempt: u32) -> i64 {
    let hash = Sha256::new().chain_update(item.as_bytes()).chain_update(attempt.to_be_bytes()).finalize();
    let chance = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let reach = IN_ONE_INSTANT << (attempt / 3);
    base(at).saturating_add(i64::from(chance) % reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_in_the_order_of_instants_and_never_far_from_them() {
        for micros in [i64::MIN, -INSTANTS, -1, 0, 1_750_000_000_000_000, INSTANTS - 1, i64::MAX] {
            let at = Timestamp::from_column(micros);
            for attempt in 0..TRIES {
                let place = place(at, Uuid::from_u128(7), attempt);
                assert!(place >= base(at) && place - base(at) < SLACK * IN_ONE_INSTANT);
            }
        }
        let (one, next) = (Timestamp::from_column(5), Timestamp::from_column(6));
        assert!(place(one, Uuid::from_u128(1), 0) < place(next, Uuid::from_u128(2), 0));
    }
}
