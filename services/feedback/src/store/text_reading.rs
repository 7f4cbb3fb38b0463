//! What was read in texts, as far as figures are made from it and items are found by it: a row for each response, ticket and mention that has words,
//! and one for each topic that it speaks of. The rows follow every change of what they are of, in its unit of work.

use std::collections::BTreeMap;

use rapport_data::{Bulk, Column as Values, Rx, Stored as _, Tx};
use rapport_kernel::{Fault, SubjectId, TenantId, Timestamp};
use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, Func, Query, SelectStatement};
use sea_orm::{ConnectionTrait as _, QueryResult, Statement, Value};
use uuid::Uuid;

use crate::domain::reading::{Named, Reading, Tone};

/// How many ids one statement names.
const CHUNK: usize = 500;

/// What a text is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A response.
    Response,
    /// A ticket.
    Ticket,
    /// A mention.
    Mention,
}

impl Source {
    const ALL: [Self; 3] = [Self::Response, Self::Ticket, Self::Mention];

    /// Its name, as it is stored and as conditions read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Ticket => "ticket",
            Self::Mention => "mention",
        }
    }

    fn of(name: &str) -> Result<Self, Fault> {
        let found = Self::ALL.into_iter().find(|source| source.name() == name);
        found.ok_or_else(|| Fault::internal("a text's source is none"))
    }
}

/// What was read of one item.
#[derive(Clone, PartialEq)]
pub struct Entry<'a> {
    /// What it is.
    pub source: Source,
    /// Which.
    pub item: Uuid,
    /// The subject it hangs on.
    pub subject: SubjectId,
    /// When it was said.
    pub said_at: Timestamp,
    /// The channel.
    pub channel: &'a str,
    /// The product.
    pub product: &'a str,
    /// Whether it counts in figures.
    pub counts: bool,
    /// What was read; none: it has no words.
    pub reading: Option<&'a Reading>,
}

const READINGS: Bulk = Bulk {
    table: "text_reading",
    columns: &[
        "tenant",
        "source",
        "item_id",
        "subject_id",
        "said_at",
        "language",
        "channel",
        "product",
        "sentiment",
        "polarity",
        "counts",
        "taxonomy",
    ],
    suffix: "ON CONFLICT (tenant, source, item_id) DO UPDATE SET subject_id = excluded.subject_id, \
             said_at = excluded.said_at, language = excluded.language, channel = excluded.channel, \
             product = excluded.product, sentiment = excluded.sentiment, polarity = excluded.polarity, \
             counts = excluded.counts, taxonomy = excluded.taxonomy",
};

const TOPICS: Bulk = Bulk {
    table: "text_topic",
    columns: &["tenant", "source", "item_id", "name", "competitor", "subject_id", "sentiment"],
    suffix: "ON CONFLICT (tenant, source, item_id, name) DO UPDATE SET competitor = excluded.competitor, \
             subject_id = excluded.subject_id, sentiment = excluded.sentiment",
};

/// Writes what was read by a version of the taxonomy, over what was read before; of what has no words nothing stays.
pub async fn put(tx: &Tx, taxonomy: i64, entries: &[Entry<'_>], are_new: bool) -> Result<(), Fault> {
    if !are_new {
        let mut held: BTreeMap<Source, (Vec<Uuid>, Vec<Uuid>)> = BTreeMap::new();
        for entry in entries {
            let (told, silent) = held.entry(entry.source).or_default();
            if entry.reading.is_some() { told } else { silent }.push(entry.item);
        }
        for (source, (told, silent)) in held {
            run(tx, "DELETE FROM text_topic", source, &told).await?;
            delete(tx, source, &silent).await?;
        }
    }
    let told: Vec<(&Entry<'_>, &Reading)> = entries.iter().filter_map(|entry| Some((entry, entry.reading?))).collect();
    let tenant = tx.tenant().uuid();
    let columns = vec![
        Values::same_id(tenant, told.len()),
        Values::Texts(told.iter().map(|(entry, _)| entry.source.name().to_owned()).collect()),
        Values::Ids(told.iter().map(|(entry, _)| entry.item).collect()),
        Values::Ids(told.iter().map(|(entry, _)| entry.subject.uuid()).collect()),
        Values::Numbers(told.iter().map(|(entry, _)| entry.said_at.micros()).collect()),
        Values::Texts(told.iter().map(|(_, reading)| reading.language.clone()).collect()),
        Values::Texts(told.iter().map(|(entry, _)| entry.channel.to_owned()).collect()),
        Values::Texts(told.iter().map(|(entry, _)| entry.product.to_owned()).collect()),
        Values::MaybeNumbers(told.iter().map(|(_, reading)| reading.sentiment.map(i64::from)).collect()),
        Values::Texts(told.iter().map(|(_, reading)| reading.polarity.name().to_owned()).collect()),
        Values::Smalls(told.iter().map(|(entry, _)| i16::from(entry.counts)).collect()),
        Values::Numbers(vec![taxonomy; told.len()]),
    ];
    READINGS.insert(tx.conn(), columns).await?;
    let named: Vec<(&Entry<'_>, &Named, bool)> = told
        .iter()
        .flat_map(|(entry, reading)| {
            let topics = reading.topics.iter().map(move |named| (*entry, named, false));
            topics.chain(reading.competitors.iter().map(move |named| (*entry, named, true)))
        })
        .collect();
    let columns = vec![
        Values::same_id(tenant, named.len()),
        Values::Texts(named.iter().map(|(entry, ..)| entry.source.name().to_owned()).collect()),
        Values::Ids(named.iter().map(|(entry, ..)| entry.item).collect()),
        Values::Texts(named.iter().map(|(_, named, _)| named.name.clone()).collect()),
        Values::Smalls(named.iter().map(|(.., competitor)| i16::from(*competitor)).collect()),
        Values::Ids(named.iter().map(|(entry, ..)| entry.subject.uuid()).collect()),
        Values::Numbers(named.iter().map(|(_, named, _)| i64::from(named.sentiment)).collect()),
    ];
    TOPICS.insert(tx.conn(), columns).await
}

/// Runs a statement on items.
async fn run(tx: &Tx, statement: &str, source: Source, items: &[Uuid]) -> Result<(), Fault> {
    for some in items.chunks(CHUNK) {
        let marks: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 3)).collect();
        let text = format!("{statement} WHERE tenant = $1 AND source = $2 AND item_id IN ({})", marks.join(", "));
        let values = [Value::from(tx.tenant().uuid()), source.name().into()].into_iter();
        let values = values.chain(some.iter().map(|id| (*id).into()));
        let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
        tx.conn().execute_raw(statement).await.stored()?;
    }
    Ok(())
}

/// Forgets what was read of items.
pub async fn delete(tx: &Tx, source: Source, items: &[Uuid]) -> Result<(), Fault> {
    run(tx, "DELETE FROM text_topic", source, items).await?;
    run(tx, "DELETE FROM text_reading", source, items).await
}

/// Notes that items were read by a version of the taxonomy, and nothing came of it.
pub async fn mark(tx: &Tx, taxonomy: i64, source: Source, items: &[Uuid]) -> Result<(), Fault> {
    run(tx, &format!("UPDATE text_reading SET taxonomy = {taxonomy}"), source, items).await
}

/// Forgets what was read of subjects' texts; answers how many rows that were.
pub async fn erase(tx: &Tx, subjects: &[SubjectId]) -> Result<u64, Fault> {
    let mut rows = 0;
    for some in subjects.chunks(CHUNK) {
        for table in ["text_topic", "text_reading"] {
            let marks: Vec<String> = (0..some.len()).map(|at| format!("${}", at + 2)).collect();
            let text = format!("DELETE FROM {table} WHERE tenant = $1 AND subject_id IN ({})", marks.join(", "));
            let values = std::iter::once(Value::from(tx.tenant().uuid()));
            let values = values.chain(some.iter().map(|subject| subject.uuid().into()));
            let statement = Statement::from_sql_and_values(tx.engine().backend(), text, values);
            rows += tx.conn().execute_raw(statement).await.stored()?.rows_affected();
        }
    }
    Ok(rows)
}

/// Some items that were read by an older version of the taxonomy.
pub async fn stale(rx: &Rx, taxonomy: i64, limit: u32) -> Result<Vec<(Source, Uuid)>, Fault> {
    let text =
        "SELECT source, item_id FROM text_reading WHERE tenant = $1 AND taxonomy < $2 ORDER BY taxonomy LIMIT $3";
    let values = [rx.tenant().uuid().into(), taxonomy.into(), i64::from(limit).into()];
    let rows = query(rx, text, values.into()).await?;
    let read = |row: &QueryResult| {
        let (source, item) = (row.try_get_by_index::<String>(0).stored()?, row.try_get_by_index(1).stored()?);
        Ok((Source::of(&source)?, item))
    };
    rows.iter().map(read).collect()
}

/// How many items were read by an older version of the taxonomy.
pub async fn count_stale(rx: &Rx, taxonomy: i64) -> Result<u64, Fault> {
    let text = "SELECT count(*) FROM text_reading WHERE tenant = $1 AND taxonomy < $2";
    let rows = query(rx, text, vec![rx.tenant().uuid().into(), taxonomy.into()]).await?;
    rows.first().map_or(Ok(0), |row| whole(row, 0))
}

async fn query(rx: &Rx, text: &str, values: Vec<Value>) -> Result<Vec<QueryResult>, Fault> {
    rx.conn().query_all_raw(Statement::from_sql_and_values(rx.engine().backend(), text, values)).await.stored()
}

fn whole(row: &QueryResult, index: usize) -> Result<u64, Fault> {
    u64::try_from(row.try_get_by_index::<i64>(index).stored()?).map_err(Fault::internal)
}

/// Which texts are counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// Only of these; empty: all.
    pub sources: Vec<Source>,
    /// Only of this language; empty: all.
    pub language: String,
    /// Only by this channel; empty: all.
    pub channel: String,
    /// Only about this product; empty: all.
    pub product: String,
    /// Only these topics; empty: all.
    pub topics: Vec<String>,
}

/// How many texts, and what they tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub texts: u64,
    /// How many of them tell how their author feels.
    pub told: u64,
    /// The sum of that, in thousandths.
    pub sum: i64,
}

impl Tally {
    /// Takes others along.
    pub const fn add(&mut self, other: Self) {
        self.texts += other.texts;
        self.told += other.told;
        self.sum += other.sum;
    }

    /// The mean sentiment, from -1 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "sums of texts are far below 2^52")]
    pub fn mean(self) -> Option<f64> {
        (self.told > 0).then(|| self.sum as f64 / self.told as f64 / 1_000.0)
    }
}

impl Counted {
    /// The condition on `text_reading r` and its values.
    fn condition(&self, rx: &Rx, from: Timestamp, until: Timestamp) -> (String, Vec<Value>) {
        let mut text = "r.tenant = $1 AND r.said_at >= $2 AND r.said_at < $3 AND r.counts = 1".to_owned();
        let mut values: Vec<Value> = vec![rx.tenant().uuid().into(), from.micros().into(), until.micros().into()];
        for (column, said) in [("language", &self.language), ("channel", &self.channel), ("product", &self.product)] {
            if !said.is_empty() {
                values.push(said.clone().into());
                text.push_str(&format!(" AND r.{column} = ${}", values.len()));
            }
        }
        let mut among = |column: &str, all: Vec<Value>| {
            if !all.is_empty() {
                let first = values.len() + 1;
                values.extend(all);
                let marks: Vec<String> = (first..=values.len()).map(|at| format!("${at}")).collect();
                text.push_str(&format!(" AND {column} IN ({})", marks.join(", ")));
            }
        };
        among("r.source", self.sources.iter().map(|source| source.name().into()).collect());
        (text, values)
    }

    /// All texts of a time.
    ///
    /// # Errors
    /// As the database's.
    pub async fn texts(&self, rx: &Rx, from: Timestamp, until: Timestamp) -> Result<Tally, Fault> {
        let (condition, values) = self.condition(rx, from, until);
        let text = format!(
            "SELECT count(*), count(r.sentiment), CAST(coalesce(sum(r.sentiment), 0) AS BIGINT) FROM text_reading r \
             WHERE {condition}"
        );
        query(rx, &text, values).await?.first().map_or(Ok(Tally::default()), |row| tally(row, 0))
    }

    /// The topics and competitors that texts of a time speak of, with whether each is a competitor.
    ///
    /// # Errors
    /// As the database's.
    pub async fn topics(
        &self,
        rx: &Rx,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<BTreeMap<(String, bool), Tally>, Fault> {
        let (mut condition, mut values) = self.condition(rx, from, until);
        if !self.topics.is_empty() {
            let first = values.len() + 1;
            values.extend(self.topics.iter().map(|name| Value::from(name.clone())));
            let marks: Vec<String> = (first..=values.len()).map(|at| format!("${at}")).collect();
            condition.push_str(&format!(" AND t.name IN ({})", marks.join(", ")));
        }
        let text = format!(
            "SELECT count(*), count(*), CAST(coalesce(sum(t.sentiment), 0) AS BIGINT), t.name, \
             CAST(t.competitor AS BIGINT) FROM text_reading r JOIN text_topic t ON t.tenant = r.tenant \
             AND t.source = r.source AND t.item_id = r.item_id WHERE {condition} GROUP BY t.name, t.competitor"
        );
        let mut found = BTreeMap::new();
        for row in query(rx, &text, values).await? {
            let competitor: i64 = row.try_get_by_index(4).stored()?;
            found.insert((row.try_get_by_index(3).stored()?, competitor != 0), tally(&row, 0)?);
        }
        Ok(found)
    }
}

fn tally(row: &QueryResult, at: usize) -> Result<Tally, Fault> {
    Ok(Tally { texts: whole(row, at)?, told: whole(row, at + 1)?, sum: row.try_get_by_index(at + 2).stored()? })
}

/// Whether what was read of an item is so, as a condition on a query that has the item's id in a column.
pub(super) fn read_so(tenant: TenantId, source: Source, item: (&'static str, &'static str), tone: &Tone) -> Condition {
    let row_of = |table: &'static str| {
        let mut rows = Query::select();
        rows.expr(Expr::val(1)).from(table).and_where(Expr::col((table, "tenant")).eq(tenant.uuid()));
        rows.and_where(Expr::col((table, "source")).eq(source.name()));
        rows.and_where(Expr::col((table, "item_id")).equals(item));
        rows
    };
    let mut all = Condition::all();
    if tone.polarity.is_some() || tone.least.is_some() || tone.most.is_some() {
        // Where nothing tells how its author feels, that is shown as 0.
        let sentiment = || Expr::expr(Func::coalesce([Expr::col(("text_reading", "sentiment")), Expr::val(0)]));
        let so = Condition::all()
            .add_option(tone.polarity.map(|leans| Expr::col(("text_reading", "polarity")).eq(leans.name())))
            .add_option(tone.least.map(|least| sentiment().gte(least)))
            .add_option(tone.most.map(|most| sentiment().lte(most)));
        all = all.add(Expr::exists(row_of("text_reading").cond_where(so).to_owned()));
    }
    if let Some(topic) = &tone.topic {
        let so = Expr::col(("text_topic", "name")).eq(topic.as_str());
        all = all.add(Expr::exists(row_of("text_topic").and_where(so).to_owned()));
    }
    all
}

/// The items that speak of a topic.
pub(super) fn about(tenant: TenantId, source: Source, topic: &str) -> SelectStatement {
    let mut items = Query::select();
    items.column(("text_topic", "item_id")).from("text_topic");
    items.and_where(Expr::col(("text_topic", "tenant")).eq(tenant.uuid()));
    items.and_where(Expr::col(("text_topic", "name")).eq(topic));
    items.and_where(Expr::col(("text_topic", "source")).eq(source.name()));
    items
}

/// Which praise is looked for.
#[derive(Clone, Debug)]
pub struct Praise {
    /// From which sentiment on, in thousandths.
    pub least: i32,
    /// Only in this language; empty: all.
    pub language: String,
    /// Only about this product; empty: all.
    pub product: String,
    /// Only what speaks of this; empty: all.
    pub topic: String,
}

/// Where a list of praise ended.
#[derive(Clone, Copy, Debug, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// When it was said.
    pub said_at: i64,
    /// Which of those of that instant.
    pub item: Uuid,
}

/// Responses and mentions that praise, after a place, the newest first.
pub async fn praise(rx: &Rx, wanted: &Praise, after: Option<Place>, limit: u32) -> Result<Vec<(Source, Place)>, Fault> {
    let place = after.unwrap_or(Place { said_at: i64::MAX, item: Uuid::max() });
    let mut text = "SELECT r.source, r.said_at, r.item_id FROM text_reading r WHERE r.tenant = $1 AND r.said_at <= $2 \
                    AND (r.said_at < $2 OR r.item_id < $3) AND r.counts = 1 AND r.source <> 'ticket' \
                    AND r.sentiment >= $4"
        .to_owned();
    let mut values: Vec<Value> =
        vec![rx.tenant().uuid().into(), place.said_at.into(), place.item.into(), wanted.least.into()];
    for (column, said) in [("r.language", &wanted.language), ("r.product", &wanted.product)] {
        if !said.is_empty() {
            values.push(said.clone().into());
            text.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    if !wanted.topic.is_empty() {
        values.push(wanted.topic.clone().into());
        text.push_str(&format!(
            " AND EXISTS (SELECT 1 FROM text_topic t WHERE t.tenant = r.tenant AND t.source = r.source \
             AND t.item_id = r.item_id AND t.name = ${})",
            values.len()
        ));
    }
    values.push(i64::from(limit).into());
    text.push_str(&format!(" ORDER BY r.said_at DESC, r.item_id DESC LIMIT ${}", values.len()));
    let read = |row: &QueryResult| {
        let source: String = row.try_get_by_index(0).stored()?;
        let place = Place { said_at: row.try_get_by_index(1).stored()?, item: row.try_get_by_index(2).stored()? };
        Ok((Source::of(&source)?, place))
    };
    query(rx, &text, values).await?.iter().map(read).collect()
}
