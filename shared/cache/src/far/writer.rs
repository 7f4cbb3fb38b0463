//! The writing half of the level in Redis: the consumer of the outbox, in stream order.
//!
//! Nothing here fails. A writer that could not write, or lost its connection (Redis may have been restarted with old
//! contents, or failed over), claims its partitions again; each then begins a new *generation*, whose keys are empty.
//! So a change that did not arrive can never leave an older entry that is believed, nor can a writer that was
//! replaced and wakes up late: it writes to a generation that nobody reads.

use std::collections::HashMap;
use std::time::Instant;

use rapport_kernel::Timestamp;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Pipeline, RedisResult, Script};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{REST, entry_key, watermarks_key};
use crate::{CacheConfig, Change, ChangeKind};

pub(super) struct Writer {
    client: Client,
    config: CacheConfig,
    scripts: Scripts,
    state: Mutex<State>,
}

struct Scripts {
    write: Script,
    remove: Script,
    claim: Script,
    mark: Script,
}

struct State {
    id: String,
    connection: Option<MultiplexedConnection>,
    /// The partitions that are this writer's.
    claims: HashMap<u16, Claim>,
    /// After a failure Redis is left alone for a while.
    resting_until: Option<Instant>,
}

#[derive(Clone)]
struct Claim {
    generation: String,
    at: Timestamp,
}

impl Writer {
    pub(super) fn new(client: Client, config: &CacheConfig) -> Self {
        let scripts = Scripts {
            write: Script::new(include_str!("scripts/write.lua")),
            remove: Script::new(include_str!("scripts/remove.lua")),
            claim: Script::new(include_str!("scripts/claim.lua")),
            mark: Script::new(include_str!("scripts/mark.lua")),
        };
        let id = Uuid::now_v7().to_string();
        let state = State { id, connection: None, claims: HashMap::new(), resting_until: None };
        Self { client, config: config.clone(), scripts, state: Mutex::new(state) }
    }

    /// Writes changes in order, in one round trip.
    pub(super) async fn apply(&self, changes: &[Change]) {
        self.attempt(async |state| {
            let (mut pipeline, keep) = (Pipeline::new(), self.config.keep_millis());
            for change in changes {
                let claim = self.claim(state, change.partition()).await?;
                let key = entry_key(&self.config.prefix, change.key(), &claim.generation);
                let (script, revision) = (self.script(&change.kind), change.revision);
                // A change from before the watermark is delivered again: what came after it may have been evicted since,
                // so it must not stand where nothing stands.
                let mode = if change.recorded_at < claim.at { "keep" } else { "create" };
                let command = pipeline.cmd("EVALSHA").arg(script.get_hash()).arg(1).arg(key);
                command.arg(mode).arg(revision).arg(keep);
                if let ChangeKind::Put { valid_until, body } = &change.kind {
                    command.arg(valid_until.micros()).arg(&body[..]);
                }
                command.ignore();
            }
            let mut connection = self.connection(state).await?;
            pipeline.exec_async(&mut connection).await
        })
        .await;
    }

    /// Moves a partition's watermark on; gives the partition up where `leave`.
    pub(super) async fn mark(&self, partition: u16, at: Timestamp, leave: bool) {
        self.attempt(async |state| {
            // Who does not write the partition has nothing to give up: a claim would take it from whoever does.
            if leave && !state.claims.contains_key(&partition) {
                return Ok(());
            }
            // Twice: where the record is gone (a flush) or another's, a new claim begins an empty generation, of
            // which the watermark is as true.
            for _attempt in 0..2 {
                let claim = self.claim(state, partition).await?;
                let mut connection = self.connection(state).await?;
                let at = at.max(claim.at);
                let mut invocation = self.scripts.mark.key(watermarks_key(&self.config.prefix));
                invocation.arg(partition).arg(&state.id).arg(&claim.generation).arg(at.micros()).arg(u8::from(leave));
                let own: bool = invocation.invoke_async(&mut connection).await?;
                state.claims.remove(&partition);
                if own || leave {
                    if !leave {
                        state.claims.insert(partition, Claim { at, ..claim });
                    }
                    break;
                }
            }
            Ok(())
        })
        .await;
    }

    /// Runs a step within the time; where it fails, nothing written before is relied upon.
    async fn attempt(&self, step: impl AsyncFnOnce(&mut State) -> RedisResult<()>) {
        let mut state = self.state.lock().await;
        if state.resting_until.is_some_and(|until| Instant::now() < until) {
            // What is left out now must not be missed later.
            state.claims.clear();
            return;
        }
        // Claims and connection go together: whoever answers after a failure need not be, or hold, what answered
        // before. Taken out, so that they are gone as well should this future be dropped in the middle.
        let claims = std::mem::take(&mut state.claims);
        let mut trial =
            State { claims, connection: state.connection.take(), id: state.id.clone(), resting_until: None };
        let done = tokio::time::timeout(self.config.write_timeout(), step(&mut trial)).await;
        if matches!(done, Ok(Ok(()))) {
            (state.claims, state.connection) = (trial.claims, trial.connection);
            state.resting_until = None;
        } else {
            state.resting_until = Some(Instant::now() + REST);
        }
    }

    const fn script(&self, kind: &ChangeKind) -> &Script {
        match kind {
            ChangeKind::Put { .. } => &self.scripts.write,
            ChangeKind::Remove => &self.scripts.remove,
        }
    }

    /// The writer's claim of a partition, made where it has none.
    async fn claim(&self, state: &mut State, partition: u16) -> RedisResult<Claim> {
        // A connection that was lost took the claims with it.
        let mut connection = self.connection(state).await?;
        if let Some(claim) = state.claims.get(&partition) {
            return Ok(claim.clone());
        }
        let mut invocation = self.scripts.claim.key(watermarks_key(&self.config.prefix));
        invocation.arg(partition).arg(&state.id).arg(Uuid::now_v7().simple().to_string());
        let (at, generation): (i64, String) = invocation.invoke_async(&mut connection).await?;
        let claim = Claim { generation, at: Timestamp::from_column(at) };
        state.claims.insert(partition, claim.clone());
        Ok(claim)
    }

    async fn connection(&self, state: &mut State) -> RedisResult<MultiplexedConnection> {
        if let Some(connection) = &state.connection {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        // A pipeline cannot load what Redis does not have.
        for script in [&self.scripts.write, &self.scripts.remove] {
            script.load_async(&mut connection).await?;
        }
        Ok(state.connection.insert(connection).clone())
    }
}
