//! Whether somebody else had the machine while times were taken.

use std::{fs, time::Instant};

use serde::Serialize;

use crate::report::statistics::quartiles;

/// Between the quartiles of ratios that were taken side by side, as a share of their median: more of it is the machine's doing.
pub const QUIET_SPREAD: f64 = 0.1;
/// Times a second that threads lose their processor on a machine that does nothing else.
const QUIET_SWITCHES: f64 = 10.0;

/// What is known of others' work beside one's own.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Disturbance {
    /// Quartiles of the ratios that were measured; nothing else should move them.
    pub quartiles: [f64; 3],
    /// Times a second that a thread of this process lost its processor to somebody else. Only Linux says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub involuntary_switches_per_s: Option<f64>,
    /// Whether either is more than on a quiet machine.
    pub disturbed: bool,
}

impl Disturbance {
    fn new(ratios: &[f64], involuntary_switches_per_s: Option<f64>) -> Self {
        let quartiles = quartiles(&mut ratios.to_vec()).unwrap_or([f64::NAN; 3]);
        let mut found = Self { quartiles, involuntary_switches_per_s, disturbed: false };
        found.disturbed = found.spread() > QUIET_SPREAD || found.switches() > QUIET_SWITCHES;
        found
    }

    fn spread(&self) -> f64 {
        let [low, median, high] = self.quartiles;
        (high - low) / median
    }

    fn switches(&self) -> f64 {
        self.involuntary_switches_per_s.unwrap_or(0.0)
    }

    /// Why figures are not facts, for people; `None` on a quiet machine.
    pub fn warning(&self) -> Option<String> {
        let (spread, switches) = (100.0 * self.spread(), self.switches());
        self.disturbed.then(|| {
            format!(
                "the machine was disturbed: threads lost their processor {switches:.0} times a second (quiet: up to \
                 {QUIET_SWITCHES:.0}), and half of the pairs of steps spread over {spread:.0} % (quiet: up to {:.0} %); \
                 time again when it is idle",
                100.0 * QUIET_SPREAD
            )
        })
    }
}

/// From the beginning of what is timed to its end.
pub struct Watch {
    began: Instant,
    switches: Option<u64>,
}

impl Watch {
    /// Begins.
    pub fn begin() -> Self {
        Self { began: Instant::now(), switches: involuntary_switches() }
    }

    /// Ends, with the ratios that were measured meanwhile.
    pub fn end(self, ratios: &[f64]) -> Disturbance {
        let seconds = self.began.elapsed().as_secs_f64();
        let switches = self.switches.zip(involuntary_switches());
        let a_second = switches.map(|(before, now)| now.saturating_sub(before) as f64 / seconds.max(1e-3));
        Disturbance::new(ratios, a_second)
    }
}

/// How often threads of this process have lost their processor so far, those that have ended left out.
fn involuntary_switches() -> Option<u64> {
    let threads = fs::read_dir("/proc/self/task").ok()?.filter_map(Result::ok);
    let status = threads.filter_map(|thread| fs::read_to_string(thread.path().join("status")).ok());
    status.map(|text| switches_in(&text)).sum()
}

/// Of a thread's status as Linux writes it.
fn switches_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_and_switches_each_disturb() {
        let quiet = [1.98, 1.99, 2.0, 2.01, 2.02];
        let rough = [1.5, 1.8, 2.0, 2.3, 9.0];
        for (ratios, switches, disturbed) in [
            (quiet, None, false),
            (quiet, Some(3.0), false),
            (quiet, Some(40.0), true),
            (rough, None, true),
            (rough, Some(0.0), true),
        ] {
            let found = Disturbance::new(&ratios, switches);
            assert_eq!(found.disturbed, disturbed, "{found:?}");
            assert_eq!(found.warning().is_some(), disturbed);
        }
        let warning = Disturbance::new(&rough, Some(40.0)).warning().unwrap();
        assert!(warning.contains("40 times a second") && warning.contains("25 %"), "{warning}");
    }

    #[test]
    fn switches_are_read_as_linux_writes_them() {
        let status = "Name:\tsam\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\n";
        assert_eq!(switches_in(status), Some(545));
        assert_eq!(switches_in("Name:\tsam\n"), None);
        if cfg!(target_os = "linux") {
            assert!(involuntary_switches().is_some());
        }
    }
}
