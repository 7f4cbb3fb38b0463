//! The harness's own promises: servers start, fail on command, come back, and never outlive their test process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rapport_harness::{Postgres, Redis, Wire, shared_postgres, shared_redis};

#[test]
fn databases_are_fresh_each_time() {
    let postgres = shared_postgres();
    let (first, second) = (postgres.database("fresh"), postgres.database("fresh"));
    postgres.execute(&first, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    assert_ne!(first, second);
    assert_eq!(postgres.execute(&second, "SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
}

#[test]
fn a_killed_postgres_has_kept_what_it_committed() {
    let postgres = Postgres::start();
    let database = postgres.database("kept");
    postgres.execute(&database, "CREATE TABLE t (n int)");
    postgres.execute(&database, "INSERT INTO t SELECT generate_series(1, 1000)");
    postgres.kill();
    postgres.start_again();
    assert_eq!(postgres.execute(&database, "SELECT count(*) FROM t"), "1000");
    postgres.stop();
    postgres.start_again();
    assert_eq!(postgres.execute(&database, "SELECT count(*) FROM t"), "1000");
}

#[test]
fn a_paused_postgres_answers_nothing_until_it_is_resumed() {
    let postgres = Postgres::start();
    let database = postgres.database("paused");
    postgres.pause();
    std::thread::scope(|scope| {
        let (started, query) = (Instant::now(), scope.spawn(|| postgres.execute(&database, "SELECT 1")));
        std::thread::sleep(Duration::from_millis(300));
        assert!(!query.is_finished(), "a paused server answered");
        postgres.resume();
        assert_eq!(query.join().expect("the query ends"), "1");
        assert!(started.elapsed() >= Duration::from_millis(300));
    });
}

#[test]
fn a_durable_postgres_waits_for_the_disk() {
    let postgres = Postgres::start_durable();
    assert_eq!(postgres.execute(&postgres.url("postgres"), "SHOW fsync"), "on");
    assert_eq!(shared_postgres().execute(&shared_postgres().url("postgres"), "SHOW fsync"), "off");
}

#[test]
fn redis_stops_pauses_flushes_and_fills_on_command() {
    let redis = Redis::start_small(4_000_000);
    redis.command(&["SET", "a", "1"]);
    assert_eq!(redis.command(&["GET", "a"]), "1");
    redis.flush();
    assert_eq!(redis.command(&["GET", "a"]), "");
    assert_eq!(redis.command(&["CONFIG", "GET", "maxmemory"]), "maxmemory\n4000000");
    redis.command(&["SET", "a", "1"]);
    redis.stop();
    redis.start_again();
    assert_eq!(redis.command(&["GET", "a"]), "", "what it held is lost");
    redis.pause();
    std::thread::scope(|scope| {
        let ping = scope.spawn(|| redis.command(&["PING"]));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!ping.is_finished());
        redis.resume();
        assert_eq!(ping.join().expect("it answers"), "PONG");
    });
}

#[test]
fn a_line_can_be_slow_and_cut() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    let redis = shared_redis();
    let wire = Wire::to(redis.port());
    let ping = || -> std::io::Result<usize> {
        let mut stream = TcpStream::connect(("127.0.0.1", wire.port()))?;
        stream.write_all(b"PING\r\n")?;
        stream.read(&mut [0; 16])
    };
    assert_eq!(ping().expect("it passes"), 7);
    wire.slow(Duration::from_millis(200));
    let start = Instant::now();
    assert_eq!(ping().expect("it passes"), 7);
    assert!(start.elapsed() >= Duration::from_millis(200));
    wire.cut();
    assert!(matches!(ping(), Ok(0) | Err(_)), "a cut line passes nothing");
    wire.mend();
    assert_eq!(ping().expect("it passes again"), 7);
}

/// Not a test: the process that the next one kills.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn holds_servers_until_it_is_killed() {
    for folder in [shared_postgres().folder(), Postgres::start().folder()] {
        println!("\nfolder {}", folder.display());
    }
    println!("\nheld {} {}", shared_postgres().folder().display(), shared_redis().port());
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn servers_are_gone_when_the_test_process_is_killed() {
    let mut held = Command::new(std::env::current_exe().expect("a test has a binary"))
        .args(["--ignored", "--exact", "holds_servers_until_it_is_killed", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the test binary runs");
    let lines = BufReader::new(held.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let line = lines.filter_map(|line| line.strip_prefix("held ").map(str::to_owned)).next().expect("it tells");
    let (folder, port) = line.split_once(' ').expect("two words");
    let pid = std::fs::read_to_string(format!("{folder}/pid")).expect("the server runs");
    held.kill().expect("it runs");
    held.wait().expect("it ended");
    let gone = || {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let ended = state.is_empty() || state.contains(") Z ");
        ended
            && !std::path::Path::new(folder).exists()
            && std::net::TcpStream::connect(format!("127.0.0.1:{port}")).is_err()
    };
    let start = Instant::now();
    while !gone() {
        assert!(start.elapsed() < Duration::from_secs(10), "an orphan is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}
