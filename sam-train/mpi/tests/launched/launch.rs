//! Starts the program, waits for its end, and lets nothing wait for ever.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// No run takes longer, even where ranks that wait for each other share their processors with other programs: one that takes a second alone
/// took two minutes beside builds.
const LIMIT: Duration = Duration::from_secs(600);
const GLANCE: Duration = Duration::from_millis(10);

/// How a launched program has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Launched processes. Their launcher is asked to end them if the test does before.
pub struct Launched(Child);

/// The launcher of the MPI that the program was built with.
pub fn launcher() -> String {
    env::var("SAM_MPIRUN").unwrap_or_else(|_| "mpirun".to_owned())
}

pub fn is_open_mpi(launcher: &str) -> bool {
    let ended = start(launcher, &["--version"]).end();
    !ended.stdout.contains("HYDRA")
}

/// `launcher` with these arguments, in containers too: as root, more ranks than cores, without a network.
pub fn start(launcher: &str, arguments: &[&str]) -> Launched {
    let child = Command::new(launcher)
        .args(arguments)
        .envs([
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"),
            ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"),
            ("OMPI_MCA_btl", "self,vader"),
            ("OMPI_MCA_btl_vader_single_copy_mechanism", "none"),
            ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
            ("OMPI_MCA_mpi_yield_when_idle", "1"),
            ("OMPI_MCA_oob_tcp_if_include", "lo"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    Launched(child.unwrap_or_else(|error| panic!("{launcher}: {error}; install Open MPI or MPICH")))
}

/// `sam-mpi` on so many ranks, one thread each.
pub fn start_sam(ranks: usize, arguments: &[&str]) -> Launched {
    let mut all = vec!["-n".to_owned(), ranks.to_string(), env!("CARGO_BIN_EXE_sam-mpi").to_owned()];
    all.extend(arguments.iter().map(|&argument| argument.to_owned()));
    start(&launcher(), &all.iter().map(String::as_str).collect::<Vec<_>>())
}

/// A program of `examples`.
pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_sam-mpi")).with_file_name("examples").join(name)
}

impl Launched {
    /// How it ends, which it does within the limit.
    pub fn end(mut self) -> Ended {
        let read = |mut pipe: Box<dyn Read + Send>| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                pipe.read_to_end(&mut bytes).unwrap();
                String::from_utf8_lossy(&bytes).into_owned()
            })
        };
        let stdout = read(Box::new(self.0.stdout.take().unwrap()));
        let stderr = read(Box::new(self.0.stderr.take().unwrap()));
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > LIMIT {
                drop(self);
                panic!("still running: {} {}", stdout.join().unwrap(), stderr.join().unwrap());
            }
            thread::sleep(GLANCE);
        };
        Ended { code: status.code(), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
    }

    /// Sends a signal to the launcher.
    pub fn signal(&self, signal: &str) {
        send(signal, self.0.id());
    }

    /// The processes of the ranks, which Open MPI's launcher starts itself on its own machine.
    pub fn ranks(&self) -> Vec<u32> {
        let id = self.0.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        children.split_whitespace().map(|id| id.parse().unwrap()).collect()
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // It ends its ranks; killed itself it would leave them behind.
            self.signal("TERM");
            let _ = self.0.wait();
        }
    }
}

pub fn send(signal: &str, process: u32) {
    Command::new("kill").args([&format!("-{signal}"), &process.to_string()]).status().unwrap();
}

/// Waits until `path` is there.
pub fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < LIMIT, "{} is not there", path.display());
        thread::sleep(GLANCE);
    }
}

impl Ended {
    /// The weights of a run that has printed its result as JSON, once.
    pub fn weights(&self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        let result: serde_json::Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:?}"));
        result["weights_sha256"].as_str().unwrap().to_owned()
    }
}
