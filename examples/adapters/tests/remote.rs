//! A gradient from another process.

use std::io::{self, ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sam_adapters::remote::{RemoteError, RemoteOracle, serve};
use sam_core::{Adam, FnOracle, GradientOracle, Outcome, Pass, Rule, Sam, SliceSpace, StepError};

fn rosenbrock(w: &[f64], g: &mut [f64]) -> f64 {
    let (x, y) = (w[0], w[1]);
    let valley = y - x * x;
    g.copy_from_slice(&[-2.0 * (1.0 - x) - 400.0 * x * valley, 200.0 * valley]);
    (1.0 - x).powi(2) + 100.0 * valley * valley
}

/// Longer than any answer here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn start_server() -> Child {
    Command::new(env!("CARGO_BIN_EXE_remote-oracle"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test's own server starts")
}

type Method = Sam<SliceSpace<f64, [f64; 2]>, Adam<f64, [f64; 2]>>;

fn sam() -> Method {
    Sam::new(SliceSpace::new([0.0; 2]), Rule::l2(0.05), Adam::new(0.01, [0.0; 2], [0.0; 2]))
}

fn bits(w: &[f64]) -> Vec<u64> {
    w.iter().map(|w| w.to_bits()).collect()
}

#[test]
fn the_same_bits_as_in_this_process() {
    let mut server = start_server();
    let mut remote = RemoteOracle::of_child(&mut server, PATIENCE).expect("both ends are pipes");
    let (mut here, mut there, mut g) = ([-1.2, 1.0], [-1.2, 1.0], [0.0; 2]);
    let (mut a, mut b) = (sam(), sam());
    for _ in 0..200 {
        let x = a.step_with(&mut here[..], &mut g[..], |w, g, _| rosenbrock(w, g)).unwrap();
        let y = b.step(&mut there[..], &mut g[..], &mut remote).unwrap();
        assert_eq!((x.clean.to_bits(), y.outcome), (y.clean.to_bits(), Outcome::Descended));
        assert_eq!(bits(&here), bits(&there));
    }
    drop(remote);
    assert!(server.wait().unwrap().success(), "the server ends when nobody asks any more");
}

#[test]
fn a_refusal_is_passed_on_and_the_server_lives() {
    let mut server = start_server();
    let mut remote = RemoteOracle::of_child(&mut server, PATIENCE).expect("both ends are pipes");
    let (mut w, mut g) = ([11.0, 0.0], [0.0; 2]);
    let error = sam().step(&mut w[..], &mut g[..], &mut remote).unwrap_err();
    assert_eq!(
        error.to_string(),
        "gradient oracle, clean pass: the oracle says: expected parameters within 10 of the origin, found (11, 0)"
    );
    assert_eq!(w, [11.0, 0.0]);
    w = [1.0, 2.0];
    assert!(sam().step(&mut w[..], &mut g[..], &mut remote).is_ok());
    drop(remote);
    assert!(server.wait().unwrap().success());
}

#[test]
fn a_dead_server_leaves_the_parameters_alone() {
    let mut server = start_server();
    let mut remote = RemoteOracle::of_child(&mut server, PATIENCE).expect("both ends are pipes");
    let (mut w, mut g, mut sam) = ([0.3, 0.4], [0.0; 2], sam());
    let _ = sam.step(&mut w[..], &mut g[..], &mut remote).unwrap();
    let before = bits(&w);
    server.kill().unwrap();
    server.wait().unwrap();
    let error = sam.step(&mut w[..], &mut g[..], &mut remote).unwrap_err();
    assert!(matches!(error, StepError::Oracle(RemoteError::Connection(_), Pass::Clean)), "{error}");
    let error = sam.step(&mut w[..], &mut g[..], &mut remote).unwrap_err();
    assert!(matches!(error, StepError::Oracle(RemoteError::Broken, Pass::Clean)), "{error}");
    assert_eq!(bits(&w), before);
}

/// Every prefix of a right answer is an error, never a gradient.
#[test]
fn a_short_answer_is_no_answer() {
    let request = [&[0u8][..], &2u64.to_le_bytes(), &0.5f64.to_le_bytes(), &0.25f64.to_le_bytes()].concat();
    let oracle = || FnOracle(|w: &[f64], g: &mut [f64], _| Ok::<_, String>(rosenbrock(w, g)));
    let mut answer = Vec::new();
    serve(2, oracle(), &request[..], &mut answer).unwrap();
    for length in 0..=answer.len() {
        let mut sent = Vec::new();
        let mut remote = RemoteOracle::new(&answer[..length], &mut sent);
        let result = remote.gradient(&[0.5, 0.25], &mut [0.0; 2], Pass::Clean);
        assert_eq!(result.is_ok(), length == answer.len(), "{length} bytes of {}", answer.len());
        assert_eq!(sent, request);
    }
    let mut strange = RemoteOracle::new(&[7u8][..], io::sink());
    let error = strange.gradient(&[0.5, 0.25], &mut [0.0; 2], Pass::Clean).unwrap_err();
    assert!(matches!(error, RemoteError::Answer(7)), "{error}");
    let mut endless = RemoteOracle::new([1u8; 9].chain(io::repeat(b'!')), io::sink());
    let error = endless.gradient(&[0.5, 0.25], &mut [0.0; 2], Pass::Clean).unwrap_err();
    assert!(matches!(&error, RemoteError::Oracle(message) if message.len() == 4096), "{error}");
}

#[test]
fn the_server_refuses_what_is_no_request() {
    let unused = || FnOracle(|_: &[f64], _: &mut [f64], _| Ok::<_, String>(0.0));
    let request = [&[0u8][..], &u64::MAX.to_le_bytes()].concat();
    let mut answer = Vec::new();
    let error = serve(2, unused(), &request[..], &mut answer).unwrap_err();
    assert!(error.to_string().contains("expected 2 parameters"), "{error}");
    let error = serve(2, unused(), &[9u8][..], &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("beginning with 0 or 1, found 9"), "{error}");
    let error = RemoteOracle::new(&answer[..], io::sink())
        .gradient(&[0.0; 2], &mut [0.0; 2], Pass::Clean)
        .unwrap_err();
    assert!(error.to_string().contains("expected 2 parameters, found 18446744073709551615"), "{error}");
}

/// Neither a server that never answers nor one that never reads holds a step for ever.
#[test]
fn a_silent_server_is_given_up() {
    let mut server =
        Command::new("sleep").arg("600").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut remote =
        RemoteOracle::of_child(&mut server, Duration::from_millis(50)).expect("both ends are pipes");
    // More than a pipe holds.
    let (mut w, mut g) = (vec![0.5; 1 << 16], vec![0.0; 1 << 16]);
    let timed_out = |error: RemoteError| match error {
        RemoteError::Connection(error) => error.kind() == ErrorKind::TimedOut,
        _ => false,
    };
    assert!(timed_out(remote.gradient(&w, &mut g, Pass::Clean).unwrap_err()));
    assert!(matches!(remote.gradient(&w, &mut g, Pass::Clean), Err(RemoteError::Broken)));
    drop(remote);
    server.kill().unwrap();
    server.wait().unwrap();

    let mut server =
        Command::new("sleep").arg("600").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut remote =
        RemoteOracle::of_child(&mut server, Duration::from_millis(50)).expect("both ends are pipes");
    w.truncate(2);
    g.truncate(2);
    assert!(timed_out(remote.gradient(&w, &mut g, Pass::Clean).unwrap_err()));
    server.kill().unwrap();
    server.wait().unwrap();
}
