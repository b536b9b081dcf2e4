//! Kept connections, against servers that end them in every way that servers do.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use super::{client, send};
use crate::event::ErrorKind;
use crate::plan::Address;

/// What a server does with a connection.
#[derive(Clone, Copy)]
enum Habit {
    /// Answers so many requests, says with the last one that it closes, and does.
    Announces(u32),
    /// Answers so many requests, and closes without a word.
    ClosesAfter(u32),
    /// Takes a request and resets the connection instead of answering.
    Never,
}

fn serve(habit: Habit) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("http://{}/x", listener.local_addr().unwrap())).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 2048];
                let (most, announces) = match habit {
                    Habit::Announces(n) => (n, true),
                    Habit::ClosesAfter(n) => (n, false),
                    Habit::Never => {
                        let _ = stream.read(&mut request);
                        return;
                    }
                };
                for n in 1..=most {
                    if !matches!(stream.read(&mut request), Ok(1..)) {
                        return;
                    }
                    let close = if announces && n == most {
                        "connection: close\r\n"
                    } else {
                        ""
                    };
                    let answer = format!("HTTP/1.1 200 OK\r\n{close}content-length: 2\r\n\r\nok");
                    if stream.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_server_that_says_it_closes_costs_no_request() {
    for every in [1, 2, 7] {
        let (mut client, to) = (client(), serve(Habit::Announces(every)));
        for n in 0..200 {
            let answer = send(&mut client, &to, "hello").await.unwrap();
            assert_eq!(
                (answer.status, &*answer.body),
                (200, &b"ok"[..]),
                "request {n}"
            );
            if n % 3 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_closes_without_a_word_never_keeps_a_request_waiting() {
    for every in [1, 2, 7] {
        let (mut client, to) = (client(), serve(Habit::ClosesAfter(every)));
        for n in 0..200 {
            // One that was on its way when the server closed is lost, and that is told at once.
            if let Err(error) = send(&mut client, &to, "").await {
                assert_eq!(error.kind, ErrorKind::Reset, "request {n}: {error}");
                assert!(
                    error.timings.end < Duration::from_secs(2),
                    "request {n}: {error}"
                );
            }
        }
        // Time enough to see that the connection is gone: nothing is lost.
        for n in 0..20 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            assert!(send(&mut client, &to, "").await.is_ok(), "request {n}");
        }
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_a_reset_and_not_asked_twice() {
    let (mut client, to) = (client(), serve(Habit::Never));
    for _ in 0..5 {
        assert_eq!(
            send(&mut client, &to, "x").await.unwrap_err().kind,
            ErrorKind::Reset
        );
    }
}
