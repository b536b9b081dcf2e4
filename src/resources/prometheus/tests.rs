//! Answers as Prometheus gives them, and others.

use super::*;

fn of(body: &str) -> Result<f64, String> {
    number(200, body.as_bytes()).map_err(|e| e.0)
}

fn vector(results: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{results}]}}}}"#)
}

#[test]
fn one_number_is_an_answer() {
    let one = r#"{"metric":{"__name__":"up","job":"prometheus"},"value":[1795488321.507,"1.5"]}"#;
    assert_eq!(of(&vector(one)), Ok(1.5));
    let scalar =
        r#"{"status":"success","data":{"resultType":"scalar","result":[1795488321,"-2"]}}"#;
    assert_eq!(of(scalar), Ok(-2.0));
}

#[test]
fn anything_else_is_none() {
    let with = |value: &str| format!(r#"{{"metric":{{}},"value":[1,"{value}"]}}"#);
    let cases = [
        (vector(""), "no result"),
        (vector(&[with("1"), with("2")].join(",")), "has 2 results"),
        (vector(&with("NaN")), "is NaN"),
        (vector(&with("+Inf")), "is inf"),
        (vector(&with("many")), "no number"),
        (vector(r#"{"metric":{},"value":[1,2]}"#), "no number"),
        (vector(r#"{"metric":{}}"#), "no number"),
        (vector("7"), "no number"),
        (vector("").replace("vector", "matrix"), "has a matrix"),
        (vector("").replace("[]", "{}"), "has a vector"),
        (r#"{"status":"success"}"#.to_owned(), "without data"),
        (
            r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected <eof>"}"#
                .to_owned(),
            "refuses the query: parse error",
        ),
        ("<html>".to_owned(), "no Prometheus"),
        (String::new(), "no Prometheus"),
        ("[1]".to_owned(), "no Prometheus"),
    ];
    for (body, why) in cases {
        let told = of(&body);
        assert!(
            told.as_ref().is_err_and(|told| told.contains(why)),
            "{body}: {told:?}"
        );
    }
}

#[test]
fn a_login_in_the_address_is_sent_as_one() {
    let login = login("http://reader:p%40ss@localhost:9090").unwrap();
    assert_eq!(login, format!("Basic {}", STANDARD.encode("reader:p@ss")));
    assert!(login.is_sensitive());
    assert!(super::login("http://localhost:9090").is_none());
}
