//! A connection to Redis that is made when it is needed, made again when it broke, and never waited for too long.

use std::future::Future;
use std::time::Duration;

use rapport_kernel::Fault;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};
use tokio::sync::Mutex;

/// A lazily made connection, shared by all who call at once.
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Link {
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, open: Mutex::default() }
    }

    /// A further connection to the same Redis.
    pub(super) fn another(&self) -> Self {
        Self::new(self.client.clone(), self.timeout)
    }

    /// Runs a command within the timeout, and `wait` where the command itself waits so long. A connection that turns
    /// out to be broken is made again and the command sent once more: every command of the bus may be repeated.
    ///
    /// # Errors
    /// UNAVAILABLE where Redis cannot be reached, does not answer in time, or refuses.
    pub(super) async fn run<T, F>(
        &self,
        wait: Duration,
        command: impl Fn(MultiplexedConnection) -> F,
    ) -> Result<T, Fault>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let all = async {
            match self.once(&command).await {
                Err(why) if why.is_unrecoverable_error() && !why.is_connection_refusal() => self.once(&command).await,
                outcome => outcome,
            }
        };
        match tokio::time::timeout(self.timeout + wait, all).await {
            Ok(Ok(answer)) => Ok(answer),
            // Redis's error texts name commands and states, never what was sent.
            Ok(Err(why)) => Err(Fault::unavailable("the event bus", why)),
            Err(_) => {
                // A line that is dead without being closed never answers again: the next call makes a new one.
                *self.open.lock().await = None;
                Err(Fault::unavailable("the event bus", "Redis did not answer in time"))
            }
        }
    }

    async fn once<T, F>(&self, command: &impl Fn(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let outcome = command(self.connection().await?).await;
        if outcome.as_ref().is_err_and(|why| why.is_unrecoverable_error() || why.is_timeout()) {
            *self.open.lock().await = None;
        }
        outcome
    }

    async fn connection(&self) -> RedisResult<MultiplexedConnection> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        // The timeouts are those of `run`, which knows how long a command may wait.
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(self.timeout)).set_response_timeout(None);
        let connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(open.insert(connection).clone())
    }
}
