//! A server process that cannot outlive the tests: stopped on Drop, and by a guardian where the test process is
//! killed. (Not by PR_SET_PDEATHSIG: that follows the *thread* that started the child, and a test's thread ends
//! long before its process.)

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Waits until its standard input ends, which it does when the test process is gone; then kills what the pid file
/// names, with its children, and removes the folder.
const GUARDIAN: &str = r#"
cat >/dev/null
pid=$(cat "$1/pid" 2>/dev/null)
if [ -n "$pid" ]; then
  children=$(grep -ls "^PPid:[[:space:]]*$pid\$" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3)
  kill -KILL $pid $children 2>/dev/null
  sleep 0.2
fi
rm -rf "$1"
"#;

/// A user by number, for a server that refuses to run as root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct User {
    uid: u32,
    gid: u32,
}

/// A server: its folder, its port, and its process while it runs.
pub(crate) struct Server {
    folder: TempDir,
    user: Option<User>,
    child: Mutex<Option<Child>>,
    guardian: Child,
}

impl Server {
    /// Prepares a folder for a server, owned by the user it will run as; nothing runs yet.
    pub(crate) fn prepare(name: &str, refuses_root: bool) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("rapport-{name}-")).tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let owner = std::fs::metadata(folder.path()).expect("the new folder is there");
        let user = (refuses_root && owner.uid() == 0).then(unprivileged);
        if let Some(user) = user {
            chown(folder.path(), Some(user.uid), Some(user.gid)).expect("root may give a folder away");
        }
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "guardian"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A group of its own: an interrupt at the terminal must not end the guardian before its work.
            .process_group(0)
            .spawn()
            .expect("sh runs");
        Self { folder, user, child: Mutex::new(None), guardian }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command that runs as the server's user, in its folder.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).stdin(Stdio::null());
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Starts the process; its output goes to `log` in the folder.
    pub(crate) fn launch(&self, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.log()).expect("the log can be written");
        let errors = log.try_clone().expect("a file handle can be doubled");
        let child = command.stdout(log).stderr(errors).process_group(0).spawn().expect("the server's binary runs");
        std::fs::write(self.pid_file(), child.id().to_string()).expect("the folder can be written");
        *self.child() = Some(child);
    }

    /// Waits until `ready` says so. False where the process ended first.
    pub(crate) fn await_ready(&self, ready: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            let child = &mut *self.child();
            let ended = |child: &mut Child| child.try_wait().is_ok_and(|status| status.is_some());
            if child.as_mut().is_none_or(ended) {
                return false;
            }
            if ready() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("a server was not ready within a minute:\n{}", self.log_text());
    }

    /// Sends a signal to the process and its children.
    pub(crate) fn signal(&self, signal: &str) {
        let Some(pid) = self.child().as_ref().map(Child::id) else { return };
        send(signal, &family(pid));
    }

    /// Sends a signal to the process alone and waits for its end; kills it with its children after `patience`.
    pub(crate) fn stop(&self, signal: &str, patience: Duration) {
        let Some(mut child) = self.child().take() else { return };
        let everyone = family(child.id());
        send("CONT", &everyone);
        send(signal, &[child.id()]);
        let start = Instant::now();
        while start.elapsed() < patience && !child.try_wait().is_ok_and(|status| status.is_some()) {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.reap(child, &everyone);
    }

    /// Kills the process and its children at once, as a crash of the machine's memory would.
    pub(crate) fn kill(&self) {
        let Some(child) = self.child().take() else { return };
        let everyone = family(child.id());
        self.reap(child, &everyone);
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child().as_mut().is_some_and(|child| child.try_wait().is_ok_and(|status| status.is_none()))
    }

    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    fn reap(&self, mut child: Child, everyone: &[u32]) {
        if child.try_wait().is_ok_and(|status| status.is_none()) {
            send("KILL", everyone);
        }
        // What is killed ends; an error here means that it had ended before.
        let _ended = child.wait();
        let _gone = std::fs::remove_file(self.pid_file());
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn log(&self) -> PathBuf {
        self.folder().join("log")
    }
    fn pid_file(&self) -> PathBuf {
        self.folder().join("pid")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // Ends the guardian's input, and so the guardian, which finds no pid and removes the folder.
        drop(self.guardian.stdin.take());
        let _ended = self.guardian.wait();
    }
}

/// A port that was free a moment ago. Whoever starts a server on it tries again where it was taken meanwhile.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a local port can be bound");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// The process and its children (Postgres gives each backend a session of its own, so its group is not enough).
fn family(pid: u32) -> Vec<u32> {
    let parent = |status: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        line.trim().parse::<u32>().ok()
    };
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbered = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |number: &u32| {
        std::fs::read_to_string(format!("/proc/{number}/status")).is_ok_and(|status| parent(&status) == Some(pid))
    };
    std::iter::once(pid).chain(numbered.filter(is_child)).collect()
}

fn send(signal: &str, pids: &[u32]) {
    let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
    let line = format!("kill -{signal} {} 2>/dev/null", pids.join(" "));
    // A process that has ended cannot be signalled, which is as good.
    let _status = Command::new("sh").args(["-c", &line]).stdin(Stdio::null()).status();
}

/// The user `postgres`, else `nobody`.
fn unprivileged() -> User {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
        Some(User { uid: fields.next()?.ok()?, gid: fields.next()?.ok()? })
    };
    number("postgres").or_else(|| number("nobody")).unwrap_or(User { uid: 65_534, gid: 65_534 })
}
