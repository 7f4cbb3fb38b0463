//! TrainMatcher: learns, without labels, how records of one customer agree and how others do, and puts what it learnt to
//! use. Four passes, each resumable: learn and store a new version of the model, which is active from then on; make every
//! record ready for it; weigh every record; link anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt as _, stream};
use rapport_data::{Answer, Engine, NewOperation, Operation, Receipt, Tx};
use rapport_kernel::{CustomerId, Fault, Reason, TenantId, Timestamp};
use rapport_matching::model::Model;
use rapport_matching::record::{PreparedRecord, spread};
use rapport_matching::settings::{Field, Schema, Settings, Thresholds};
use rapport_matching::train::{self, Options};
use rapport_platform::Call;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Profiles, passes};
use crate::domain::claims::Claims;
use crate::domain::matching::{Matcher, prepare, usual};
use crate::domain::profile::objects_to_profiling;
use crate::domain::relink::Held;
use crate::domain::rules::Rules;
use crate::store::{match_model, profile, subject};

/// The kind of the operation.
pub const KIND: &str = "TrainMatcher";
/// How many customers are linked anew at a time.
const AT_ONCE: usize = 8;
/// How long one step goes on.
const STEP: Duration = Duration::from_millis(300);
/// How many customers a training looks at, at most: drawn by a hash of their ids, so that it is the same ones each time.
const SAMPLE: usize = 30_000;

/// What to train.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The fields to compare; none: those whose names are customary.
    pub fields: Vec<Field>,
    /// From which probabilities it links and asks.
    pub thresholds: Thresholds,
}

/// Where a step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// Learns.
    Learn,
    /// Makes records ready for a version that was stored then, after this customer.
    Prepare(u64, Uuid, Timestamp),
    /// Weighs records, after this customer.
    Weigh(u64, Uuid),
    /// Links customers anew, after this one.
    Link(u64, Uuid),
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// Where the next one begins; none after the last.
    pub next: Option<Cursor>,
    /// How many customers this one went through.
    pub done: u64,
    /// The version that is trained.
    pub version: u64,
    /// Before the next step every instance must know the version, which was stored so long ago.
    pub stored_for: Option<Duration>,
}

/// What a training tells of its model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// How many records there were.
    pub records: u64,
    /// How many were looked at.
    pub sampled: u64,
    /// How many random pairs were compared.
    pub random_pairs: u64,
    /// How many pairs that share a key were compared.
    pub blocked_pairs: u64,
    /// How many of them are expected to be one customer's.
    pub expected_matches: f64,
    /// How many of them are expected to be of one household.
    pub expected_households: f64,
    /// Whether it settled.
    pub converged: bool,
    /// The blocking rules in words, with their expected matches and those that no other rule finds.
    pub rules: Vec<(String, f64, f64)>,
}

/// A model and what is known of it.
pub struct Trained {
    /// Its version.
    pub version: u64,
    /// What it learnt.
    pub model: Model,
    /// How it was trained.
    pub report: Report,
    /// When.
    pub created_at: Timestamp,
}

impl Profiles {
    /// The model that is active.
    ///
    /// # Errors
    /// NOT_FOUND before the first training.
    pub async fn trained(&self, tenant: TenantId) -> Result<Trained, Fault> {
        let read = self.0.database.read(tenant, |rx| async move {
            let not_found = || Fault::not_found("matcher", "active");
            let version = match_model::active(&rx).await?.ok_or_else(not_found)?;
            let (model, report, created_at) = match_model::find(&rx, version).await?.ok_or_else(not_found)?;
            Ok(Trained { version, model, report, created_at })
        });
        read.await
    }

    /// Begins a training.
    ///
    /// # Errors
    /// As [`rapport_data::Database::write_once`].
    pub async fn train(
        &self,
        call: &Call,
        receipt: Receipt<Operation>,
        request: Request,
    ) -> Result<Answer<Operation>, Fault> {
        let request = serde_json::to_vec(&request).map_err(Fault::internal)?;
        let unit = move |tx: Tx| {
            let request = request.clone();
            async move { tx.begin_operation(NewOperation { kind: KIND, unit: "customers", request }).await }
        };
        self.database(call).write_once(call.tenant(), receipt, unit).await
    }

    /// Does the next step of a training.
    ///
    /// # Errors
    /// FAILED_PRECONDITION (INVALID_STATE) where there is nothing to learn from, or another training has taken its place;
    /// as [`rapport_data::Database::write`].
    pub async fn train_step(&self, tenant: TenantId, request: &Request, cursor: Cursor) -> Result<Stepped, Fault> {
        let rules = Arc::new(self.rules_of(tenant).await?);
        let (version, after) = match cursor {
            Cursor::Learn => {
                let (version, stored_at) = self.learn_to_match(tenant, request, &rules).await?;
                self.rules_changed(tenant);
                let next = Some(Cursor::Prepare(version, Uuid::nil(), stored_at));
                return Ok(Stepped { next, done: 0, version, stored_for: None });
            }
            Cursor::Prepare(version, after, _) | Cursor::Weigh(version, after) | Cursor::Link(version, after) => {
                (version, after)
            }
        };
        let matcher = rules.matcher.clone().filter(|matcher| matcher.version == version).ok_or_else(|| {
            let text = "a later training has taken the place of this one";
            Fault::new(Reason::InvalidState, text).precondition("MODEL_ACTIVE", version.to_string())
        })?;
        if matches!(cursor, Cursor::Link(..)) {
            return self.link_some_matched(tenant, &rules, &matcher, after).await;
        }
        self.go_through(tenant, &rules, &matcher, cursor).await
    }

    /// Makes records ready, or weighs them, for a while, those of some customers in one unit.
    async fn go_through(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        matcher: &Arc<Matcher>,
        cursor: Cursor,
    ) -> Result<Stepped, Fault> {
        let (began, mut done, version) = (Instant::now(), 0, matcher.version);
        let (stored_at, mut after) = match cursor {
            Cursor::Prepare(_, after, stored_at) => (Some(stored_at), after),
            Cursor::Weigh(_, after) | Cursor::Link(_, after) => (None, after),
            Cursor::Learn => (None, Uuid::nil()),
        };
        loop {
            let (of_unit, weigher, from) = (Arc::clone(rules), Arc::clone(matcher), after);
            let unit = move |tx: Tx| {
                let (rules, matcher) = (Arc::clone(&of_unit), Arc::clone(&weigher));
                async move {
                    let page = match stored_at {
                        None => passes::weigh(&tx, &rules, &matcher, from).await?,
                        Some(_) => passes::ready(&tx, &rules, &matcher, from).await?,
                    };
                    Ok((page, tx.now()))
                }
            };
            let ((last, some), now) = self.0.database.write(tenant, unit).await?;
            done += some;
            let next = match (last, stored_at) {
                (Some(last), _) if began.elapsed() < STEP => {
                    after = last;
                    continue;
                }
                (Some(last), None) => Cursor::Weigh(version, last),
                (Some(last), Some(stored_at)) => Cursor::Prepare(version, last, stored_at),
                (None, None) => Cursor::Link(version, Uuid::nil()),
                (None, Some(_)) => Cursor::Weigh(version, Uuid::nil()),
            };
            // A file has one instance, which knows already.
            let waits = last.is_none() && self.0.database.engine() == Engine::Postgres;
            let stored_for = stored_at.filter(|_| waits).map(|stored_at| now.since(stored_at));
            return Ok(Stepped { next: Some(next), done, version, stored_for });
        }
    }

    /// Learns from a sample; stores the model; answers its version.
    async fn learn_to_match(
        &self,
        tenant: TenantId,
        request: &Request,
        rules: &Arc<Rules>,
    ) -> Result<(u64, Timestamp), Fault> {
        let database = &self.0.database;
        let sample = database.read(tenant, |rx| async move {
            let mut ids = profile::live_ids(&rx).await?;
            ids.sort_by_cached_key(|id| spread(id.uuid().as_u64_pair().1));
            ids.truncate(SAMPLE);
            let mut claims: Vec<Claims> = Vec::with_capacity(ids.len());
            for (_, row) in profile::by_ids(&rx, &ids).await? {
                // Whoever objects to being profiled is not learnt from either.
                if let Held::Live { records, .. } = row.held
                    && !objects_to_profiling(&records)
                {
                    claims.extend(records.into_iter().map(|record| record.claims));
                }
            }
            Ok((claims, subject::count(&rx).await?))
        });
        let (claims, records) = sample.await?;
        let (request, rules) = (request.clone(), Arc::clone(rules));
        // Seconds of computing: on a thread of its own.
        let learnt = tokio::task::spawn_blocking(move || learn(&request, &claims, records, &rules)).await;
        let learnt = Arc::new(learnt.map_err(Fault::internal)??);
        let unit = move |tx: Tx| {
            let learnt = Arc::clone(&learnt);
            async move { Ok((match_model::add(&tx, &learnt.0, &learnt.1).await?, tx.now())) }
        };
        database.write(tenant, unit).await
    }

    /// Links anew for a while the customers that look like others or were linked by looks, each in a unit of its own.
    async fn link_some_matched(
        &self,
        tenant: TenantId,
        rules: &Arc<Rules>,
        matcher: &Arc<Matcher>,
        mut after: Uuid,
    ) -> Result<Stepped, Fault> {
        let (began, mut done, version, review) = (Instant::now(), 0, matcher.version, matcher.thresholds.review);
        loop {
            let read =
                self.0.database.read(tenant, move |rx| async move { passes::concerned(&rx, after, review).await });
            let (last, count, customers) = read.await?;
            let mut linked =
                stream::iter(customers.into_iter().map(|customer| self.link_matched(tenant, rules, customer)))
                    .buffer_unordered(AT_ONCE);
            while let Some(done) = linked.next().await {
                done?;
            }
            done += count;
            match last {
                None => return Ok(Stepped { next: None, done, version, stored_for: None }),
                Some(last) => after = last,
            }
            if began.elapsed() > STEP {
                return Ok(Stepped { next: Some(Cursor::Link(version, after)), done, version, stored_for: None });
            }
        }
    }

    async fn link_matched(&self, tenant: TenantId, rules: &Arc<Rules>, customer: CustomerId) -> Result<(), Fault> {
        let rules = Arc::clone(rules);
        let unit = move |tx: Tx| {
            let rules = Arc::clone(&rules);
            async move { passes::link(&tx, &rules, customer).await }
        };
        self.link_anew(tenant, unit).await
    }
}

/// Learns from records.
fn learn(request: &Request, claims: &[Claims], records: u64, rules: &Rules) -> Result<(Model, Report), Fault> {
    let refused = |text: String| Fault::new(Reason::InvalidState, text).precondition("TRAINABLE", "records");
    let mut settings = if request.fields.is_empty() {
        usual(claims.iter())
    } else {
        let fields: Vec<_> = request.fields.iter().map(|field| (field.name.as_str(), field.kind)).collect();
        Settings::of(&fields)
    };
    settings.thresholds = request.thresholds;
    if settings.fields.is_empty() {
        return Err(refused("no trait has a customary name: say in fields what is to be compared".to_owned()));
    }
    let schema = Schema::new(settings).map_err(|problem| refused(problem.to_string()))?;
    let ready: Vec<PreparedRecord> = claims.iter().map(|claims| prepare(&schema, claims, &rules.namespaces)).collect();
    let (model, told) =
        train::train(&schema, &ready, Options::default()).map_err(|problem| refused(problem.to_string()))?;
    let report = Report {
        records,
        sampled: ready.len() as u64,
        random_pairs: told.random_pairs as u64,
        blocked_pairs: told.blocked_pairs as u64,
        expected_matches: told.expected_matches,
        expected_households: told.expected_households,
        converged: told.converged,
        rules: told.rules.into_iter().map(|rule| (rule.rule, rule.expected_matches, rule.alone)).collect(),
    };
    Ok((model.for_population(records), report))
}
