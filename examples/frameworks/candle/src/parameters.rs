//! A model's variables in an order that does not change.

use candle_core::Var;
use candle_nn::VarMap;

/// What batch normalisation calls its statistics.
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// The variables that are trained: all but running statistics, sorted by name.
///
/// [`VarMap::all_vars`] comes in the order of a hash map, another one in every run; sums in another order end in
/// other bits.
///
/// # Panics
/// If a thread panicked while it held the map.
pub fn parameters(map: &VarMap) -> Vec<Var> {
    chosen(map, |name| !is_statistic(name))
}

/// The running statistics of batch normalisation, sorted by name.
///
/// # Panics
/// As [`parameters`].
pub fn running_statistics(map: &VarMap) -> Vec<Var> {
    chosen(map, is_statistic)
}

fn is_statistic(name: &str) -> bool {
    STATISTICS.contains(&name.rsplit('.').next().unwrap_or(name))
}

fn chosen(map: &VarMap, choose: impl Fn(&str) -> bool) -> Vec<Var> {
    let map = map.data().lock().expect("no thread panics while it holds the map");
    let mut named: Vec<_> = map.iter().filter(|(name, _)| choose(name)).collect();
    named.sort_by_key(|(name, _)| *name);
    named.into_iter().map(|(_, var)| var.clone()).collect()
}
