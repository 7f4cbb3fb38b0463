//! A Redis for tests, and faults at will.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::find;
use crate::process::{Server, free_port};

/// A Redis server of this test process alone, in memory only: stopped, it has lost all it held.
pub struct Redis {
    server: Server,
    settings: Vec<(String, String)>,
    port: u16,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// Where it cannot be started; the message says what to do.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one that holds at most so many bytes and then refuses writes.
    ///
    /// # Panics
    /// Where it cannot be started; the message says what to do.
    #[must_use]
    pub fn start_small(bytes: u64) -> Self {
        Self::start_with(&[("maxmemory", &bytes.to_string()), ("maxmemory-policy", "noeviction")])
    }

    /// Starts one with settings of your own, as `("maxmemory", "4mb")`.
    ///
    /// # Panics
    /// Where it cannot be started; the message says what to do.
    #[must_use]
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut redis = Self { server: Server::prepare("redis", false), settings, port: 0 };
        for _attempt in 0..5 {
            redis.port = free_port();
            if redis.launch() {
                return redis;
            }
        }
        panic!("Redis does not start:\n{}", redis.server.log_text());
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command and answers its reply: a bulk or simple string's text, an integer's digits, an array's
    /// elements by lines, a null as nothing.
    ///
    /// # Panics
    /// Where Redis does not answer, or answers with an error.
    pub fn command(&self, words: &[&str]) -> String {
        self.try_command(words).unwrap_or_else(|why| panic!("{words:?}: {why}"))
    }

    /// Deletes everything.
    ///
    /// # Panics
    /// Where Redis does not answer.
    pub fn flush(&self) {
        self.command(&["FLUSHALL"]);
    }

    /// Stops it; all it held is lost.
    pub fn stop(&self) {
        self.server.kill();
    }

    /// Starts it again, empty, on the same port.
    ///
    /// # Panics
    /// Where it does not start.
    pub fn start_again(&self) {
        if !self.server.is_running() {
            assert!(self.launch(), "Redis does not start again:\n{}", self.server.log_text());
        }
    }

    /// Halts it: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.server.signal("STOP");
    }

    /// Lets it go on after [`Redis::pause`].
    pub fn resume(&self) {
        self.server.signal("CONT");
    }

    fn launch(&self) -> bool {
        let mut command = self.server.command(&find::REDIS.binary());
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        for (name, value) in &self.settings {
            command.args([&format!("--{name}"), value]);
        }
        self.server.launch(command);
        self.server.await_ready(|| self.try_command(&["PING"]).is_ok_and(|reply| reply == "PONG"))
    }

    fn try_command(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        stream.write_all(request.as_bytes())?;
        reply(&mut BufReader::new(stream))
    }
}

/// Reads one reply of Redis's protocol.
fn reply(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let (kind, rest) = line.trim_end().split_at_checked(1).ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let length = || rest.parse::<i64>().map_err(std::io::Error::other);
    match kind {
        "+" | ":" => Ok(rest.to_owned()),
        "$" => {
            let Ok(length) = usize::try_from(length()?) else { return Ok(String::new()) };
            let mut bytes = vec![0; length + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        "*" => {
            let items: Result<Vec<_>, _> = (0..length()?).map(|_| reply(from)).collect();
            Ok(items?.join("\n"))
        }
        _ => Err(std::io::Error::other(line)),
    }
}
