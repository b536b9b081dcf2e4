//! Is what is reported true? The real program, against servers whose delays are known: each reported percentile beside
//! the one that follows from the delays. Ends with 1 if one is off by more than 1 % and more than 1 ms.
//!
//! `cargo bench --bench truth`, about two minutes. Loopback only.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench that cannot begin says so and ends, and prints what it saw"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gates::event::Latency;

/// How a server answers one request: it writes, and waits in between.
type Answer = Arc<dyn Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync>;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const STREAM: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// A server with a thread for each connection: a sleeping thread wakes within some 0.1 ms, a runtime's timer within
/// 1 ms, which is as much as is to be told apart here.
fn server(answer: Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream, &answer));
        }
    });
    format!("http://{address}")
}

fn serve(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let lines = BufReader::new(stream.try_clone()?).lines();
    for line in lines {
        // The end of a request: none here has a body.
        if line?.is_empty() {
            answer(&mut stream)?;
        }
    }
    Ok(())
}

/// Delays that are spread evenly from 10 to 110 ms, in an order that is even over any part of them: multiples of the
/// golden ratio, without their whole part.
fn evenly_spread() -> Answer {
    let count = AtomicU64::new(0);
    Arc::new(move |stream| {
        let n = count.fetch_add(1, Ordering::Relaxed) as f64;
        thread::sleep(Duration::from_secs_f64(
            0.010 + 0.100 * (n * 0.618_033_988_749_895).fract(),
        ));
        stream.write_all(OK)
    })
}

/// Answers after 2 ms, but for the first of every ten seconds, in which nothing is answered: it stalls.
fn stalling(begin: Instant) -> Answer {
    Arc::new(move |stream| {
        thread::sleep(Duration::from_millis(2));
        let into = begin.elapsed().as_secs_f64() % 10.0;
        if into < 1.0 {
            thread::sleep(Duration::from_secs_f64(1.0 - into));
        }
        stream.write_all(OK)
    })
}

/// The first token after 80 ms, then 40 more, each 10 ms after the one before, but for one after 150 ms; 10 ms later,
/// the end. By the clock, so that what a sleep is too long does not add up.
fn streaming() -> Answer {
    Arc::new(|stream| {
        let begin = Instant::now();
        stream.write_all(STREAM)?;
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        stream.write_all(chunk("data:\n\n").as_bytes())?;
        let mut at = Duration::from_millis(80);
        for n in 0..=40 {
            thread::sleep(at.saturating_sub(begin.elapsed()));
            let token = chunk(&format!("event: token\ndata: {n}\n\n"));
            stream.write_all(token.as_bytes())?;
            at += Duration::from_millis(if n == 20 { 150 } else { 10 });
        }
        thread::sleep(at.saturating_sub(begin.elapsed()));
        let end = chunk("event: done\ndata: .\n\n") + "0\r\n\r\n";
        stream.write_all(end.as_bytes())
    })
}

/// Runs the program, and reads what it counted about its one step.
fn load(folder: &Path, scenario: &str, arguments: &[&str]) -> serde_json::Value {
    let file = folder.join("scenario.yaml");
    std::fs::write(&file, scenario).expect("a scenario file");
    let out = folder.join("out");
    let _ = std::fs::remove_dir_all(&out);
    let ended = Command::new(env!("CARGO_BIN_EXE_gates"))
        .arg("load")
        .arg(&file)
        .arg("--out")
        .arg(&out)
        .args(arguments)
        .output()
        .expect("gates runs");
    let run: PathBuf = std::fs::read_dir(&out)
        .expect("a folder of runs")
        .flatten()
        .next()
        .ok_or_else(|| String::from_utf8_lossy(&ended.stderr).into_owned())
        .expect("a run")
        .path();
    let text = std::fs::read_to_string(run.join("run.json")).expect("run.json");
    let mut run: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    run["load"]["steps"][0]["total"].take()
}

fn latency(total: &serde_json::Value, of: &str) -> Latency {
    serde_json::from_value(total[of].clone()).expect("a histogram")
}

/// Prints a figure beside the truth; tells whether it is near enough.
fn near(what: &str, seen: Option<Duration>, truth_ms: f64) -> bool {
    let seen_ms = seen.map_or(f64::NAN, |s| s.as_secs_f64() * 1e3);
    let off = seen_ms - truth_ms;
    let near = off.abs() <= 1.0 || off.abs() <= truth_ms * 0.01;
    println!(
        "{what:<44} {truth_ms:>9.2} ms {seen_ms:>9.2} ms {off:>+8.2} ms  {}",
        if near { "true" } else { "OFF" }
    );
    near
}

const GET: &str = "gates: 1\nname: truth\nsteps:\n  - name: get\n    http: GET ${url}/\n    expect: [status == 200]\n";
const SSE: &str = "gates: 1\nname: truth\nsteps:\n  - name: ask\n    sse: GET ${url}/\n    token: event == token\n    expect: [status == 200]\n";

fn main() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let mut all_true = true;
    println!(
        "{:<44} {:>12} {:>12} {:>11}",
        "figure", "truth", "reported", "off by"
    );

    let url = server(evenly_spread());
    for (model, arguments) in [("closed", ["--users", "20"]), ("open", ["--rate", "300/s"])] {
        let url = ["--url", &url, "--for", "30s"];
        let total = load(folder, GET, &[&arguments[..], &url].concat());
        for (of, name) in [("ok", "corrected"), ("service", "uncorrected")] {
            let times = latency(&total, of);
            for (q, truth) in [(0.5, 60.0), (0.9, 100.0), (0.95, 105.0), (0.99, 109.0)] {
                let what = format!("spread evenly, {model}, {name}, p{}", q * 100.0);
                all_true &= near(&what, times.quantile(q), truth);
            }
        }
    }

    // Held for four whole periods, whenever they begin, at a rate that meets each stall at another moment: so the
    // waits of all of them together are some 1 ms apart.
    let url = server(stalling(Instant::now()));
    let total = load(
        folder,
        GET,
        &["--rate", "251/s", "--for", "40s", "--url", &url],
    );
    for (of, name) in [("ok", "corrected"), ("service", "uncorrected")] {
        let times = latency(&total, of);
        for q in [0.5, 0.95, 0.99] {
            // A tenth of the answers waits for what is left of a stall: evenly from 0 to 1 s, beside the 2 ms.
            let truth = 2.0 + 1000.0 * (1.0 - (1.0 - q) / 0.1_f64).max(0.0);
            let what = format!("1 s stall every 10 s, {name}, p{}", q * 100.0);
            all_true &= near(&what, times.quantile(q), truth);
        }
    }

    let url = server(streaming());
    let total = load(
        folder,
        SSE,
        &["--users", "8", "--for", "30s", "--url", &url],
    );
    let gaps = latency(&total, "gaps");
    let first = latency(&total, "first_token");
    let whole = latency(&total, "ok");
    all_true &= near("stream, first token, p50", first.quantile(0.5), 80.0);
    all_true &= near("stream, first token, p95", first.quantile(0.95), 80.0);
    all_true &= near("stream, gap, p50", gaps.quantile(0.5), 10.0);
    all_true &= near("stream, gap, p95", gaps.quantile(0.95), 10.0);
    all_true &= near("stream, gap, p99", gaps.quantile(0.99), 150.0);
    all_true &= near("stream, whole, p50", whole.quantile(0.5), 630.0);

    if all_true {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
