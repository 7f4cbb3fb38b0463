//! A line between a client and a server that a test can make slow, cut, or stop taking new calls.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A TCP proxy on a port of its own. Every piece a server sends waits for the delay that is set.
pub struct Wire {
    port: u16,
    state: Arc<State>,
}

struct State {
    target: u16,
    delay: AtomicU64,
    closed: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Wire {
    /// Lays a line to a port of this machine.
    ///
    /// # Panics
    /// Where no port can be bound.
    #[must_use]
    pub fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a local port can be bound");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let state = State { target, delay: AtomicU64::new(0), closed: AtomicBool::new(false), open: Mutex::default() };
        let state = Arc::new(state);
        let accepting = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if Arc::strong_count(&accepting) == 1 {
                    return;
                }
                if !accepting.closed.load(Ordering::Relaxed) {
                    // A server that is down closes the client's connection, as it would without the line.
                    let _refused = accepting.join(client);
                }
            }
        });
        Self { port, state }
    }

    /// The port on 127.0.0.1 that clients use.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Lets every answer of the server wait so long.
    pub fn slow(&self, by: Duration) {
        self.state.delay.store(u64::try_from(by.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Cuts all connections; new ones are taken again only after [`Wire::mend`].
    pub fn cut(&self) {
        self.state.closed.store(true, Ordering::Relaxed);
        self.state.hang_up();
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.state.closed.store(false, Ordering::Relaxed);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.cut();
    }
}

impl State {
    fn join(self: &Arc<Self>, client: TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", self.target))?;
        for stream in [&client, &server] {
            stream.set_nodelay(true)?;
            self.open.lock().unwrap_or_else(PoisonError::into_inner).push(stream.try_clone()?);
        }
        let (to_server, to_client) = (server.try_clone()?, client.try_clone()?);
        std::thread::spawn(move || pass(client, to_server, || Duration::ZERO));
        let state = Arc::downgrade(self);
        std::thread::spawn(move || {
            pass(server, to_client, || {
                state
                    .upgrade()
                    .map_or(Duration::ZERO, |state| Duration::from_micros(state.delay.load(Ordering::Relaxed)))
            });
        });
        Ok(())
    }

    fn hang_up(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // One that is closed already is as good.
            let _closed = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Copies one way until either end closes, then closes both.
fn pass(mut from: TcpStream, mut to: TcpStream, delay: impl Fn() -> Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        std::thread::sleep(delay());
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    // Closing twice is harmless.
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
